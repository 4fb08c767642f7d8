"""The limits of log records: how many attributes, and how long a value (specification: LogRecord Limits)."""

from millrace.sdk import environment
from millrace.sdk import environment_variables as names

__all__ = ["LogRecordLimits"]

_COUNT = 128


class LogRecordLimits:
    """The limits of one provider's log records; what is not given comes from the environment, and `UNSET` is no limit.

    Args:
        max_attributes: Attributes, where nothing more precise is said.
        max_attribute_length: Characters of a text, where nothing more precise is said.
        max_log_record_attributes: Attributes of a log record.
        max_log_record_attribute_length: Characters of a text in an attribute of a log record.

    Raises:
        ValueError: A limit is negative.
    """

    UNSET = environment.UNSET

    def __init__(
        self,
        max_attributes: int | None = None,
        max_attribute_length: int | None = None,
        max_log_record_attributes: int | None = None,
        max_log_record_attribute_length: int | None = None,
    ) -> None:
        self.max_attributes = environment.limit(
            "max_attributes", max_attributes, names.OTEL_ATTRIBUTE_COUNT_LIMIT, _COUNT
        )
        self.max_attribute_length = environment.limit(
            "max_attribute_length", max_attribute_length, names.OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, None
        )
        self.max_log_record_attributes = environment.limit(
            "max_log_record_attributes",
            max_log_record_attributes,
            names.OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT,
            self.max_attributes,
        )
        self.max_log_record_attribute_length = environment.limit(
            "max_log_record_attribute_length",
            max_log_record_attribute_length,
            names.OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT,
            self.max_attribute_length,
        )

    def __repr__(self) -> str:
        return f"LogRecordLimits({', '.join(f'{name}={value}' for name, value in vars(self).items())})"
