"""What the `otlp` and `otlphttp` exporters share: headers, compression, retries and the sending queue."""

from millrace.endpoint import header_name_fault, header_value_fault
from millrace.exporter import sending
from millrace.gateway.config.components import Resolved
from millrace.gateway.config.kinds import (
    Boolean,
    Choice,
    Duration,
    Ignored,
    Integer,
    MapOf,
    Number,
    Secret,
    Unsupported,
)
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.settings import Group, Setting, Values
from millrace.gateway.config.tls import CLIENT_TLS, resolve_client_tls

__all__ = ["MEBIBYTE", "resolve_sending", "sending_settings"]

MEBIBYTE = 1 << 20

_ANOTHER_CODING = "use gzip or zstd, which every OTLP receiver of today reads"
_EXTENSION = "extensions other than health_check do not exist yet"
_LEVELS = {"gzip": range(1, 10), "zstd": range(1, 23)}


def _check_retry(values: Values, problems: Problems) -> None:
    if values["initial_interval"] > values["max_interval"]:
        problems.error(values.at("initial_interval"), "is longer than max_interval", "raise max_interval")


_RETRY = Group(
    Setting("enabled", Boolean(), "Send again after a failure that may pass.", default=True),
    Setting("initial_interval", Duration(1), "Wait before the second attempt.", 5_000),
    Setting("max_interval", Duration(1), "Longest wait between two attempts.", 30_000),
    Setting("max_elapsed_time", Duration(), "Give up after this time; 0 is never.", 300_000),
    Setting("multiplier", Number(1, 100), "Growth of the wait after each attempt.", 1.5),
    Setting("randomization_factor", Number(0, 1), "Jitter: 0.5 waits from half to one and a half.", 0.5),
    check=_check_retry,
)

_QUEUE = Group(
    Setting("enabled", Boolean(), "Hold requests while others are sent.", default=True),
    Setting("num_consumers", Integer(1, 1_000), "Requests sent at once.", 10),
    Setting("queue_size", Integer(1), "Requests that may wait.", 1_000),
    Setting(
        "wait_for_result",
        Boolean(),
        "Acknowledge a client when the destination has acknowledged. The Collector's default is false.",
        default=True,
    ),
    Setting("block_on_overflow", Boolean(), "A full queue delays clients instead of refusing them.", default=False),
    Setting(
        "sizer",
        Choice(
            "requests",
            absent={
                "items": "bound the queue with queue_size in requests; service.budget_mib bounds the bytes",
                "bytes": "service.budget_mib bounds the bytes of all queues together",
            },
        ),
        "What queue_size counts.",
        "requests",
    ),
    Setting("storage", Unsupported("queues are in memory; with wait_for_result no acknowledged data is lost"), ""),
    Setting("batch", Ignored("what waits in the queue is joined by itself; processors.batch forces a size"), ""),
)

_COMPRESSION = Choice(
    "gzip",
    "zstd",
    "otz1",
    "none",
    "",
    absent=dict.fromkeys(("snappy", "x-snappy-framed", "zlib", "deflate", "lz4"), _ANOTHER_CODING),
)
_ABOUT_COMPRESSION = (
    "How requests are compressed. otz1: tracezip where the destination is a millrace gateway, zstd or gzip elsewhere."
)


def sending_settings(timeout_ms: int) -> tuple[Setting, ...]:
    """Return the settings that both network exporters have; `timeout` has two defaults."""
    return (
        Setting("tls", CLIENT_TLS, "TLS of the connection. Without it the machine's own authorities are trusted."),
        Setting(
            "headers",
            MapOf(Secret("text", header_value_fault), "headers", header_name_fault),
            "Added to each request. Values are never shown.",
            {},
        ),
        Setting("compression", _COMPRESSION, _ABOUT_COMPRESSION, "gzip"),
        Setting(
            "compression_params",
            Group(Setting("level", Integer(-1, 22), "gzip 1 to 9, zstd 1 to 22; -1 is the coding's own default.")),
            "Fine-tunes compression.",
        ),
        Setting("timeout", Duration(1), "Longest time for one attempt, the answer included.", timeout_ms),
        Setting("retry_on_failure", _RETRY, "Repetition after a failure that may pass."),
        Setting("sending_queue", _QUEUE, "What waits while others are sent."),
        Setting("auth", Unsupported(_EXTENSION), ""),
        Setting("middlewares", Unsupported(_EXTENSION), ""),
        Setting("read_buffer_size", Ignored("buffers size themselves"), ""),
        Setting("write_buffer_size", Ignored("buffers size themselves"), ""),
    )


def resolve_sending(values: Values, problems: Problems, *, tls: bool) -> Resolved:
    """Return the part of a network exporter that both have in common, as the engine reads it."""
    compression = values["compression"] or "none"
    retry, queue = values["retry_on_failure"], values["sending_queue"]
    return sending(
        headers=values["headers"],
        timeout_ms=values["timeout"],
        compression=compression,
        compression_level=_level(compression, values["compression_params"], problems),
        tls=resolve_client_tls(values["tls"], needed=tls),
        retry={
            "enabled": retry["enabled"],
            "initial_interval_ms": retry["initial_interval"],
            "max_interval_ms": retry["max_interval"],
            "multiplier": retry["multiplier"],
            "randomization_factor": retry["randomization_factor"],
            "max_elapsed_time_ms": retry["max_elapsed_time"],
        },
        queue={
            name: queue[name]
            for name in ("enabled", "num_consumers", "queue_size", "wait_for_result", "block_on_overflow")
        },
    )


def _level(compression: str, params: Values, problems: Problems) -> int | None:
    level: int | None = params["level"]
    if level is None or level == -1:
        return None
    levels = _LEVELS.get(compression)
    if levels is None:
        problems.warn(params.at("level"), f"has no effect: compression is {compression}")
        return None
    if level not in levels:
        problems.error(params.at("level"), f"{compression} has levels {levels[0]} to {levels[-1]}, got {level}")
    return level
