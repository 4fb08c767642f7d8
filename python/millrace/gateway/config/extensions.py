"""The extensions: `health_check`."""

from millrace.gateway.config.components import Component, Resolved
from millrace.gateway.config.endpoints import LISTEN, listen_address
from millrace.gateway.config.kinds import Ignored, Text, Unsupported
from millrace.gateway.config.problems import Problems
from millrace.gateway.config.settings import Group, Setting, Values

__all__ = ["HEALTH_CHECK"]


def _path_fault(path: str) -> str | None:
    return None if path.startswith("/") and path.isascii() and path.isprintable() else "a path starts with /"


def _resolve(values: Values, problems: Problems) -> Resolved:  # noqa: ARG001 - every component has this shape
    return {"kind": "health_check", "endpoint": listen_address(values["endpoint"]), "path": values["path"]}


HEALTH_CHECK = Component(
    "health_check",
    "Answers 200 while the gateway runs and 503 while it starts or stops.",
    Group(
        Setting("endpoint", LISTEN, "Address to listen on.", "localhost:13133"),
        Setting("path", Text("a path such as /", _path_fault), "The path that answers.", "/"),
        Setting("response_body", Ignored("the answer is a small JSON object"), ""),
        Setting("check_collector_pipeline", Ignored("the Collector itself advises against it"), ""),
        Setting("tls", Unsupported("probes run on the same machine or behind a proxy"), ""),
        Setting("auth", Unsupported("probes carry no credentials"), ""),
    ),
    _resolve,
)
