"""Files that are put beside the configuration, cursors, tokens, certificates, stamps and pictures, as fuzz targets."""

from __future__ import annotations

import contextlib
import hmac
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from cryptography import x509
from starlette.datastructures import Headers

from gateway import resources
from gateway.audit.ledger import _notes_of
from gateway.channels import sntp, timestamp, tls, tokens
from gateway.channels.annuaire import extraction, web
from gateway.channels.dmp import http
from gateway.errors import ConfigError, MappingError
from gateway.identity import datamatrix_image
from gateway.inspection import certificates as inspected
from gateway.inspection import machine
from gateway.mapping import model as mapping
from gateway.package import certificates, pkcs12
from gateway.records.people import Patient
from gateway.records.submission import parse_as
from gateway.settings import TlsSettings
from gateway.sidecar import folder, leavings
from gateway.store import anchors, keyring
from gateway.store.browsing import cursor_text, parse_cursor
from gateway.web import tokens as web_tokens
from gateway.web import webhooks
from gateway.web.api import bodies, cursors
from gateway.web.api.problems import RefusedError
from tests.fuzz.target import CORPUS, BrokenError, Target, sound
from tests.fuzz.targets import _file

_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PASSWORD = b"essai"
"""Of the PKCS#12 files of the corpus."""


class InMemory:
    """Stands for a path whose content is given."""

    def __init__(self, data: bytes, name: str = "fichier") -> None:
        self.data, self.name, self.parent = data, name, Path("/nowhere")

    def open(self, _mode: str) -> IO[bytes]:
        """A stream of it."""
        return io.BytesIO(self.data)

    def read_bytes(self) -> bytes:
        """All of it."""
        return self.data

    def read_text(self, encoding: str) -> str:
        """All of it, decoded."""
        return self.data.decode(encoding)

    def __str__(self) -> str:
        return self.name


# ------------------------------------------------------------------------------------- certificates, lists, stamps


def _pkcs12(data: bytes) -> None:
    for password in (PASSWORD, b""):
        try:
            found = pkcs12.load(InMemory(data, "a.p12"), InMemory(password))  # type: ignore[arg-type]
        except ConfigError:
            continue
        _described(found.certificate)
        repr(found).encode()


def _certificate(data: bytes) -> None:
    sound(list(inspected.authority("/x", InMemory(data))))  # type: ignore[arg-type]
    try:
        found = anchors.load_roots(InMemory(data))  # type: ignore[arg-type]
    except ValueError:
        return
    for one in found:
        _described(one)


def _described(certificate: x509.Certificate) -> None:
    with contextlib.suppress(ValueError):
        certificates.describe(certificate)


@cache
def _anchor() -> Path:
    return CORPUS / "revocation" / "ca.pem"


def _revocation(data: bytes) -> None:
    tls.client_context(TlsSettings(ca_file=_anchor(), crl_file=_file(data)))


@cache
def _stamp_request() -> Any:
    """The question that the corpus's reply answers: its nonce is random, and cannot be read back from bytes."""
    from rfc3161_client import decode_timestamp_response

    info = decode_timestamp_response((CORPUS / "time_stamp" / "reply.tsr").read_bytes()).tst_info
    return SimpleNamespace(nonce=info.nonce, message_imprint=SimpleNamespace(message=info.message_imprint.message))


@cache
def _roots() -> list[x509.Certificate]:
    return anchors.load_roots(CORPUS / "time_stamp" / "root.pem")


def _time_stamp(data: bytes) -> None:
    try:
        timestamp.check(data, _stamp_request())
    except timestamp.TimestampError as fault:
        str(fault).encode()
    at, authority = anchors.verify(data, b"note", _roots())
    if at.tzinfo is None:
        raise BrokenError("a stamp without a time zone")
    authority.encode()


def _sntp(data: bytes) -> None:
    words = (int.from_bytes(data[24:28], "big"), int.from_bytes(data[28:32], "big"))
    sntp._read(data, words, "time.example")


# ------------------------------------------------------------------------------------------- tokens, cursors, forms


def _token_output(data: bytes) -> None:
    token = tokens.fetch(lambda _: data.decode("ascii", "replace").strip(), "compte")
    if any(char.isspace() or not char.isprintable() for char in token):
        raise BrokenError("a token that ends a line")


def _token_file(data: bytes) -> None:
    for one in web_tokens.parse(data, Path("tokens.json")):
        one.valid(_NOW)
        one.as_dict()
        hmac.compare_digest(one.sha256, "0" * 64)


class _Journal:
    """A store of which a cursor asks one thing only."""

    def journal_mark(self, account: str, place: int) -> str:
        """Every place has the same mark."""
        del account, place
        return "abc"


