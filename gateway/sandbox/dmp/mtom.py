"""MTOM/XOP: the multipart body of a request into a root part and its attachments (spec dmp §1.2).

A parser of its own, on bytes: the standard library's mail parser would normalise line ends, and a document
must reach the hash and the signature checks exactly as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from itertools import pairwise
from urllib.parse import unquote

XOP = "http://www.w3.org/2004/08/xop/include"
_XOP_TYPE = "application/xop+xml"
_BINARY = {"binary", "8bit"}


class MtomError(ValueError):
    """The body is not the MTOM package that was announced; the message is French."""


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part: lower-case headers and exact bytes."""

    headers: dict[str, str]
    content: bytes

    @property
    def content_id(self) -> str:
        """Content-ID without its angle brackets."""
        return self.headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")


@dataclass(frozen=True, slots=True)
class Mtom:
    """A parsed package. `action` is the SOAP action of the media type, empty when absent."""

    root: bytes
    attachments: dict[str, bytes]
    action: str
    multipart: bool


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """Split a Content-Type into its type and parameters (names in lower case, quotes removed)."""
    message = Message()
    message["Content-Type"] = header
    found = message.get_params(failobj=[], header="content-type", unquote=True)
    parameters = {name.lower(): value for name, value in found[1:]}
    return message.get_content_type(), parameters


def read_request(content_type: str, body: bytes) -> Mtom:
    """Read a plain SOAP body or an MTOM package. Raises MtomError."""
    kind, parameters = media_type(content_type)
    if kind == "application/soap+xml":
        return Mtom(body, {}, parameters.get("action", ""), multipart=False)
    if kind != "multipart/related":
        raise MtomError(f"Content-Type « {kind} » : application/soap+xml ou multipart/related (MTOM) attendu")
    _check_package(parameters)
    parts = _split(body, parameters["boundary"])
    root = _root(parts, parameters)
    attachments = _attachments([part for part in parts if part is not root])
    return Mtom(root.content, attachments, parameters.get("action", ""), multipart=True)


def _check_package(parameters: dict[str, str]) -> None:
    if not parameters.get("boundary"):
        raise MtomError("multipart/related sans boundary")
    if parameters.get("type") != _XOP_TYPE:
        raise MtomError('paramètre type="application/xop+xml" attendu')
    if media_type(parameters.get("start-info", ""))[0] != "application/soap+xml":
        raise MtomError('paramètre start-info="application/soap+xml" attendu')


def split_package(content_type: str, body: bytes) -> list[Part]:
    """Parts of a multipart body, whatever they hold. Raises MtomError."""
    boundary = media_type(content_type)[1].get("boundary")
    if not boundary:
        raise MtomError("multipart/related sans boundary")
    return _split(body, boundary)


def _split(body: bytes, boundary: str) -> list[Part]:
    """Parts between delimiters at the start of a line (RFC 2046 §5.1.1)."""
    delimiter = re.escape(b"--" + boundary.encode("ascii", "replace"))
    marks = list(re.finditer(rb"(?:\A|\r\n)" + delimiter + rb"(--)?[ \t]*(?=\r\n|\Z)", body))
    if not marks or marks[-1].group(1) is None:
        raise MtomError("délimiteur MIME final absent : corps tronqué")
    if any(mark.group(1) for mark in marks[:-1]):
        raise MtomError("délimiteur MIME final au milieu du corps")
    return [_part(body[one.end() + 2 : two.start()]) for one, two in pairwise(marks)]


def _part(data: bytes) -> Part:
    if data.startswith(b"\r\n"):
        raise MtomError("partie MIME sans en-têtes")
    head, blank, content = data.partition(b"\r\n\r\n")
    if not blank:
        raise MtomError("partie MIME sans ligne vide après ses en-têtes")
    unfolded = re.sub(rb"\r\n[ \t]+", b" ", head)
    headers: dict[str, str] = {}
    for line in unfolded.split(b"\r\n"):
        name, colon, value = line.decode("ascii", "replace").partition(":")
        if not colon:
            raise MtomError("en-tête de partie MIME illisible")
        headers[name.strip().lower()] = value.strip()
    return Part(headers, content)


def _root(parts: list[Part], parameters: dict[str, str]) -> Part:
    """The part that `start` names; without `start`, the first (RFC 2387 §3.2)."""
    start = parameters.get("start", "").removeprefix("<").removesuffix(">")
    found = [part for part in parts if not start or part.content_id == start]
    if not found:
        raise MtomError("la partie racine désignée par start est absente")
    root = found[0]
    kind, inner = media_type(root.headers.get("content-type", ""))
    if kind != _XOP_TYPE or media_type(inner.get("type", ""))[0] != "application/soap+xml":
        raise MtomError('partie racine : application/xop+xml; type="application/soap+xml" attendu')
    _check_encoding(root)
    return root


def _attachments(parts: list[Part]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in parts:
        if not part.content_id:
            raise MtomError("partie MIME sans Content-ID")
        if part.content_id in found:
            raise MtomError(f"Content-ID « {part.content_id} » répété")
        _check_encoding(part)
        found[part.content_id] = part.content
    return found


def _check_encoding(part: Part) -> None:
    """Documents travel as they are: base64 or quoted-printable parts are not MTOM (EX_2.1-1260)."""
    encoding = part.headers.get("content-transfer-encoding", "binary").lower()
    if encoding not in _BINARY:
        raise MtomError(f"Content-Transfer-Encoding « {encoding} » : binary attendu")


def content_id(href: str) -> str:
    """Content-ID that a `cid:` URL names (RFC 2392: URL-encoded), empty when it is not one."""
    return unquote(href[4:]) if href.startswith("cid:") else ""


ROOT_ID = "root@dmp.sandbox"


def write_package(
    boundary: str, action: str, root: bytes, attachments: Mapping[str, tuple[str, bytes]]
) -> tuple[str, bytes]:
    """Content-Type and body of an MTOM answer. `attachments`: Content-ID to MIME type and bytes."""
    pieces = [
        _part_head(boundary, 'application/xop+xml; charset=UTF-8; type="application/soap+xml"', ROOT_ID),
        root,
    ]
    for name, (kind, content) in attachments.items():
        pieces += [b"\r\n", _part_head(boundary, kind, name), content]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    suffix = f'; action="{action}"' if action else ""
    content_type = (
        f'multipart/related; type="{_XOP_TYPE}"; boundary="{boundary}"; start="<{ROOT_ID}>"; '
        f'start-info="application/soap+xml"{suffix}'
    )
    return content_type, b"".join(pieces)


def _part_head(boundary: str, kind: str, name: str) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\n\r\n"
    ).encode()
