from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from gateway.records.base import Date, Instant, Line, Record, Text


class Sample(Record):
    """One field of each ground type."""

    line: Line | None = None
    text: Text | None = None
    day: Date | None = None
    at: Instant | None = None


@pytest.mark.parametrize("day", ["1800-01-01", "2200-12-31"])
def test_the_widest_calendar(day: str) -> None:
    assert str(Sample(day=day).day) == day  # type: ignore[arg-type]
    assert Sample(at=f"{day}T12:00:00Z").at is not None  # type: ignore[arg-type]


@pytest.mark.parametrize("day", ["1799-12-31", "2201-01-01"])
def test_beyond_the_calendar(day: str) -> None:
    for field, value in (("day", day), ("at", f"{day}T12:00:00Z")):
        with pytest.raises(ValidationError, match="absurd_date"):
            Sample.model_validate({field: value})


@pytest.mark.parametrize(("offset", "message"), [("+14:00", ""), ("-14:00", ""), ("+14:01", "absurd_offset")])
def test_offsets(offset: str, message: str) -> None:
    value = {"at": f"2025-10-06T09:30:00{offset}"}
    if not message:
        assert Sample.model_validate(value).at is not None
        return
    with pytest.raises(ValidationError, match=message):
        Sample.model_validate(value)


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\U0001fffe", "\U0001ffff", "\U0010fffe", "\ufdef"])
def test_noncharacters_of_every_plane(character: str) -> None:
    for field in ("line", "text"):
        with pytest.raises(ValidationError, match="control_character"):
            Sample.model_validate({field: f"a{character}"})


@pytest.mark.parametrize("text", ["é", "𝄞", "\U0001fffd", "\ufffd", "👩‍⚕️", "a\u0301", "\u00a0x"])
def test_ordinary_characters_pass(text: str) -> None:
    assert Sample(line=text, text=text).line == text.strip()


def test_python_dates_are_taken_as_they_are_but_never_confused() -> None:
    day, at = dt.date(2025, 10, 6), dt.datetime(2025, 10, 6, 9, 30, tzinfo=dt.UTC)
    assert (Sample(day=day).day, Sample(at=at).at) == (day, at)
    with pytest.raises(ValidationError, match="not_iso_date"):
        Sample(day=at)
    with pytest.raises(ValidationError, match="naive_datetime"):
        Sample(at=at.replace(tzinfo=None))


def test_a_record_is_closed_and_immutable() -> None:
    sample = Sample(line=" a ")
    assert sample.line == "a"
    with pytest.raises(ValidationError, match="frozen"):
        sample.line = "b"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Sample.model_validate({"other": 1})
