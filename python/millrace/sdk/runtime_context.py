"""Puts the native runtime context in the place of opentelemetry-api's own.

The official door is the entry point `opentelemetry_context` with `OTEL_PYTHON_CONTEXT=millrace_context`, which the API
reads when it is imported. A program that has imported the API by then keeps every context that is attached: the native
one falls back to the variable of the one it takes over from.
"""

from opentelemetry import context as api
from opentelemetry.context.context import _RuntimeContext
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

from millrace import _native

__all__ = ["RuntimeContext", "install_runtime_context", "is_runtime_context_ours"]

RuntimeContext = _native.RuntimeContext
_RuntimeContext.register(RuntimeContext)


def is_runtime_context_ours() -> bool:
    """Return whether spans are made current natively; else the API has to do it, at its own speed."""
    return type(getattr(api, "_RUNTIME_CONTEXT", None)) is RuntimeContext


def install_runtime_context() -> None:
    """Take over from the API's default runtime context; one that a program chose itself stays."""
    current = getattr(api, "_RUNTIME_CONTEXT", None)
    if type(current) is ContextVarsRuntimeContext:
        variable = getattr(current, "_current_context", None)
        if variable is not None:
            api._RUNTIME_CONTEXT = RuntimeContext(variable)  # type: ignore[assignment] # noqa: SLF001 - see above