def _cursor(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    found = parse_cursor(text)
    if found is not None and parse_cursor(cursor_text(found)) != found:
        raise BrokenError("a cursor that does not come back")
    if cursors.read(_Journal(), "compte", text) < 0:  # type: ignore[arg-type]
        raise BrokenError("a place before the first")


def _form(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")

    class Request:
        headers = Headers(raw=[(b"content-type", head)])

        async def stream(self) -> AsyncIterator[bytes]:
            step = 1 + len(body) % 61
            for start in range(0, len(body), step):
                yield body[start : start + step]
            yield b""

    _awaited(bodies._packed(Request()))  # type: ignore[arg-type]


def _awaited(work: Any) -> Any:
    """Run what never waits for the world to its end, without a loop (which would open a socket pair)."""
    try:
        while True:
            work.send(None)
    except StopIteration as done:
        return done.value


# --------------------------------------------------------------------------------------- small files and answers


def _patient(data: bytes) -> None:
    found, findings = parse_as(Patient, data)
    sound(findings)
    if (found is None) != bool(findings):
        raise BrokenError("a patient with findings, or neither")


def _keyring(data: bytes) -> None:
    ring = keyring.parse(data)
    if keyring.parse(keyring.dump(ring)) != ring:
        raise BrokenError("a keyring that does not come back")


def _own_files(data: bytes) -> None:
    """What the gateway wrote where others may write too: a status file, the places of webhooks, a report."""
    path = _file(data)
    folder._load(path)
    leavings._document(path)
    webhooks.Progress(path).get("a")
    [one.encode() for one in _notes_of(data.decode("utf-8", "replace").strip()) or ()]


def _mapping_file(data: bytes) -> None:
    path = InMemory(data, "a.toml")
    path.parent = resources.data_path("mappings", "vendors")  # its tables lie beside, under a bare name
    mapping.parse(path)  # type: ignore[arg-type]


def _directory_refusal(data: bytes) -> None:
    status = 400 + len(data) % 130
    fault = web.refusal(status, data, Headers({"retry-after": data[:6].decode("latin-1")}))
    if any(mark in str(fault) for mark in "\r\n\x1b\u2028"):
        raise BrokenError("a line break of a server reached a message")
    head = data.decode("latin-1")
    extraction._file_name(head)
    extraction._number(head)
    machine._date(data)
    waits = http._retry_after(head)
    if waits is not None and not 0 <= waits <= 86_400:
        raise BrokenError("a wait without end")


def _picture(data: bytes) -> None:
    for text in datamatrix_image.texts(data):
        text.encode()


def targets() -> tuple[Target, ...]:
    """These."""
    json_words = (b"null", b"{}", b"[]", b'"format"', json.dumps("\ud800").encode(), b"1e999")
    return (
        Target("pkcs12", _pkcs12, words=(b"\x30\x82", b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"), seconds=10, share=0.5),
        Target("certificate", _certificate, words=(b"-----BEGIN CERTIFICATE-----\n", b"\x30\x80"), share=4),
        Target("revocation", _revocation, (ConfigError,), words=(b"-----BEGIN X509 CRL-----\n",), share=4),
        Target(
            "time_stamp", _time_stamp, (anchors.AnchorError,), words=(b"\x30\x80", b"\xa0\x82", b"\x18\x0f"), share=6
        ),
        Target("sntp", _sntp, (sntp.SntpError,), words=(b"\x24\x01", b"\xff" * 8), share=8),
        Target("token_output", _token_output, _TOKENS, words=(b"=", b"\r\n", b"Bearer "), share=8),
        Target("token_file", _token_file, (ConfigError,), words=json_words, share=8),
        Target("cursor", _cursor, (RefusedError,), words=(b"c1-", b"-", b"%00", b"9" * 19), share=8),
        Target("form", _form, (RefusedError,), words=(b"--B\r\n", b'name="metadata"', b"filename*=utf-8''a"), share=6),
        Target("patient", _patient, words=json_words, share=8),
        Target("keyring", _keyring, (ValueError,), words=json_words, share=8),
        Target("own_files", _own_files, words=json_words, share=8),
        Target("mapping_file", _mapping_file, (MappingError,), words=(b"[[field]]", b"'''"), share=4),
        Target("directory_refusal", _directory_refusal, words=json_words, share=8),
        Target(
            "picture", _picture, (ConfigError,), words=(b"IHDR", b"IDAT", b"\xff\xd8", b"II*\0"), seconds=5, share=1
        ),
    )


_TOKENS = (tokens.TokenUnavailableError, tokens.SessionNeeded, ConfigError)
