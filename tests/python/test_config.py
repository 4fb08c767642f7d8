"""What a configuration means: the Collector's vocabulary, its defaults, and what the engine is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.endpoint import grpc_endpoint
from millrace.errors import ConfigError
from millrace.gateway.config import Configuration, load, printing, reference, schema
from millrace.gateway.config.catalog import SECTIONS
from millrace.gateway.config.endpoints import listen_address
from millrace.gateway.config.kinds import Duration
from millrace.gateway.config.problems import Place, Problems
from millrace.gateway.config.tree import Scalar

Loader = Callable[[str], Configuration]

SMALLEST: dict[str, Any] = {
    "receivers": {"otlp": {"protocols": {"grpc": None, "http": None}}},
    "exporters": {"otlp": {"endpoint": "localhost:4317"}, "otlphttp": {"endpoint": "http://localhost:4318"}},
    "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp", "otlphttp"]}}},
}

COLLECTOR = """\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "0.0.0.0:4317", keepalive: {server_parameters: {max_connection_age: 1h30m, time: 30s}}}
      http: {endpoint: "localhost:4318", cors: }
processors:
  memory_limiter: {check_interval: 1s, limit_mib: 4000, spike_limit_mib: 800}
  batch: {send_batch_size: 1000}
exporters:
  otlp_grpc: {endpoint: "otelcol2:4317", tls: {insecure: true}, sending_queue: {queue_size: 20}}
  otlp_http/2: &http
    endpoint: https://example.com/otlp/
    headers: [{name: Authorization, value: "Bearer ${env:TOKEN}"}]
  otlphttp/3:
    <<: *http
    compression: zstd
    traces_endpoint: https://traces.example.com/v9
  debug: {verbosity: detailed, sampling_initial: 5}
  file/unused: {path: out.jsonl}
extensions:
  health_check: {endpoint: "0.0.0.0:13133", path: "/health/status"}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc, otlphttp/3]}
    metrics/a: {receivers: [otlp], exporters: [debug, otlp_http/2]}
  telemetry:
    logs: {level: WARN}
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: 0.0.0.0, port: 8889}}}
        - periodic: {interval: 10000, exporter: {otlp: {protocol: grpc, endpoint: "http://localhost:4317"}}}
    resource: {team: a, service.version: null}
