"""What our SDK sends for a program that logs is what the stock SDK sends, up to times."""

import logging
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.instrumentation.logging.handler import LoggingHandler as ContribHandler
from opentelemetry.sdk._logs import LoggerProvider as StockLoggerProvider
from opentelemetry.sdk._logs import LoggingHandler as StockHandler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from millrace.sdk.logs import LoggingHandler
from tests.sdk.logs import logged, native_logs, stock_logs

SPAN = NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1)))
IN_SPAN = trace.set_span_in_context(SPAN)


def every_field(provider: LoggerProvider) -> None:
    logger = provider.get_logger("library", "1.0", "https://example.org/schema", {"scope": True})
    logger.emit(
        timestamp=1,
        observed_timestamp=2,
        context=IN_SPAN,
        severity_number=SeverityNumber.WARN2,
        severity_text="notice",
        body="sold out",
        attributes={"text": "é日本", "int": -5, "float": 0.5, "true": True, "bytes": b"\x00\xff"},
        event_name="stock.empty",
    )


def bare(provider: LoggerProvider) -> None:
    provider.get_logger("library").emit()


def record_object(provider: LoggerProvider) -> None:
    record = LogRecord(timestamp=7, body="sold", severity_number=SeverityNumber.INFO, attributes={"a": [1, "b", None]})
    provider.get_logger("library").emit(record)


def record_with_ids(provider: LoggerProvider) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        record = LogRecord(trace_id=0xABC, span_id=0xDEF, trace_flags=TraceFlags(1), body="old")
    provider.get_logger("library").emit(record)


def current_span(provider: LoggerProvider) -> None:
    with trace.use_span(SPAN):
        provider.get_logger("library").emit(body="inside")


def bodies(provider: LoggerProvider) -> None:
    logger = provider.get_logger("library")
    values: tuple[Any, ...] = ("", 0, False, 2.5, b"\x01", [1, ["a"], {"k": None}], {"a": {"b": [True]}}, "x" * 300)
    for body in values:
        logger.emit(body=body)


def severities(provider: LoggerProvider) -> None:
    for number in SeverityNumber:
        provider.get_logger("library").emit(severity_number=number, body=number.name)


def exceptions(provider: LoggerProvider) -> None:
    logger = provider.get_logger("library")
    logger.emit(body="made", exception=ValueError("never raised"))
    logger.emit(body="kept", exception=KeyError("key"), attributes={"exception.type": "mine"})
    logger.emit(LogRecord(body="object", exception=OSError(2, "gone")))
    try:
        raise RuntimeError("raised")  # noqa: TRY301 - to have a stack trace
    except RuntimeError as error:
        logger.emit(body="raised", exception=error)


def scopes(provider: LoggerProvider) -> None:
    for name in ("a", "b", "a"):
        provider.get_logger(name, "2").emit(body=name)


@pytest.mark.parametrize(
    "program",
    [every_field, bare, record_object, record_with_ids, current_span, bodies, severities, exceptions, scopes],
    ids=lambda program: program.__name__,
)
def test_what_is_emitted_is_sent_as_the_stock_sdk_sends_it(program: Callable[[LoggerProvider], None]) -> None:
    assert native_logs(program) == stock_logs(program)


def through(handler: Callable[..., logging.Handler], use: Callable[[logging.Logger], None]) -> Callable[..., None]:
    """A program that logs through a handler."""

    def program(provider: LoggerProvider) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made = handler(logger_provider=provider)
        with logged(made) as logger:
            use(logger)

    return program


def messages(logger: logging.Logger) -> None:
    logger.info("literal 100%")
    logger.info("%s bought %d for %.2f", "ada", 3, 9.5)
    logger.info("%(user)s left", {"user": "ada"})
    logger.info("é日本")
    logger.info("")


def objects(logger: logging.Logger) -> None:
    for message in (None, 7, 0.5, True, b"raw", ["a", 1], {"a": {"b": None}}, ("x",), ValueError("shown"), {1, 2}):
        logger.info(message)
    logger.info(["%s", 1], "formatted")


def levels(logger: logging.Logger) -> None:
    logging.addLevelName(25, "NOTICE")
    for level in (1, 5, 9, 10, 11, 13, 14, 19, 20, 23, 25, 30, 33, 40, 49, 50, 53, 54, 99):
        logger.log(level, "at %d", level)


def extras(logger: logging.Logger) -> None:
    logger.info("extra", extra={"user": "ada", "count": 3, "nested": {"a": [1, None]}, "none": None, "text": "x" * 200})
    logger.info("many", extra={f"key{number}": number for number in range(40)})
    logger.info("standard", stack_info=True)


def failures(logger: logging.Logger) -> None:
    try:
        raise ZeroDivisionError("division")  # noqa: TRY301 - to have a stack trace
    except ZeroDivisionError:
        logger.exception("failed %s", "here")
        logger.error("not wanted", exc_info=False)  # noqa: TRY400 - the case that is tested
    logger.error("none", exc_info=True)  # noqa: LOG014 - the case that is tested
    logger.error("made", exc_info=KeyError())
    logger.error("object", exc_info=ValueError(["a"], 2))


def inside_a_span(logger: logging.Logger) -> None:
    with trace.use_span(SPAN):
        logger.warning("inside")
    logger.critical("outside")


def names(logger: logging.Logger) -> None:
    for name in ("", "deeper.still"):
        record = logger.makeRecord(logger.name + name, 20, "file.py", 3, "made", (), None, "function")
        logger.handle(record)


def filtered(logger: logging.Logger) -> None:
    handler = logger.handlers[0]
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    logger.info("public")
    logger.info("secret")


def formatted(logger: logging.Logger) -> None:
    logger.handlers[0].setFormatter(logging.Formatter("%(name)s - %(levelname)s - %(message)s"))
    logger.warning("sold %s", "out")
    logger.warning(["a", "list"])


USES = [messages, objects, levels, extras, failures, inside_a_span, names, filtered, formatted]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_the_handler_sends_what_the_stock_handler_sends(use: Callable[[logging.Logger], None]) -> None:
    assert native_logs(through(LoggingHandler, use)) == stock_logs(through(StockHandler, use))


def named_events(logger: logging.Logger) -> None:
    logger.info("sold", extra={"otel.event.name": "item.sold", "event.name": "old", "user": "ada"})
    logger.info("sold", extra={"event.name": "old"})


@pytest.mark.parametrize(
    "use", [messages, levels, extras, failures, inside_a_span, named_events, formatted], ids=lambda use: use.__name__
)
def test_without_code_attributes_it_sends_what_the_handler_of_contrib_sends(
    use: Callable[[logging.Logger], None],
) -> None:
    def ours(**arguments: LoggerProvider) -> logging.Handler:
        return LoggingHandler(log_code_attributes=False, **arguments)  # type: ignore[arg-type] # just the provider

    assert native_logs(through(ours, use)) == stock_logs(through(ContribHandler, use))


def test_the_handler_works_with_the_stock_provider() -> None:
    provider = StockLoggerProvider(shutdown_on_exit=False)
    assert isinstance(provider, LoggerProvider)
    assert stock_logs(through(LoggingHandler, extras)) == stock_logs(through(StockHandler, extras))


def test_an_attached_context_correlates_as_one_that_is_given() -> None:
    def attached(provider: LoggerProvider) -> None:
        token = context.attach(IN_SPAN)
        provider.get_logger("library").emit(body="inside")
        context.detach(token)

    def given(provider: LoggerProvider) -> None:
        provider.get_logger("library").emit(body="inside", context=IN_SPAN)

    assert native_logs(attached) == native_logs(given) == stock_logs(attached)
