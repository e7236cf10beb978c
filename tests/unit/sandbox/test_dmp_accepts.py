"""Correct requests are accepted, stored and answered; every tolerated variant too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from . import builders as b
from .builders import ENV, HL7, INS, INS_OID, WSA, existence, feed
from .conftest import Dmp, outcome, reasons
from .defects import DOC, attr, attr_value, attribute, find, secret, words


@pytest.mark.parametrize("profile", ["legacy", "modern"])
@pytest.mark.parametrize("mode", ["DIRECTE", "INDIRECTE"])
def test_a_correct_submission_is_accepted_and_kept(dmp: Dmp, mode: str, profile: str) -> None:
    peer = dmp.pki.personal_auth if mode == "DIRECTE" else dmp.pki.auth
    draft = dmp.draft(mode=mode, profile=profile)
    built = feed(draft)
    answer = dmp.send(built, peer)
    assert outcome(answer) == ("Success",), reasons(answer)
    (document,) = dmp.store.documents(INS)
    assert document.content == built.document
    assert (document.unique_id, document.set_unique_id) == (draft.document_id, draft.set_id)
    assert (document.type_code, document.class_code, document.author_id) == ("47420-5", "10", b.PS)
    assert document.entry_uuid.startswith("urn:uuid:")
    assert [item.is_signature for item in dmp.store.documents(INS, signatures=True)] == [False, True]


def test_the_answer_is_addressed(dmp: Dmp) -> None:
    built = feed(dmp.draft())
    answer = dmp.send(built)
    root = etree.fromstring(answer.body)
    asked = etree.fromstring(built.envelope).findtext(f".//{{{WSA}}}MessageID")
    assert answer.status == 200
    assert root.tag == f"{{{ENV}}}Envelope"
    assert root.findtext(f".//{{{WSA}}}RelatesTo") == asked
    assert root.findtext(f".//{{{WSA}}}Action") == f"{b.FEED}Response"
    assert root.findtext(f".//{{{WSA}}}MessageID") not in {None, asked}
    assert answer.content_type.startswith("application/soap+xml")


def test_a_fault_is_addressed_too(dmp: Dmp) -> None:
    built = feed(dmp.draft(edits={"vihf": words(attr_value("VIHF_Version"), "2.0")}))
    answer = dmp.send(built)
    root = etree.fromstring(answer.body)
    assert answer.status == 400
    assert root.findtext(f".//{{{WSA}}}RelatesTo") == etree.fromstring(built.envelope).findtext(
        f".//{{{WSA}}}MessageID"
    )
    assert "version" in reasons(answer)


def test_multipart_answers_on_demand(make_dmp: Callable[..., Dmp]) -> None:
    dmp = make_dmp(mtom_answers=True)
    answer = dmp.send(feed(dmp.draft()))
    assert answer.content_type.startswith("multipart/related")
    assert b"ResponseStatusType:Success" in answer.body


def _other_spelling(root: b.E) -> None:
    find(root, attr("Authentification_Mode")).set("Name", "Authentification_mode")


def _with_date(root: b.E) -> None:
    for item in root.iter(f"{{{b.RIM}}}ExternalIdentifier"):
        if item.get("value", "").endswith("^NH"):
            item.set("value", f"{item.get('value')}^^20260101")


def _hash_upper(built: dict[str, bytes]) -> Callable[[b.E], None]:
    import hashlib

    def change(root: b.E) -> None:
        content = built["document"]
        b.slot(find(root, DOC), "hash", hashlib.sha1(content).hexdigest().upper())
        b.slot(find(root, DOC), "size", str(len(content)))

    return change


def _facility_as_content_type(root: b.E) -> None:
    content_type = find(root, "//rim:RegistryPackage/rim:Classification[@nodeRepresentation='07']")
    content_type.set("nodeRepresentation", "SA07")
    find(content_type, ".//rim:Value").text = "1.2.250.1.71.4.2.4"


VARIANTS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "VIHF 4.0": {"vihf": words(attr_value("VIHF_Version"), "4.0")},
    "the other spelling of Authentification_mode": {"vihf": _other_spelling},
    "renforced indirect mode": {"vihf": words(attr_value("Authentification_Mode"), "INDIRECTE_RENFORCEE")},
    "no Conditions": {"vihf": lambda r: r.remove(find(r, "./saml:Conditions"))},
    "patientId with a date": {"metadata": _with_date},
    "facility as contentTypeCode": {"metadata": _facility_as_content_type},
    "masked to professionals": {
        "metadata": lambda r: b.classify(find(r, DOC), b.CONFIDENTIALITY, "MASQUE_PS", b.MASKS, "Masqué") is None
    },
    "metadata with an extra urn slot": {"metadata": lambda r: b.slot(find(r, DOC), "urn:example:x", "1") is None},
    "part without transfer encoding": {"parts": lambda p: p[1][0].pop("Content-Transfer-Encoding") and None},
    "media type without action": {"content_type": lambda t: t.partition("; action=")[0]},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_tolerated_variant_is_accepted(dmp: Dmp, name: str) -> None:
    answer = dmp.send(feed(dmp.draft(edits=VARIANTS[name])))
    assert outcome(answer) == ("Success",), reasons(answer)


def test_hash_and_size_are_compared_without_case(dmp: Dmp) -> None:
    seen: dict[str, bytes] = {}

    def keep(data: bytes) -> bytes:
        return seen.setdefault("document", data)

    edits: dict[str, Callable[[Any], Any]] = {"document": keep, "metadata": _hash_upper(seen)}
    answer = dmp.send(feed(dmp.draft(edits=edits)))
    assert outcome(answer) == ("Success",), reasons(answer)


def test_a_pdf_body(dmp: Dmp) -> None:
    answer = dmp.send(feed(dmp.draft(pdf=b"%PDF-1.4 essai")))
    assert outcome(answer) == ("Success",), reasons(answer)


def test_real_entry_uuids_are_kept(dmp: Dmp) -> None:
    wanted: list[str] = []

    def note(root: b.E) -> None:
        wanted.extend(item.get("id", "") for item in root.iter(f"{{{b.RIM}}}ExtrinsicObject"))

    dmp.send(feed(dmp.draft(symbolic=False, edits={"metadata": note})))
    assert [item.entry_uuid for item in dmp.store.documents(signatures=True)] == wanted


@pytest.mark.parametrize(("option", "profile"), [("legacy", "legacy"), ("modern", "modern")])
def test_a_profile_can_be_switched_off(make_dmp: Callable[..., Dmp], option: str, profile: str) -> None:
    dmp = make_dmp(**{option: False})
    assert outcome(dmp.send(feed(dmp.draft(profile=profile)))) == ("InvalidDocumentContent",)


def test_a_vihf_signed_with_sha1_is_legacy(make_dmp: Callable[..., Dmp]) -> None:
    """RSA-SHA1 is what the samples of 2019 show: accepted with the legacy profile only."""
    assert outcome(make_dmp().send(feed(make_dmp().draft(vihf_profile="legacy")))) == ("Success",)
    strict = make_dmp(legacy=False)
    assert outcome(strict.send(feed(strict.draft(vihf_profile="legacy"))))[-1] == "wsse:FailedCheck"


def _role_of(code: str, system: str, second: str = "") -> Callable[[b.E], None]:
    def change(root: b.E) -> None:
        role = find(root, f"{attr_value(b.ROLE)}/h:Role")
        role.set("code", code)
        role.set("codeSystem", system)
        if second:
            value = etree.SubElement(find(root, attr(b.ROLE)), f"{{{b.SAML}}}AttributeValue")
            value.append(b.coded("Role", second, "1.2.250.1.71.4.2.5", "Spécialité"))

    return change


@pytest.mark.parametrize(
    "role",
    [_role_of("10", "1.2.250.1.71.1.2.7", "SM26"), _role_of("AUTOMATE", "1.2.250.1.213.1.1.4.6")],
    ids=["a physician with a speciality", "an automaton"],
)
def test_other_roles(dmp: Dmp, role: Callable[[b.E], None]) -> None:
    answer = dmp.send(feed(dmp.draft(edits={"vihf": role})))
    assert outcome(answer) == ("Success",), reasons(answer)


def _td02(answer_body: bytes) -> tuple[str, str, str]:
    root = etree.fromstring(answer_body)

    def one(path: str, name: str) -> str:
        found = root.find(path, {"h": HL7})
        return found.get(name, "") if found is not None else ""

    return (
        one(".//h:queryAck/h:queryResponseCode", "code"),
        one(".//h:attentionLine/h:value", "code"),
        one(".//h:patient/h:statusCode", "code"),
    )


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (None, ("OK", "VALIDE", "active")),
        ({"status": "active"}, ("OK", "VALIDE", "active")),
        ({"status": "closed"}, ("OK", "VALIDE", "terminated")),
        ({"status": "absent"}, ("NF", "", "")),
        ({"authorisation": "NON_VALIDE"}, ("OK", "NON_VALIDE", "active")),
    ],
)
def test_existence(dmp: Dmp, configured: dict[str, str] | None, expected: tuple[str, str, str]) -> None:
    if configured is not None:
        dmp.view.set_patient(INS, INS_OID, **configured)
    answer = dmp.send(existence(dmp.draft()))
    assert answer.status == 200, reasons(answer)
    assert _td02(answer.body) == expected


def test_an_unknown_patient_may_be_absent(make_dmp: Callable[..., Dmp]) -> None:
    dmp = make_dmp(unknown_patient="absent")
    assert _td02(dmp.send(existence(dmp.draft())).body) == ("NF", "", "")
    assert outcome(dmp.send(feed(dmp.draft()))) == ("XDSUnknownPatientId",)


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("//h:interactionId", "extension", "PRPA_IN201305UV02"),
        ("//h:processingCode", "code", "T"),
        ("//h:acceptAckCode", "code", "NE"),
        ("//h:receiver//h:id", "root", "1.2.3"),
        ("//h:reasonCode", "code", "AUTRE"),
        ("//h:statusCode", "code", "old"),
        ("//h:patientIdentifier/h:value", "extension", ""),
        ("//h:patientIdentifier/h:value", "extension", "277076322082910"),
    ],
)
def test_a_broken_existence_test_is_a_fault(dmp: Dmp, path: str, name: str, value: str) -> None:
    answer = dmp.send(existence(dmp.draft(edits={"payload": attribute(path, name, value)})))
    assert outcome(answer)[0] == "Fault"
    assert answer.status == 400


def test_a_minors_secret_connection(dmp: Dmp) -> None:
    built = feed(dmp.draft(edits={"vihf": secret("INVISIBLE_REPRESENTANTS_LEGAUX")}))
    assert outcome(dmp.send(built)) == ("Success",)
