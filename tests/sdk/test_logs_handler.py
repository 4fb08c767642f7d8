"""The handler of `logging`: it keeps its place, never recurses, never raises, and is out of everybody's way."""

import copy
import gc
import io
import logging
import logging.config
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, NoReturn

import pytest
from opentelemetry._logs import NoOpLoggerProvider

from millrace import _native
from millrace.sdk.logs import LoggerProvider, LoggingHandler, install, uninstall
from millrace.sdk.logs.export import InMemoryLogRecordExporter, LogRecordExporter, SimpleLogRecordProcessor
from tests.sdk.logs import attributes_of, logged, logs_of, native_handler, provider_with_buffer


@contextmanager
def bare_root() -> Iterator[logging.Logger]:
    """The root logger without handlers, as a program finds it; pytest's own come before each test."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    for handler in handlers:
        logger.removeHandler(handler)
    try:
        yield logger
    finally:
        uninstall()
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
        for handler in handlers:
            logger.addHandler(handler)
        logger.setLevel(level)


DICT_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "root": {"level": "INFO", "handlers": ["null"]},
}

FILE_CONFIG = """
[loggers]
keys=root
[handlers]
keys=null
[formatters]
keys=
[logger_root]
level=INFO
handlers=null
[handler_null]
class=NullHandler
args=()
"""


def test_an_installed_handler_survives_dict_config() -> None:
    with bare_root() as root:
        provider, buffer = provider_with_buffer()
        handler = install(logger_provider=provider)
        logging.config.dictConfig(DICT_CONFIG)
        root.info("after")
        assert [record.body.string_value for record in logs_of(buffer)] == ["after"]
        assert root.handlers.count(handler) == 1
        assert len(root.handlers) == 2


def test_an_installed_handler_survives_file_config() -> None:
    with bare_root() as root:
        provider, buffer = provider_with_buffer()
        install(logger_provider=provider)
        logging.config.fileConfig(io.StringIO(FILE_CONFIG), disable_existing_loggers=False)
        root.info("after")
        assert [record.body.string_value for record in logs_of(buffer)] == ["after"]


@pytest.mark.parametrize("force", [False, True])
def test_basic_config_does_what_it_does_without_an_installed_handler(*, force: bool) -> None:
    with bare_root() as root:
        provider, buffer = provider_with_buffer()
        install(logger_provider=provider)
        stream = io.StringIO()
        logging.basicConfig(stream=stream, format="%(message)s", level=logging.INFO, force=force)
        root.info("after")
        assert stream.getvalue() == "after\n"
        assert [record.body.string_value for record in logs_of(buffer)] == ["after"]


def test_install_twice_is_one_handler_and_uninstall_leaves_logging_as_it_was() -> None:
    with bare_root() as root:
        before = logging.basicConfig
        uninstall()
        untouched = logging.basicConfig
        handler = install()
        assert install() is handler
        assert root.handlers == [handler]
        uninstall()
        uninstall()
        assert root.handlers == []
        assert "removeHandler" not in vars(root)
        assert logging.basicConfig is untouched is before


def test_a_level_of_the_handler_holds() -> None:
    with native_handler(level=logging.ERROR) as (logger, buffer, _):
        logger.warning("below")
        logger.error("above")
    assert [record.body.string_value for record in logs_of(buffer)] == ["above"]


def test_a_subclass_that_overrides_emit_is_called() -> None:
    seen = []

    class Mine(LoggingHandler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            super().emit(record)

    provider, buffer = provider_with_buffer()
    with logged(Mine(logger_provider=provider)) as logger:
        logger.info("sold")
    assert seen == ["sold"]
    assert len(logs_of(buffer)) == 1


class _Shouting(LoggingHandler):
    """Has its formatter from its class."""

    @property
    def formatter(self) -> logging.Formatter:
        return logging.Formatter("%(message)s!")

    @formatter.setter
    def formatter(self, formatter: logging.Formatter | None) -> None:
        """Ignore what `logging.Handler` begins with."""


def test_a_formatter_that_the_class_has_is_asked() -> None:
    provider, buffer = provider_with_buffer()
    with logged(_Shouting(logger_provider=provider)) as logger:
        logger.info("sold")
    assert [record.body.string_value for record in logs_of(buffer)] == ["sold!"]


def test_filters_and_formatters_that_are_set_later_are_asked() -> None:
    with native_handler() as (logger, buffer, handler):
        logger.info("first")
        handler.addFilter(lambda record: record.getMessage() != "second")
        handler.setFormatter(logging.Formatter("%(message)s!"))
        logger.info("second")
        logger.info("third")
    assert [record.body.string_value for record in logs_of(buffer)] == ["first", "third!"]


class _Text(str):
    """A text that can be referred to weakly."""

    __slots__ = ("__weakref__",)


def test_what_a_record_holds_goes_with_it_at_once() -> None:
    with native_handler() as (logger, buffer, _):
        user = _Text("ada")
        gone = weakref.ref(user)
        gc.disable()
        try:
            logger.info("sold", extra={"user": user})
            del user
            assert gone() is None
        finally:
            gc.enable()
    assert attributes_of(logs_of(buffer)[0])["user"] == "ada"


def test_a_record_class_of_the_program_formats_its_message() -> None:
    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802 - the name that logging has
            return str(self.msg).format(*(self.args or ()))

    with native_handler() as (logger, buffer, _):
        logger.handle(Braces(logger.name, 20, "file.py", 1, "{} sold", ("bread",), None))
    assert logs_of(buffer)[0].body.string_value == "bread sold"


def test_what_is_logged_while_a_record_is_made_is_dropped_and_counted() -> None:
    with native_handler() as (logger, buffer, handler):

        class Talkative:
            def __str__(self) -> str:
                logger.info("about to be shown")
                return "shown"

        logger.info("%s", Talkative())
        assert [record.body.string_value for record in logs_of(buffer)] == ["shown"]
        assert handler.dropped == 1


def test_what_an_exporter_logs_about_a_record_is_dropped_and_counted() -> None:
    class Talkative(InMemoryLogRecordExporter):
        def export(self, batch: Any) -> Any:
            logger.info("exporting")
            return super().export(batch)

    exporter = Talkative()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    with logged(handler) as logger:
        logger.info("sold")
        logger.info("sold again")
    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["sold", "sold again"]
    assert handler.dropped == 2


def test_another_context_logs_while_a_processor_works() -> None:
    """What a greenlet or a task of the same thread logs meanwhile is not dropped."""

    class Switching(InMemoryLogRecordExporter):
        def export(self, batch: Any) -> Any:
            if batch[0].log_record.body == "first":
                empty.run(logger.info, "second")
            return super().export(batch)

    empty = copy_context()
    exporter = Switching()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with logged(LoggingHandler(logger_provider=provider)) as logger:
        logger.info("first")
    assert {record.log_record.body for record in exporter.get_finished_logs()} == {"first", "second"}


def test_a_message_that_cannot_be_formatted_is_recorded_as_it_is() -> None:
    with native_handler() as (logger, buffer, _):
        logger.info("%d items", "three")
        logger.info("too many", 1)  # noqa: PLE1205 - the case that is tested
    assert [record.body.string_value for record in logs_of(buffer)] == ["%d items", "too many"]


class Hostile:
    """Raises whatever is asked of it."""

    def _refuse(self, *_: object) -> NoReturn:
        raise RuntimeError("no")

    __str__ = __repr__ = __hash__ = __eq__ = __bool__ = __len__ = __iter__ = _refuse


def cycle() -> list[Any]:
    """A list that holds itself."""
    values: list[Any] = []
    values.append(values)
    return values


def deep() -> list[Any]:
    """A list in a list, 10,000 times."""
    values: list[Any] = []
    for _ in range(10_000):
        values = [values]
    return values


NASTY = [Hostile(), cycle(), deep(), "\ud800", float("nan"), 2**70, {Hostile: 1}, {"": 1}, object(), b"\xff", -(2**63)]


@pytest.mark.parametrize("value", NASTY, ids=[str(number) for number in range(len(NASTY))])
def test_nasty_objects_never_raise_and_never_cost_the_record(value: Any) -> None:
    with native_handler() as (logger, buffer, _):
        logger.info("extra", extra={"value": value})
        logger.info("argument %s", value)
        logger.info(value)
        logger.error("exception", exc_info=ValueError(value))
        emitter = handler_free_logger(buffer)
        emitter.emit(body=value, attributes={"value": value}, severity_text=value, event_name="name")
        emitter.emit(attributes=value, timestamp=value, severity_number=value, context=value)
    # Not upstream's classes: they refuse what nests as deep as the specification allows.
    sent = b"".join(_native.to_json("logs", request) for request in iter(buffer.drain, None))
    for body in (b'{"stringValue":"extra"}', b'{"stringValue":"exception"}', b'"eventName":"name"'):
        assert body in sent


def handler_free_logger(buffer: Any) -> Any:
    """A logger of OpenTelemetry on the same buffer."""
    return LoggerProvider(shutdown_on_exit=False, _buffer=buffer).get_logger("direct")


def test_a_record_that_is_none_of_logging_is_dropped_and_counted() -> None:
    with native_handler() as (_, buffer, handler):
        for record in (None, 3, object()):
            handler.emit(record)  # type: ignore[arg-type] # that is the point
        assert handler.dropped == 3
    assert logs_of(buffer) == []


def test_fields_that_were_overwritten_do_not_cost_the_record() -> None:
    with native_handler() as (logger, buffer, _):
        record = logger.makeRecord("shop.cart", 20, "file.py", 1, "sold", (), None)
        vars(record).update(created="yesterday", levelno="loud", levelname=None, args=None, exc_info=())
        logger.handlers[0].handle(record)
    assert [sent.body.string_value for sent in logs_of(buffer)] == ["sold"]


def test_records_from_elsewhere_are_read_by_the_names_of_their_fields() -> None:
    """As from `makeLogRecord`, whose keys come out of a pickle or JSON, in any order."""
    with native_handler() as (logger, buffer, _):
        given = {"".join(list("user")): "ada", "".join(list("msg")): "sold", "levelno": 30, "levelname": "WARNING"}
        logger.handle(logging.makeLogRecord({**given, "name": "shop.cart"}))
    (sent,) = logs_of(buffer)
    assert (sent.body.string_value, sent.severity_text) == ("sold", "WARN")
    assert attributes_of(sent)["user"] == "ada"


def test_the_handler_is_quiet_with_a_provider_that_does_nothing() -> None:
    with logged(LoggingHandler(logger_provider=NoOpLoggerProvider())) as logger:
        logger.info("into the void")
        logger.handlers[0].flush()


def test_a_handler_is_freed_with_its_last_reference() -> None:
    handler = LoggingHandler(logger_provider=provider_with_buffer()[0])
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None


def log_often(logger: logging.Logger) -> None:
    for _ in range(500):
        logger.info("sold")


def test_threads_log_at_the_same_time_and_nothing_is_lost() -> None:
    with native_handler() as (logger, buffer, handler):
        threads = [threading.Thread(target=log_often, args=(logger,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(logs_of(buffer)) == 4000
        assert handler.dropped == 0


def test_a_record_is_left_as_it_was() -> None:
    with native_handler() as (logger, _, handler):
        record = logger.makeRecord("shop", 20, "file.py", 1, "sold %s", ("out",), None, extra={"event.name": "sold"})
        before = copy.copy(vars(record))
        handler.handle(record)
    assert vars(record) == before


def test_our_abstract_exporter_cannot_be_made() -> None:
    with pytest.raises(TypeError):
        LogRecordExporter()  # type: ignore[abstract] # that is the point