"""


@pytest.fixture
def from_text(tmp_path: Path) -> Loader:
    """Return a function that loads a configuration given as YAML."""

    def load_text(text: str) -> Configuration:
        file = tmp_path / "gateway.yaml"
        file.write_text(text, encoding="utf-8")
        return load(file, environment={"TOKEN": "t0ken", "PORT": "4319", "ZIP": "0123", "LIST": "[nop]"})

    return load_text


def with_exporter(settings: str) -> str:
    """Return a configuration with one `otlphttp` exporter."""
    return (
        "receivers: {otlp: {protocols: {http: }}}\n"
        f"exporters: {{otlphttp: {{endpoint: 'http://localhost:4318', {settings}}}}}\n"
        "service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}\n"
    )


def test_protocols_without_settings_listen_on_loopback_at_the_ports_of_otlp() -> None:
    receiver = load(SMALLEST).resolved["receivers"]["otlp"]

    assert receiver["grpc"]["endpoint"] == "127.0.0.1:4317"
    assert receiver["http"]["endpoint"] == "127.0.0.1:4318"


def test_a_protocol_that_is_not_written_is_off() -> None:
    config = SMALLEST | {"receivers": {"otlp": {"protocols": {"grpc": None}}}}

    assert load(config).resolved["receivers"]["otlp"]["http"] is None


def test_exporters_have_the_defaults_of_the_collector() -> None:
    exporters = load(SMALLEST).resolved["exporters"]

    assert [exporters[name]["timeout_ms"] for name in ("otlp", "otlphttp")] == [5_000, 30_000]
    assert exporters["otlp"]["compression"] == "gzip"
    assert exporters["otlp"]["retry_on_failure"] == {
        "enabled": True,
        "initial_interval_ms": 5_000,
        "max_interval_ms": 30_000,
        "multiplier": 1.5,
        "randomization_factor": 0.5,
        "max_elapsed_time_ms": 300_000,
    }
    assert exporters["otlp"]["sending_queue"] == {
        "enabled": True,
        "num_consumers": 10,
        "queue_size": 1_000,
        "wait_for_result": True,
        "block_on_overflow": False,
    }


def test_a_collector_file_means_what_it_means_there(from_text: Loader) -> None:
    resolved = from_text(COLLECTOR).resolved

    assert resolved["receivers"]["otlp"]["grpc"]["max_connection_age_ms"] == 5_400_000
    assert resolved["processors"]["memory_limiter"]["limit_bytes"] == 3_200 << 20
    batch = {"kind": "batch", "timeout_ms": 200, "send_batch_size": 1_000, "send_batch_max_size": 0}
    assert resolved["processors"]["batch"] == batch
    assert resolved["exporters"]["otlp_grpc"]["endpoint"] == "http://otelcol2:4317"
    assert resolved["exporters"]["otlp_grpc"]["kind"] == "otlp"
    assert resolved["exporters"]["otlp_http/2"]["urls"]["profiles"] == (
        "https://example.com/otlp/v1development/profiles"
    )
    assert resolved["exporters"]["otlp_http/2"]["headers"] == {"authorization": "Bearer t0ken"}
    assert resolved["exporters"]["otlphttp/3"]["headers"] == {"authorization": "Bearer t0ken"}
    assert resolved["exporters"]["otlphttp/3"]["urls"]["traces"] == "https://traces.example.com/v9"
    assert resolved["extensions"]["health_check"] == {
        "kind": "health_check",
        "endpoint": "0.0.0.0:13133",
        "path": "/health/status",
    }


def test_telemetry_settings_are_those_of_the_collector(from_text: Loader) -> None:
    telemetry = from_text(COLLECTOR).resolved["telemetry"]

    assert telemetry["logs_level"] == "warn"
    assert telemetry["metrics_pull"] == [{"endpoint": "0.0.0.0:8889"}]
    push = telemetry["metrics_push"][0]
    assert (push["interval_ms"], push["exporter"]["kind"], push["exporter"]["endpoint"]) == (
        10_000,
        "otlp",
        "http://localhost:4317",
    )
    assert telemetry["resource"]["team"] == "a"
    assert "service.version" not in telemetry["resource"]


def test_only_components_in_use_reach_the_engine(from_text: Loader) -> None:
    assert list(from_text(COLLECTOR).resolved["exporters"]) == ["otlp_grpc", "otlp_http/2", "otlphttp/3", "debug"]


def test_what_has_no_effect_is_a_warning(from_text: Loader) -> None:
    warned = [problem.setting for problem in from_text(COLLECTOR).warnings]

    assert warned == [
        "receivers.otlp.protocols.grpc.endpoint",
        "receivers.otlp.protocols.grpc.keepalive.server_parameters.time",
        "exporters.otlphttp/3.headers",
        "exporters.debug.sampling_initial",
        "exporters.file/unused",
    ]


def test_s17_headers_for_the_backends_of_several_signals_are_warned_of(from_text: Loader) -> None:
    text = """
receivers: {otlp: {protocols: {http: }}}
exporters:
  otlphttp:
    endpoint: https://a.example
    traces_endpoint: https://a.example/t
    logs_endpoint: https://b.example:4318/l?key=s3cret
    headers: {authorization: s3cret}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}
