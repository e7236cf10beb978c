"""Every parser of the gateway that reads what somebody else wrote, as a fuzz target."""

from __future__ import annotations

import io
import json
import os
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from gateway import terminology
from gateway.audit import billing, lookup, prove, verify
from gateway.channels.annuaire import fhir as annuaire_fhir
from gateway.channels.annuaire import reading as annuaire_reading
from gateway.channels.annuaire.model import ListRefusedError
from gateway.channels.dmp import answers, entries, fhir_answers
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.multipart import MultipartReader
from gateway.channels.dmp.retrieval import read_retrieval
from gateway.channels.insi import answers as insi
from gateway.channels.mssante import bearer, classify, fetched
from gateway.channels.scrub import scrub
from gateway.errors import ConfigError, InputError, StoreError
from gateway.identity import datamatrix_reader
from gateway.mapping import apply, load
from gateway.read import cda, fhir, mail, opening, receipt, xdm
from gateway.records.level1 import Level1, parse_any
from gateway.records.submission import canonical, parse
from gateway.rules import trust_space
from gateway.settings import loading
from gateway.sidecar import actions
from gateway.store import backup, keysafe
from gateway.store.checkpoint import CheckpointError, Verifier
from gateway.validate import pdf_objects, preflight
from tests.fuzz.target import BrokenError, Target, sound

_XML = (b"<!--", b"<![CDATA[", b"xmlns=''", b"urn:hl7-org:v3", b"&#xD;", b"&lt;", b"xsi:type='x:y'", b"nullFlavor='NI'")
_JSON = (b'"\\ud800"', b"null", b"{}", b"[]", b"\xc2\xb2\xc2\xb2\xc2\xb2", b'"contained"', b'"reference":"#a"')
_MIME = (
    b"Content-Type: message/rfc822\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"--B\r\n",
    b"Final-Recipient: rfc822;",
    b"Disposition: ;processed/error",
    b"=?utf-8?b?",
    b"charset*0*=utf-16''%00",
    b"filename*=iso2022_kr''%1b",
)


@cache
def _terms() -> terminology.Terminology:
    return terminology.load()


@cache
def scratch() -> Path:
    """The one file through which targets that read a path are fed."""
    handle, name = tempfile.mkstemp(prefix="kine-fuzz-")
    os.close(handle)
    return Path(name)


def _file(data: bytes) -> Path:
    with scratch().open("wb") as file:
        file.write(data)
    return scratch()


# ------------------------------------------------------------------------------------------------ what is handed in


def _submission(data: bytes) -> None:
    found, findings = parse_any(data)
    sound(findings)
    if (found is None) != bool(findings):
        raise BrokenError("a submission with findings, or neither")
    if found is not None and not isinstance(found, Level1) and parse(canonical(found))[0] != found:
        raise BrokenError("a submission that does not come back from its canonical form")


def _action(data: bytes) -> None:
    found, findings = actions.parse(data)
    sound(findings)
    if (found is None) != bool(findings):
        raise BrokenError("an action with findings, or neither")


def _datamatrix(data: bytes) -> None:
    found = datamatrix_reader.read(data.decode("utf-8", "surrogateescape"))
    for one in found.findings:
        one.code.encode()
    if found.ok != (found.traits is not None):
        raise BrokenError("a symbol that is sound and has no traits")


def _vendor(data: bytes) -> None:
    name = "reeduc-fictif-xml-2" if data.lstrip().startswith(b"<") else "kinexemple-csv-3"
    found, findings = apply(data, _mapping(name))
    sound(findings)
    for one in found:
        sound(one.findings)


_mapping = cache(load)


def _billing(data: bytes) -> None:
    sound(billing.read(data).findings)


def _pdf(data: bytes) -> None:
    sound(pdf_objects.faults(data))
    pdf_objects.text(data)


# ------------------------------------------------------------------------------------------------ documents and mails


def _cda(data: bytes) -> None:
    found = cda.read(data, _terms())
    sound(found.findings)
    if found.document is None and not found.findings:
        raise BrokenError("no document and no reason")


def _fhir(data: bytes) -> None:
    found = fhir.read(data, _terms())
    sound(found.findings)
    if found.document is None and not found.findings:
        raise BrokenError("no document and no reason")


