"""ITI-18, the other half: FindSubmissionSets and GetAssociations, and the refusal of what is broken in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from . import builders as b
from .builders import RIM, SOURCE, Draft
from .conftest import Dmp, outcome, reasons
from .operations import fed, send, status_change, strange
from .queries import APPROVED, DEPRECATED, Asked, build, find, objects, refused
from .test_stored_query import masked

SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
LINKS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
PATIENT, STATUS, UUID = "$XDSSubmissionSetPatientId", "$XDSSubmissionSetStatus", "$uuid"
OTHER_INS = "279115121518926"
CX = f"'{b.INS}^^^&{b.INS_OID}&ISO^NH'"
NS = {"rim": RIM}

Given = tuple[str, list[str]]


def sets(*more: Given, status: str = APPROVED, kind: str = "LeafClass") -> Asked:
    return Asked(SETS, [(PATIENT, [CX]), (STATUS, [f"('{status}')"]), *more], kind)


def links(*uuids: str, kind: str = "LeafClass") -> Asked:
    return Asked(LINKS, [(UUID, ["(" + ",".join(f"'{one}'" for one in uuids) + ")"])], kind)


def ask(dmp: Dmp, asked: Asked, mode: str = "DIRECTE", **changes: Any) -> list[etree._Element]:
    return objects(send(dmp, build(dmp.draft(mode=mode, **changes), asked), mode))


def stored(dmp: Dmp, draft: Draft) -> Any:
    return dmp.store.by_unique_id(draft.document_id)[0]


# --------------------------------------------------------------------------------------------------- sets


def test_a_set_comes_back_whole(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    [found] = ask(dmp, sets())
    assert found.tag == f"{{{RIM}}}RegistryPackage"
    held = dmp.store.submission(draft.set_id)
    assert held is not None
    assert (found.get("id"), found.get("lid"), found.get("status")) == (held.entry_uuid, held.entry_uuid, APPROVED)
    values = {item.get("value") for item in found.findall("rim:ExternalIdentifier", NS)}
    assert values == {draft.set_id, SOURCE, CX.strip("'")}
    nodes = [item.get("classificationNode") for item in found.findall("rim:Classification", NS)]
    assert nodes.count("urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd") == 1
    owners = {item.get("classifiedObject") or item.get("registryObject") for item in found if item.get("id")}
    assert owners == {held.entry_uuid}
    names = [etree.QName(item).localname for item in found]
    assert names == sorted(names, key=["Slot", "Name", "Classification", "ExternalIdentifier"].index)
    assert etree.tostring(ask(dmp, sets())[0]) == etree.tostring(found), "the same answer each time"


def test_updates_are_sets_too(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    assert outcome(send(dmp, status_change(dmp.draft(mode="DIRECTE"), stored(dmp, draft).entry_uuid))) == ("Success",)
    assert len(ask(dmp, sets(kind="ObjectRef"))) == 2


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("$XDSSubmissionSetSourceId", [f"('{SOURCE}')"]), 1),
        (("$XDSSubmissionSetSourceId", ["('1.2.3')"]), 0),
        (("$XDSSubmissionSetAuthorPerson", ["'%TESTOU%'"]), 1),
        (("$XDSSubmissionSetAuthorPerson", ["'%AUTRE%'"]), 0),
        (("$XDSSubmissionSetContentType", ["('07^^1.2.250.1.213.2.2')"]), 1),
        (("$XDSSubmissionSetContentType", ["('03^^1.2.250.1.213.2.2')"]), 0),
    ],
)
def test_filters(dmp: Dmp, given: Given, found: int) -> None:
    fed(dmp)
    assert len(ask(dmp, sets(given))) == found


@pytest.mark.parametrize(("end", "minutes", "found"), [("From", -1, 1), ("From", 1, 0), ("To", -1, 0), ("To", 1, 1)])
def test_submission_time(dmp: Dmp, end: str, minutes: int, found: int) -> None:
    draft, _ = fed(dmp)
    limit = b.utc(draft.now + timedelta(minutes=minutes))
    assert len(ask(dmp, sets((f"$XDSSubmissionSetSubmissionTime{end}", [limit])))) == found


def test_every_set_is_approved(dmp: Dmp) -> None:
    fed(dmp)
    assert ask(dmp, sets(status=DEPRECATED)) == []


def test_a_set_of_masked_documents_is_for_who_made_it(dmp: Dmp) -> None:
    fed(dmp, edits={"metadata": masked})
    fed(dmp)
    assert len(ask(dmp, sets(kind="ObjectRef"), "INDIRECTE")) == 2
    foreign = dmp.draft(sign=dmp.pki.other_sign, edits={"vihf": strange})
    assert len(objects(dmp.send(build(foreign, sets(kind="ObjectRef")), dmp.pki.other_auth))) == 1


def test_sets_of_another_patient_are_not_found(dmp: Dmp) -> None:
    fed(dmp, ins=OTHER_INS)
    assert ask(dmp, sets()) == []


# --------------------------------------------------------------------------------------------------- links


def test_links_of_a_document_and_of_its_replacement(dmp: Dmp) -> None:
    old, _ = fed(dmp, mode="DIRECTE")
    first = stored(dmp, old).entry_uuid
    new, _ = fed(dmp, mode="DIRECTE", replaces=(first, old.document_id), version=2, cda_set_id=old.cda_set_id)
    second = stored(dmp, new).entry_uuid
    found = {
        (item.get("associationType", "").rpartition(":")[2], item.get("sourceObject"))
        for item in ask(dmp, links(first))
    }
    held = dmp.store.submission(old.set_id)
    assert held is not None
    assert found == {("HasMember", held.entry_uuid), ("RPLC", second)}
    [member] = [item for item in ask(dmp, links(second)) if item.get("associationType") == b.HAS_MEMBER]
    [slot] = member
    assert (slot.get("name"), "".join(slot.itertext()).strip()) == ("SubmissionSetStatus", "Original")
    assert member.get("id", "").startswith("urn:uuid:")
    assert member.get("objectType") == "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"


def test_references_for_indirect_authentication(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    target = stored(dmp, draft).entry_uuid
    assert [item.tag for item in ask(dmp, links(target, kind="ObjectRef"), "INDIRECTE")] == [f"{{{RIM}}}ObjectRef"]
    for asked in (links(target), sets()):
        assert refused(send(dmp, build(dmp.draft(), asked), "INDIRECTE")) == "LocalPolicyRestrictionError"


def test_a_link_to_a_masked_document_tells_nothing(dmp: Dmp) -> None:
    draft, _ = fed(dmp, edits={"metadata": masked})
    target = stored(dmp, draft).entry_uuid
    foreign = dmp.draft(sign=dmp.pki.other_sign, edits={"vihf": strange})
    assert objects(dmp.send(build(foreign, links(target, kind="ObjectRef")), dmp.pki.other_auth)) == []
    assert len(ask(dmp, links(target))) == 1


def test_links_of_another_patient(dmp: Dmp) -> None:
    mine, other = stored(dmp, fed(dmp)[0]).entry_uuid, stored(dmp, fed(dmp, ins=OTHER_INS)[0]).entry_uuid
    for asked, code in (
        (links(other), "XDSPatientIdDoesNotMatch"),
        (links(mine, other), "XDSResultNotSinglePatient"),
        (links(mine, other, kind="ObjectRef"), "XDSPatientIdDoesNotMatch"),
    ):
        assert refused(send(dmp, build(dmp.draft(mode="DIRECTE"), asked))) == code
    assert ask(dmp, links(f"urn:uuid:{'0' * 8}-0000-4000-8000-{'0' * 12}")) == []


def test_too_many_whole_entries(make_dmp: Callable[..., Dmp]) -> None:
    dmp = make_dmp(most_leaves=3)
    fed(dmp, mode="DIRECTE")
    assert len(ask(dmp, find(dmp.draft(), kind="LeafClass"))) == 2
    fed(dmp, mode="DIRECTE")
    answer = send(dmp, build(dmp.draft(mode="DIRECTE"), find(dmp.draft(), kind="LeafClass")))
    assert refused(answer) == "XDSTooManyResults"
    assert len(ask(dmp, find(dmp.draft()))) == 4


# --------------------------------------------------------------------------------------------------- defects

ERROR, MISSING, NUMBER = "XDSRegistryError", "XDSStoredQueryMissingParam", "XDSStoredQueryParamNumber"
OK = f"('{APPROVED}')"
BOTH: list[Given] = [(PATIENT, [CX]), (STATUS, [OK])]
FROM = "$XDSSubmissionSetSubmissionTimeFrom"
HERE = "urn:uuid:11111111-1111-4111-8111-111111111111"
BROKEN: list[tuple[str, str, str, list[Given]]] = [
    ("sets: patient absent", MISSING, SETS, [(STATUS, [OK])]),
    ("sets: status absent", MISSING, SETS, [(PATIENT, [CX])]),
    ("sets: patient in parentheses", NUMBER, SETS, [(PATIENT, [f"({CX})"]), (STATUS, [OK])]),
    ("sets: patient without quotes", ERROR, SETS, [(PATIENT, [CX.strip("'")]), (STATUS, [OK])]),
    ("sets: patient twice", NUMBER, SETS, [(PATIENT, [CX]), (PATIENT, [CX]), (STATUS, [OK])]),
    ("sets: another patient", "wsse:FailedCheck", SETS, [(PATIENT, [CX.replace(b.INS, OTHER_INS)]), (STATUS, [OK])]),
    ("sets: status without parentheses", ERROR, SETS, [(PATIENT, [CX]), (STATUS, [f"'{APPROVED}'"])]),
    ("sets: status unknown", ERROR, SETS, [(PATIENT, [CX]), (STATUS, ["('urn:x:Approved')"])]),
    ("sets: parameter of documents", ERROR, SETS, [("$XDSDocumentEntryPatientId", [CX]), (STATUS, [OK])]),
    (
        "sets: author in a list",
        NUMBER,
        SETS,
        [(PATIENT, [CX]), (STATUS, [OK]), ("$XDSSubmissionSetAuthorPerson", ["('A')"])],
    ),
    ("sets: source bare", ERROR, SETS, [*BOTH, ("$XDSSubmissionSetSourceId", [SOURCE])]),
    (
        "sets: content type without system",
        ERROR,
        SETS,
        [(PATIENT, [CX]), (STATUS, [OK]), ("$XDSSubmissionSetContentType", ["('07')"])],
    ),
    (
        "sets: time with an offset",
        ERROR,
        SETS,
        [(PATIENT, [CX]), (STATUS, [OK]), ("$XDSSubmissionSetSubmissionTimeFrom", ["20261122100000+0100"])],
    ),
    (
        "sets: id without urn:uuid",
        "XDSUnknownStoredQuery",
        SETS.removeprefix("urn:uuid:"),
        BOTH,
    ),
    ("links: no uuid", MISSING, LINKS, []),
    ("links: uuid without value", MISSING, LINKS, [(UUID, [])]),
    ("links: uuid without parentheses", ERROR, LINKS, [(UUID, [f"'{HERE}'"])]),
    ("links: uuid without quotes", ERROR, LINKS, [(UUID, [f"({HERE})"])]),
    ("links: uuid twice", NUMBER, LINKS, [(UUID, [f"('{HERE}')"]), (UUID, [f"('{HERE}')"])]),
    ("links: name without dollar", ERROR, LINKS, [("uuid", [f"('{HERE}')"])]),
    ("links: parameter of sets", ERROR, LINKS, [(UUID, [f"('{HERE}')"]), (STATUS, [OK])]),
    ("links: id without urn:uuid", "XDSUnknownStoredQuery", LINKS.removeprefix("urn:uuid:"), [(UUID, [f"('{HERE}')"])]),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case[0])
def test_one_defect_one_answer(dmp: Dmp, case: tuple[str, str, str, list[Given]]) -> None:
    fed(dmp)
    _, expected, query, given = case
    answer = send(dmp, build(dmp.draft(mode="DIRECTE"), Asked(query, given)))
    assert refused(answer) == expected, reasons(answer)
    assert reasons(answer)
