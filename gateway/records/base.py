"""Ground types of every record: frozen, closed, and free of characters that could reach a header.

What pydantic would coerce silently is refused here: a number or `20010314` where a date is expected would be
read as seconds since 1970, `"yes"` as true. A wrong date in a document is worse than a refused file.
The text of each `ValueError` is a key of the table in `gateway.records.faults`.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema
from pydantic.types import Strict

_UNSEEN = (
    r"\x7f-\x9f"  # DEL and C1
    r"\u2028\u2029"  # line and paragraph separators
    r"\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides and isolates (UAX #9): text that lies
    r"\ufeff\ufff9-\ufffb"  # byte order mark inside a text, interlinear annotation
    r"\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff"  # noncharacters and lone surrogates (XML 1.0 §2.2)
)
_CONTROL = re.compile(rf"[\x00-\x1f{_UNSEEN}]")
_CONTROL_BUT_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f{_UNSEEN}]")
_PLANE_END = 0xFFFE  # the last two code points of every plane are noncharacters
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"  # RFC 3339, seconds optional
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
MAX_TITLE = 128
_FIRST_YEAR, _LAST_YEAR = 1800, 2200
_WIDEST_OFFSET = dt.timedelta(hours=14)


class Record(BaseModel):
    """A closed, immutable record: an unknown field is an error, never silently dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def one_line(value: str) -> str:
    """The value itself; ValueError `control_character` when it could break a header or deceive a reader."""
    if _CONTROL.search(value) or _ends_a_plane(value):
        raise ValueError("control_character")
    return value


def _many_lines(value: str) -> str:
    if _CONTROL_BUT_LINES.search(value) or _ends_a_plane(value):
        raise ValueError("control_character")
    return value


def _ends_a_plane(value: str) -> bool:
    return not value.isascii() and any(ord(c) & _PLANE_END == _PLANE_END for c in value)


def _unix_lines(value: Any) -> Any:
    # A Windows program writes CRLF: one line feed in every rendering, not a control character.
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _iso_date(value: Any) -> Any:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value.strip()):
        raise ValueError("not_iso_date")
    return value.strip()


def _iso_instant(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value.strip()):
        raise ValueError("not_iso_instant")
    return value.strip()


def _plain_number(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and not _DECIMAL.fullmatch(value.strip())):
        raise ValueError("not_a_number")
    return value


def _short(value: str) -> str:
    if len(value.encode()) > MAX_TITLE:
        raise ValueError("title_too_long")
    return value


def _sane_year(value: dt.date) -> dt.date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError("absurd_date")
    return value


def _aware(value: dt.datetime) -> dt.datetime:
    offset = value.utcoffset()
    if offset is None:
        raise ValueError("naive_datetime")
    if abs(offset) > _WIDEST_OFFSET:
        raise ValueError("absurd_offset")
    _sane_year(value)
    return value


Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(one_line)]
"""One line of text, 1 to 500 characters, no control character (it may reach a mail header)."""

Title = Annotated[Line, StringConstraints(max_length=MAX_TITLE), AfterValidator(_short)]
"""A document's title: one line of at most 128 bytes in UTF-8 (ITI TF-3 §4.2.3.2.23)."""

Text = Annotated[
    str, BeforeValidator(_unix_lines), StringConstraints(min_length=1, max_length=10_000), AfterValidator(_many_lines)
]
"""Free text, 1 to 10 000 characters; line feed and tab are the only control characters allowed."""

Date = Annotated[dt.date, BeforeValidator(_iso_date), AfterValidator(_sane_year)]
"""A calendar day as `YYYY-MM-DD`, from 1800 to 2200; never a number, never another notation."""

Instant = Annotated[dt.datetime, BeforeValidator(_iso_instant), AfterValidator(_aware)]
"""A date and time with its offset from UTC: a document without zone would be read at the wrong hour."""

Flag = Annotated[bool, Strict()]
"""`true` or `false`, never `1` or `"oui"`."""

Count = Annotated[int, Strict()]
"""A whole number written as a number."""

Number = Annotated[
    Decimal,
    BeforeValidator(_plain_number),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,12})?$"}]},
        mode="validation",
    ),
]
"""A decimal number, as a JSON number or as a string with a decimal point."""

MailAddress = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$"),
]
"""An ASCII addr-spec (RFC 5321 §4.1.2, without quoted strings and address literals)."""