def _xdm(data: bytes) -> None:
    found = xdm.read(data, _terms())
    for one in found.findings:
        one.code.encode()
    if sum(len(one.data) for one in found.documents) > xdm.MAX_CONTENT:
        raise BrokenError("more was unpacked than the limit allows")


def _mail(data: bytes) -> None:
    mail.read(data)


def _opening(data: bytes) -> None:
    opening.opened(data, _terms())
    lookup.pieces(data)


def _receipt(data: bytes) -> None:
    found = receipt.read(data)
    if len(found.notices) > receipt.MAX_NOTICES or len(found.message_ids) > receipt.MAX_NOTICES:
        raise BrokenError("more notices than the limit allows")
    repr(found).encode()


def _preflight(data: bytes) -> None:
    sound(preflight.check(data, _terms()))


# ------------------------------------------------------------------------------------------------ what services answer


def _soap(data: bytes) -> None:
    kind = "application/soap+xml"
    if data.startswith(b"--"):
        boundary = data[2:].split(b"\r\n", 1)[0].decode("latin-1")
        kind = f'multipart/related; boundary="{boundary}"; start="<a>"'
    payload = answers.read_envelope(kind, data)
    if answers.read_fault(payload) is not None:
        return
    for read in (answers.read_registry, answers.read_existence):
        try:
            read(payload)
        except AnswerError:
            continue
    found = entries.read_found(payload)
    for listed in (found.entries, found.sets, found.links):
        listed()


