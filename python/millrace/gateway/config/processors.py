"""The processors: `batch` and `memory_limiter`."""

from pathlib import Path

from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.kinds import Duration, Ignored, Integer, Unsupported
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.sending import MEBIBYTE
from millrace.gateway.config.settings import Group, Setting, Values

__all__ = ["BATCH", "MEMORY_LIMITER", "memory_total_bytes"]

_COLLECTOR_TIMEOUT_MS = 200
_COLLECTOR_BATCH_SIZE = 8_192


def _check_batch(values: Values, problems: Problems) -> None:
    least = values["send_batch_size"] or (_COLLECTOR_BATCH_SIZE if values["timeout"] is not None else 0)
    most = values["send_batch_max_size"]
    if 0 < most < least:
        message = f"{most} is less than send_batch_size ({least})"
        problems.error(values.at("send_batch_max_size"), message, "raise it, or set it to 0 for no limit")


def _resolve_batch(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    timeout, size = values["timeout"], values["send_batch_size"]
    if timeout is not None or size is not None:  # one set: the other takes the Collector's default
        timeout = _COLLECTOR_TIMEOUT_MS if timeout is None else timeout
        size = _COLLECTOR_BATCH_SIZE if size is None else size
    return {
        "kind": "batch",
        "timeout_ms": timeout,
        "send_batch_size": size,
        "send_batch_max_size": values["send_batch_max_size"],
    }


def _check_limiter(values: Values, problems: Problems) -> None:
    if not values["limit_mib"] and not values["limit_percentage"]:
        hint = "set limit_mib: 512 or limit_percentage: 75"
        problems.error(values.place, "needs limit_mib or limit_percentage", hint)
    for limit, spike in (("limit_mib", "spike_limit_mib"), ("limit_percentage", "spike_limit_percentage")):
        if values[spike] is not None and values[limit] and values[spike] >= values[limit]:
            message = f"{values[spike]} is not below {limit} ({values[limit]})"
            problems.error(values.at(spike), message, "about a fifth of the limit is usual")


def _resolve_limiter(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    if values["limit_mib"]:
        limit, spike, unit = values["limit_mib"], values["spike_limit_mib"], float(MEBIBYTE)
    else:
        limit, spike = values["limit_percentage"], values["spike_limit_percentage"]
        unit = memory_total_bytes() / 100
    spike = limit / 5 if spike is None else spike
    return {"kind": "memory_limiter", "limit_bytes": int((limit - spike) * unit)}


def memory_total_bytes() -> int:
    """Return the memory this process may use: its control group's limit, or all there is."""
    totals = []
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            totals.append(int(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    try:
        first = Path("/proc/meminfo").read_text(encoding="ascii").split("\n", 1)[0]
        totals.append(int(first.split()[1]) * 1_024)
    except (OSError, ValueError, IndexError):
        totals.append(1 << 30)  # a system that does not tell: a careful guess
    return min(totals)


BATCH = Component(
    "batch",
    "Joins requests. Without settings it is adaptive: nothing waits while a destination is free, and what arrives "
    "meanwhile travels together.",
    Group(
        Setting(
            "timeout",
            Duration(),
            "Longest wait for a full batch. Unset, as send_batch_size: adaptive. The Collector's default is 200ms.",
        ),
        Setting("send_batch_size", Integer(0), "Items at which a batch is sent on. The Collector's default is 8192."),
        Setting("send_batch_max_size", Integer(0), "Most items of one batch; larger ones are split. 0 is no limit.", 0),
        Setting("metadata_keys", Unsupported("batches are not kept apart by the metadata of a client"), ""),
        Setting("metadata_cardinality_limit", Ignored("batches are not kept apart by metadata"), ""),
        check=_check_batch,
    ),
    _resolve_batch,
)

MEMORY_LIMITER = Component(
    "memory_limiter",
    "Refuses requests, so that clients send them again, once the telemetry held in memory reaches the limit.",
    Group(
        Setting(
            "check_interval",
            Duration(),
            "Accepted and not needed: millrace counts every byte when it comes and when it goes.",
            0,
        ),
        Setting("limit_mib", Integer(0), "Hard limit in MiB.", 0),
        Setting("spike_limit_mib", Integer(0), "Requests are refused at limit_mib less this. Default: a fifth of it."),
        Setting("limit_percentage", Integer(0, 100), "Hard limit in percent of the memory there is.", 0),
        Setting("spike_limit_percentage", Integer(0, 100), "As spike_limit_mib, in percent."),
        Setting("min_gc_interval_when_soft_limited", Ignored("nothing collects garbage"), ""),
        Setting("min_gc_interval_when_hard_limited", Ignored("nothing collects garbage"), ""),
        check=_check_limiter,
    ),
    _resolve_limiter,
)
