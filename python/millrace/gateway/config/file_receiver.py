"""The receiver `file`: requests out of files, as they grow, in the forms that the `file` exporter writes."""

from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.kinds import Choice, Duration, Ignored, ListOf, Text, Unsupported
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.settings import Group, Setting, Values

__all__ = ["FILE"]

_REMEMBERS = "nothing is remembered between two starts; start_at says where files begin"


def _pattern_fault(pattern: str) -> str | None:
    if set(pattern) & set("[{\\"):
        return "of patterns, * ? and ** are understood; write several where one does not do"
    return None if pattern.strip("/") else "expected the path of a file"


_PATTERNS = ListOf(
    Text("a path, with * ? or **", _pattern_fault), "a list of paths, such as [/var/spool/otlp/*.jsonl, last.otz]"
)


def _check(values: Values, problems: Problems) -> None:
    if not values["include"]:
        problems.error(values.at("include"), "names no file", "name at least one path")


def _resolve(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    return {
        "kind": "file",
        "include": values["include"],
        "exclude": values["exclude"],
        "start_at": values["start_at"],
        "poll_interval_ms": values["poll_interval"],
    }


FILE = Component(
    "file",
    "Reads requests from files by their endings: .jsonl and .json (one a line), .otlp, and .otz. Follows what grows.",
    Group(
        Setting("include", _PATTERNS, "Files to read, with * ? and **; new ones are found.", required=True),
        Setting("exclude", _PATTERNS, "Those among them that are not read.", []),
        Setting(
            "start_at",
            Choice("beginning", "end"),
            "What is read of files that are there at the start. Later ones are read from their beginning.",
            "end",
        ),
        Setting("poll_interval", Duration(1), "Wait before looking again whether something has come.", 200),
        Setting("storage", Unsupported(_REMEMBERS), ""),
        Setting("replay_file", Unsupported("start_at: beginning reads each file once"), ""),
        Setting("compression", Unsupported("decompress beforehand, or use `millrace send`"), ""),
        Setting("encoding", Ignored("the ending of a name says it"), ""),
        Setting("fingerprint_size", Ignored("a file is known by its inode"), ""),
        Setting("max_log_size", Ignored("a request has at most 64 MiB"), ""),
        Setting("max_concurrent_files", Ignored("up to 1024 files are followed"), ""),
        Setting("max_batches", Ignored("all files have their turn"), ""),
        Setting("force_flush_period", Ignored("a line is a request when it is complete"), ""),
        Setting("include_file_name", Ignored("requests are passed on as they are"), ""),
        Setting("delete_after_read", Unsupported("nothing is deleted"), ""),
        check=_check,
    ),
    _resolve,
    aliases=("otlpjsonfile", "otlp_json_file"),
)
