"""The OTLP exporter of a signal, as the variables `OTEL_EXPORTER_OTLP_*` and the arguments of `configure` say it."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from millrace.exporter import SIGNAL_PATHS, client_tls, otlp_grpc, otlp_http, sending
from millrace.sdk import environment

if TYPE_CHECKING:
    from millrace.endpoint import Url
    from millrace.exporter import Resolved

__all__ = [
    "COMPRESSIONS",
    "PROTOCOLS",
    "RETRY",
    "Destination",
    "EndpointError",
    "resolve_exporter",
    "sending_queue",
]

PROTOCOLS = ("http/protobuf", "http/json", "grpc")
COMPRESSIONS = ("none", "gzip", "zstd")

_TIMEOUT_MS = 10_000
_SECONDS_BELOW = 100  # the stock SDK for Python reads seconds where the specification has milliseconds
_OBSOLETE_INSECURE = {"traces": "OTEL_EXPORTER_OTLP_SPAN_INSECURE", "metrics": "OTEL_EXPORTER_OTLP_METRIC_INSECURE"}
_DEFAULT_PORTS = {"http": 80, "https": 443}

RETRY: "Resolved" = {
    "enabled": True,
    "initial_interval_ms": 1_000,
    "max_interval_ms": 30_000,
    "multiplier": 1.5,
    "randomization_factor": 0.5,
    "max_elapsed_time_ms": 300_000,
}
"""What waits is bounded elsewhere: giving up before five minutes would only lose it sooner."""


class EndpointError(ValueError):
    """Nothing can be sent with these settings: a sentence that names the setting."""


class Destination:
    """Where code, and not the environment, wants telemetry sent; `None` leaves it to the environment (E4).

    The endpoint is the base URL, or for gRPC the target, of all signals.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        protocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        compression: str | None = None,
        timeout_ms: int | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.protocol = protocol
        self.headers = headers
        self.compression = compression
        self.timeout_ms = timeout_ms


def resolve_exporter(signal: str, destination: Destination) -> "Resolved":
    """Return the exporter of `signal` as the engine reads it.

    Raises:
        EndpointError: An endpoint or a file makes sending impossible. Smaller faults are logged, and defaults used.
    """
    protocol = destination.protocol or _choice(signal, "PROTOCOL", PROTOCOLS) or "http/protobuf"
    url = _grpc_target(signal, destination) if protocol == "grpc" else _http_url(signal, destination)
    common = sending(
        headers=_headers(signal, destination),
        timeout_ms=_timeout_ms(signal) if destination.timeout_ms is None else destination.timeout_ms,
        compression=destination.compression or _choice(signal, "COMPRESSION", COMPRESSIONS) or "none",
        compression_level=None,
        tls=_tls(signal) if url.startswith("https:") else None,
        retry=RETRY,
        queue=sending_queue(signal),
    )
    if protocol == "grpc":
        return otlp_grpc(url, common)
    urls = dict.fromkeys(SIGNAL_PATHS, url)  # it gets one signal, and the engine wants a URL for each
    return otlp_http(url, urls, "json" if protocol == "http/json" else "proto", common)


def _variables(signal: str, setting: str) -> tuple[str, str]:
    """Return the variable of the signal and the general one, in this order (E4)."""
    return f"OTEL_EXPORTER_OTLP_{signal.upper()}_{setting}", f"OTEL_EXPORTER_OTLP_{setting}"


def _choice(signal: str, setting: str, words: tuple[str, ...]) -> str | None:
    """Return the signal's word, or the general one when the signal has none or an unknown one."""
    return next(filter(None, (environment.choice(name, words) for name in _variables(signal, setting))), None)


def _http_url(signal: str, destination: Destination) -> str:
    of_signal, general = _variables(signal, "ENDPOINT")
    if destination.endpoint is not None:
        return _appended("endpoint", destination.endpoint, signal)
    found = environment.first_set(of_signal, general)
    if found is None:
        return f"http://localhost:4318{SIGNAL_PATHS[signal]}"
    name, text = found
    if name == general:
        return _appended(name, text, signal)
    url = _parsed(name, text)
    return str(url if url.path else url._replace(path="/"))  # as it is (E2)