def _multipart(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    reader = MultipartReader(head.decode("latin-1"), largest=40_000)
    step = 1 + len(data) % 97
    for start in range(0, len(body), step):
        reader.feed(body[start : start + step])
    root, attached = reader.close()
    payload = answers.read_envelope(root.content_type or "application/soap+xml", bytes(root.data))
    read_retrieval(payload, attached, ("1.2.3",))


def _fhir_answer(data: bytes) -> None:
    fhir_answers.issues(data)
    kinds = ("DocumentReference", "List", "Patient")
    for kind in kinds:
        try:
            for one in fhir_answers.searchset(data, kind).resources:
                (fhir_answers.entry if kind == "DocumentReference" else fhir_answers.set_entry)(one)
        except AnswerError:
            continue
    list(fhir_answers.outcomes(fhir_answers.read(data, "Bundle")))


def _insi(data: bytes) -> None:
    found = insi.read(data)
    if isinstance(found, insi.Reply):
        sound(found.findings)


def _annuaire_api(data: bytes) -> None:
    try:
        bundle: Any = json.loads(data)
    except (ValueError, RecursionError):
        return
    kinds = ("Practitioner", "PractitionerRole", "Organization")
    practitioners, roles, places = (annuaire_fhir.resources(bundle, kind) for kind in kinds)
    annuaire_fhir.organization_ids(roles)
    annuaire_fhir.people(practitioners, roles, annuaire_fhir.structures(places))


def _annuaire_list(data: bytes) -> None:
    counts = annuaire_reading.Counts()
    source = annuaire_reading.Opened(io.BytesIO(data), len(data), "liste.txt")
    list(annuaire_reading.rows(source, counts))
    annuaire_reading.stamp(data[:200].decode("latin-1"))


def _imap(data: bytes) -> None:
    pieces: list[object] = []
    for line in data.split(b"\r\n"):
        before, mark, literal = line.partition(b"}")
        pieces.append((before + mark, literal) if mark else line)
    for one in fetched.entries(pieces):
        one.mark.encode()
        one.arrived_before(datetime(2026, 11, 22, tzinfo=UTC))
        if one.uid is not None and not 0 < one.uid <= fetched.TOP_UID:
            raise BrokenError("a UID that IMAP does not know")
        len(one.body or b"")
    fetched.uids(pieces)


def _smtp(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    code = int.from_bytes(data[:2], "big") % 1000
    classify.verdict_of(classify.Reply(code, text))
    told = classify.refused(code, text, "host", "Durand")
    if "\n" in told.text or "\r" in told.text:
        raise BrokenError("a line break of a server reached the journal")
    bearer.refused_status(data)
    scrub(text, "Durand")


# ------------------------------------------------------------------------------------- own files, brought back


class _Config:
    """Stands for a path: the configuration is fuzzed without a disk."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.parent = Path("/nowhere")

    def read_text(self, encoding: str) -> str:
        return self.data.decode(encoding)

    def resolve(self) -> _Config:
        return self

    def __str__(self) -> str:
        return "gateway.toml"


def _settings(data: bytes) -> None:
    loading.redacted(loading.load(_Config(data)))  # type: ignore[arg-type]


def _trust(data: bytes) -> None:
    found = trust_space.load(_Config(data))  # type: ignore[arg-type]
    labels = [label for domain in found.domains for label in domain.split(".")]
    if not all(one.isascii() and one == one.lower() and not one.startswith("xn--") for one in labels):
        raise BrokenError("a domain that looks like another one")


def _export(data: bytes) -> None:
    path = _file(data)
    report = verify.verify_export(path)
    sound(report.findings)
    lookup.in_export(path, lookup.pieces(b"x"))


@cache
def _verifier() -> Verifier:
    return Verifier.parse((Path(__file__).parent / "corpus" / "checkpoint" / "verifier.key").read_text())


def _proof(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        sound(prove.verify_proof(value, _verifier()))
        prove.is_person(value, _verifier(), "x")


def _checkpoint(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for read in (Verifier.parse, _verifier().verify):
        try:
            read(text)
        except CheckpointError:
            continue


def _keysafe(data: bytes) -> None:
    keysafe.open_sealed(data, "une phrase de passe")


def _backup(data: bytes) -> None:
    listing = backup.read_listing(data)
    for name in listing.files:
        if Path(name).name == name or not Path(name).is_absolute():
            continue
        raise BrokenError("a backup that names a file outside itself")


def targets() -> tuple[Target, ...]:
    """All of them, the sandbox's included."""
    from tests.fuzz import targets_files, targets_sandbox

    own = (
        Target("submission", _submission, words=_JSON, share=8),
        Target("action", _action, words=_JSON, share=8),
        Target("datamatrix", _datamatrix, words=(b"\x1d", b"S1", b"S2", b"S3", b"IS01", b"<GS>"), share=12),
        Target("vendor", _vendor, words=_XML, share=2),
        Target("billing", _billing, (InputError,), words=(b";", b'"', b"\t"), share=8),
        Target("pdf", _pdf, words=(b"/Kids", b"obj", b"/Length 9999999", b"1 0 R", b"/Prev 0"), seconds=20, share=1),
        Target("cda", _cda, words=_XML, seconds=5, share=3),
        Target("fhir", _fhir, words=_JSON, seconds=5, share=3),
        Target("preflight", _preflight, words=_XML, seconds=5, share=1),
        Target("xdm", _xdm, words=_XML, seconds=5, share=2),
        Target("mail", _mail, words=_MIME, share=6),
        Target("receipt", _receipt, words=_MIME, share=8),
        Target("opening", _opening, words=_MIME, seconds=5, share=1),
        Target("soap", _soap, (AnswerError,), words=_XML, share=6),
        Target("multipart", _multipart, (AnswerError,), words=(*_MIME, *_XML), share=8),
        Target("fhir_answer", _fhir_answer, (AnswerError,), words=_JSON, share=8),
        Target("insi", _insi, (insi.UnreadableError,), words=_XML, share=8),
        Target("annuaire_api", _annuaire_api, words=_JSON, share=8),
        Target("annuaire_list", _annuaire_list, (ListRefusedError,), words=(b"|", b"\xc3\xa9"), share=8),
        Target("imap", _imap, words=(b" UID 1", b"RFC822.SIZE ", b'INTERNALDATE "', b"BODY[] "), share=8),
        Target("smtp", _smtp, words=(b"5.7.1", b"queued as "), share=8),
        Target("settings", _settings, (ConfigError,), words=(b"[[account]]", b"= 1979-05-27", b"'''"), share=4),
        Target("trust_list", _trust, (ConfigError,), words=(b"xn--", "\u0430".encode(), b"# date:"), share=8),
        Target("export", _export, (InputError,), words=_JSON, share=2),
        Target("proof", _proof, words=_JSON, share=6),
        Target("checkpoint", _checkpoint, words=("\u2014 ".encode(), b"\n\n"), share=8),
        Target("keysafe", _keysafe, (StoreError,), words=_JSON, share=1),
        Target("backup", _backup, (StoreError,), words=_JSON, share=8),
    )
    return (*own, *targets_files.targets(), *targets_sandbox.targets())
