"""Which exporter the variables OTEL_EXPORTER_OTLP_* describe (E1 to E9)."""

from pathlib import Path
from typing import Any

import pytest

from millrace.sdk.otlp_exporter import Destination, EndpointError, resolve_exporter


def exporter(signal: str = "traces", **code: str) -> dict[str, Any]:
    return resolve_exporter(signal, Destination(endpoint=code.get("endpoint"), protocol=code.get("protocol")))


def url(signal: str = "traces", **code: str) -> str:
    resolved = exporter(signal, **code)
    found: str = resolved["urls"][signal] if "urls" in resolved else resolved["endpoint"]
    return found


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("http://c:4318//", "http://c:4318/v1/traces"),
        ("http://c/mycollector", "http://c/mycollector/v1/traces"),
        ("http://c/mycollector/", "http://c/mycollector/v1/traces"),
        ("https://c:1/a/b?tenant=x", "https://c:1/a/b/v1/traces?tenant=x"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_e1_the_general_endpoint_gets_the_path_of_the_signal(
    endpoint: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)

    assert url() == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://collector:4318", "http://collector:4318/"),
        ("http://collector:4318/", "http://collector:4318/"),
        ("http://collector/custom", "http://collector/custom"),
        ("http://collector/custom/", "http://collector/custom/"),
        ("http://collector//", "http://collector//"),
    ],
)
def test_e2_the_endpoint_of_a_signal_is_used_as_it_is(
    endpoint: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)

    assert url() == expected


def test_e3_a_url_without_port_is_not_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.example.com")

    assert url() == "https://otlp.example.com/v1/traces"


def test_e4_the_variable_of_a_signal_wins_over_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:2/m")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "7000")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "8000")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=general")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=metrics")

    assert (url("metrics"), url("logs")) == ("http://metrics:2/m", "http://general:1/v1/logs")
    metrics, logs = exporter("metrics"), exporter("logs")
    assert (metrics["compression"], logs["compression"]) == ("zstd", "gzip")
    assert (metrics["timeout_ms"], logs["timeout_ms"]) == (8_000, 7_000)
    assert (metrics["headers"], logs["headers"]) == ({"b": "metrics"}, {"a": "general"})


def test_e4_code_wins_over_every_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://variable:1/x")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=variable")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "9000")
    code = Destination("http://code:2", "http/json", {"A": "code"}, "zstd", 5_000)
    resolved = resolve_exporter("traces", code)

    assert resolved["urls"]["traces"] == "http://code:2/v1/traces"
    assert (resolved["kind"], resolved["encoding"]) == ("otlphttp", "json")
    assert (resolved["headers"], resolved["compression"], resolved["timeout_ms"]) == ({"a": "code"}, "zstd", 5_000)


def test_e4_an_unknown_word_for_a_signal_leaves_the_general_one_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "brotli")

    assert exporter()["compression"] == "gzip"


def test_e5_the_defaults_are_those_of_the_specification() -> None:
    resolved = exporter()

    assert (resolved["kind"], resolved["encoding"]) == ("otlphttp", "proto")
    assert resolved["urls"]["traces"] == "http://localhost:4318/v1/traces"
    assert (resolved["timeout_ms"], resolved["compression"], resolved["headers"]) == (10_000, "none", {})
    assert (resolved["max_request_bytes"], resolved["max_response_bytes"]) == (67_108_864, 4_194_304)
    assert url(protocol="grpc") == "http://localhost:4317"


@pytest.mark.parametrize(
    ("protocol", "kind", "encoding"),
    [("grpc", "otlp", None), ("http/protobuf", "otlphttp", "proto"), ("HTTP/JSON", "otlphttp", "json")],
)
def test_e5_the_protocol_is_one_of_three(
    protocol: str, kind: str, encoding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)

    assert (exporter()["kind"], exporter().get("encoding")) == (kind, encoding)


