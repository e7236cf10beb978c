"""Header fields of a report, read leniently and within bounds: names in lower case, values on one line."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from itertools import islice

MAX_FIELDS = 300
MAX_VALUE = 4_000
"""Characters of a field that are read: a long list of references is cut, which loses the oldest."""
MAX_TEXT = 20_000
_ADDRESS = re.compile(r"[^\s<>@,;:()\"\\]{1,120}@[A-Za-z0-9.-]{1,253}")
_MESSAGE_ID = re.compile(r"<([^<>]{1,990})>")
_XTEXT = re.compile(r"\+([0-9A-Fa-f]{2})")
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?!\d)")
_CODE = re.compile(r"(?<!\d)(\d{1,3})\s*\^")
_LEADING_CODE = re.compile(r"\W{0,40}(?:error\s{0,9}:)?\s{0,9}(\d{1,3})(?!\d)", re.IGNORECASE)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60})[ \t]*:(.*)")
_TYPES = frozenset({"displayed", "processed", "dispatched", "deleted"})
_FAILED_TYPES = frozenset({"denied", "failed"})
"""Disposition types of RFC 2298 that say failure; RFC 8098 §3.2.6.2 has dropped them, senders have not."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A block of fields in order."""

    items: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.items if key == name]

    def first(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for key, value in self.items if key == name), None)


def of(message: Message) -> Fields:
    """The header of a message, encoded words decoded (RFC 2047)."""
    pairs = [(key.strip().lower(), _line(value)) for key, value in islice(message.raw_items(), MAX_FIELDS)]
    return Fields(tuple(pairs))


def _line(value: object) -> str:
    # Bytes beyond ASCII are UTF-8 where anything is right (RFC 6532); the library keeps them as surrogates.
    text = str(value)[:MAX_VALUE].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if "=?" in text:
        try:
            text = clean(str(make_header(decode_header(text))))
        except (ValueError, LookupError, AttributeError, TypeError, MessageError):
            return " ".join(text.split())
    return " ".join(text.split())


def clean(text: str) -> str:
    """A text that can be written as UTF-8: some charsets that a mail may name make half characters."""
    return text.encode("utf-8", "replace").decode()


def merged(found: Iterable[Fields]) -> Fields:
    """Several blocks as one: a blank line in the middle of an MDN splits it."""
    return Fields(tuple(item for one in found for item in one.items))


def blocks(part: Message) -> list[Fields]:
    """The blocks of fields of a report part, whichever way the library took it apart or the sender encoded it."""
    payload = part.get_payload()
    encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
    if not isinstance(payload, list):
        return _from_text(text(part))
    if encoding in {"base64", "quoted-printable"}:
        return _from_text(_decoded(payload, encoding))
    found: list[Fields] = []
    for one in payload[:MAX_FIELDS]:
        if isinstance(one, Message):
            found.append(of(one))
            found += _from_text(text(one)) if not one.is_multipart() else []
    return [one for one in found if one.items]


def _decoded(payload: list[Message | str], encoding: str) -> str:
    """A report part that was encoded although it must not be (RFC 3464 §2.1): the library read its code as text."""
    raw = "\n".join(one if isinstance(one, str) else one.as_string() for one in payload[:MAX_FIELDS])
    holder = Message()
    holder["Content-Transfer-Encoding"] = encoding
    holder.set_payload(raw.lstrip("\n"))
    return text(holder)


def _from_text(source: str) -> list[Fields]:
    found: list[Fields] = []
    for chunk in re.split(r"\n[ \t]*\n", source.replace("\r\n", "\n")):
        lines = re.sub(r"\n[ \t]+", " ", chunk).split("\n")[:MAX_FIELDS]
        matches = [match for line in lines if (match := _FIELD.match(line.strip()))]
        if pairs := [(match[1].lower(), _line(match[2])) for match in matches]:
            found.append(Fields(tuple(pairs)))
    return found[:MAX_FIELDS]


