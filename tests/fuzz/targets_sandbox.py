"""Parsers of the sandbox: what judges the gateway must not fall over what a vendor sends to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from gateway.sandbox.cda import read_header
from gateway.sandbox.dmp.fhir import jsonpatch
from gateway.sandbox.dmp.fhir.issues import RefusedError
from gateway.sandbox.dmp.mtom import MtomError, read_request
from gateway.sandbox.dmp.soap import SoapFault, read_envelope
from gateway.sandbox.insi import request as insi_request
from gateway.sandbox.mail_answer import reading_report
from gateway.sandbox.mail_check import check_mail
from gateway.sandbox.xdm import XdmError, read_archive
from gateway.sandbox.xml import XmlError
from tests.fuzz.target import Target

_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_MTOM = (b"--B\r\n", b"Content-ID: <a>\r\n", b"cid:a", b"Content-Transfer-Encoding: base64\r\n")


def _soap(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    package = read_request(head.decode("latin-1"), body)
    read_envelope(package.root, package.action)


def _patch(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    jsonpatch.apply({"a": [1, {"b": 2}], "status": "current"}, value)


def _insi(data: bytes) -> None:
    insi_request.read(data, "application/soap+xml; charset=utf-8", _NOW)


def _mail(data: bytes) -> None:
    check_mail(data, "kine@example.mssante.fr", ["docteur@example.mssante.fr"])
    reading_report(data, "docteur@example.mssante.fr")


def targets() -> tuple[Target, ...]:
    """The parsers of the sandbox."""
    return (
        Target("sandbox_soap", _soap, (MtomError, SoapFault), words=_MTOM, share=8),
        Target("sandbox_patch", _patch, (RefusedError,), words=(b'"/a/-"', b'"path"', b'"/a/0"', b'"/~1"'), share=8),
        Target("sandbox_insi", _insi, (insi_request.Refused,), share=8),
        Target("sandbox_mail", _mail, words=(b"Disposition-Notification-To: ", *_MTOM), seconds=5, share=0.3),
        Target("sandbox_xdm", read_archive, (XdmError,), seconds=5, share=2),
        Target("sandbox_cda", read_header, (XmlError,), seconds=5, share=4),
    )
