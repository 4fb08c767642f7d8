"""Resources: who it is that sends telemetry, and the detectors that find it out.

`Resource.create` puts together, later ones winning: `telemetry.sdk.*`, the detectors that
`OTEL_EXPERIMENTAL_RESOURCE_DETECTORS` names, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, and its argument.
"""

import logging
import os
import platform
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast
from uuid import uuid4

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.util.types import AnyValue

from millrace._native import __version__
from millrace.sdk import environment
from millrace.sdk.environment_variables import (
    OTEL_EXPERIMENTAL_RESOURCE_DETECTORS,
    OTEL_RESOURCE_ATTRIBUTES,
    OTEL_SERVICE_NAME,
)
from millrace.sdk.resources.names import *  # noqa: F403 - upstream's module has all these constants too
from millrace.sdk.resources.names import (
    HOST_ARCH,
    HOST_ID,
    HOST_NAME,
    OS_TYPE,
    OS_VERSION,
    PROCESS_COMMAND,
    PROCESS_COMMAND_ARGS,
    PROCESS_COMMAND_LINE,
    PROCESS_EXECUTABLE_NAME,
    PROCESS_EXECUTABLE_PATH,
    PROCESS_OWNER,
    PROCESS_PARENT_PID,
    PROCESS_PID,
    PROCESS_RUNTIME_DESCRIPTION,
    PROCESS_RUNTIME_NAME,
    PROCESS_RUNTIME_VERSION,
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
)

if TYPE_CHECKING:
    from threading import Thread
    from typing import Protocol

    class AnyResource(Protocol):
        """What a resource is to everything that takes one: this module's, or the one of `opentelemetry.sdk`."""

        @property
        def attributes(self) -> "Attributes":
            """The attributes."""

        @property
        def schema_url(self) -> str:
            """The URL of the schema they follow, or an empty text."""


LabelValue: TypeAlias = AnyValue
Attributes: TypeAlias = Mapping[str, LabelValue]

logger = logging.getLogger(__name__)

_DETECTOR_GROUP = "opentelemetry_resource_detector"
_DETECTION_TIMEOUT_S = 5


class Resource:
    """The entity that produces telemetry, as attributes. It never changes.

    `Resource(...)` takes the attributes as they are; `Resource.create(...)` adds what is known about this process. A
    resource of `opentelemetry.sdk` can stand wherever one of these can, and is equal to one with the same content.
    """

    __slots__ = ("_attributes", "_schema_url")

    def __init__(self, attributes: Attributes, schema_url: str | None = None) -> None:
        self._attributes = BoundedAttributes(attributes=attributes, immutable=True)
        self._schema_url = schema_url or ""

    @staticmethod
    def create(attributes: Attributes | None = None, schema_url: str | None = None) -> "Resource":
        """Return what is known about this process, with `attributes` on top.

        A detector must not call this: it would be asked again.
        """
        detected = get_aggregated_resources(_build_resource_detectors(), _DEFAULT_RESOURCE)
        resource = detected.merge(Resource(attributes or {}, schema_url))
        if not resource.attributes.get(SERVICE_NAME):
            resource = resource.merge(Resource({SERVICE_NAME: default_service_name()}, schema_url))
        return resource

    @staticmethod
    def get_empty() -> "Resource":
        """Return the resource without attributes."""
        return _EMPTY_RESOURCE

    @property
    def attributes(self) -> Attributes:
        """The attributes, which cannot be set."""
        return self._attributes

    @property
    def schema_url(self) -> str:
        """The URL of the schema that the attributes follow, or an empty text."""
        return self._schema_url

    def merge(self, other: "AnyResource") -> "Resource":
        """Return this resource with the attributes of `other` on top.

        Two different schemas cannot be merged: that is logged, and this resource is returned.
        """
        if self._schema_url and other.schema_url and self._schema_url != other.schema_url:
            logger.error(
                "Failed to merge resources: the schemas %s and %s are incompatible", self._schema_url, other.schema_url
            )
            return self
        return Resource({**self._attributes, **other.attributes}, self._schema_url or other.schema_url)

    def to_json(self, indent: int | None = 4) -> str:
        """Return it as JSON text; bytes are written in hexadecimal."""
        from json import dumps  # noqa: PLC0415 - for people who look

        content = {"attributes": dict(self._attributes), "schema_url": self._schema_url}
        return dumps(content, indent=indent, default=_as_json)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resource):
            attributes, schema_url = getattr(other, "attributes", None), getattr(other, "schema_url", None)
            if not isinstance(attributes, Mapping) or not isinstance(schema_url, str):
                return NotImplemented
            return dict(self._attributes) == dict(attributes) and self._schema_url == schema_url
        return self._attributes == other._attributes and self._schema_url == other._schema_url

    def __hash__(self) -> int:
        """Return upstream's hash, so that two equal resources of the two SDKs are one key of a dictionary."""
        from json import dumps  # noqa: PLC0415 - only those who group by resource

        return hash(f"{dumps(self._attributes.copy(), sort_keys=True, default=_as_json)}|{self._schema_url}")

    def __repr__(self) -> str:
        return f"Resource({dict(self._attributes)!r}, {self._schema_url!r})"


