"""Every reader of XML, ZIP and JSON from outside, in tables: an attack is tried against all of them.

A reader is a function of bytes that returns what a person could come to see of them (text), or raises one of the
refusals that its documentation names. tests/security/test_code.py holds that no parser is missing here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gateway import terminology
from gateway.audit.prove import verify_proof
from gateway.channels.annuaire import reading as annuaire_reading
from gateway.channels.annuaire.model import ListRefusedError
from gateway.channels.dmp import answers, fhir_answers
from gateway.channels.insi import answers as insi
from gateway.channels.mssante import bearer
from gateway.errors import StoreError
from gateway.mapping import VendorMapping, apply, load
from gateway.package import xml as package_xml
from gateway.read import cda, fhir, xdm
from gateway.read import xml as read_xml
from gateway.records import archive
from gateway.records.level1 import parse_any
from gateway.sandbox import cda as sandbox_cda
from gateway.sandbox import xdm as sandbox_xdm
from gateway.sandbox import xml as sandbox_xml
from gateway.sidecar import actions
from gateway.store import backup, keysafe
from gateway.store.checkpoint import Verifier
from gateway.validate import parsing, preflight
from tests.fuzz.target import CORPUS


@dataclass(frozen=True)
class Reader:
    """`read` returns everything that it took from the bytes, as text; `refuses` is how it says no."""

    name: str
    read: Callable[[bytes], str]
    refuses: tuple[type[Exception], ...] = ()

    def __str__(self) -> str:
        return self.name

    def outcome(self, data: bytes) -> str:
        """What was read, or the words of the refusal."""
        try:
            return self.read(data)
        except self.refuses as fault:
            return str(fault)


@cache
def terms() -> terminology.Terminology:
    return terminology.load()


@cache
def _vendor(name: str) -> VendorMapping:
    return load(name)


def _tree(root: object, said: object = "") -> str:
    texts = "".join(root.itertext()) if isinstance(root, read_xml.Element) else ""
    return f"{texts} {said}"


XML = (
    Reader("package.xml", lambda data: _tree(package_xml.parse(data)), (ValueError,)),
    Reader("read.xml", lambda data: _tree(*read_xml.parse(data))),
    Reader("read.cda", lambda data: repr(cda.read(data, terms()))),
    Reader("validate.parsing", lambda data: _tree(*parsing.parse(data))),
    Reader("validate.preflight", lambda data: repr(preflight.check(data, terms()))),
    Reader("mapping", lambda data: repr(apply(data, _vendor("reeduc-fictif-xml-2")))),
    Reader("dmp.answers", lambda data: _tree(answers.read_envelope("", data)), (answers.AnswerError,)),
    Reader("insi.answers", lambda data: repr(insi.read(data)), (insi.UnreadableError,)),
    Reader("sandbox.xml", lambda data: _tree(sandbox_xml.parse(data)), (sandbox_xml.XmlError,)),
    Reader("sandbox.cda", lambda data: repr(sandbox_cda.read_header(data)), (sandbox_xml.XmlError,)),
)


def _annuaire(data: bytes, folder: Path) -> str:
    path = folder / "liste.zip"
    path.write_bytes(data)
    counts = annuaire_reading.Counts()
    with annuaire_reading.opened(path) as source:
        return repr(list(annuaire_reading.rows(source, counts)))


def zips(folder: Path) -> tuple[Reader, ...]:
    """The readers of archives; one reads from a file in this folder."""
    return (
        Reader("records.archive", lambda data: repr(archive.read(data))),
        Reader("read.xdm", lambda data: repr(xdm.read(data, terms()))),
        Reader("annuaire.reading", lambda data: _annuaire(data, folder), (ListRefusedError,)),
        Reader("sandbox.xdm", lambda data: repr(sandbox_xdm.read_archive(data)), (sandbox_xdm.XdmError,)),
    )


ZIPS = ("records.archive", "read.xdm", "annuaire.reading", "sandbox.xdm")


@cache
def _verifier() -> Verifier:
    return Verifier.parse((CORPUS / "checkpoint" / "verifier.key").read_text())


def _proof(data: bytes) -> str:
    try:
        value = json.loads(data)  # as the command line does
    except (ValueError, RecursionError):
        return ""
    return repr(verify_proof(value, _verifier())) if isinstance(value, dict) else ""


JSON = (
    Reader("records", lambda data: repr(parse_any(data))),
    Reader("actions", lambda data: repr(actions.parse(data))),
    Reader("read.fhir", lambda data: repr(fhir.read(data, terms()))),
    Reader("dmp.fhir_answers", lambda data: repr(fhir_answers.searchset(data, "List")), (answers.AnswerError,)),
    Reader("dmp.issues", lambda data: repr(fhir_answers.issues(data))),
    Reader("mssante.bearer", bearer.refused_status),
    Reader("audit.prove", _proof),
    Reader("store.keysafe", lambda data: repr(keysafe.open_sealed(data, "une phrase de passe")), (StoreError,)),
    Reader("store.backup", lambda data: repr(backup.read_listing(data)), (StoreError,)),
)
