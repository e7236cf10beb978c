"""Reads a multipart/related answer as it arrives (RFC 2046 §5.1.1, RFC 2387), each part within its limit.

The mail parser of the standard library wants the whole message and mends line ends; a document must come out as it
was sent, and a server must not be able to fill the memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import Message

from gateway.channels.dmp.answers import MAX_ANSWER, AnswerError, check_media_type

MAX_HEADERS = 16 * 1024
"""Most bytes of the headers of a part."""
_END = re.compile(rb"--[ \t]*(\r\n|\Z)")
_LINE = re.compile(rb"[ \t]*\r\n")
_PLAIN = frozenset({"binary", "8bit", "7bit"})


@dataclass(slots=True)
class Part:
    """One part: its media type, its Content-ID without angle brackets, its bytes."""

    content_type: str = ""
    content_id: str = ""
    data: bytearray = field(default_factory=bytearray)


def media_parameters(content_type: str) -> dict[str, str]:
    """Parameters of a media type, names in lower case. Raises AnswerError on a line break in it, or a long one."""
    check_media_type(content_type)
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_params(failobj=[], header="content-type", unquote=True)
    return {name.lower(): value for name, value in found[1:]}


class MultipartReader:
    """Takes the bytes of an answer in any pieces. `largest`: limit of an attached part, `most`: of their number."""

    def __init__(self, content_type: str, *, largest: int, most: int = 64) -> None:
        parameters = media_parameters(content_type)
        boundary = parameters.get("boundary", "")
        if not 0 < len(boundary) <= 200 or not boundary.isascii():
            raise AnswerError("multipart answer without boundary")
        self._start = _bare(parameters.get("start", ""))
        self._delimiter = b"\r\n--" + boundary.encode()
        self._largest = largest
        self._most = most
        self._buffer = bytearray(b"\r\n")  # the first delimiter may have no line before it
        self._parts: list[Part] = []
        self._read = self._preamble
        self._ended = False

    def feed(self, chunk: bytes) -> None:
        """Take more bytes. Raises AnswerError when the answer breaks a limit or cannot be one."""
        self._buffer += chunk
        while not self._ended and self._read():
            pass
        if self._ended:
            self._buffer.clear()  # an epilogue says nothing

    def close(self) -> tuple[Part, dict[str, bytes]]:
        """The root part and the attachments by Content-ID. Raises AnswerError on a truncated answer."""
        if not self._ended:
            raise AnswerError("multipart answer cut short")
        if not self._parts:
            raise AnswerError("multipart answer without a part")
        root = next((part for part in self._parts if self._start and part.content_id == self._start), self._parts[0])
        attached: dict[str, bytes] = {}
        for part in self._parts:
            if part is root:
                continue
            if not part.content_id or part.content_id in attached:
                raise AnswerError("a part without a Content-ID of its own")
            attached[part.content_id] = bytes(part.data)
        return root, attached

    # Each state reads what it can and says whether there may be more to read.

    def _preamble(self) -> bool:
        return self._until_delimiter(None)

    def _body(self) -> bool:
        return self._until_delimiter(self._parts[-1])

    def _until_delimiter(self, part: Part | None) -> bool:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            # All but what may be the beginning of a delimiter.
            self._take(part, max(0, len(self._buffer) - len(self._delimiter) + 1))
            return False
        after = at + len(self._delimiter)
        rest = bytes(self._buffer[after : after + 200])
        end, line = _END.match(rest), _LINE.match(rest)
        if end is None and line is None:
            if len(rest) < 200 and (not rest.strip(b" \t") or rest in {b"-", b"--", b"\r", b"--\r"}):
                return False  # the line of the delimiter has not come whole
            self._take(part, after)  # it only began like one
            return True
        self._take(part, at)
        if end is not None:
            self._ended = True
            return False
        assert line is not None
        # Two characters of the line end stay: headers may be absent, and their end is an empty line.
        del self._buffer[: len(self._delimiter) + line.end() - 2]
        self._read = self._headers
        return True

    def _headers(self) -> bool:
        at = self._buffer.find(b"\r\n\r\n")
        if at > MAX_HEADERS or (at < 0 and len(self._buffer) > MAX_HEADERS):
            raise AnswerError("headers of a part too long")
        if at < 0:
            return False
        if len(self._parts) >= self._most:
            raise AnswerError("too many parts")
        self._parts.append(_part(bytes(self._buffer[2:at])))
        del self._buffer[: at + 4]
        self._read = self._body
        return True

    def _take(self, part: Part | None, count: int) -> None:
        if part is not None and count:
            limit = MAX_ANSWER if self._is_root(part) else self._largest
            if len(part.data) + count > limit:
                raise AnswerError("a part of the answer is too large")
            part.data += self._buffer[:count]
        del self._buffer[:count]

    def _is_root(self, part: Part) -> bool:
        return part.content_id == self._start if self._start else part is self._parts[0]


def _part(head: bytes) -> Part:
    part = Part()
    for line in re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        words = value.strip()
        match name.strip().lower():
            case "content-type":
                part.content_type = words
            case "content-id":
                part.content_id = _bare(words)
            case "content-transfer-encoding" if words.lower() not in _PLAIN:
                raise AnswerError("a part of the answer is not binary")
            case _:
                pass
    return part


def _bare(content_id: str) -> str:
    return content_id.strip().removeprefix("<").removesuffix(">")
