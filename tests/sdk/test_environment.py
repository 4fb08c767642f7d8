"""Environment variables are read by the specification's rules (E9), and every fault is said."""

import pytest

from millrace.sdk import environment


@pytest.mark.parametrize("value", ["", "   "])
def test_e9_an_empty_variable_is_unset(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", value)

    assert environment.text("V") is None
    assert environment.boolean("V", default=True)
    assert environment.integer("V") is None
    assert environment.number("V") is None
    assert environment.choice("V", ("a",)) is None
    assert environment.names("V") == []
    assert environment.pairs("V") == {}


@pytest.mark.parametrize(("value", "meant"), [("true", True), (" TrUe ", True), ("false", False), ("FALSE", False)])
def test_e9_a_boolean_is_read_in_any_case_without_a_warning(
    value: str, *, meant: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("V", value)

    assert environment.boolean("V") is meant
    assert caplog.text == ""


@pytest.mark.parametrize("value", ["1", "yes", "on", "tru"])
def test_e9_only_true_is_true_and_anything_else_is_said(
    value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("V", value)

    assert environment.boolean("V", default=True) is False
    assert f"V: expected true or false, got '{value}'" in caplog.text


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "99999999999999999999999", "0x10", "٣", "1e3"])
def test_e9_what_is_no_whole_number_is_said_and_the_default_used(
    value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("V", value)

    assert environment.integer("V") is None
    assert "V: expected a whole number from 0 to 2147483647" in caplog.text


@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf", "2"])
def test_e9_what_is_no_number_within_bounds_is_said_and_the_default_used(
    value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("V", value)

    assert environment.number("V", maximum=1) is None
    assert "V: expected a number from 0 to 1" in caplog.text


def test_e9_an_unknown_word_is_said_and_ignored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("V", "brotli")

    assert environment.choice("V", ("none", "gzip")) is None
    assert "V: expected one of none, gzip, got 'brotli'" in caplog.text


def test_e9_a_word_is_known_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "GZip")

    assert environment.choice("V", ("none", "gzip")) == "gzip"


def test_e10_a_list_keeps_its_order_and_each_name_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "b3, tracecontext,,b3 , baggage,tracecontext")

    assert environment.names("V") == ["b3", "tracecontext", "baggage"]


def test_a_value_that_is_shown_has_an_end(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("V", "x" * 10_000)
    environment.boolean("V")

    assert len(caplog.text) < 400