@pytest.mark.parametrize(("milliseconds", "meant"), [("100", 100), ("2500.4", 2_500), ("10", 10_000), ("0.5", 500)])
def test_a_timeout_too_short_to_be_milliseconds_is_taken_for_the_seconds_of_the_stock_sdk(
    milliseconds: str, meant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", milliseconds)

    assert exporter()["timeout_ms"] == meant


@pytest.mark.parametrize(
    ("endpoint", "insecure", "expected"),
    [
        ("collector:4317", None, "https://collector:4317"),
        ("collector:4317", "false", "https://collector:4317"),
        ("collector:4317", "true", "http://collector:4317"),
        ("http://collector:4317", "false", "http://collector:4317"),
        ("https://collector:4317", "true", "https://collector:4317"),
        ("https://collector", None, "https://collector:443"),
        ("http://collector", None, "http://collector:80"),
        ("http://collector:4317/v1/traces", None, "http://collector:4317"),
    ],
)
def test_e6_the_scheme_of_a_grpc_endpoint_beats_insecure(
    endpoint: str, insecure: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    if insecure is not None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", insecure)

    assert url() == expected


def test_e6_the_obsolete_name_of_a_signals_insecure_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_SPAN_INSECURE", "true")

    assert url("traces", protocol="grpc") == "http://collector:4317"
    assert url("logs", protocol="grpc") == "https://collector:4317"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k1=v1,k2=v2", {"k1": "v1", "k2": "v2"}),
        ("a=b%20c", {"a": "b c"}),
        ("a==", {"a": "="}),
        ("authorization=Bearer%20abc%3D%3D", {"authorization": "Bearer abc=="}),
        (" a = b , , c=d ", {"a": "b", "c": "d"}),
        ("a=", {"a": ""}),
        ("A=x", {"a": "x"}),
    ],
)
def test_e7_headers_are_pairs_with_percent_decoded_values(
    text: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", text)

    assert exporter()["headers"] == expected
    assert caplog.text == ""


@pytest.mark.parametrize(
    "part", ["secret", "=secret", "x=secret%0D%0Ay: z", "x=s%C3%A9cret", "a b=secret", "content-length=secret"]
)
def test_e7_a_header_that_cannot_be_sent_is_left_out_and_said_without_its_value(
    part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"good=1,{part}")

    assert exporter()["headers"] == {"good": "1"}
    assert "OTEL_EXPORTER_OTLP_HEADERS" in caplog.text
    assert "cret" not in caplog.text


def test_e8_certificates_are_those_of_the_signal_before_the_general_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ca", "cert", "key", "logs_ca"):
        (tmp_path / name).write_text("pem")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "ca"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(tmp_path / "cert"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(tmp_path / "key"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", str(tmp_path / "logs_ca"))

    traces, logs = exporter("traces")["tls"], exporter("logs")["tls"]
    assert (traces["cert_file"], traces["key_file"]) == (str(tmp_path / "cert"), str(tmp_path / "key"))
    assert (traces["ca_file"], logs["ca_file"]) == (str(tmp_path / "ca"), str(tmp_path / "logs_ca"))


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"ENDPOINT": "c:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: a URL starts with http://.*did you mean http://c:4318"),
        ({"TRACES_ENDPOINT": "ftp://c"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: a URL starts with"),
        ({"ENDPOINT": "c:x", "PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_ENDPOINT: the port is a number"),
        ({"ENDPOINT": "https://c", "CERTIFICATE": "/nowhere"}, "OTEL_EXPORTER_OTLP_CERTIFICATE: the file '/nowhere'"),
        ({"ENDPOINT": "https://c", "CLIENT_KEY": "/dev/null"}, "needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it"),
    ],
)
def test_a_destination_that_cannot_be_reached_is_an_error_that_names_the_variable(
    variables: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)

    with pytest.raises(EndpointError, match=fault):
        exporter()


def test_credentials_in_an_endpoint_are_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@c:4318")

    with pytest.raises(EndpointError) as raised:
        exporter()
    assert "secret" not in str(raised.value)
