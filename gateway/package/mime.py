"""MIME by hand: header lines that cannot be forged, parts, base64, quoted-printable (RFC 5322, RFC 2045 to 2047)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from email.header import Header as EncodedHeader
from urllib.parse import quote

from gateway.errors import PackageError

UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that may stand in no header."""
_ADDRESS = re.compile(r"[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]+@[A-Za-z0-9.-]+")
CRLF = b"\r\n"


def checked(address: str) -> str:
    """A mail address fit for an envelope and a header. Raises PackageError `PKG-003`."""
    if not _ADDRESS.fullmatch(address):
        raise PackageError("PKG-003", "L'adresse MSSanté du destinataire n'est pas une adresse valable.")
    return address


def line(name: str, value: str) -> bytes:
    """One header line. Raises ValueError on a control character or on text that should have been encoded."""
    if UNSAFE.search(value.replace("\r\n ", "")):
        raise ValueError(f"control character in header {name}")
    return f"{name}: {value}".encode("ascii") + CRLF


def display_name(name: str) -> str:
    """A quoted string, or RFC 2047 encoded words (each at most 75 characters) when it is not ASCII."""
    if UNSAFE.search(name):
        raise ValueError("control character in the account's display name")
    if name.isascii():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return EncodedHeader(name, "utf-8", maxlinelen=70, header_name="From").encode(linesep="\r\n") + "\r\n"


def assemble(headers: Iterator[bytes], boundary: str, parts: tuple[bytes, ...]) -> bytes:
    """A `multipart/mixed` mail of these header lines and parts."""
    marker = f"--{boundary}".encode()
    pieces = [*headers, f'Content-Type: multipart/mixed;\r\n boundary="{boundary}"\r\n\r\n'.encode()]
    for part in parts:
        pieces += (marker, CRLF, part, CRLF)
    pieces += (marker, b"--", CRLF)
    return b"".join(pieces)


def text_part(text: str) -> bytes:
    """A part in plain text, UTF-8, quoted-printable."""
    encoded = binascii.b2a_qp(text.replace("\n", "\r\n").encode(), istext=True)
    return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + encoded


def attachment(media_type: str, name: str, data: bytes) -> bytes:
    """An attached file in base64."""
    head = (
        f"Content-Type: {media_type};\r\n {_parameter('name', name)}\r\n"
        f"Content-Disposition: attachment;\r\n {_parameter('filename', name)}\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode("ascii") + encode_base64(data)


def _parameter(key: str, value: str) -> str:
    """A MIME parameter: quoted ASCII, or RFC 2231 percent encoding."""
    if value.isascii():
        return f'{key}="{value}"'
    return f"{key}*=utf-8''{quote(value, safe='')}"


def encode_base64(data: bytes) -> bytes:
    """Base64 in lines of 76 characters separated by CRLF (RFC 2045 §6.8)."""
    text = base64.b64encode(data)
    return CRLF.join(text[start : start + 76] for start in range(0, len(text), 76))
