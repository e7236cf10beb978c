"""Searches and retrieval without a network: what is asked, what is read, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.entries import read_found
from gateway.channels.dmp.http import HttpAnswer
from gateway.channels.dmp.reader import DmpReader, Listing
from gateway.channels.dmp.retrieval import Retrieval, read_retrieval
from gateway.channels.outcome import Outcome, Verdict
from gateway.package import ebxml, query
from gateway.package.query import Criteria
from gateway.package.types import DmpIdentity
from gateway.package.xml import parse
from tests.unit.channels.test_dmp import CONTEXT, PACKAGE, RS, STATUS, FakeHttp, channel, envelope
from tests.unit.channels.test_dmp_query import CDA, UUID, answer, error, leaf, parameters, slot
from tests.unit.package.samples import NOW

IHE = "urn:ihe:iti:xds-b:2007"
DIRECT: DmpIdentity = replace(CONTEXT, mode="direct")
SET = (
    '<rim:RegistryPackage id="urn:uuid:5e7" status="x">'
    + slot("submissionTime", "20260105143000")
    + '<rim:ExternalIdentifier identificationScheme="urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8" value="2.25.7"/>'
    '<rim:ExternalIdentifier identificationScheme="urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832" value="2.25.8"/>'
    "</rim:RegistryPackage>"
)
LINK = (
    '<rim:Association id="urn:uuid:a" associationType="urn:x:RPLC" sourceObject="urn:uuid:1" '
    'targetObject="urn:uuid:2"/>'
)


def reader(http: FakeHttp) -> DmpReader:
    return DmpReader(channel(http).link)


def asked(http: FakeHttp, number: int = -1) -> dict[str, str]:
    root = etree.fromstring(http.posted[number][1].data)
    found = root.find(f".//{{{query.QUERY}}}AdhocQueryRequest")
    assert found is not None
    return parameters(etree.tostring(found))


def references(count: int) -> bytes:
    return answer(*(f'<rim:ObjectRef id="urn:uuid:{number}"/>' for number in range(count)))


def items(found: Listing[Any] | Outcome) -> tuple[Any, ...]:
    assert isinstance(found, Listing), found
    return found.items


# ------------------------------------------------------------------------------------------------- TD3.1


async def test_criteria_are_quoted_as_iti_18_wants() -> None:
    http = FakeHttp(answer())
    wanted = Criteria(
        statuses=(query.APPROVED, "urn:asip:ci-sis:2010:StatusType:Archived"),
        class_codes=(("10", "1.2.250.1.213.1.1.4.1"),),
        type_codes=(("11506-3", "2.16.840.1.113883.6.1"), ("34133-9", "2.16.840.1.113883.6.1")),
        created_from=NOW,
        created_before=NOW,
    )
    assert items(await reader(http).find(DIRECT, wanted)) == ()
    assert asked(http) == {
        "$XDSDocumentEntryPatientId": f"'{CONTEXT.ins}^^^&{CONTEXT.ins_oid}&ISO^NH'",
        "$XDSDocumentEntryStatus": f"('{query.APPROVED}','urn:asip:ci-sis:2010:StatusType:Archived')",
        "$XDSDocumentEntryClassCode": "('10^^1.2.250.1.213.1.1.4.1')",
        "$XDSDocumentEntryTypeCode": "('11506-3^^2.16.840.1.113883.6.1','34133-9^^2.16.840.1.113883.6.1')",
        "$XDSDocumentEntryCreationTimeFrom": "20261122150000",
        "$XDSDocumentEntryCreationTimeTo": "20261122150000",
    }


async def test_sets_and_links() -> None:
    http = FakeHttp(answer(SET), answer(LINK))
    made = reader(http)
    [lot] = items(await made.sets(DIRECT))
    assert (lot.unique_id, lot.source_id, lot.submission_time) == ("2.25.7", "2.25.8", "20260105143000")
    assert asked(http) == {
        "$XDSSubmissionSetPatientId": f"'{CONTEXT.patient_cx}'",
        "$XDSSubmissionSetStatus": f"('{query.APPROVED}')",
    }
    [link] = items(await made.links(DIRECT, ["urn:uuid:1"]))
    assert (link.type, link.source, link.target) == ("urn:x:RPLC", "urn:uuid:1", "urn:uuid:2")
    assert asked(http) == {"$uuid": "('urn:uuid:1')"}


async def test_too_many_results_are_fetched_by_batches_of_twenty() -> None:
    refused = answer(status="Failure", errors=error("XDSTooManyResults"))
    http = FakeHttp(refused, references(45), *(answer(leaf(entry=f"urn:uuid:{number}")) for number in range(3)))
    found = await reader(http).find(DIRECT, Criteria())
    assert [one.entry_uuid for one in items(found)] == ["urn:uuid:0", "urn:uuid:1", "urn:uuid:2"]
    counts = [asked(http, number)["$XDSDocumentEntryEntryUUID"].count("urn:uuid:") for number in (2, 3, 4)]
    assert counts == [20, 20, 5]


async def test_the_same_id_is_asked_once() -> None:
    http = FakeHttp(answer())
    await reader(http).documents(DIRECT, ["2.25.1", "2.25.1"])
    assert asked(http) == {"$XDSDocumentEntryUniqueId": "('2.25.1')"}


async def test_more_than_a_thousand_references_are_said_to_be_cut() -> None:
    http = FakeHttp(references(1001))
    found = await reader(http).find(CONTEXT, Criteria())
    assert isinstance(found, Listing)
    assert (len(found.items), found.complete) == (1000, False)


@pytest.mark.parametrize(
    "reply",
    [
        answer(LINK),
        answer(SET),
        answer('<rim:ObjectRef id=""/>'),
        answer('<rim:ExtrinsicObject id="urn:uuid:x"/>'),
        answer(leaf(size="beaucoup")),
        answer(leaf(size="9" * 40)),
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + answer(leaf())[21:],
        answer(leaf())[:-40],
        HttpAnswer(200, "text/html", b"<html>", None),
    ],
)
async def test_another_object_or_a_hostile_answer_is_refused(reply: Any) -> None:
    outcome = await reader(FakeHttp(reply)).documents(DIRECT, [CONTEXT.document_id])
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.reason) == (Verdict.TRANSIENT, "DMP-UNREADABLE")


async def test_another_patient_s_document_is_shown_to_nobody() -> None:
    other = leaf().replace(
        "</rim:ExtrinsicObject>",
        f'<rim:ExternalIdentifier identificationScheme="{ebxml.ENTRY_PATIENT_ID}" '
        'value="199999999999999^^^&amp;1.2.250.1.213.1.4.10&amp;ISO^NH"/></rim:ExtrinsicObject>',
    )
    outcome = await reader(FakeHttp(answer(other))).documents(DIRECT, [CONTEXT.document_id])
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "DMP-OTHER-PATIENT")


async def test_an_entry_is_read_whole() -> None:
    frozen = parse(PACKAGE.part("metadata").data).iter(f"{{{ebxml.RIM}}}ExtrinsicObject")
    listed = "".join(etree.tostring(one).decode() for one in frozen)
    found = read_found(
        etree.fromstring(
            f'<q:AdhocQueryResponse xmlns:q="{query.QUERY}" xmlns:rim="{query.RIM}" status="{STATUS}Success">'
            f"<rim:RegistryObjectList>{listed}</rim:RegistryObjectList></q:AdhocQueryResponse>"
        )
    ).entries()
    [entry, signature] = found
    assert (entry.entry_uuid, entry.unique_id) == (CONTEXT.document_entry, CONTEXT.document_id)
    assert (entry.status, entry.mime_type, entry.labels) == (query.APPROVED, "text/xml", frozenset({"N"}))
    assert entry.class_code is not None
    assert entry.class_code.code == "10"
    assert entry.author is not None
    assert entry.author.startswith(CONTEXT.author_id)
    assert signature.labels == {"N", "MASQUE_PS", "INVISIBLE_PATIENT"}


def test_several_lists_or_none_are_no_answer() -> None:
    for text in ("", "<rim:RegistryObjectList/><rim:RegistryObjectList/>"):
        payload = (
            f'<q:AdhocQueryResponse xmlns:q="{query.QUERY}" xmlns:rim="{query.RIM}" status="{STATUS}Success">{text}'
        )
        with pytest.raises(AnswerError):
            read_found(etree.fromstring(f"{payload}</q:AdhocQueryResponse>"))


# ------------------------------------------------------------------------------------------------- TD3.2

ENTRY = read_found(parse(answer(leaf())).find(f".//{{{query.QUERY}}}AdhocQueryResponse")).entries()[0]  # type: ignore[arg-type]


def given(*documents: str, status: str = "Success", errors: str = "") -> str:
    return (
        f'<i:RetrieveDocumentSetResponse xmlns:i="{IHE}" xmlns:rs="{RS}"><rs:RegistryResponse '
        f'status="{STATUS}{status}">{errors}</rs:RegistryResponse>{"".join(documents)}</i:RetrieveDocumentSetResponse>'
    )


def one_document(unique_id: str = CONTEXT.document_id, href: str = "cid:a%40x") -> str:
    include = f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="{href}"/>'
    return (
        f"<i:DocumentResponse><i:RepositoryUniqueId>1.2</i:RepositoryUniqueId><i:DocumentUniqueId>{unique_id}"
        f"</i:DocumentUniqueId><i:mimeType>text/xml</i:mimeType><i:Document>{include}</i:Document></i:DocumentResponse>"
    )


class Repository(FakeHttp):
    """Answers with a root part and an attachment."""

    async def post(self, url: str, body: Any, exchange: Any, *, large: int | None = None) -> HttpAnswer:
        root = self.steps[0]
        self.steps[0] = envelope(root) if isinstance(root, str) else root
        found = await super().post(url, body, exchange, large=large)
        return replace(found, parts={"a@x": CDA})


async def retrieve(reply: str, *entries: Any, identity: DmpIdentity = DIRECT) -> Retrieval | Outcome:
    return await reader(Repository(reply)).retrieve(identity, entries or (ENTRY,))


async def test_a_document_and_its_request() -> None:
    http = Repository(given(one_document()))
    found = await reader(http).retrieve(DIRECT, (replace(ENTRY, repository_id=None),))
    assert isinstance(found, Retrieval)
    [document] = found.documents
    assert (document.content, document.mime_type, document.checked) == (CDA, "text/xml", True)
    [(service, body)] = http.posted
    assert service == "repository"
    assert http.large == [50_000_000]
    assert body.content_type.startswith('multipart/related; type="application/xop+xml"; boundary="kine-')
    assert 'action="urn:ihe:iti:2007:RetrieveDocumentSet"' in body.content_type
    assert b"<ihe:RepositoryUniqueId>1.2.250.1.213.4.1.1.1.2</ihe:RepositoryUniqueId>" in body.data
    assert f"<ihe:DocumentUniqueId>{CONTEXT.document_id}</ihe:DocumentUniqueId>".encode() in body.data
    assert UUID.encode() not in body.data


@pytest.mark.parametrize("field", ["hash", "size"])
async def test_other_bytes_than_the_registry_describes(field: str) -> None:
    wrong = replace(ENTRY, **{field: "0" * 40 if field == "hash" else 1})  # type: ignore[arg-type]
    found = await retrieve(given(one_document()), wrong)
    assert isinstance(found, Retrieval)
    assert found.documents == ()
    assert [(one.unique_id, one.code) for one in found.absent] == [(CONTEXT.document_id, "DMP-OTHER-HASH")]


async def test_without_hash_and_size_it_is_said_that_nothing_was_checked() -> None:
    found = await retrieve(given(one_document()), replace(ENTRY, hash=None, size=None))
    assert isinstance(found, Retrieval)
    assert [one.checked for one in found.documents] == [False]


async def test_some_come_and_some_do_not() -> None:
    other = replace(ENTRY, unique_id="2.25.99")
    errors = error("XDSDocumentUniqueIdError", context=f"2.25.99 inconnu ({CONTEXT.ins})")
    found = await retrieve(given(one_document(), status="PartialSuccess", errors=errors), ENTRY, other)
    assert isinstance(found, Retrieval)
    assert [one.unique_id for one in found.documents] == [CONTEXT.document_id]
    [absent] = found.absent
    assert (absent.unique_id, absent.code) == ("2.25.99", "DMP-XDSDocumentUniqueIdError")
    assert CONTEXT.ins not in absent.text


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("XDSRepositoryBusy", Verdict.TRANSIENT),
        ("XDSRepositoryOutOfResources", Verdict.TRANSIENT),
        ("XDSRegistryNotAvailable", Verdict.TRANSIENT),
        ("XDSDocumentUniqueIdError", Verdict.PERMANENT),
        ("XDSUnknownRepositoryId", Verdict.PERMANENT),
    ],
)
async def test_a_refusal(code: str, verdict: Verdict) -> None:
    outcome = await retrieve(given(status="Failure", errors=error(code)))
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.reason) == (verdict, f"DMP-{code}")


@pytest.mark.parametrize(
    "reply",
    [
        given(one_document(), one_document()),
        given(one_document("2.25.1")),
        given(one_document(href="cid:elsewhere")),
        given(one_document(href="http://elsewhere/")),
        given("<i:DocumentResponse/>"),
        "<x/>",
        f'<i:RetrieveDocumentSetResponse xmlns:i="{IHE}"/>',
    ],
)
async def test_what_was_not_asked_for_is_refused(reply: str) -> None:
    outcome = await retrieve(reply)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.reason) == (Verdict.TRANSIENT, "DMP-UNREADABLE")


async def test_a_structure_s_certificate_reads_no_document() -> None:
    http = FakeHttp()
    outcome = await reader(http).retrieve(CONTEXT, (ENTRY,))
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.reason, http.posted) == (Verdict.PERMANENT, "DMP-RIGHTS", [])


def test_a_small_document_inside_the_envelope() -> None:
    document = one_document().partition("<xop:Include")[0] + "PGEv\nPg==</i:Document></i:DocumentResponse>"
    read = read_retrieval(parse(given(document).encode()), {}, [CONTEXT.document_id])
    assert read.documents[0].content == b"<a/>"