def _appended(name: str, text: str, signal: str) -> str:
    url = _parsed(name, text)
    return str(url._replace(path=url.path.rstrip("/") + SIGNAL_PATHS[signal]))  # E1


def _parsed(name: str, text: str) -> "Url":
    from millrace.endpoint import parse_url  # noqa: PLC0415 - patterns to compile, for those who name an endpoint

    try:
        return parse_url(text)
    except ValueError as error:
        hint = f" (did you mean http://{text}?)" if "://" not in text and "@" not in text else ""
        raise EndpointError(f"{name}: {error}{_got(text)}{hint}") from None


def _got(text: str) -> str:
    """Return what was given, unless it may hold a secret."""
    return "" if "@" in text or "?" in text else f", got {text!r}"


def _grpc_target(signal: str, destination: Destination) -> str:
    names = _variables(signal, "ENDPOINT")
    found = environment.first_set(*names) if destination.endpoint is None else ("endpoint", destination.endpoint)
    if found is None:
        return "http://localhost:4317"
    from millrace.endpoint import grpc_endpoint, parse_url  # noqa: PLC0415 - as above

    name, text = found
    try:
        if text.startswith(("http://", "https://")):
            url = parse_url(text)
            # A path means nothing to gRPC: stock exporters, too, go to the host of `http://host:4317/v1/traces`.
            return str(url._replace(path="", query="", port=url.port or _DEFAULT_PORTS[url.scheme]))
        return grpc_endpoint(text, insecure=_insecure(signal))
    except ValueError as error:
        raise EndpointError(f"{name}: {error}{_got(text)}") from None


def _insecure(signal: str) -> bool:
    of_signal, general = _variables(signal, "INSECURE")
    found = environment.first_set(of_signal, _OBSOLETE_INSECURE.get(signal, of_signal), general)
    return found is not None and environment.boolean(found[0])


def _headers(signal: str, destination: Destination) -> dict[str, str]:
    name, found = "headers", destination.headers
    if found is None:
        variable = environment.first_set(*_variables(signal, "HEADERS"))
        if variable is None:
            return {}
        name = variable[0]
        found = environment.pairs(name)
    from millrace.endpoint import header_name_fault, header_value_fault  # noqa: PLC0415 - as above

    headers: dict[str, str] = {}
    for key, value in found.items():
        fault = header_name_fault(key) or header_value_fault(value)
        if fault:
            environment.warn(name, f"{fault}; this header is left out")
        else:
            headers[key] = value
    return headers


def _timeout_ms(signal: str) -> int:
    for name in _variables(signal, "TIMEOUT"):
        value = environment.number(name, minimum=0.001, maximum=2**31)
        if value is None:
            continue
        if value < _SECONDS_BELOW:
            environment.remark(name, f"{value:g} ms would let nothing arrive; it is taken for {value:g} seconds")
            value *= 1_000
        return max(1, round(value))
    return _TIMEOUT_MS


def _tls(signal: str) -> "Resolved":
    certificate, key = _file(signal, "CLIENT_CERTIFICATE"), _file(signal, "CLIENT_KEY")
    if bool(certificate) != bool(key):
        one, other = ("CLIENT_CERTIFICATE", "CLIENT_KEY") if certificate else ("CLIENT_KEY", "CLIENT_CERTIFICATE")
        raise EndpointError(f"OTEL_EXPORTER_OTLP_{one} needs OTEL_EXPORTER_OTLP_{other} beside it: set both, or none")
    return client_tls(ca_file=_file(signal, "CERTIFICATE"), cert_file=certificate, key_file=key)


def _file(signal: str, setting: str) -> str | None:
    found = environment.first_set(*_variables(signal, setting))
    if found is None:
        return None
    name, path = found
    if not os.access(path, os.R_OK):
        raise EndpointError(f"{name}: the file {path!r} cannot be read")
    return path


def sending_queue(signal: str) -> "Resolved":
    """Return how many requests of a signal travel at once, and how many wait for that."""
    return {
        "enabled": True,
        # Collections of one process must arrive in order; requests of spans and log records have none.
        "num_consumers": 1 if signal == "metrics" else 4,
        "queue_size": 64,
        "wait_for_result": True,
        "block_on_overflow": True,
    }
