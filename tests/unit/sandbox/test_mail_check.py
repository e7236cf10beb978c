"""What the operator's receiver notices: nothing on a right mail, the one defect on a broken one."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sandbox.mail_check import check_mail

from . import builders as b
from .defects import attribute, find, remove, value, words
from .mail_builder import DOCTOR, PATIENT, SENDER, SUBJECT, SUBSET, MailDraft, build

DOC = "//rim:ExtrinsicObject"


def codes(mail: MailDraft, recipients: tuple[str, ...] = (DOCTOR,)) -> list[tuple[str, str]]:
    return [(item.code, item.location) for item in check_mail(build(mail), SENDER, recipients)]


def test_a_right_mail_raises_nothing() -> None:
    assert check_mail(build(MailDraft()), SENDER, [DOCTOR]) == []


def test_a_right_mail_to_the_patient_raises_nothing() -> None:
    assert codes(MailDraft(to=PATIENT), (PATIENT,)) == []


def test_a_correction_keeps_its_prefix() -> None:
    assert codes(MailDraft({"message": header("Subject", f"[Annule et remplace] {SUBJECT}")})) == []


def test_a_patient_without_ins_is_named_by_the_local_id() -> None:
    def local(root: b.E) -> None:
        for item in root.iter(f"{{{b.RIM}}}ExternalIdentifier"):
            if item.get("value", "").endswith("^NH"):
                item.set("value", "IPP-1^^^&1.2.250.1.999.8&ISO^PI")

    edits: dict[str, Callable[[Any], Any]] = {
        "cda": remove("//h:patientRole/h:id[1]"),
        "metadata": local,
        "message": header("X-MSS-INS", "N"),
    }
    assert codes(MailDraft(edits)) == []


def header(name: str, text: str | None) -> Callable[[EmailMessage], None]:
    def change(message: EmailMessage) -> None:
        del message[name]
        if text is not None:
            message[name] = text

    return change


def attachment(index: int, name: str) -> Callable[[EmailMessage], None]:
    def change(message: EmailMessage) -> None:
        part = list(message.iter_attachments())[index]
        del part["Content-Disposition"]
        part.add_header("Content-Disposition", "attachment", filename=name)

    return change


def drop(index: int) -> Callable[[EmailMessage], None]:
    def change(message: EmailMessage) -> None:
        payload = message.get_payload()
        assert isinstance(payload, list)
        payload.remove(list(message.iter_attachments())[index])

    return change


XDM = "MSS-XDM"
ENTRY = "DocumentEntry[Document01]"
BROKEN: dict[str, tuple[dict[str, Callable[[Any], Any]], tuple[str, str]]] = {
    "no NIL": ({"message": header("X-MSS-NIL", None)}, ("MSS-HEADER", "X-MSS-NIL")),
    "empty NIL": ({"message": header("X-MSS-NIL", "")}, ("MSS-HEADER", "X-MSS-NIL")),
    "no Message-ID": ({"message": header("Message-ID", None)}, ("MSS-HEADER", "Message-ID")),
    "no Date": ({"message": header("Date", None)}, ("MSS-HEADER", "Date")),
    "a Return-Path": ({"message": header("Return-Path", f"<{SENDER}>")}, ("MSS-HEADER", "Return-Path")),
    "no display name": ({"message": header("From", SENDER)}, ("MSS-HEADER", "From")),
    "From somebody else": ({"message": header("From", "X <x@kine.mssante.example>")}, ("MSS-HEADER", "From")),
    "receipt to somebody else": (
        {"message": header("Disposition-Notification-To", "x@kine.mssante.example")},
        ("MSS-HEADER", "Disposition-Notification-To"),
    ),
    "To somebody else": ({"message": header("To", "x@medecin.mssante.example")}, ("MSS-HEADER", "To")),
    "MES to a doctor": ({"message": header("X-MSS-MES", "FIN")}, ("MSS-HEADER", "X-MSS-MES")),
    "another CODECDA": ({"message": header("X-MSS-CODECDA", "11506-3")}, ("MSS-HEADER", "X-MSS-CODECDA")),
    "no CODECDA": ({"message": header("X-MSS-CODECDA", None)}, ("MSS-HEADER", "X-MSS-CODECDA")),
    "INS said not qualified": ({"message": header("X-MSS-INS", "N")}, ("MSS-HEADER", "X-MSS-INS")),
    "no INS header": ({"message": header("X-MSS-INS", None)}, ("MSS-HEADER", "X-MSS-INS")),
    "no subject prefix": ({"message": header("Subject", SUBJECT.partition("+")[2])}, ("MSS-SUBJECT", "Subject")),
    "another label": (
        {"message": header("Subject", SUBJECT.replace("CR de bilan", "Bilan"))},
        ("MSS-SUBJECT", "Subject"),
    ),
    "another patient in the subject": (
        {"message": header("Subject", SUBJECT.replace("PAT-TROIS", "PAT-QUATRE"))},
        ("MSS-SUBJECT", "Subject"),
    ),
    "mention after the prefix": (
        {"message": header("Subject", SUBJECT.replace("+", "+[Annule et remplace] "))},
        ("MSS-SUBJECT", "Subject"),
    ),
    "no PDF": ({"message": drop(1)}, ("MSS-PDF", "attachments")),
    "PDF name without fields": ({"message": attachment(1, "bilan.pdf")}, ("MSS-PDF", "filename")),
    "PDF name of another day": (
        {"message": attachment(1, "20200101_CR de bilan fonctionnel_PAT-TROIS_DOMINIQUE.pdf")},
        ("MSS-PDF", "filename"),
    ),
    "PDF name of another type": (
        {"message": attachment(1, "20261122_Ordonnance_PAT-TROIS_DOMINIQUE.pdf")},
        ("MSS-PDF", "filename"),
    ),
    "PDF name of another patient": (
        {"message": attachment(1, "20261122_CR de bilan fonctionnel_PAT-QUATRE_DOMINIQUE.pdf")},
        ("MSS-PDF", "filename"),
    ),
    "PDF name in lower case": (
        {"message": attachment(1, "20261122_CR de bilan fonctionnel_Pat-Trois_DOMINIQUE.pdf")},
        ("MSS-PDF", "filename"),
    ),
    "archive that is no ZIP": ({"archive": lambda data: b"PK nothing"}, (XDM, "IHE_XDM.ZIP")),
    "no INDEX.HTM": ({"files": lambda files: files.pop("INDEX.HTM") and None}, (XDM, "INDEX.HTM")),
    "no README.TXT": ({"files": lambda files: files.pop("README.TXT") and None}, (XDM, "README.TXT")),
    "no METADATA.XML": (
        {"files": lambda files: files.pop(f"{SUBSET}METADATA.XML") and None},
        (XDM, "IHE_XDM.ZIP"),
    ),
    "a path that climbs": ({"files": lambda files: files.__setitem__("../evil", b"x")}, (XDM, "IHE_XDM.ZIP")),
    "a file that nothing describes": (
        {"files": lambda files: files.__setitem__(f"{SUBSET}DOC0002.XML", b"x")},
        (XDM, "DOC0002.XML"),
    ),
    "no document file": (
        {"files": lambda files: files.pop(f"{SUBSET}DOC0001.XML") and None},
        (XDM, f"{ENTRY}/URI"),
    ),
    "hash of something else": ({"metadata": words(value(DOC, "hash"), "0" * 40)}, (XDM, f"{ENTRY}/hash")),
    "size of something else": ({"metadata": words(value(DOC, "size"), "1")}, (XDM, f"{ENTRY}/size")),
    "HasMember to a random UUID": (
        {"metadata": attribute("//rim:Association", "targetObject", "urn:uuid:0")},
        (XDM, ENTRY),
    ),
    "metadata title of something else": (
        {"metadata": attribute(f"{DOC}/rim:Name/rim:LocalizedString", "value", "Autre")},
        ("XDSRepositoryMetadataError", f"{ENTRY}/title"),
    ),
    "metadata with an offset in a time": (
        {"metadata": words(value("//rim:RegistryPackage", "submissionTime"), "20261122110000+0100")},
        ("XDSRegistryMetadataError", "SubmissionSet/submissionTime"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_defect_one_remark(name: str) -> None:
    edits, expected = BROKEN[name]
    assert codes(MailDraft(edits)) == [expected]


def test_a_document_changed_after_its_metadata() -> None:
    found = codes(MailDraft({"document": lambda data: data.replace(b"Essai", b"Tuteur")}))
    assert found == [(XDM, f"{ENTRY}/hash"), (XDM, f"{ENTRY}/size")]


def test_a_mark_of_order_of_bytes_is_noticed() -> None:
    found = codes(MailDraft({"document": lambda data: b"\xef\xbb\xbf" + data}))
    assert (XDM, ENTRY) in found


def test_the_mailbox_of_another_patient() -> None:
    other = "277076322082910@patient.mssante.fr"
    assert codes(MailDraft(to=other), (other,)) == [("MSS-PATIENT", "RCPT")]


def test_headers_of_documents_without_documents() -> None:
    found = codes(MailDraft({"message": drop(0)}))
    assert found == [
        ("MSS-HEADER", "X-MSS-CODECDA"),
        ("MSS-HEADER", "X-MSS-INS"),
        ("MSS-SUBJECT", "Subject"),
    ]


def test_a_plain_mail_needs_no_archive() -> None:
    def plain(message: EmailMessage) -> None:
        drop(1)(message)
        drop(0)(message)
        for name, text in (("X-MSS-CODECDA", None), ("X-MSS-INS", None), ("Subject", "Rendez-vous")):
            header(name, text)(message)

    assert codes(MailDraft({"message": plain})) == []


def test_traits_that_are_missing_make_the_ins_unqualified() -> None:
    edits: dict[str, Any] = {"cda": remove("//h:patient/h:birthTime")}
    edits["metadata"] = lambda root: find(root, f"{DOC}").remove(
        find(root, f"{DOC}/rim:Slot[@name='sourcePatientInfo']")
    )
    assert codes(MailDraft(edits)) == [("MSS-HEADER", "X-MSS-INS")]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 20_000), st.binary(max_size=30))
def test_no_mail_crashes_the_operator(place: int, junk: bytes) -> None:
    content = build(MailDraft())
    start = place % len(content)
    check_mail(content[:start] + junk + content[start + len(junk) :], SENDER, [DOCTOR])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_operator(content: bytes) -> None:
    assert check_mail(content, SENDER, [DOCTOR])
