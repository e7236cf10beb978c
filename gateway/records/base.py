"""Ground types of every record: frozen, closed, and free of characters that could reach a header."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")


class Record(BaseModel):
    """A closed, immutable record: an unknown field is an error, never silently dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("control_character")
    return value


def _many_lines(value: str) -> str:
    if _CONTROL_BUT_LINES.search(value):
        raise ValueError("control_character")
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("naive_datetime")
    return value


Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_line)]
"""One line of text, 1 to 500 characters, no control character (it may reach a mail header)."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_many_lines)]
"""Free text, 1 to 10 000 characters; line feed and tab are the only control characters allowed."""

Instant = Annotated[datetime, AfterValidator(_aware)]
"""A date and time with its offset from UTC: a document without zone would be read at the wrong hour."""

MailAddress = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$"),
]
"""An ASCII addr-spec (RFC 5321 §4.1.2, without quoted strings and address literals)."""