"""
    (warning,) = from_text(text).warnings
    assert warning.message == "they are sent to all of https://a.example, https://b.example:4318"
    assert warning.setting == "exporters.otlphttp.headers"
    assert "s3cret" not in printing.to_yaml(from_text(text))
    assert from_text(text.replace("b.example:4318", "a.example")).warnings == ()


def test_a_batch_processor_without_settings_is_adaptive(from_text: Loader) -> None:
    text = COLLECTOR.replace("batch: {send_batch_size: 1000}", "batch:")

    batch = from_text(text).resolved["processors"]["batch"]

    assert (batch["timeout_ms"], batch["send_batch_size"]) == (None, None)


def test_a_limiter_in_percent_takes_a_share_of_the_memory_there_is(
    from_text: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.gateway.config.processors.memory_total_bytes", lambda: 1_000 << 20)
    text = COLLECTOR.replace(
        "limit_mib: 4000, spike_limit_mib: 800", "limit_percentage: 80, spike_limit_percentage: 15"
    )

    assert from_text(text).resolved["processors"]["memory_limiter"]["limit_bytes"] == 650 << 20


@pytest.mark.parametrize(
    ("target", "insecure", "url"),
    [
        ("localhost:4317", False, "https://localhost:4317"),
        ("localhost:4317", True, "http://localhost:4317"),
        ("http://localhost:4317", False, "http://localhost:4317"),
        ("https://localhost:4317/", True, "https://localhost:4317"),
        ("dns:///collector:4317", True, "http://collector:4317"),
        ("dns://8.8.8.8/collector:4317", True, "http://collector:4317"),
        ("[::1]:4317", True, "http://[::1]:4317"),
    ],
)
def test_a_grpc_target_uses_tls_unless_told_otherwise(target: str, insecure: bool, url: str) -> None:  # noqa: FBT001
    assert grpc_endpoint(target, insecure=insecure) == url


@pytest.mark.parametrize("target", ["unix:/run/otlp.sock", "xds:///a:1", "localhost", ":4317", "a b:1", "h:port"])
def test_a_grpc_target_that_cannot_be_reached_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        grpc_endpoint(target, insecure=True)


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:0", "127.0.0.1:0"), (":4317", "0.0.0.0:4317"), ("[::]:1", "[::]:1"), ("10.0.0.1:80", "10.0.0.1:80")],
)
def test_an_address_to_listen_on_is_brought_into_one_form(text: str, address: str) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("5s", 5_000),
        ("200ms", 200),
        ("1m30s", 90_000),
        ("1.5h", 5_400_000),
        ("100us", 1),
        ("1ns", 1),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations_are_those_of_go_rounded_up_to_milliseconds(text: str, milliseconds: int) -> None:
    assert Duration().read(Scalar(Place(), text, text), Problems()) == milliseconds


@pytest.mark.parametrize("milliseconds", [0, 1, 200, 1_000, 1_500, 60_000, 90_000, 3_600_000, 5_400_001])
def test_a_duration_is_written_as_it_is_read(milliseconds: int) -> None:
    text = Duration().write(milliseconds)

    assert Duration().read(Scalar(Place(), text, text), Problems()) == milliseconds


def test_a_variable_that_is_the_whole_value_takes_the_type_it_looks_like(from_text: Loader) -> None:
    config = from_text(with_exporter("sending_queue: {queue_size: '${env:PORT}'}"))

    assert config.resolved["exporters"]["otlphttp"]["sending_queue"]["queue_size"] == 4319


def test_a_variable_that_is_text_stays_as_it_was_written(from_text: Loader) -> None:
    config = from_text(with_exporter("headers: {zip: '${env:ZIP}', port: '${PORT}'}"))

    assert config.resolved["exporters"]["otlphttp"]["headers"] == {"zip": "0123", "port": "4319"}


def test_a_variable_can_hold_a_list(from_text: Loader) -> None:
    text = COLLECTOR.replace("exporters: [debug, otlp_http/2]", "exporters: '${env:LIST}'").replace("debug:", "nop: #")

    assert from_text(text).resolved["pipelines"][1]["exporters"] == ["nop"]


def test_an_unset_variable_takes_its_default(from_text: Loader) -> None:
    config = from_text(with_exporter("headers: {a: '${env:NOPE:-x y}', b: '${NOPE:-}', c: 'a$${b}$c'}"))

    assert config.resolved["exporters"]["otlphttp"]["headers"] == {"a": "x y", "b": "", "c": "a${b}$c"}


def test_an_unset_variable_without_default_is_empty_and_warned_of(from_text: Loader) -> None:
    config = from_text(with_exporter("headers: {a: 'x${env:NOPE}'}"))

    assert config.resolved["exporters"]["otlphttp"]["headers"] == {"a": "x"}
    assert "the environment variable NOPE is not set" in str(config.warnings[0])


def test_a_file_can_be_the_value(from_text: Loader, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")

    config = from_text(with_exporter(f"headers: {{authorization: 'Bearer ${{file:{tmp_path}/token}}'}}"))

    assert config.resolved["exporters"]["otlphttp"]["headers"] == {"authorization": "Bearer s3cret"}


def test_json_reads_as_yaml_does(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    surrogates = SMALLEST | {"receivers": {"otlp": {"protocols": {"grpc": None, "http": None}}}}
    surrogates["service"] = surrogates["service"] | {"telemetry": {"resource": {"team": "\U0001f682"}}}
    file.write_text(json.dumps(surrogates, indent="\t"), encoding="utf-8")

    resolved = load(file).resolved

    assert resolved["telemetry"]["resource"]["team"] == "\U0001f682"
    assert resolved["exporters"] == load(SMALLEST).resolved["exporters"]


def test_what_is_printed_shows_every_default_and_no_secret(from_text: Loader) -> None:
    text = printing.to_yaml(from_text(COLLECTOR))

    assert "t0ken" not in text
    assert "[REDACTED]" in text
    assert "max_elapsed_time: 5m" in text


def test_what_is_printed_reads_back_as_the_same_configuration(from_text: Loader) -> None:
    config = from_text(COLLECTOR)

    again = from_text(printing.to_yaml(config))

    resolved = json.loads(json.dumps(config.resolved).replace("Bearer t0ken", "[REDACTED]"))
    again.resolved["telemetry"]["resource"]["service.instance.id"] = resolved["telemetry"]["resource"][
        "service.instance.id"
    ]
    assert again.resolved == resolved


def test_the_schema_knows_every_setting() -> None:
    properties = schema.json_schema()["properties"]

    for section, components in SECTIONS.items():
        patterns = properties[section]["patternProperties"]
        assert len(patterns) == len(components)
        for component, described in zip(components, patterns.values(), strict=True):
            assert list(described["properties"]) == list(component.settings.settings)


def test_every_setting_says_what_it_does() -> None:
    def undocumented(node: object, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        missing = [path] if "properties" not in node and node.get("description") == "" else []
        return missing + [fault for key, below in node.items() for fault in undocumented(below, f"{path}/{key}")]

    assert undocumented(schema.json_schema(), "") == []


def test_the_reference_lists_every_component() -> None:
    page = reference.markdown()

    for components in SECTIONS.values():
        assert all(f"### `{component.kind}`" in page for component in components)


@pytest.mark.parametrize("names", [("a", "link"), ("link", "hard"), ("folder/a", "a"), ("new", "folder/new")])
def test_one_file_is_one_file_under_all_of_its_names(from_text: Loader, tmp_path: Path, names: tuple[str, str]) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "folder").symlink_to(".")

    with pytest.raises(ConfigError) as caught:
        from_text(two_files(*(tmp_path / name for name in names)))

    (problem,) = caught.value.problems
    assert problem.setting == "exporters.file/2.path"
    assert problem.message == "exporters.file/1.path on line 3 writes to the same file"


def test_two_exporters_may_write_to_one_device(from_text: Loader) -> None:
    assert from_text(two_files("/dev/null", "/dev/null")).warnings == ()


def two_files(one: object, other: object) -> str:
    """A configuration with two file exporters."""
    return f"""receivers: {{otlp: {{protocols: {{http: }}}}}}
exporters:
  file/1: {{path: "{one}"}}
  file/2: {{path: "{other}"}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [file/1, file/2]}}}}}}
"""