def text(part: Message) -> str:
    """The beginning of a part as text, whatever its charset claims to be."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    charset = str(part.get_content_charset("utf-8"))
    try:
        return clean(content[:MAX_TEXT].decode(charset, errors="replace"))
    except LookupError:
        return content[:MAX_TEXT].decode("utf-8", errors="replace")


def returned(part: Message) -> Fields:
    """The header of the mail that a report gives back: attached whole, its headers alone, or as a file."""
    payload = part.get_payload()
    if isinstance(payload, list):
        inner = payload[0] if payload and isinstance(payload[0], Message) else Message()
        return of(inner)
    content = part.get_payload(decode=True)
    head = content[:256_000] if isinstance(content, bytes) else b""
    return of(email.message_from_bytes(head, policy=email.policy.compat32))


def named_mail(part: Message) -> bool:
    """Whether a part is a file that its name calls a mail."""
    try:
        return str(part.get_filename("")).lower().endswith(".eml")
    except (ValueError, LookupError, AttributeError, TypeError, MessageError):
        return False


# ------------------------------------------------------------------------------------------------- values


def message_ids(values: Iterable[str]) -> list[str]:
    """Message-IDs between angle brackets, blanks inside removed (`<... >` is seen); a bare one gets its brackets."""
    found: list[str] = []
    for value in values:
        inner = _MESSAGE_ID.findall(value) or ([value] if "@" in value and "<" not in value else [])
        found += [f"<{bare}>" for one in inner if (bare := "".join(one.split()))]
    return found


def xtext(value: str) -> tuple[str, ...]:
    """A value as written and decoded from xtext (RFC 3461 §4): reporters do either."""
    plain = value.strip()
    decoded = _XTEXT.sub(lambda match: chr(int(match[1], 16)), plain)
    return tuple(dict.fromkeys(one for one in (plain, decoded) if one))


def address(value: str) -> str | None:
    """The one address in a value, in lower case; None where there is none."""
    match = _ADDRESS.search(value)
    return match[0].lower().rstrip(".") if match else None


def mentioned(source: str) -> list[str]:
    """The addresses that a text mentions, at most twenty."""
    return [one.lower().rstrip(".") for one in _ADDRESS.findall(source[:MAX_TEXT])[:20]]


def addresses(value: str) -> list[str]:
    """Every address of a To field."""
    return [one for _, text in getaddresses([value])[:20] if (one := address(text)) is not None]


def typed_address(value: str) -> list[str]:
    """`rfc822;addr`, with or without blanks, angle brackets or type: the address as written and decoded."""
    kind, separator, rest = value.partition(";")
    bare = rest if separator else kind
    return [one for form in xtext(bare) if (one := address(form)) is not None]


def sender(head: Fields) -> str | None:
    """The address of From. None when there are several: who speaks must be clear (RFC 5322 §3.6.2)."""
    values = head.all("from")
    found = [one for value in values for _, text in getaddresses([value])[:5] if (one := address(text)) is not None]
    return found[0] if len(values) == 1 and len(found) == 1 else None


def status(value: str | None) -> str | None:
    """An enhanced status code (RFC 3463), comments removed."""
    match = _STATUS.search(value or "")
    return match[0] if match else None


def codes(value: str) -> list[str]:
    """Error numbers in an HL7 coded text (`902^Identifiant de patient inconnu^...`), else the one that leads it."""
    found = _CODE.findall(value)
    if not found and (match := _LEADING_CODE.match(value)):
        found = [match[1]]
    return [str(int(one)) for one in found[:10]]


@dataclass(frozen=True, slots=True)
class Disposition:
    """A Disposition field: its type, whether it fails, whether any modifier follows, and what comes after the type."""

    type: str
    failed: bool
    modified: bool
    rest: str


def disposition(value: str) -> Disposition:
    """`action-mode/sending-mode; type[/modifier]`: a type that is not exactly a known one is no type."""
    said = value.partition(";")[2] if ";" in value else value
    kind, slash, rest = said.partition("/")
    kind = kind.strip().lower()
    failed = "error" in value.lower() or "failure" in value.lower() or kind in _FAILED_TYPES
    known = kind if kind in _TYPES | _FAILED_TYPES else ""
    return Disposition(known, failed, bool(slash and rest.strip()), rest)


def automatic(head: Fields) -> bool:
    """Whether a machine answered (RFC 3834 §5)."""
    submitted = (head.first("auto-submitted") or "no").partition(";")[0].strip().lower()
    precedence = (head.first("precedence") or "").strip().lower()
    named = any(head.first(name) for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress"))
    return submitted != "no" or precedence in {"auto_reply", "bulk", "junk"} or named
