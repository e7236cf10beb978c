"""ITI-18: what a search finds, by whose rights, and the refusal of every broken query of a table."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from . import builders as b
from .builders import Built, Draft, feed
from .conftest import Dmp, outcome, reasons
from .queries import (
    APPROVED,
    DEPRECATED,
    ENTRY_UUID,
    FIND,
    GET,
    PATIENT,
    STATUS,
    UNIQUE_ID,
    Asked,
    build,
    find,
    get,
    objects,
    refused,
)
from .test_dmp_fuzz import _damage

RIM = {"rim": b.RIM}
OTHER_INS = "279115121518926"


def fed(dmp: Dmp, **changes: Any) -> tuple[Draft, Built]:
    draft = dmp.draft(**changes)
    built = feed(draft)
    peer = dmp.pki.personal_auth if draft.mode == "DIRECTE" else dmp.pki.auth
    assert outcome(dmp.send(built, peer)) == ("Success",)
    return draft, built


def ask(dmp: Dmp, asked: Asked, mode: str = "DIRECTE", **changes: Any) -> Any:
    peer = dmp.pki.personal_auth if mode == "DIRECTE" else dmp.pki.auth
    return dmp.send(build(dmp.draft(mode=mode, **changes), asked), peer)


def slots(item: etree._Element) -> dict[str, list[str | None]]:
    found = item.findall("rim:Slot", RIM)
    return {str(one.get("name")): [v.text for v in one.iterfind("rim:ValueList/rim:Value", RIM)] for one in found}


# --------------------------------------------------------------------------------------------------- found


def test_a_document_is_found_by_its_unique_id_as_a_reference(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    [found] = objects(ask(dmp, get(draft.document_id), "INDIRECTE"))
    assert found.tag == f"{{{b.RIM}}}ObjectRef"
    [stored] = dmp.store.by_unique_id(draft.document_id)
    assert found.get("id") == stored.entry_uuid


@pytest.mark.parametrize("symbolic", [True, False])
def test_a_leaf_says_what_only_the_registry_knows(dmp: Dmp, symbolic: bool) -> None:
    draft, built = fed(dmp, mode="DIRECTE", symbolic=symbolic)
    [stored] = dmp.store.by_unique_id(draft.document_id)
    [found] = objects(ask(dmp, get(draft.document_id, kind="LeafClass")))
    assert found.tag == f"{{{b.RIM}}}ExtrinsicObject"
    assert (found.get("id"), found.get("lid"), found.get("status")) == (stored.entry_uuid, stored.entry_uuid, APPROVED)
    held = slots(found)
    assert held["hash"] == [hashlib.sha1(built.document, usedforsecurity=False).hexdigest()]
    assert held["size"] == [str(len(built.document))]
    assert held["repositoryUniqueId"] == ["1.2.250.1.213.4.1.1.1.2"]
    owners = {one.get("classifiedObject") or one.get("registryObject") for one in found if one.get("id")}
    assert owners == {stored.entry_uuid}
    names = [etree.QName(child).localname for child in found]
    place = names.index("VersionInfo")
    assert set(names[:place]) == {"Slot", "Name"}
    assert set(names[place + 1 :]) == {"Classification", "ExternalIdentifier"}


def test_stated_hash_and_size_are_not_doubled(dmp: Dmp) -> None:
    def state(root: Any) -> None:
        entry = root.find(f".//{{{b.RIM}}}ExtrinsicObject")
        assert entry is not None
        entry.insert(0, slot_of("size", str(len(b.cda(draft)))))

    draft = dmp.draft(mode="DIRECTE")
    draft.edits["metadata"] = state
    assert outcome(dmp.send(feed(draft), dmp.pki.personal_auth)) == ("Success",)
    [found] = objects(ask(dmp, get(draft.document_id, kind="LeafClass")))
    assert [one.get("name") for one in found.findall("rim:Slot", RIM)].count("size") == 1


def slot_of(name: str, value: str) -> etree._Element:
    parent = etree.Element("x")
    return b.slot(parent, name, value)


def test_nothing_found_is_a_success(dmp: Dmp) -> None:
    fed(dmp)
    assert objects(ask(dmp, get("2.25.1"))) == []
    assert [(one.results, one.codes) for one in dmp.view.questions()] == [(0, ())]


def test_several_ids_in_one_value_or_in_several(dmp: Dmp) -> None:
    ids = [fed(dmp)[0].document_id for _ in range(3)]
    assert len(objects(ask(dmp, get(*ids)))) == 3
    assert len(objects(ask(dmp, Asked(GET, [(UNIQUE_ID, [f"('{one}')" for one in ids])])))) == 3
    assert len(objects(ask(dmp, get(ids[0], ids[0])))) == 1


def test_by_entry_uuid(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    [stored] = dmp.store.by_unique_id(draft.document_id)
    [found] = objects(ask(dmp, Asked(GET, [(ENTRY_UUID, [f"('{stored.entry_uuid}')"])])))
    assert found.get("id") == stored.entry_uuid
    unknown = "urn:uuid:00000000-0000-4000-8000-000000000000"
    assert objects(ask(dmp, Asked(GET, [(ENTRY_UUID, [f"('{unknown}')"])]))) == []


def test_the_replaced_version_is_found_deprecated(dmp: Dmp) -> None:
    old, _ = fed(dmp, mode="DIRECTE")
    [stored] = dmp.store.by_unique_id(old.document_id)
    new, _ = fed(
        dmp, mode="DIRECTE", replaces=(stored.entry_uuid, old.document_id), version=2, cda_set_id=old.cda_set_id
    )
    [found] = objects(ask(dmp, get(old.document_id, kind="LeafClass")))
    assert found.get("status") == DEPRECATED
    draft = dmp.draft()
    current = {one.get("id") for one in objects(ask(dmp, find(draft)))}
    replaced = {one.get("id") for one in objects(ask(dmp, find(draft, status=DEPRECATED)))}
    assert stored.entry_uuid in replaced - current
    assert dmp.store.by_unique_id(new.document_id)[0].entry_uuid in current - replaced


# --------------------------------------------------------------------------------------------------- filters


def documents_found(dmp: Dmp, *more: tuple[str, list[str]]) -> int:
    """Signatures of sets left out: the filters here are about the document."""
    found = objects(ask(dmp, find(dmp.draft(), *more, kind="LeafClass")))
    return sum(1 for one in found if "E1762" not in {c.get("nodeRepresentation") for c in one})


def code_of(dmp: Dmp, scheme: str) -> str:
    entry = etree.fromstring(dmp.store.documents()[0].metadata)
    [found] = entry.xpath(f"rim:Classification[@classificationScheme='{scheme}']", namespaces=RIM)[:1]
    coding = found.findtext("rim:Slot/rim:ValueList/rim:Value", namespaces=RIM)
    return f"{found.get('nodeRepresentation')}^^{coding}"


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("ClassCode", "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"),
        ("TypeCode", "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"),
        ("FormatCode", "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"),
        ("PracticeSettingCode", "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"),
        ("HealthcareFacilityTypeCode", "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"),
        ("ConfidentialityCode", "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"),
    ],
)
def test_codes_filter(dmp: Dmp, name: str, scheme: str) -> None:
    fed(dmp)
    parameter, code = f"$XDSDocumentEntry{name}", code_of(dmp, scheme)
    assert documents_found(dmp, (parameter, [f"('{code}')"])) == 1
    assert documents_found(dmp, (parameter, [f"('x^^1.2.3','{code}')"])) == 1
    assert documents_found(dmp, (parameter, ["('x^^1.2.3')"])) == 0
    assert documents_found(dmp, (parameter, [f"('{code.partition('^')[0]}^^1.2.3')"])) == 0


def test_two_slots_mean_and(dmp: Dmp) -> None:
    fed(dmp)
    name = "$XDSDocumentEntryConfidentialityCode"
    code = code_of(dmp, "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f")
    assert documents_found(dmp, (name, [f"('{code}')"]), (name, [f"('{code}')"])) == 1
    assert documents_found(dmp, (name, [f"('{code}')"]), (name, ["('x^^1.2.3')"])) == 0


@pytest.mark.parametrize(("end", "minutes", "found"), [("From", -1, 1), ("From", 1, 0), ("To", -1, 0), ("To", 1, 1)])
@pytest.mark.parametrize("quote", ["'", ""])
def test_times_filter(dmp: Dmp, end: str, minutes: int, found: int, quote: str) -> None:
    fed(dmp)
    created = dmp.store.documents()[0].creation_time
    instant = datetime.strptime(f"{created}+0000", "%Y%m%d%H%M%S%z") + timedelta(minutes=minutes)
    limit = f"{quote}{b.utc(instant)}{quote}"
    assert documents_found(dmp, (f"$XDSDocumentEntryCreationTime{end}", [limit])) == found


def test_from_is_inclusive_and_to_is_not(dmp: Dmp) -> None:
    fed(dmp)
    created = dmp.store.documents()[0].creation_time
    assert documents_found(dmp, ("$XDSDocumentEntryCreationTimeFrom", [f"'{created}'"])) == 1
    assert documents_found(dmp, ("$XDSDocumentEntryCreationTimeTo", [f"'{created}'"])) == 0


@pytest.mark.parametrize(("pattern", "found"), [("%TESTOU%", 1), (f"8{b.RPPS}^%", 1), ("%AUTRE%", 0), ("TESTOU", 0)])
def test_author_filter(dmp: Dmp, pattern: str, found: int) -> None:
    fed(dmp)
    person = etree.fromstring(dmp.store.documents()[0].metadata).findtext(
        ".//rim:Slot[@name='authorPerson']/rim:ValueList/rim:Value", namespaces=RIM
    )
    family = str(person).split("^")[1]
    wanted = pattern.replace("TESTOU", family)
    assert documents_found(dmp, ("$XDSDocumentEntryAuthorPerson", [f"('{wanted}')"])) == found


def test_object_type_filter(dmp: Dmp) -> None:
    fed(dmp)
    stable = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    assert documents_found(dmp, ("$XDSDocumentEntryType", [f"('{stable}')"])) == 1
    on_demand = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
    assert documents_found(dmp, ("$XDSDocumentEntryType", [f"('{on_demand}')"])) == 0


# --------------------------------------------------------------------------------------------------- rights


def masked(root: Any) -> None:
    entry = root.find(f".//{{{b.RIM}}}ExtrinsicObject")
    b.classify(entry, b.CONFIDENTIALITY, "MASQUE_PS", b.MASKS, "Masqué aux professionnels de santé")


def test_a_masked_document_is_found_by_its_author_and_its_structure_only(dmp: Dmp) -> None:
    draft, _ = fed(dmp, edits={"metadata": masked})
    assert len(objects(ask(dmp, get(draft.document_id), "INDIRECTE"))) == 1
    assert len(objects(ask(dmp, get(draft.document_id), "DIRECTE"))) == 1
    stranger = build(dmp.draft(sign=dmp.pki.other_sign, edits={"vihf": other_structure}), get(draft.document_id))
    assert objects(dmp.send(stranger, dmp.pki.other_auth)) == []


def other_structure(root: Any) -> None:
    for item in root.iter(f"{{{b.SAML}}}AttributeValue", f"{{{b.SAML}}}NameID"):
        if item.text and b.STRUCTURE in item.text:
            item.text = item.text.replace(b.STRUCTURE, b.OTHER_STRUCTURE)


def test_a_document_that_is_not_masked_is_found_by_a_stranger(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    stranger = build(dmp.draft(sign=dmp.pki.other_sign, edits={"vihf": other_structure}), get(draft.document_id))
    assert len(objects(dmp.send(stranger, dmp.pki.other_auth))) == 1


def test_indirect_authentication_finds_references_only(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    assert refused(ask(dmp, get(draft.document_id, kind="LeafClass"), "INDIRECTE")) == "LocalPolicyRestrictionError"
    assert len(objects(ask(dmp, get(draft.document_id), "INDIRECTE"))) == 1


def test_the_documents_of_one_patient_are_not_those_of_another(dmp: Dmp) -> None:
    mine, _ = fed(dmp)
    other, _ = fed(dmp, ins=OTHER_INS)
    assert refused(ask(dmp, get(other.document_id))) == "XDSPatientIdDoesNotMatch"
    assert refused(ask(dmp, get(mine.document_id, other.document_id))) == "XDSPatientIdDoesNotMatch"
    assert refused(ask(dmp, get(mine.document_id, other.document_id, kind="LeafClass"))) == "XDSResultNotSinglePatient"
    found = objects(ask(dmp, find(dmp.draft(), kind="LeafClass")))
    assert mine.document_id in etree.tostring(found[0]).decode()
    assert not any(OTHER_INS in etree.tostring(one).decode() for one in found)


@pytest.mark.parametrize(
    ("status", "authorisation", "code"),
    [
        ("absent", "VALIDE", "XDSUnknownPatientId"),
        ("closed", "VALIDE", "XDSUnknownPatientId"),
        ("active", "INTERDITE", "LocalPolicyRestrictionError"),
    ],
)
def test_a_dmp_that_is_not_open_answers_nothing(dmp: Dmp, status: str, authorisation: str, code: str) -> None:
    draft, _ = fed(dmp)
    dmp.view.set_patient(b.INS, b.INS_OID, status=status, authorisation=authorisation)
    assert refused(ask(dmp, get(draft.document_id))) == code
    assert refused(ask(dmp, find(dmp.draft()))) == code


def test_a_patient_never_heard_of(make_dmp: Callable[..., Dmp]) -> None:
    assert refused(ask(make_dmp(unknown_patient="absent"), get("2.25.1"))) == "XDSUnknownPatientId"


# --------------------------------------------------------------------------------------------------- defects


@dataclass(frozen=True)
class Broken:
    """A query with one defect. `asked` gets the id of a document that is there; `edit` changes a stage."""

    name: str
    expected: str
    asked: Callable[[Draft], Asked] = lambda draft: get(draft.document_id)
    stage: str = ""
    edit: Callable[[Any], Any] | None = None


def raw(query_id: str, *given: tuple[str, list[str]], **more: Any) -> Callable[[Draft], Asked]:
    """Parameters as written; ID, CX and OK stand for the document, the patient and the Approved status."""

    def make(draft: Draft) -> Asked:
        def fill(text: str) -> str:
            text = text.replace("CX", f"{draft.ins}^^^&{draft.oid}&ISO^NH")
            return text.replace("ID", draft.document_id).replace("OK", APPROVED)

        return Asked(query_id, [(name, [fill(text) for text in texts]) for name, texts in given], **more)

    return make


GIVEN = ((PATIENT, ["'CX'"]), (STATUS, ["('OK')"]))


def remove(path: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        for item in root.xpath(path, namespaces={"q": "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0", **RIM}):
            item.getparent().remove(item)

    return act


def twice(tag: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        [item] = [one for one in root if etree.QName(one).localname == tag]
        item.addnext(etree.fromstring(etree.tostring(item)))

    return act


def attribute(tag: str, name: str, value: str | None) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        [item] = [one for one in root.iter() if etree.QName(one).localname == tag]
        item.attrib.pop(name, None)
        if value is not None:
            item.set(name, value)

    return act


def vihf_value(name: str, value: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        [item] = [one for one in root.iter(f"{{{b.SAML}}}Attribute") if str(one.get("Name")).endswith(name)]
        item[0].text = value

    return act


def vihf_without(name: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        [item] = [one for one in root.iter(f"{{{b.SAML}}}Attribute") if str(one.get("Name")).endswith(name)]
        item.getparent().remove(item)

    return act


def tampered(root: Any) -> None:
    root.find(f"{{{b.SAML}}}Subject/{{{b.SAML}}}NameID").text += "9"


def wrong_version(root: Any) -> None:
    root.tag = "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"


ERROR, MISSING, NUMBER = "XDSRegistryError", "XDSStoredQueryMissingParam", "XDSStoredQueryParamNumber"
UNKNOWN, FAILED, TOKEN = "XDSUnknownStoredQuery", "wsse:FailedCheck", "wsse:InvalidSecurityToken"
TWICE_STATUS = ((PATIENT, ["'CX'"]), (STATUS, ["('OK')"]), (STATUS, ["('OK')"]))
CREATED = "$XDSDocumentEntryCreationTimeFrom"

BROKEN = [
    Broken("query id without urn:uuid", UNKNOWN, raw(GET.removeprefix("urn:uuid:"), (UNIQUE_ID, ["('ID')"]))),
    Broken("query id of nothing", UNKNOWN, raw("urn:uuid:00000000-0000-4000-8000-000000000000")),
    Broken("query id empty", UNKNOWN, raw("", (UNIQUE_ID, ["('ID')"]))),
    Broken("query id in capitals", UNKNOWN, raw(GET.upper(), (UNIQUE_ID, ["('ID')"]))),
    Broken("query id absent", UNKNOWN, stage="payload", edit=attribute("AdhocQuery", "id", None)),
    Broken("no parameter", MISSING, raw(GET)),
    Broken("both ids", NUMBER, raw(GET, (UNIQUE_ID, ["('ID')"]), (ENTRY_UUID, ["('urn:uuid:x')"]))),
    Broken("unique id twice", NUMBER, raw(GET, (UNIQUE_ID, ["('ID')"]), (UNIQUE_ID, ["('ID')"]))),
    Broken("unique id without parentheses", ERROR, raw(GET, (UNIQUE_ID, ["'ID'"]))),
    Broken("unique id without quotes", ERROR, raw(GET, (UNIQUE_ID, ["(ID)"]))),
    Broken("unique id bare", ERROR, raw(GET, (UNIQUE_ID, ["ID"]))),
    Broken("unique id in double quotes", ERROR, raw(GET, (UNIQUE_ID, ['("ID")']))),
    Broken("list not closed", ERROR, raw(GET, (UNIQUE_ID, ["('ID'"]))),
    Broken("list with a trailing comma", ERROR, raw(GET, (UNIQUE_ID, ["('ID',)"]))),
    Broken("list empty", ERROR, raw(GET, (UNIQUE_ID, ["()"]))),
    Broken("quote not doubled", ERROR, raw(GET, (UNIQUE_ID, ["('I'D')"]))),
    Broken("second value bare", ERROR, raw(GET, (UNIQUE_ID, ["('ID')", "ID"]))),
    Broken("value longer than a slot may be", ERROR, raw(GET, (UNIQUE_ID, ["('ID','2." + "5" * 210 + "')"]))),
    Broken("value empty", ERROR, raw(GET, (UNIQUE_ID, [""]))),
    Broken("slot without value", MISSING, raw(GET, (UNIQUE_ID, []))),
    Broken("name misspelt", ERROR, raw(GET, ("$XDSDocumentEntryUniqueID", ["('ID')"]))),
    Broken("name without dollar", ERROR, raw(GET, (UNIQUE_ID[1:], ["('ID')"]))),
    Broken("parameter of another query", ERROR, raw(GET, (UNIQUE_ID, ["('ID')"]), (STATUS, ["('OK')"]))),
    Broken("home community in a list", NUMBER, raw(GET, (UNIQUE_ID, ["('ID')"]), ("$homeCommunityId", ["('x')"]))),
    Broken("patient absent", MISSING, raw(FIND, GIVEN[1])),
    Broken("status absent", MISSING, raw(FIND, GIVEN[0])),
    Broken("patient in parentheses", NUMBER, raw(FIND, (PATIENT, ["('CX')"]), GIVEN[1])),
    Broken("patient without quotes", ERROR, raw(FIND, (PATIENT, ["CX"]), GIVEN[1])),
    Broken("patient twice in one slot", NUMBER, raw(FIND, (PATIENT, ["'CX'", "'CX'"]), GIVEN[1])),
    Broken("patient in two slots", NUMBER, raw(FIND, GIVEN[0], *GIVEN)),
    Broken("patient that is no CX", ERROR, raw(FIND, (PATIENT, ["'279035121518989'"]), GIVEN[1])),
    Broken("another patient", FAILED, raw(FIND, (PATIENT, [f"'{OTHER_INS}^^^&{b.INS_OID}&ISO^NH'"]), GIVEN[1])),
    Broken(
        "another identifier system",
        FAILED,
        raw(FIND, (PATIENT, [f"'{b.INS}^^^&1.2.250.1.213.1.4.8&ISO^NH'"]), GIVEN[1]),
    ),
    Broken("status without parentheses", ERROR, raw(FIND, GIVEN[0], (STATUS, ["'OK'"]))),
    Broken("status without its URN", ERROR, raw(FIND, GIVEN[0], (STATUS, ["('Approved')"]))),
    Broken("status unknown", ERROR, raw(FIND, GIVEN[0], (STATUS, ["('urn:x:Approved')"]))),
    Broken("status twice", NUMBER, raw(FIND, *TWICE_STATUS)),
    Broken("code without its system", ERROR, raw(FIND, *GIVEN, ("$XDSDocumentEntryTypeCode", ["('11506-3')"]))),
    Broken("code with one caret", ERROR, raw(FIND, *GIVEN, ("$XDSDocumentEntryTypeCode", ["('11506-3^1.2')"]))),
    Broken("code without parentheses", ERROR, raw(FIND, *GIVEN, ("$XDSDocumentEntryClassCode", ["'10^^1.2'"]))),
    Broken("class code twice", NUMBER, raw(FIND, *GIVEN, *[("$XDSDocumentEntryClassCode", ["('10^^1.2')"])] * 2)),
    Broken("event code without system", ERROR, raw(FIND, *GIVEN, ("$XDSDocumentEntryEventCodeList", ["('x')"]))),
    Broken("time with an offset", ERROR, raw(FIND, *GIVEN, (CREATED, ["'20261122100000+0100'"]))),
    Broken("time in ISO 8601", ERROR, raw(FIND, *GIVEN, (CREATED, ["'2026-11-22T10:00:00Z'"]))),
    Broken("time in parentheses", NUMBER, raw(FIND, *GIVEN, (CREATED, ["('20261122')"]))),
    Broken("time of odd length", ERROR, raw(FIND, *GIVEN, (CREATED, ["'2026112'"]))),
    Broken("return type unknown", ERROR, raw(GET, (UNIQUE_ID, ["('ID')"]), kind="LeafClassWithRepositoryItem")),
    Broken("return type in lower case", ERROR, raw(GET, (UNIQUE_ID, ["('ID')"]), kind="objectref")),
    Broken("return type absent", ERROR, stage="payload", edit=attribute("ResponseOption", "returnType", None)),
    Broken("composed objects absent", ERROR, raw(GET, (UNIQUE_ID, ["('ID')"]), composed=None)),
    Broken("composed objects false", ERROR, raw(GET, (UNIQUE_ID, ["('ID')"]), composed="false")),
    Broken("no response option", ERROR, stage="payload", edit=remove("q:ResponseOption")),
    Broken("two response options", ERROR, stage="payload", edit=twice("ResponseOption")),
    Broken("no query", ERROR, stage="payload", edit=remove("rim:AdhocQuery")),
    Broken("two queries", ERROR, stage="payload", edit=twice("AdhocQuery")),
    Broken("another element", ERROR, stage="payload", edit=lambda root: etree.fromstring("<x xmlns='urn:y'/>")),
    Broken("no namespace", ERROR, stage="payload", edit=lambda root: etree.fromstring("<AdhocQueryRequest/>")),
    Broken("VIHF of another patient", "XDSPatientIdDoesNotMatch", stage="", edit=None),
    Broken("VIHF without structure", TOKEN, stage="vihf", edit=vihf_without("Identifiant_Structure")),
    Broken("VIHF without patient", TOKEN, stage="vihf", edit=vihf_without("resource-id")),
    Broken("VIHF of another structure", TOKEN, stage="vihf", edit=vihf_value("Identifiant_Structure", "499")),
    Broken("VIHF for another service", TOKEN, stage="vihf", edit=vihf_value("Ressource_URN", "urn:ror")),
    Broken("VIHF changed after signing", FAILED, stage="vihf_signed", edit=tampered),
    Broken("SOAP 1.1", "env:VersionMismatch", stage="envelope", edit=wrong_version),
]
PATIENT_OF_VIHF = "VIHF of another patient"


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_one_defect_one_answer(dmp: Dmp, case: Broken) -> None:
    draft, _ = fed(dmp)
    changes: dict[str, Any] = {"ins": OTHER_INS} if case.name == PATIENT_OF_VIHF else {}
    asking = dmp.draft(**changes, edits={case.stage: case.edit} if case.edit else {})
    answer = dmp.send(build(asking, case.asked(draft)))
    assert refused(answer) == case.expected, reasons(answer)
    assert reasons(answer)


def test_the_table_is_long_enough_and_names_each_defect_once() -> None:
    names = [case.name for case in BROKEN]
    assert len(names) == len(set(names))
    assert len(names) >= 60


def test_each_query_is_asked_with_a_fresh_assertion(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    built = build(dmp.draft(), get(draft.document_id))
    assert len(objects(dmp.send(built))) == 1
    assert refused(dmp.send(built)) == "wsse:FailedCheck"


def test_the_registry_answers_queries_only(dmp: Dmp) -> None:
    built = build(dmp.draft(), get("2.25.1"))
    assert refused(dmp.send(replace(built, path=f"{b.ROOT}repository"))) == "wsa:ActionNotSupported"


def test_answers_in_multipart(make_dmp: Callable[..., Dmp]) -> None:
    dmp = make_dmp(mtom_answers=True)
    draft, _ = fed_in_multipart(dmp)
    answer = dmp.send(build(dmp.draft(), get(draft.document_id)))
    assert answer.content_type.startswith("multipart/related")
    assert b"ResponseStatusType:Success" in answer.body
    assert b"<rim:ObjectRef" in answer.body


def fed_in_multipart(dmp: Dmp) -> tuple[Draft, Built]:
    draft = dmp.draft()
    built = feed(draft)
    assert b"ResponseStatusType:Success" in dmp.send(built).body
    return draft, built


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), stage=st.sampled_from(["payload", "envelope"]), whole=st.booleans())
def test_no_query_crashes_the_registry(shared_dmp: Dmp, seed: int, stage: str, whole: bool) -> None:
    dice = random.Random(seed)
    draft = shared_dmp.draft(edits={stage: lambda root: _damage(root, dice)})
    asked = find(draft, (CREATED, ["'2026'"])) if whole else get("2.25.1")
    assert shared_dmp.send(build(draft, asked)).status in {200, 400}


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=30),
    name=st.sampled_from([UNIQUE_ID, ENTRY_UUID]),
)
def test_no_value_crashes_the_registry(shared_dmp: Dmp, text: str, name: str) -> None:
    for value in (text, f"('{text}')"):
        answer = shared_dmp.send(build(shared_dmp.draft(), Asked(GET, [(name, [value])])))
        assert answer.status == 200