def default_service_name() -> str:
    """Return the name of a service that has none."""
    program = os.path.basename(sys.executable) if sys.executable else ""  # noqa: PTH119 - pathlib takes 5 ms
    return f"unknown_service:{program}" if program else "unknown_service"


def own() -> Resource:
    """Return the attributes of this SDK, to which every resource adds."""
    return _DEFAULT_RESOURCE


def _as_json(value: object) -> str:
    return value.hex() if isinstance(value, bytes | bytearray) else str(value)


_EMPTY_RESOURCE = Resource({})
_DEFAULT_RESOURCE = Resource(
    {TELEMETRY_SDK_LANGUAGE: "python", TELEMETRY_SDK_NAME: "millrace", TELEMETRY_SDK_VERSION: __version__}
)


class ResourceDetector(ABC):
    """Finds attributes out. With `raise_on_error` its failure is raised; without, it is logged and left out."""

    def __init__(self, raise_on_error: bool = False) -> None:  # noqa: FBT001, FBT002 - upstream's signature
        self.raise_on_error = raise_on_error

    @abstractmethod
    def detect(self) -> "AnyResource":
        """Return what was found, built with `Resource(...)` and never with `Resource.create`."""
        raise NotImplementedError

    def is_process_dependent(self) -> bool:
        """Tell whether the answer is another one after a fork, and the detector is then asked again."""
        return False


class OTELResourceDetector(ResourceDetector):
    """`OTEL_RESOURCE_ATTRIBUTES` with percent-decoded values, and `OTEL_SERVICE_NAME`, which wins over it."""

    def detect(self) -> Resource:
        """Read the variables."""
        found: dict[str, AnyValue] = dict(environment.pairs(OTEL_RESOURCE_ATTRIBUTES))
        service_name = environment.text(OTEL_SERVICE_NAME)
        if service_name:
            found[SERVICE_NAME] = service_name
        return Resource(found)


class ServiceInstanceIdResourceDetector(ResourceDetector):
    """`service.instance.id`: a random UUID, the same one for the life of a process, another one in a forked child."""

    _by_pid: "dict[int, str]" = {}  # noqa: RUF012 - shared on purpose; `setdefault` needs no lock, which a fork could keep

    def is_process_dependent(self) -> bool:
        """Return True."""
        return True

    def detect(self) -> Resource:
        """Return the id of this process."""
        return Resource({SERVICE_INSTANCE_ID: self._by_pid.setdefault(os.getpid(), str(uuid4()))})


