"""Says what was wrong with a measurement: one log line for each instrument and kind of fault."""

import logging

_log = logging.getLogger("millrace.sdk.metrics")

_SENTENCES = {
    "not_a_number": "expected a number as the amount, got {given}; the measurement is ignored",
    "not_finite": "expected a finite amount, got {given}; the measurement is ignored",
    "negative": "expected an amount of at least 0, got {given}; the measurement is ignored",
    "attributes": "expected a mapping as attributes, got {given}; the measurement counts without attributes",
    "exemplar": "the exemplar filter or reservoir failed; the measurement counts, without an exemplar",
    "overflow": (
        "there are more attribute sets than the limit of 2000; the others are counted together, "
        "under the attribute otel.metric.overflow"
    ),
}

_SHOWN_MAX = 60


def report(fault: str, instrument: str, given: object) -> None:
    """Log the fault of an instrument. Only the type of `given` is shown, and its value where it is a number."""
    shown = repr(given) if type(given) in {int, float, bool} else type(given).__name__
    sentence = _SENTENCES[fault].format(given=shown[:_SHOWN_MAX])
    _log.warning("Instrument %s: %s. This is said once.", instrument, sentence)
