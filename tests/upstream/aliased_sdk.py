"""Puts `millrace.sdk` in the place of `opentelemetry.sdk`, for a run of upstream's own tests.

Nothing of upstream's SDK is ever imported: a public module is ours, and a name that ours does not have is a `Missing`,
which ends the test that uses it. A private name makes the test not applicable; a public one makes it fail.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn
from unittest import TestCase, mock

import pytest

__all__ = ["ONLY_UPSTREAM", "install", "is_installed"]

ONLY_UPSTREAM = "only upstream has "
_ROOT = "opentelemetry.sdk"

# `_logs` is what upstream calls a module that everybody uses: it counts as public.
_OURS = {
    "trace": "trace",
    "trace.export": "trace.export",
    "trace.export.in_memory_span_exporter": "trace.export.in_memory_span_exporter",
    "trace.id_generator": "trace.id_generator",
    "trace.sampling": "trace.sampling",
    "metrics": "metrics",
    "metrics.export": "metrics.export",
    "metrics.view": "metrics.view",
    "_logs": "logs",
    "_logs.export": "logs.export",
    "resources": "resources",
    "error_handler": "error_handler",
    "environment_variables": "environment_variables",
    "util.instrumentation": "instrumentation",
}

# Upstream's private modules define what its public ones export: a public name is found there too.
_PRIVATE = {
    "trace": ("trace", "trace.export", "trace.sampling", "trace.id_generator"),
    "metrics": ("metrics", "metrics.export", "metrics.view"),
    "_logs": ("logs", "logs.export"),
}


# What modules of upstream's happen to import or to hold, without a promise to anybody; of `util`, no document speaks.
_UNPROMISED = {"logger", "subprocess", "winreg", "threading"}

# Private names that tests use as data, or whose behaviour ours has under the same name.
_SAME = {
    "opentelemetry.sdk.trace._DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk.trace._DEFAULT_OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk.trace._DEFAULT_OTEL_SPAN_EVENT_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk.trace._DEFAULT_OTEL_SPAN_LINK_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk.trace._DEFAULT_OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk.trace._DEFAULT_OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk._logs._internal._DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT": lambda: 128,
    "opentelemetry.sdk.trace._Span": lambda: _span_by_hand(),  # noqa: PLW0108 - defined further down
    "opentelemetry.sdk.trace.SpanContext": lambda: import_module("opentelemetry.trace").SpanContext,
    "opentelemetry.sdk.metrics._internal._MeterConfig": lambda: _from("metrics._meter", "_MeterConfig"),
    "opentelemetry.sdk.metrics._internal._default_meter_configurator": lambda: _from(
        "metrics._meter", "_default_meter_configurator"
    ),
    "opentelemetry.sdk.metrics._internal._disable_meter_configurator": lambda: _from(
        "metrics._meter", "_disable_meter_configurator"
    ),
    "opentelemetry.sdk.metrics._internal.aggregation._DEFAULT_EXPLICIT_BUCKET_HISTOGRAM_AGGREGATION_BOUNDARIES": (
        lambda: _from("metrics._streams", "DEFAULT_BOUNDARIES")
    ),
}


def _from(module: str, name: str) -> Any:  # noqa: ANN401 - whatever has that name
    return getattr(import_module(f"millrace.sdk.{module}"), name)


def _span_by_hand() -> type:
    """Return a class for tests that make a span by hand to look at it; one that records ends the test."""
    readable: Any = _from("trace", "ReadableSpan")

    class SpanByHand(readable):  # type: ignore[misc]
        def __init__(self, name: str, context: object, *arguments: object, **named: object) -> None:
            allowed = {"parent", "resource", "attributes", "events", "links", "kind", "instrumentation_scope"}
            if arguments or not set(named) <= allowed:
                _end("opentelemetry.sdk.trace._Span")
            super().__init__(name, context, **named)

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("__"):
                raise AttributeError(name)
            _end(f"opentelemetry.sdk.trace._Span.{name}")

    return SpanByHand


class Missing:
    """A name of upstream's that we do not have; whatever is done with it ends the test."""

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "missing_name", name)

    def __mro_entries__(self, _bases: tuple[Any, ...]) -> tuple[type]:
        """Let a test file define a class of it; only making an object of that class ends a test."""
        name = object.__getattribute__(self, "missing_name")

        def init(_self: object, *_arguments: object, **_named: object) -> NoReturn:
            _end(name)

        return (type("OfMissing", (), {"__init__": init}),)

    def __getattribute__(self, attribute: str) -> object:
        if attribute in {"__mro_entries__", "__class__"}:
            return object.__getattribute__(self, attribute)
        if attribute.startswith("__") or attribute == "pytestmark":
            raise AttributeError(attribute)  # asked by pytest, of everything that it finds in a file
        return _end(f"{object.__getattribute__(self, 'missing_name')}.{attribute}")

    def __repr__(self) -> str:
        return f"Missing({object.__getattribute__(self, 'missing_name')})"

    # What is written in an annotation at module level is not used yet.
    def __or__(self, _other: object) -> "Missing":
        return self

    def __ror__(self, _other: object) -> "Missing":
        return self


def _ending(*_arguments: object, **_named: object) -> NoReturn:
    _end(object.__getattribute__(_arguments[0], "missing_name"))