class ProcessResourceDetector(ResourceDetector):
    """The process and its interpreter. Arguments may hold secrets: they are left out unless asked for."""

    def __init__(self, raise_on_error: bool = False, *, include_command_args: bool = False) -> None:  # noqa: FBT001, FBT002 - upstream's signature
        super().__init__(raise_on_error)
        self._include_command_args = include_command_args

    def is_process_dependent(self) -> bool:
        """Return True."""
        return True

    def detect(self) -> Resource:
        """Look at this process."""
        version = sys.version_info
        final = version.releaselevel == "final" and not version.serial
        executable = sys.executable or ""
        found: dict[str, AnyValue] = {
            PROCESS_RUNTIME_DESCRIPTION: sys.version,
            PROCESS_RUNTIME_NAME: sys.implementation.name,
            PROCESS_RUNTIME_VERSION: ".".join(str(part) for part in (version[:3] if final else version)),
            PROCESS_PID: os.getpid(),
            PROCESS_PARENT_PID: os.getppid(),
            PROCESS_EXECUTABLE_NAME: os.path.basename(executable),  # noqa: PTH119 - pathlib takes 5 ms
            PROCESS_EXECUTABLE_PATH: executable,
            # orig_argv: with `python -m module`, argv has lost how the interpreter was called.
            PROCESS_COMMAND: sys.orig_argv[0] if sys.orig_argv else "",
        }
        if self._include_command_args:
            found[PROCESS_COMMAND_LINE] = " ".join(sys.orig_argv)
            found[PROCESS_COMMAND_ARGS] = list(sys.orig_argv)
        owner = _owner()
        if owner:
            found[PROCESS_OWNER] = owner
        return Resource(found)


class OsResourceDetector(ResourceDetector):
    """`os.type` and `os.version`."""

    def detect(self) -> Resource:
        """Ask the platform, whose answers differ between systems."""
        kind, version = platform.system().lower(), platform.release()
        if kind in {"windows", "sunos"}:
            kind, version = kind.replace("sunos", "solaris"), platform.version()
        return Resource({OS_TYPE: kind, OS_VERSION: version})


class HostResourceDetector(ResourceDetector):
    """`host.name`, `host.arch` and, where it is readable, `host.id`."""

    def detect(self) -> Resource:
        """Ask the platform; a failure to find the id leaves the other attributes."""
        import socket  # noqa: PLC0415 - 2 ms for a detector that few ask

        found: dict[str, AnyValue] = {HOST_NAME: socket.gethostname(), HOST_ARCH: platform.machine()}
        try:
            found |= {HOST_ID: value} if (value := _get_host_id()) else {}
        except Exception as error:
            logger.warning("Failed to detect %s: %s", HOST_ID, error)
            if self.raise_on_error:
                raise
        return Resource(found)


_HostResourceDetector = HostResourceDetector
"""The name that it has upstream."""


def _get_host_id() -> str | None:
    from millrace.sdk.resources.machine import host_id  # noqa: PLC0415 - asked for by few

    return host_id()


def _owner() -> str | None:
    try:
        from pwd import getpwuid  # noqa: PLC0415 - does not exist on Windows

        return getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return None


_INSTANT = frozenset({OTELResourceDetector, ServiceInstanceIdResourceDetector, OsResourceDetector})
"""Detectors that cannot block: they need no thread of their own."""


def _build_resource_detectors() -> list[ResourceDetector]:
    """Return the detectors that `Resource.create` asks, the strongest last.

    `service_instance` comes first and `otel` last unless the variable names their place; `*` is all that are installed.
    """
    configured = environment.names(OTEL_EXPERIMENTAL_RESOURCE_DETECTORS)
    first = [] if "service_instance" in configured else ["service_instance"]
    wanted = list(dict.fromkeys([*first, *configured, "otel"]))
    if wanted == ["service_instance", "otel"]:
        return [ServiceInstanceIdResourceDetector(), OTELResourceDetector()]

    from millrace.sdk import entry_points  # noqa: PLC0415 - only those who name a detector

    if "*" in wanted:
        at = wanted.index("*")
        others = set(entry_points.registered(_DETECTOR_GROUP)) | set(_OWN_DETECTORS)
        wanted[at : at + 1] = sorted(others - set(wanted))
    detectors: list[ResourceDetector] = []
    for name in wanted:
        try:
            found = _OWN_DETECTORS.get(name) or entry_points.load(_DETECTOR_GROUP, name)
            detectors.append(found())
        except Exception:
            logger.exception("Failed to load the resource detector %r, which is left out", name)
    return detectors


