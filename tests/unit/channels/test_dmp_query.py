"""The stored query of a doubt without a network: answers of every kind, and what each proves."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from lxml import etree

from gateway.channels.dmp import answers, registry
from gateway.channels.dmp.http import HttpAnswer
from gateway.channels.outcome import Outcome, Verdict
from gateway.package import query
from gateway.package.types import DmpContext, Package
from tests.unit.channels.test_dmp import (
    CONTEXT,
    PACKAGE,
    RS,
    SEVERITY,
    SOAP_TYPE,
    STATUS,
    FakeHttp,
    _alert,
    channel,
    envelope,
    fault,
)
from tests.unit.channels.test_dmp import registry as feed_answer

ACCEPTED, TRANSIENT, PERMANENT, IN_DOUBT = Verdict.ACCEPTED, Verdict.TRANSIENT, Verdict.PERMANENT, Verdict.IN_DOUBT
CDA = PACKAGE.part("document").data
SHA1, SIZE = hashlib.sha1(CDA, usedforsecurity=False).hexdigest(), str(len(CDA))
UUID = "urn:uuid:11111111-2222-4333-8444-555555555555"
OTHER_UUID = "urn:uuid:99999999-2222-4333-8444-555555555555"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
REFERENCE = f'<rim:ObjectRef id="{UUID}"/>'


def slot(name: str, value: str | None) -> str:
    if value is None:
        return ""
    return f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>'


def leaf(
    sha1: str | None = SHA1,
    size: str | None = SIZE,
    status: str = query.APPROVED,
    unique_id: str = CONTEXT.document_id,
    entry: str = UUID,
) -> str:
    return (
        f'<rim:ExtrinsicObject id="{entry}" lid="{entry}" status="{status}">{slot("hash", sha1)}{slot("size", size)}'
        f'<rim:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" '
        f'value="{unique_id}"/></rim:ExtrinsicObject>'
    )


def answer(*found: str, status: str = "Success", errors: str = "", listed: bool = True) -> bytes:
    objects = f"<rim:RegistryObjectList>{''.join(found)}</rim:RegistryObjectList>" if listed else ""
    return envelope(
        f'<q:AdhocQueryResponse xmlns:q="{query.QUERY}" xmlns:rim="{query.RIM}" xmlns:rs="{RS}" '
        f'status="{STATUS}{status}">{errors}{objects}</q:AdhocQueryResponse>'
    )


def error(code: str, severity: str = "Error", context: str = "") -> str:
    row = f'<rs:RegistryError errorCode="{code}" codeContext="{context}" severity="{SEVERITY}{severity}"/>'
    return f"<rs:RegistryErrorList>{row}</rs:RegistryErrorList>"


def tls_refusal() -> Exception:
    raised = httpx2.ReadError("x")
    raised.__cause__ = _alert("TLSV1_ALERT_UNKNOWN_CA")
    return raised


@pytest.mark.parametrize(
    ("reply", "verdict", "reason", "reference"),
    [
        # There.
        (answer(REFERENCE), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf()), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(SHA1.upper())), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(f" {SHA1} ")), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(None, None)), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(None)), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(size=None)), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(), errors=error("XDSExtraMetadataNotSaved", "Warning")), ACCEPTED, "DMP-FOUND", UUID),
        (answer(leaf(status=DEPRECATED)), ACCEPTED, "DMP-FOUND-CHANGED", UUID),
        (answer(leaf(status=ARCHIVED)), ACCEPTED, "DMP-FOUND-CHANGED", UUID),
        (answer(leaf(status=DEPRECATED), leaf(entry=OTHER_UUID)), ACCEPTED, "DMP-FOUND", OTHER_UUID),
        # Something else is there.
        (answer(leaf("0" * 40)), PERMANENT, "DMP-OTHER-HASH", UUID),
        (answer(leaf(None, str(len(CDA) + 1))), PERMANENT, "DMP-OTHER-HASH", UUID),
        (answer(leaf("0" * 40, status=DEPRECATED)), PERMANENT, "DMP-OTHER-HASH", UUID),
        (answer(leaf(), leaf("0" * 40, entry=OTHER_UUID)), PERMANENT, "DMP-OTHER-HASH", OTHER_UUID),
        # Not there.
        (answer(), TRANSIENT, "DMP-NOT-THERE", None),
        # Nothing proven.
        (answer(errors=error("XDSTooManyResults", "Warning")), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer(listed=False), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer(leaf(unique_id="2.25.1")), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer(leaf(), leaf(unique_id="2.25.1", entry=OTHER_UUID)), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer("<rim:ObjectRef/>"), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer('<rim:RegistryPackage id="x"/>'), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer('<rim:ExtrinsicObject id="x"/>'), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer(status="Maybe"), IN_DOUBT, "DMP-UNREADABLE", None),
        (answer("</rim:RegistryObjectList><rim:RegistryObjectList>"), IN_DOUBT, "DMP-UNREADABLE", None),
        (feed_answer("Success"), IN_DOUBT, "DMP-UNREADABLE", None),
        (HttpAnswer(200, SOAP_TYPE, b"", None), IN_DOUBT, "DMP-UNREADABLE", None),
        (
            HttpAnswer(200, SOAP_TYPE, answer().replace(b"{relates}", b"urn:uuid:x"), None),
            IN_DOUBT,
            "DMP-UNREADABLE",
            None,
        ),
        (answer(status="Failure", errors=error("XDSRegistryBusy")), IN_DOUBT, "DMP-XDSRegistryBusy", None),
        (answer(status="Failure", errors=error("XDSUnknownStoredQuery")), IN_DOUBT, registry.REFUSED, None),
        (answer(status="Failure", errors=error("XDSUnknownPatientId"), listed=False), IN_DOUBT, registry.REFUSED, None),
        (answer(leaf(), status="Failure", errors=error("XDSRegistryError")), IN_DOUBT, registry.REFUSED, None),
        (answer(status="Failure"), IN_DOUBT, registry.REFUSED, None),
        (answer(status="PartialSuccess", errors=error("XDSRegistryError")), IN_DOUBT, registry.REFUSED, None),
        (fault("Sender", "Enveloppe illisible"), IN_DOUBT, registry.REFUSED, None),
        (fault("Sender", "x", "FailedCheck"), IN_DOUBT, registry.REFUSED, None),
        (fault("Receiver", "plus tard"), IN_DOUBT, "DMP-FAULT-RECEIVER", None),
        (HttpAnswer(503, "text/plain", b"", 30.0), IN_DOUBT, "DMP-HTTP-503", None),
        (HttpAnswer(504, "text/plain", b"", None), IN_DOUBT, "DMP-HTTP-504", None),
        (HttpAnswer(404, "text/plain", b"", None), IN_DOUBT, registry.REFUSED, None),
        (HttpAnswer(400, "text/plain", b"", None), IN_DOUBT, registry.REFUSED, None),
        ((tls_refusal(), True), Verdict.CONFIGURATION, "DMP-TLS-CLIENT", None),
        ((httpx2.ConnectError("x"), False), IN_DOUBT, "DMP-CONNECT", None),
        ((httpx2.ReadTimeout("x"), True), IN_DOUBT, "DMP-TIMEOUT", None),
    ],
)
async def test_what_an_answer_proves(reply: Any, verdict: Verdict, reason: str, reference: str | None) -> None:
    http = FakeHttp(reply)
    outcome = await channel(http, in_doubt="query").resolve(PACKAGE)
    assert (outcome.verdict, outcome.reason, outcome.reference) == (verdict, reason, reference)
    assert [service for service, _ in http.posted] == ["registry"]


def request_of(http: FakeHttp) -> Any:
    [(_, body)] = http.posted
    assert body.content_type == ('application/soap+xml; charset=UTF-8; action="urn:ihe:iti:2007:RegistryStoredQuery"')
    root = etree.fromstring(body.data)
    assert root.findtext(f".//{{{answers.WSA}}}Action") == "urn:ihe:iti:2007:RegistryStoredQuery"
    assert str(root.findtext(f".//{{{answers.WSA}}}To")).endswith("/registry")
    assert len(list(root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"))) == 1
    found = root.find(f".//{{{query.QUERY}}}AdhocQueryRequest")
    assert found is not None
    return found


@pytest.mark.parametrize(("mode", "kind"), [("indirect", "ObjectRef"), ("direct", "LeafClass")])
async def test_the_query_asked(mode: Any, kind: str) -> None:
    http = FakeHttp(answer())
    context = replace(CONTEXT, mode=mode)
    await channel(http, in_doubt="query").resolve(Package(PACKAGE.parts, context))
    found = request_of(http)
    option = found.find(f"{{{query.QUERY}}}ResponseOption")
    assert dict(option.attrib) == {"returnType": kind, "returnComposedObjects": "true"}
    [asked] = found.findall(f"{{{query.RIM}}}AdhocQuery")
    assert asked.get("id") == "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
    [parameter] = asked
    assert parameter.get("name") == "$XDSDocumentEntryUniqueId"
    assert "".join(parameter.itertext()) == f"('{CONTEXT.document_id}')"


async def test_each_query_has_its_own_assertion_and_message_id() -> None:
    http = FakeHttp(answer(), answer())
    made = channel(http, in_doubt="query")
    await made.resolve(PACKAGE)
    await made.resolve(PACKAGE)
    roots = [etree.fromstring(body.data) for _, body in http.posted]
    assert len({root.findtext(f".//{{{answers.WSA}}}MessageID") for root in roots}) == 2
    ids = {root.find(".//{urn:oasis:names:tc:SAML:2.0:assertion}Assertion").get("ID") for root in roots}  # type: ignore[union-attr]
    assert len(ids) == 2


async def test_texts_hold_no_identity() -> None:
    context = f"patient {CONTEXT.ins} {CONTEXT.author_id}"
    reply = answer(status="Failure", errors=error("XDSUnknownPatientId", context=context))
    outcome = await channel(FakeHttp(reply), in_doubt="query").resolve(PACKAGE)
    assert "XDSUnknownPatientId" in outcome.text
    assert CONTEXT.ins not in outcome.text
    assert CONTEXT.author_id not in outcome.text


async def test_find_says_what_it_found_or_why_not() -> None:
    http = FakeHttp(answer(leaf(status=DEPRECATED)), answer(status="Failure", errors=error("XDSRegistryBusy")))
    made = channel(http)
    found = await made.find(PACKAGE, CONTEXT.document_id)
    assert not isinstance(found, Outcome)
    [one] = found
    assert (one.entry_uuid, one.unique_id, one.status) == (UUID, CONTEXT.document_id, DEPRECATED)
    assert (one.hash, one.size, one.lid) == (SHA1, len(CDA), UUID)
    refused = await made.find(PACKAGE, CONTEXT.document_id)
    assert not isinstance(refused, tuple)
    assert (refused.verdict, refused.reason) == (TRANSIENT, "DMP-XDSRegistryBusy")


# ------------------------------------------------------------------------------------------------ quoting


def parameters(body: bytes) -> dict[str, str]:
    root = etree.fromstring(body)
    return {str(one.get("name")): "".join(one.itertext()) for one in root.iter(f"{{{query.RIM}}}Slot")}


def test_find_documents_quotes_the_patient_without_parentheses() -> None:
    assert isinstance(CONTEXT, DmpContext)
    body = query.find_documents(CONTEXT.patient_cx, "ObjectRef")
    assert parameters(body) == {
        "$XDSDocumentEntryPatientId": f"'{CONTEXT.ins}^^^&{CONTEXT.ins_oid}&ISO^NH'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    assert etree.fromstring(body).find(f"{{{query.RIM}}}AdhocQuery").get("id") == query.FIND_DOCUMENTS  # type: ignore[union-attr]


def test_values_are_listed_and_quotes_doubled() -> None:
    body = query.stored_query("urn:uuid:x", {"$a": "l'été & <co>", "$b": ("1", "d'2")}, "LeafClass")
    assert parameters(body) == {"$a": "'l''été & <co>'", "$b": "('1','d''2')"}


@pytest.mark.parametrize("count", [0, query.MAX_VALUES + 1])
def test_a_batch_has_its_limits(count: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 20"):
        query.get_documents([f"2.25.{number}" for number in range(count)], "ObjectRef")


def test_a_long_list_goes_on_in_the_next_value() -> None:
    """No value of a slot is longer than 256 characters, and none is lost (ITI TF-2 §3.18.4.1.2.3.5)."""
    ids = [f"2.25.{10**37 + number}" for number in range(query.MAX_VALUES)]
    root = etree.fromstring(query.get_documents(ids, "ObjectRef"))
    texts = [str(one.text) for one in root.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}Value")]
    assert len(texts) > 1
    assert all(len(text) <= 256 and text.startswith("('") and text.endswith("')") for text in texts)
    assert [one.strip("'") for text in texts for one in text[1:-1].split(",")] == ids
