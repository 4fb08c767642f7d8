"""`millrace serve`, `send`, `gen`, `sink` and `bench`, against each other."""

import json
import signal
import socket
import threading
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.python.commands import gateway_file, millrace, running
from tests.python.test_cli_files import a_span, framed

MEBIBYTE = 1 << 20


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def to_sink(folder: Path, address: str) -> Path:
    """Return a gateway that sends everything on to a sink."""
    exporters = f"{{otlphttp: {{endpoint: 'http://{address}'}}}}"
    pipelines = ", ".join(f"{name}: {{receivers: [otlp], exporters: [otlphttp]}}" for name in ("traces", "metrics"))
    return gateway_file(folder, exporters, f"{{{pipelines}}}")


def test_serve_says_where_it_listens_and_what_goes_where(tmp_path: Path) -> None:
    exporters = "{file: {path: " + str(tmp_path / "a.jsonl") + "}, debug: }"
    config = gateway_file(tmp_path, exporters, "{traces: {receivers: [otlp], exporters: [file, debug]}}")

    with running("serve", "--config", config) as gateway:
        assert gateway.wait_for("otlp/grpc listens on 127.0.0.1:").isdigit()
        assert gateway.wait_for("otlp/http listens on 127.0.0.1:").isdigit()
        assert gateway.wait_for("traces: ") == f"otlp -> file ({tmp_path}/a.jsonl), debug"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_reports_with_code_0(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "a.jsonl"
    config = gateway_file(tmp_path, f"{{file: {{path: {out}}}}}", "{traces: {receivers: [otlp], exporters: [file]}}")
    with running("serve", "--config", config) as gateway:
        endpoint = gateway.wait_for("otlp/http listens on ")
        assert millrace("gen", "--endpoint", endpoint, "--items", 500, "--rate", 0).code == 0

        gateway.process.send_signal(number)
        result = gateway.end()

    assert (result.code, result.out) == (0, "")
    assert f"{number.name}: stopping" in result.err
    assert "otlp      traces       500       500        0         0" in result.err
    assert "file      traces       500       500        0       0" in result.err
    assert "nothing left undelivered" in result.err
    assert json.loads(millrace("inspect", "--json", out).out)["signals"][0]["items"] == 500


def test_a_second_signal_ends_at_once_with_code_130(tmp_path: Path) -> None:
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--hang", "after_reading") as sink:
        config = to_sink(tmp_path, sink.wait_for("http listens on "))
        with running("serve", "--config", config) as gateway:
            endpoint = gateway.wait_for("otlp/http listens on ")
            with running("gen", "--endpoint", endpoint, "--items", 100) as generator:
                while not _received(gateway.process.pid):
                    assert generator.process.poll() is None
                gateway.process.send_signal(signal.SIGTERM)
                gateway.wait_for("SIGTERM: stopping")
                gateway.process.send_signal(signal.SIGTERM)

                assert gateway.end().code == 130


def _received(pid: int) -> bool:
    """Tell whether a gateway has a connection to its destination: then it holds a request."""
    return any(one.raddr for one in psutil.Process(pid).net_connections() if one.status == "ESTABLISHED")


def test_a_stopped_gateway_reports_as_json_when_asked(tmp_path: Path) -> None:
    config = gateway_file(tmp_path, "{nop: }", "{traces: {receivers: [otlp], exporters: [nop]}}")
    with running("serve", "--json", "--quiet", "--config", config) as gateway:
        while not psutil.Process(gateway.process.pid).net_connections():
            assert gateway.process.poll() is None
        gateway.process.terminate()
        result = gateway.end()

    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["undelivered"] == {}


def test_an_idle_gateway_takes_less_than_25_mib(tmp_path: Path) -> None:
    config = gateway_file(
        tmp_path,
        "{otlp: {endpoint: 'http://localhost:4317'}}",
        "{traces: {receivers: [otlp], exporters: [otlp]}, metrics: {receivers: [otlp], exporters: [otlp]}}",
    )
    with running("serve", "--config", config) as gateway:
        gateway.wait_for("metrics: ")

        assert psutil.Process(gateway.process.pid).memory_info().rss < 25 * MEBIBYTE


def test_a_port_that_is_taken_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = gateway_file(tmp_path, "{nop: }", "{traces: {receivers: [otlp], exporters: [nop]}}")
        config.write_text(
            config.read_text().replace("grpc: {endpoint: 'localhost:0'}", f"grpc: {{endpoint: 'localhost:{port}'}}")
        )

        result = millrace("serve", "--config", config)

    assert result.code == 1
    assert result.err.startswith("error: receivers.otlp.protocols.grpc.endpoint: ")


def test_a_faulty_configuration_does_not_start() -> None:
    result = millrace("serve", "--config", Path(__file__).with_name("config_errors") / "a_tab_instead_of_spaces.yaml")

    assert result.code == 1
    assert "a tab where YAML allows only spaces" in result.err


@pytest.mark.parametrize("kind", ["traces", "metrics"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_is_generated_passes_a_gateway_and_none_is_missing(tmp_path: Path, kind: str, protocol: str) -> None:
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--json", "--items", 2_000) as sink:
        config = to_sink(tmp_path, sink.wait_for("http listens on "))
        with running("serve", "--config", config) as gateway:
            endpoint = gateway.wait_for(f"otlp/{protocol} listens on ")
            sent = millrace(
                "gen", kind, "--endpoint", endpoint, "--protocol", protocol, "--items", "2k", "--rate", 0, "--json"
            )
        received = sink.end()

    assert (sent.code, received.code) == (0, 0)
    assert json.loads(sent.out)["accepted_items"] == 2_000
    report = json.loads(received.out)
    assert (report["unique_items"], report["missing_items"], report["duplicated_items"]) == (2_000, 0, 0)


def test_a_file_is_sent_whole(tmp_path: Path) -> None:
    file, arrived = tmp_path / "a.otlp.zst", tmp_path / "arrived.jsonl"
    millrace("gen", "logs", "--items", 1_500, "--output", file)
    config = gateway_file(tmp_path, f"{{file: {{path: {arrived}}}}}", "{logs: {receivers: [otlp], exporters: [file]}}")
    with running("serve", "--config", config) as gateway:
        http, grpc = gateway.wait_for("otlp/http listens on "), gateway.wait_for("otlp/grpc listens on ")

        results = [
            millrace("send", file, "--endpoint", f"http://{http}", "--json"),
            millrace("send", file, "--endpoint", http, "--protocol", "http/json", "--compression", "none", "--json"),
            millrace("send", file, "--endpoint", grpc, "--protocol", "grpc", "--insecure", "--json"),
        ]

        gateway.process.terminate()
        gateway.end()
    assert [result.code for result in results] == [0, 0, 0]
    assert [json.loads(result.out)["signals"]["logs"]["exported"] for result in results] == [1_500] * 3
    assert json.loads(millrace("inspect", "--json", arrived).out)["signals"][0]["items"] == 4_500


@pytest.mark.parametrize("command", [("send", "FILE"), ("gen", "--items", 1)])
def test_nobody_answers_is_code_3(tmp_path: Path, command: tuple[object, ...]) -> None:
    file = tmp_path / "a.otlp"
    millrace("gen", "--items", 1, "--output", file)
    arguments = [file if one == "FILE" else one for one in command]

    result = millrace(*arguments, "--endpoint", f"http://localhost:{closed_port()}")

    assert result.code == 3
    assert result.err.startswith("error: ")


def test_a_refusal_for_good_is_code_4(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"
    millrace("gen", "--items", 10, "--output", file)
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--refuse", 400) as sink:
        result = millrace("send", file, "--endpoint", f"http://{sink.wait_for('http listens on ')}")

    assert result.code == 4
    assert result.err.startswith("warning: ")


def test_a_sink_counts_json_as_it_counts_protobuf(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"
    millrace("gen", "--items", 200, "--batch", 100, "--output", file)
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--items", 200, "--json") as sink:
        sent = millrace(
            "send", file, "--protocol", "http/json", "--endpoint", f"http://{sink.wait_for('http listens on ')}"
        )
        result = sink.end()

    report = json.loads(result.out)
    assert (sent.code, result.code) == (0, 0)
    assert (report["unique_items"], report["missing_items"], report["malformed_requests"]) == (200, 0, 0)
    assert report["body_bytes"] > file.stat().st_size  # of the text


def test_a_sink_refuses_json_that_is_no_request() -> None:
    with running("sink", "--http", "localhost:0", "--grpc", "none") as sink:
        host, _, port = sink.wait_for("http listens on ").partition(":")
        with closing(HTTPConnection(host, int(port), timeout=10)) as connection:
            connection.request("POST", "/v1/traces", "{", {"Content-Type": "application/json; charset=utf-8"})
            answer = connection.getresponse()
            status = json.loads(answer.read())

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
    assert status == {"code": 3, "message": "not an OTLP request"}


def test_a_generator_whose_items_are_rejected_in_part_is_code_4() -> None:
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 3

    class Rejecting(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = partial.SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Rejecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        result = millrace("gen", "--endpoint", endpoint, "--items", 100, "--batch", 100, "--rate", 0)
        server.shutdown()

    assert result.code == 4
    assert "rejected   3 items, by partial success" in result.out


def test_a_failure_that_passes_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"
    millrace("gen", "--items", 10, "--output", file)
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--refuse", 503, "--refuse-requests", 2) as sink:
        endpoint = f"http://{sink.wait_for('http listens on ')}"
        result = millrace("send", file, "--endpoint", endpoint, "--json")

    assert result.code == 0
    assert json.loads(result.out)["signals"]["traces"]["retries"] == 2


def test_a_sink_that_misses_items_is_code_1(tmp_path: Path) -> None:
    file, half = tmp_path / "a.otlp", tmp_path / "b.otlp"
    millrace("gen", "--items", 200, "--batch", 100, "--output", file)
    content = file.read_bytes()
    half.write_bytes(content[4 + int.from_bytes(content[:4], "big") :])  # without the first request
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--items", 100) as sink:
        millrace("send", half, "--endpoint", f"http://{sink.wait_for('http listens on ')}")
        result = sink.end()

    assert result.code == 1
    assert "100 different, 100 missing" in result.out


def test_telemetry_of_others_is_counted_and_not_missed(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"
    file.write_bytes(framed(a_span(name="somebody else's")))
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--items", 1) as sink:
        millrace("send", file, "--endpoint", f"http://{sink.wait_for('http listens on ')}")
        result = sink.end()

    assert result.code == 0
    assert "0 different, 0 missing" in result.out
    assert "unknown    1" in result.out


def test_an_interrupted_generator_reports_and_is_code_130() -> None:
    with running("sink", "--http", "localhost:0", "--grpc", "none") as sink:
        endpoint = sink.wait_for("http listens on ")
        with running("gen", "--endpoint", endpoint, "--duration", "1m", "--json") as generator:
            while not psutil.Process(generator.process.pid).net_connections():
                assert generator.process.poll() is None
            generator.process.send_signal(signal.SIGINT)
            result = generator.end()

    assert result.code == 130
    assert json.loads(result.out)["generator"]


def test_an_interrupted_send_is_code_130(tmp_path: Path) -> None:
    file = tmp_path / "a.otlp"
    millrace("gen", "--items", 10, "--output", file)
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--hang", "after_reading") as sink:
        endpoint = f"http://{sink.wait_for('http listens on ')}"
        with running("send", file, "--endpoint", endpoint) as sender:
            while not psutil.Process(sender.process.pid).net_connections():
                assert sender.process.poll() is None
            sender.process.send_signal(signal.SIGINT)

            assert sender.end().code == 130


def test_telemetrygen_flags_are_understood() -> None:
    with running("sink", "--http", "localhost:0", "--grpc", "none", "--json", "--items", 8) as sink:
        endpoint = sink.wait_for("http listens on ")

        result = millrace(
            "gen", "traces", "--otlp-endpoint", endpoint, "--otlp-http", "--otlp-insecure", "--otlp-header", 'a="b"',
            "--traces", 2, "--child-spans", 3, "--workers", 1, "--rate", 1_000, "--batch", 4,
        )  # fmt: skip

        assert result.code == 0
        assert json.loads(sink.end().out)["items"] == 8


def test_a_bench_adds_up() -> None:
    result = millrace("bench", "--duration", "300ms", "--connections", 1, "--in-flight", 1, "--json")

    report = json.loads(result.out)
    assert result.code == 0
    assert report["received"]["unique_items"] == report["sent"]["accepted_items"] > 0
    assert report["gateway"]["items_per_cpu_s"] > 0