_OWN_DETECTORS: dict[str, type[ResourceDetector]] = {
    "host": HostResourceDetector,
    "os": OsResourceDetector,
    "otel": OTELResourceDetector,
    "process": ProcessResourceDetector,
    "service_instance": ServiceInstanceIdResourceDetector,
}


def get_aggregated_resources(
    detectors: Sequence[ResourceDetector],
    initial_resource: Resource | None = None,
    timeout: float = _DETECTION_TIMEOUT_S,
) -> Resource:
    """Ask every detector at once and merge the answers in their order onto `initial_resource`.

    Args:
        detectors: Whom to ask; the last one wins.
        initial_resource: What to begin with, by default `Resource.create()`.
        timeout: Seconds until a detector is left out, which is logged; nobody waits for its daemon thread.
    """
    merged = initial_resource or Resource.create()
    for detector, detection in [(detector, _Detection(detector)) for detector in detectors]:
        try:
            found = detection.result(timeout)
        except TimeoutError:
            if detector.raise_on_error:
                raise
            logger.warning("Detector %s took longer than %s seconds, skipping", detector, timeout)
            continue
        except Exception as error:
            if detector.raise_on_error:
                raise
            logger.warning("Exception %s in detector %s, ignoring", error, detector)
            continue
        if detector.is_process_dependent() is True:
            _process_dependent.update(found.attributes)
        merged = merged.merge(found)
    return merged


class _Detection:
    """One detector at work, in a thread of its own unless its answer is instant."""

    def __init__(self, detector: ResourceDetector) -> None:
        self._detector = detector
        self._found: AnyResource | None = None
        self._error: BaseException | None = None
        self._thread: Thread | None = None
        if type(detector) in _INSTANT:
            self._detect()
            return
        from threading import Thread as _Thread  # noqa: PLC0415 - most detections need none

        self._thread = _Thread(target=self._detect, name="millrace-resource-detector", daemon=True)
        self._thread.start()

    def _detect(self) -> None:
        try:
            self._found = self._detector.detect()
        except BaseException as error:  # noqa: BLE001 - raised by `result`, in the thread that asked
            self._error = error

    def result(self, timeout_s: float) -> "AnyResource":
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise TimeoutError
        if self._error is not None:
            raise self._error
        return cast("AnyResource", self._found)


# What a fork makes wrong. A child asks the process-dependent detectors once, and replaces in each resource those values
# that its parent's detectors had found; values that a user has set are no detector's, and stay.

_process_dependent: dict[str, AnyValue] = {}
_replaced_by_fork: list[tuple[AnyValue, AnyValue, str]] = []


def _get_process_dependent_resource() -> Resource:
    dependent = [detector for detector in _build_resource_detectors() if detector.is_process_dependent()]
    return get_aggregated_resources(dependent, Resource.get_empty())


_detected_in = os.getpid()


def detect_after_fork() -> None:
    """Find out, once in a forked child, what is other than in its parent; :func:`for_this_process` applies it."""
    global _detected_in  # noqa: PLW0603 - one process has one answer
    if _detected_in == os.getpid():
        return
    _detected_in = os.getpid()
    before = dict(_process_dependent)
    now = _get_process_dependent_resource().attributes
    _replaced_by_fork[:] = [(before[name], value, name) for name, value in now.items() if name in before]


def for_this_process(resource: "AnyResource") -> "AnyResource":
    """Return `resource` as it is in this process: the pid, the id of the instance, and what else a fork changes."""
    attributes = resource.attributes
    changes = {name: new for old, new, name in _replaced_by_fork if name in attributes and attributes[name] == old}
    return Resource({**attributes, **changes}, resource.schema_url) if changes else resource
