"""What FETCH and SEARCH answered, read without trusting a word of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

TOP_UID = 2**32 - 1
"""Highest UID that IMAP knows (RFC 9051 §2.3.1.1)."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""As IMAP writes them, whatever the locale."""

_ARRIVED = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})")
_START = re.compile(rb"\d+ \(")
_UID = re.compile(rb"(?:^|[ (])UID (\d{1,10})(?=[ )]|$)", re.IGNORECASE)
_SIZE = re.compile(rb"(?:^|[ (])RFC822\.SIZE (\d{1,15})(?=[ )]|$)", re.IGNORECASE)
_DATE = re.compile(rb'(?:^|[ (])INTERNALDATE "([^"]{1,40})"', re.IGNORECASE)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_QUOTED = re.compile(rb'BODY\[[^\]]*\] "((?:[^"\\]|\\.)*)"', re.IGNORECASE | re.DOTALL)


@dataclass(slots=True)
class Entry:
    """One FETCH answer: its text without the literals, and the literals."""

    text: bytes = b""
    literals: list[bytes] = field(default_factory=list)

    @property
    def uid(self) -> int | None:
        """The UID that the server gives it; None without a valid one."""
        found = _UID.search(_STRING.sub(b"", self.text))
        value = int(found[1]) if found else 0
        return value if 0 < value <= TOP_UID else None

    @property
    def body(self) -> bytes | None:
        """The mail or header asked for; None when there is none in it."""
        if self.literals:
            return self.literals[0]
        quoted = _QUOTED.search(self.text)
        return re.sub(rb"\\(.)", rb"\1", quoted[1], flags=re.DOTALL) if quoted else None

    @property
    def size(self) -> int | None:
        """RFC822.SIZE, in bytes."""
        found = _SIZE.search(self.text)
        return int(found[1]) if found else None

    @property
    def mark(self) -> str:
        """What tells this mail from another one under the same UID: size and date of arrival."""
        date = _DATE.search(self.text)
        return f"{self.size}|{date[1].decode('ascii', 'replace') if date else ''}"

    def arrived_before(self, at: datetime) -> bool:
        """Whether INTERNALDATE says so; False when it says nothing readable."""
        found = _DATE.search(self.text)
        parts = _ARRIVED.fullmatch(found[1].decode("ascii", "replace").strip()) if found else None
        if parts is None or parts[2].title() not in MONTHS:
            return False
        text = f"{parts[3]}-{MONTHS.index(parts[2].title()) + 1:02d}-{int(parts[1]):02d}T{parts[4]}{parts[5]}"
        try:
            return datetime.fromisoformat(text) < at
        except ValueError:
            return False


def entries(data: Iterable[object]) -> list[Entry]:
    """The answers in imaplib's list, where a literal comes as (what stood before it, its bytes)."""
    found: list[Entry] = []
    for item in data:
        text, literal = item if isinstance(item, tuple) else (item, None)
        if not isinstance(text, bytes):
            continue
        if _START.match(text) or not found:
            found.append(Entry())
        found[-1].text += b" " + text
        if isinstance(literal, bytes):
            found[-1].literals.append(literal)
    return found


def uids(data: Iterable[object]) -> tuple[set[int], bool]:
    """The UIDs of a SEARCH answer, and whether everything in it was one."""
    words = [word for item in data if isinstance(item, bytes) for word in item.split()]
    valid = list(_valid(words))
    return set(valid), len(words) == len(valid)


def _valid(words: Iterable[bytes]) -> Iterator[int]:
    for word in words:
        if word.isdigit() and len(word) <= 10 and 0 < int(word) <= TOP_UID:
            yield int(word)