for _method in (
    "__call__",
    "__instancecheck__",
    "__subclasscheck__",
    "__iter__",
    "__len__",
    "__getitem__",
    "__contains__",
    "__eq__",
    "__ne__",
    "__hash__",
    "__bool__",
    "__lt__",
    "__gt__",
    "__le__",
    "__ge__",
    "__add__",
    "__radd__",
    "__sub__",
    "__rsub__",
    "__mul__",
    "__rmul__",
    "__float__",
    "__int__",
    "__index__",
    "__enter__",
    "__exit__",
    "__fspath__",
    "__neg__",
    "__pow__",
    "__rpow__",
    "__setattr__",
):
    setattr(Missing, _method, _ending)


def _end(name: str) -> NoReturn:
    """End the test: it is about what is private, or it fails for want of a public name."""
    if is_private(name):
        pytest.skip(ONLY_UPSTREAM + name, allow_module_level=True)
    pytest.fail(f"millrace.sdk does not have {name}", pytrace=False)


def is_private(name: str) -> bool:
    """Tell whether upstream promises nothing about a dotted name."""
    parts = name.removeprefix(f"{_ROOT}.").split(".")
    return (
        not _UNPROMISED.isdisjoint(parts)
        or (parts[0] == "util" and parts[1:2] != ["instrumentation"])
        or any(part.startswith("_") and not part.startswith("__") and part != "_logs" for part in parts)
    )


class _Finder(Loader, MetaPathFinder):
    """Finds every module below `opentelemetry.sdk` that is not one of ours: a module in which everything is missing."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.startswith(f"{_ROOT}.") else None

    def create_module(self, _spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        relative = module.__name__.removeprefix(f"{_ROOT}.")
        sources = _PRIVATE.get(relative.split(".")[0], ()) if is_private(module.__name__) else ()
        module.__getattr__ = _looked_up(module.__name__, _imported(sources))  # type: ignore[method-assign]


def _imported(names: Sequence[str]) -> list[ModuleType]:
    return [module for name in names if (module := _module(name)) is not None]


def _module(name: str) -> ModuleType | None:
    try:
        return import_module(f"millrace.sdk.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("millrace"):
            raise
        return None


def _looked_up(path: str, sources: list[ModuleType], ours: str | None = None) -> Callable[[str], object]:
    def get(name: str) -> object:
        if name.startswith("__") or (ours is not None and find_spec(f"millrace.sdk.{ours}.{name}") is not None):
            raise AttributeError(name)  # the second is a module of ours that nobody has imported yet
        if f"{path}.{name}" in _SAME:
            return _SAME[f"{path}.{name}"]()  # type: ignore[no-untyped-call]
        if not name.startswith("_"):
            for source in sources:
                if name in source.__all__:
                    return getattr(source, name)
        return Missing(f"{path}.{name}")

    return get


def _as_method(get: Callable[[str], object]) -> Callable[[ModuleType, str], object]:
    return lambda _module, name: get(name)


def install() -> None:
    """Do it, for this process."""
    root = ModuleType(_ROOT)
    root.__path__ = []
    sys.modules[_ROOT] = root
    import_module("opentelemetry").sdk = root  # type: ignore[attr-defined]
    for theirs, ours in _OURS.items():
        module = _module(ours)
        if module is None:
            continue
        path = f"{_ROOT}.{theirs}"
        sys.modules[path] = module
        if not hasattr(module, "__path__"):
            module.__path__ = []  # a package upstream, whose private modules are asked for
        parent, _, name = path.rpartition(".")
        if parent == _ROOT:
            setattr(root, name, module)
        # By its class, and not in the module: tests reload modules, which would put ours back.
        get = _looked_up(path, [], ours)
        module.__class__ = type("Aliased", (ModuleType,), {"__getattr__": _as_method(get)})
    sys.meta_path.insert(0, _Finder())
    _from("runtime_context", "install_runtime_context")()
    _refuse_patching_what_is_missing()
    _translate_names_of_loggers()


def is_installed() -> bool:
    """Tell whether our SDK is in the place of upstream's here."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def _refuse_patching_what_is_missing() -> None:
    """End tests that replace a name we do not have: replacing it would change nothing of ours."""
    patch: Any = mock._patch  # noqa: SLF001 - where every form of patching passes
    get_original = patch.get_original

    def checked(self: Any) -> Any:  # noqa: ANN401 - the patch of mock, which has no public type
        target = self.getter()
        if (
            isinstance(target, ModuleType)
            and isinstance(target.__spec__, ModuleSpec)
            and target.__spec__.loader.__class__ is _Finder
        ):
            _end(f"{target.__name__}.{self.attribute}")
        original = get_original(self)
        if type(original[0]) is Missing:
            _end(object.__getattribute__(original[0], "missing_name"))
        return original

    patch.get_original = checked


def _translate_names_of_loggers() -> None:
    """Look for what upstream's loggers would say at ours: their names are no promise, what they say may be."""
    assert_logs = TestCase.assertLogs

    def translated(self: TestCase, logger: Any = None, level: Any = None) -> Any:  # noqa: ANN401 - as the original
        if isinstance(logger, str) and logger.startswith(_ROOT):
            logger = "millrace.sdk"
        return assert_logs(self, logger, level)

    TestCase.assertLogs = translated  # type: ignore[method-assign] # that is the point
