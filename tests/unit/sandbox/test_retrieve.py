"""ITI-43: documents come back byte for byte in MTOM parts, by the rights of who asks; broken requests are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from lxml import etree

from . import builders as b
from .builders import XDSB, Draft
from .conftest import Dmp
from .defects import repeat
from .operations import fed, parts, retrieve, retrieved, send, status_change
from .test_stored_query import masked, tampered, vihf_value, vihf_without, wrong_version

OTHER_INS = "279115121518926"
XDS = {"xds": XDSB}


def test_a_document_comes_back_byte_for_byte(dmp: Dmp) -> None:
    draft, built = fed(dmp)
    answer = send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id))
    assert retrieved(answer) == ("Success", [], {draft.document_id: built.document})
    assert 'action="urn:ihe:iti:2007:RetrieveDocumentSetResponse"' in answer.content_type


def test_line_ends_and_any_byte_survive(dmp: Dmp) -> None:
    draft, built = fed(dmp, pdf=b"%PDF-1.4\r\n\x00\xff--frontier--\r\n" * 50)
    assert retrieved(send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id)))[2] == {
        draft.document_id: built.document
    }


def test_several_documents_and_the_signature_in_one_answer(dmp: Dmp) -> None:
    both = dict(fed_document(dmp) for _ in range(2))
    signature = dmp.store.documents(signatures=True)[1]
    wanted = [*both, signature.unique_id]
    status, codes, found = retrieved(send(dmp, retrieve(dmp.draft(mode="DIRECTE"), *wanted)))
    assert (status, codes) == ("Success", [])
    assert found == {**both, signature.unique_id: signature.content}


def fed_document(dmp: Dmp) -> tuple[str, bytes]:
    draft, built = fed(dmp, mode="DIRECTE")
    return draft.document_id, built.document


def test_what_is_missing_makes_a_partial_success(dmp: Dmp) -> None:
    draft, built = fed(dmp)
    status, codes, found = retrieved(send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id, "2.25.1")))
    assert (status, codes) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])
    assert found == {draft.document_id: built.document}


def test_an_entry_uuid_is_not_a_unique_id(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    [stored] = dmp.store.by_unique_id(draft.document_id)
    answer = send(dmp, retrieve(dmp.draft(mode="DIRECTE"), stored.entry_uuid))
    assert retrieved(answer) == ("Failure", ["XDSDocumentUniqueIdError"], {})
    assert b"entryUUID" in answer.body


def test_indirect_authentication_retrieves_nothing(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    answer = send(dmp, retrieve(dmp.draft(), draft.document_id), "INDIRECTE")
    assert retrieved(answer) == ("Failure", ["LocalPolicyRestrictionError"], {})


def test_an_archived_document_can_be_read_a_deleted_one_cannot(dmp: Dmp) -> None:
    draft, built = fed(dmp, mode="DIRECTE")
    [stored] = dmp.store.by_unique_id(draft.document_id)
    for old, new, expected in (
        ("Approved", "Archived", {draft.document_id: built.document}),
        ("Archived", "Deleted", {}),
    ):
        assert (
            b"Success" in send(dmp, status_change(dmp.draft(mode="DIRECTE"), stored.entry_uuid, old=old, new=new)).body
        )
        assert retrieved(send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id)))[2] == expected


def test_a_masked_document_is_for_its_author(dmp: Dmp) -> None:
    draft, built = fed(dmp, mode="DIRECTE", edits={"metadata": masked})
    mine = send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id))
    assert retrieved(mine)[2] == {draft.document_id: built.document}
    dmp.store._database.rows("UPDATE submission SET author_id = '899700002019'")
    theirs = send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id))
    assert retrieved(theirs) == ("Failure", ["XDSDocumentUniqueIdError"], {})


@pytest.mark.parametrize(
    ("status", "authorisation", "code"),
    [("closed", "VALIDE", "XDSUnknownPatientId"), ("active", "INTERDITE", "LocalPolicyRestrictionError")],
)
def test_a_dmp_that_is_not_open_gives_nothing(dmp: Dmp, status: str, authorisation: str, code: str) -> None:
    draft, _ = fed(dmp)
    dmp.view.set_patient(b.INS, b.INS_OID, status=status, authorisation=authorisation)
    answer = send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id))
    assert retrieved(answer) == ("Failure", [code], {})


# --------------------------------------------------------------------------------------------------- defects


@dataclass(frozen=True)
class Broken:
    """A request with one defect; `expected` is an IHE code or the subcode of a fault."""

    name: str
    expected: str
    edits: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    repository: str = ""
    unique_id: Callable[[Draft], str] = lambda draft: draft.document_id


def payload(act: Callable[[Any], Any]) -> dict[str, Callable[[Any], Any]]:
    return {"payload": act}


def drop(path: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        for item in root.xpath(path, namespaces=XDS):
            item.getparent().remove(item)

    return act


def swap(root: Any) -> None:
    [request] = root
    request.append(request[0])


def rename(path: str, name: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        [item] = root.xpath(path, namespaces=XDS)
        item.tag = name

    return act


def empty(path: str) -> Callable[[Any], Any]:
    def act(root: Any) -> None:
        [item] = root.xpath(path, namespaces=XDS)
        item.text = " "

    return act


def no_action(root: Any) -> None:
    for item in root.iter(f"{{{b.WSA}}}Action"):
        item.getparent().remove(item)


ERROR, UNKNOWN, ABSENT = "XDSRepositoryError", "XDSUnknownRepositoryId", "XDSDocumentUniqueIdError"
FAILED, TOKEN = "wsse:FailedCheck", "wsse:InvalidSecurityToken"
REQUEST = "//xds:DocumentRequest"
BROKEN = [
    Broken("another repository", UNKNOWN, repository="1.2.250.1.213.4.1.1.1.3"),
    Broken("repository as a urn:oid", UNKNOWN, repository="urn:oid:1.2.250.1.213.4.1.1.1.2"),
    Broken("unknown uniqueId", ABSENT, unique_id=lambda draft: "2.25.1"),
    Broken("uniqueId as a urn:oid", ABSENT, unique_id=lambda draft: f"urn:oid:{draft.document_id}"),
    Broken("uniqueId in quotes", ABSENT, unique_id=lambda draft: f"'{draft.document_id}'"),
    Broken("uniqueId of the set", ABSENT, unique_id=lambda draft: draft.set_id),
    Broken("uniqueId with a foreign extension", ABSENT, unique_id=lambda draft: f"{draft.document_id}^1"),
    Broken("document of another patient", ABSENT, changes={"ins": OTHER_INS}),
    Broken("no document asked", ERROR, payload(drop(REQUEST))),
    Broken("without repository", ERROR, payload(drop("//xds:RepositoryUniqueId"))),
    Broken("without uniqueId", ERROR, payload(drop("//xds:DocumentUniqueId"))),
    Broken("repository empty", ERROR, payload(empty("//xds:RepositoryUniqueId"))),
    Broken("uniqueId empty", ERROR, payload(empty("//xds:DocumentUniqueId"))),
    Broken("elements in another order", ERROR, payload(swap)),
    Broken("same document twice", ERROR, payload(repeat(REQUEST))),
    Broken("uniqueId twice in a request", ERROR, payload(repeat("//xds:DocumentUniqueId"))),
    Broken("element of another name", ERROR, payload(rename(REQUEST, f"{{{XDSB}}}Document"))),
    Broken("element of another namespace", ERROR, payload(rename("//xds:DocumentUniqueId", "DocumentUniqueId"))),
    Broken("another request", ERROR, payload(rename("/xds:*", f"{{{XDSB}}}RetrieveDocumentSet"))),
    Broken("no namespace", ERROR, payload(lambda root: etree.fromstring("<RetrieveDocumentSetRequest/>"))),
    Broken("VIHF without structure", TOKEN, {"vihf": vihf_without("Identifiant_Structure")}),
    Broken("VIHF for another service", TOKEN, {"vihf": vihf_value("Ressource_URN", "urn:ror")}),
    Broken("VIHF changed after signing", FAILED, {"vihf_signed": tampered}),
    Broken("no action", "wsa:MessageAddressingHeaderRequired", {"envelope": no_action}),
    Broken("SOAP 1.1", "env:VersionMismatch", {"envelope": wrong_version}),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_one_defect_one_answer_in_multipart(dmp: Dmp, case: Broken) -> None:
    draft, _ = fed(dmp)
    asking = dmp.draft(mode="DIRECTE", edits=case.edits, **case.changes)
    more = {"repository": case.repository} if case.repository else {}
    answer = send(dmp, retrieve(asking, case.unique_id(draft), **more))
    root, contents = parts(answer)
    assert contents == {}
    fault = [str(value.text) for value in root.iter(f"{{{b.ENV}}}Value")]
    if fault:
        assert fault[-1] == case.expected
        assert answer.status == (500 if case.expected == "env:VersionMismatch" else 400)
    else:
        assert retrieved(answer) == ("Failure", [case.expected], {})


def test_the_table_is_long_enough_and_names_each_defect_once() -> None:
    names = [case.name for case in BROKEN]
    assert len(names) == len(set(names))
    assert len(names) >= 15


def test_a_body_that_cannot_be_read_is_refused_in_multipart_too(dmp: Dmp) -> None:
    built = retrieve(dmp.draft(mode="DIRECTE"), "2.25.1")
    broken = built.body[:-40]
    for kind in (built.content_type, "application/soap+xml"):
        answer = dmp.send(b.Built(built.path, kind, broken, b"", b"", built.assertion, b""), dmp.pki.personal_auth)
        assert answer.status == 400
        assert answer.content_type.startswith("multipart/related")
        assert parts(answer)[1] == {}


def test_the_reason_is_french_and_says_what_to_do(dmp: Dmp) -> None:
    draft, _ = fed(dmp)
    answer = send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id, repository="1.2.3"))
    root, _ = parts(answer)
    words = [item.get("codeContext") for item in root.iter() if item.get("codeContext")]
    assert words == ["RepositoryUniqueId « 1.2.3 » inconnu, 1.2.250.1.213.4.1.1.1.2 attendu"]
