"""TD3.3 without a network: what is sent from which state, what is not, and what each answer means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from lxml import etree

from gateway.channels.dmp.http import HttpAnswer
from gateway.channels.outcome import Outcome, Verdict
from gateway.package import ebxml, metadata_update
from gateway.package.metadata_update import APPROVED, ARCHIVED, DELETED, DEPRECATED, UPDATE_STATUS
from gateway.package.types import Change, DmpUpdateContext, Package
from gateway.package.xds import HAS_MEMBER
from tests.unit.channels.test_dmp import CONTEXT, PACKAGE, FakeHttp, _alert, channel, fault, registry
from tests.unit.channels.test_dmp_query import OTHER_UUID, UUID, answer, error, leaf
from tests.unit.package.samples import NOW, ids

ACCEPTED, TRANSIENT, PERMANENT = Verdict.ACCEPTED, Verdict.TRANSIENT, Verdict.PERMANENT
IN_DOUBT, CONFIGURATION = Verdict.IN_DOUBT, Verdict.CONFIGURATION
RIM = {"rim": ebxml.RIM}
MASK, HIDE = "MASQUE_PS", "INVISIBLE_PATIENT"


def update(change: Change, mode: Any = "direct") -> Package:
    feed = Package(PACKAGE.parts, replace(CONTEXT, mode=mode))
    return metadata_update.update_package(feed, change, now=NOW, ids=ids("update"))


def held(status: str, *labels: str, version: str = "4") -> bytes:
    """The registry's answer: the document in this state."""
    codes = "".join(
        f'<rim:Classification id="urn:uuid:c{number}" classificationScheme="{ebxml.ENTRY_CONFIDENTIALITY}" '
        f'classifiedObject="{UUID}" nodeRepresentation="{label}"/>'
        for number, label in enumerate(("N", *labels))
    )
    whole = leaf(status=status).replace("<rim:ExternalIdentifier", f"{codes}<rim:ExternalIdentifier", 1)
    return answer(
        whole.replace("<rim:Classification", f'<rim:VersionInfo versionName="{version}"/><rim:Classification', 1)
    )


class Commits:
    """Counts what `before_commit` is called for."""

    def __init__(self) -> None:
        self.number = 0

    async def __call__(self) -> None:
        self.number += 1


async def send(change: Change, *steps: Any, mode: Any = "direct", **settings: Any) -> tuple[Outcome, FakeHttp, int]:
    http, commits = FakeHttp(*steps), Commits()
    outcome = await channel(http, **settings).send(update(change, mode), commits)
    return outcome, http, commits.number


@pytest.mark.parametrize(
    ("change", "state", "kind"),
    [
        ("archive", held(APPROVED), UPDATE_STATUS),
        ("unarchive", held(ARCHIVED), UPDATE_STATUS),
        ("delete", held(APPROVED), UPDATE_STATUS),
        ("delete", held(ARCHIVED), UPDATE_STATUS),
        ("delete", held(DEPRECATED), UPDATE_STATUS),
        ("mask", held(APPROVED), HAS_MEMBER),
        ("mask", held(ARCHIVED), HAS_MEMBER),
        ("unmask", held(APPROVED, MASK), HAS_MEMBER),
        ("hide", held(APPROVED), HAS_MEMBER),
        ("show", held(APPROVED, HIDE), HAS_MEMBER),
        ("hide_legal", held(APPROVED, HIDE), HAS_MEMBER),
        ("hide_legal", held(APPROVED, MASK), HAS_MEMBER),
    ],
)
async def test_what_is_sent(change: Change, state: bytes, kind: str) -> None:
    outcome, http, commits = await send(change, state, registry("Success"))
    assert (outcome.verdict, outcome.reason, commits) == (ACCEPTED, "DMP-UPD-SUCCESS", 1)
    assert [service for service, _ in http.posted] == ["registry", "registry"]
    _, body = http.posted[1]
    assert body.content_type == 'application/soap+xml; charset=UTF-8; action="urn:ihe:iti:2010:UpdateDocumentSet"'
    root = etree.fromstring(body.data)
    [link] = root.findall(".//rim:Association", RIM)
    assert link.get("associationType") == kind
    if kind == UPDATE_STATUS:
        assert link.get("targetObject") == UUID
    else:
        [entry] = root.findall(".//rim:ExtrinsicObject", RIM)
        assert (entry.get("lid"), "".join(link.itertext())) == (UUID, "Original4")


@pytest.mark.parametrize(
    ("change", "state", "verdict", "reason"),
    [
        # Already so.
        ("mask", held(APPROVED, MASK), ACCEPTED, "DMP-UPD-DONE"),
        ("unmask", held(APPROVED), ACCEPTED, "DMP-UPD-DONE"),
        ("archive", held(ARCHIVED), ACCEPTED, "DMP-UPD-DONE"),
        ("unarchive", held(APPROVED), ACCEPTED, "DMP-UPD-DONE"),
        ("delete", held(DELETED), ACCEPTED, "DMP-UPD-DONE"),
        ("delete", answer(), ACCEPTED, "DMP-UPD-ABSENT"),
        # Not possible.
        ("mask", answer(), PERMANENT, "DMP-UPD-NOT-FOUND"),
        ("mask", held(DELETED), PERMANENT, "DMP-UPD-NOT-FOUND"),
        ("archive", held(DEPRECATED), PERMANENT, "DMP-UPD-STATUS"),
        ("unarchive", held(DEPRECATED), PERMANENT, "DMP-UPD-STATUS"),
        ("mask", held(DEPRECATED), PERMANENT, "DMP-UPD-STATUS"),
        ("mask", held(APPROVED, HIDE), PERMANENT, "DMP-UPD-CUMUL"),
        ("hide", held(APPROVED, MASK), PERMANENT, "DMP-UPD-CUMUL"),
        ("mask", answer(leaf().replace(f'lid="{UUID}"', "")), PERMANENT, "DMP-UPD-UNREADABLE"),
        # Not known.
        ("delete", answer(errors=error("XDSTooManyResults", "Warning")), TRANSIENT, "DMP-UNREADABLE"),
        ("delete", answer(leaf(unique_id="2.25.1")), TRANSIENT, "DMP-UNREADABLE"),
        ("mask", answer(status="Failure", errors=error("XDSRegistryBusy")), TRANSIENT, "DMP-XDSRegistryBusy"),
        ("mask", answer(status="Failure", errors=error("XDSUnknownPatientId")), PERMANENT, "DMP-QUERY-REFUSED"),
        ("mask", HttpAnswer(503, "text/plain", b"", 9.0), TRANSIENT, "DMP-HTTP-503"),
        ("mask", (httpx2.ConnectError("x"), False), TRANSIENT, "DMP-CONNECT"),
    ],
)
async def test_what_is_not_sent(change: Change, state: Any, verdict: Verdict, reason: str) -> None:
    outcome, http, commits = await send(change, state)
    assert (outcome.verdict, outcome.reason, commits) == (verdict, reason, 0)
    assert len(http.posted) == 1


async def test_both_restrictions_where_the_settings_allow_them() -> None:
    outcome, http, _ = await send("mask", held(APPROVED, HIDE), registry("Success"), cumulated_visibility=True)
    assert outcome.reason == "DMP-UPD-SUCCESS"
    root = etree.fromstring(http.posted[1][1].data)
    codes = root.findall(f".//rim:Classification[@classificationScheme='{ebxml.ENTRY_CONFIDENTIALITY}']", RIM)
    assert {one.get("nodeRepresentation") for one in codes} == {"N", MASK, HIDE}


@pytest.mark.parametrize(
    "change", ["mask", "unmask", "hide", "show", "hide_legal", "show_legal", "archive", "unarchive"]
)
async def test_a_structure_s_certificate_changes_nothing_but_deletes(change: Change) -> None:
    outcome, http, commits = await send(change, mode="indirect")
    assert (outcome.verdict, outcome.reason, http.posted, commits) == (PERMANENT, "DMP-RIGHTS", [], 0)


@pytest.mark.parametrize(("place", "status"), list(enumerate([APPROVED, DEPRECATED, ARCHIVED])))
async def test_references_tell_the_status_one_list_at_a_time(place: int, status: str) -> None:
    other, ours = (answer(f'<rim:ObjectRef id="{one}"/>') for one in (OTHER_UUID, UUID))
    outcome, http, _ = await send("delete", ours, *[other] * place, ours, registry("Success"), mode="indirect")
    assert outcome.reason == "DMP-UPD-SUCCESS"
    assert b'returnType="LeafClass"' not in b"".join(body.data for _, body in http.posted)
    assert f"<rim:Value>{status}</rim:Value>".encode() in http.posted[-1][1].data


@pytest.mark.parametrize(
    ("lists", "verdict", "reason"),
    [
        (["other", "other", "other", "ours"], ACCEPTED, "DMP-UPD-DONE"),
        (["other"] * 4, PERMANENT, "DMP-UPD-STATUS"),
    ],
)
async def test_references_in_no_list_that_can_be_deleted(lists: list[str], verdict: Verdict, reason: str) -> None:
    known = {one: answer(f'<rim:ObjectRef id="{uuid}"/>') for one, uuid in (("ours", UUID), ("other", OTHER_UUID))}
    outcome, _, commits = await send("delete", known["ours"], *(known[one] for one in lists), mode="indirect")
    assert (outcome.verdict, outcome.reason, commits) == (verdict, reason, 0)


LATER = HttpAnswer(503, "text/plain", b"", 30.0)


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (registry("Success"), ACCEPTED, "DMP-UPD-SUCCESS"),
        (registry("Failure", ("XDSRegistryBusy", "", "")), TRANSIENT, "DMP-XDSRegistryBusy"),
        (registry("Failure", ("XDSRegistryOutOfResources", "", "")), TRANSIENT, "DMP-XDSRegistryOutOfResources"),
        (registry("Failure", ("XDSRegistryNotAvailable", "", "")), TRANSIENT, "DMP-XDSRegistryNotAvailable"),
        (registry("Failure", ("XDSMetadataUpdateError", "non", "")), PERMANENT, "DMP-XDSMetadataUpdateError"),
        (registry("Failure", ("XDSMetadataVersionError", "non", "")), PERMANENT, "DMP-XDSMetadataVersionError"),
        (registry("Failure", ("LocalPolicyRestrictionError", "", "")), PERMANENT, "DMP-LocalPolicyRestrictionError"),
        (registry("Failure"), PERMANENT, "DMP-FAILURE"),
        (fault("Receiver", "plus tard"), TRANSIENT, "DMP-FAULT-RECEIVER"),
        (fault("Sender", "x", "FailedCheck"), CONFIGURATION, "DMP-VIHF"),
        (LATER, TRANSIENT, "DMP-HTTP-503"),
        (HttpAnswer(504, "text/plain", b"", None), IN_DOUBT, "DMP-HTTP-504"),
        (HttpAnswer(200, "text/html", b"<html>", None), IN_DOUBT, "DMP-UNREADABLE"),
        (answer(), IN_DOUBT, "DMP-UNREADABLE"),
        ((httpx2.ReadTimeout("x"), True), IN_DOUBT, "DMP-DOUBT-TIMEOUT"),
        ((httpx2.ReadError("x"), True), IN_DOUBT, "DMP-DOUBT-LOST"),
        ((httpx2.ConnectError("x"), False), TRANSIENT, "DMP-CONNECT"),
    ],
)
async def test_what_an_answer_means(reply: Any, verdict: Verdict, reason: str) -> None:
    outcome, _, commits = await send("archive", held(APPROVED), reply)
    left = reason != "DMP-CONNECT"  # without a connection nothing was about to leave
    assert (outcome.verdict, outcome.reason, commits) == (verdict, reason, int(left))


async def test_the_server_s_words_are_kept_without_identity() -> None:
    words = f"refus pour {CONTEXT.ins} de {CONTEXT.author_id}"
    outcome, *_ = await send("archive", held(APPROVED), registry("Failure", ("XDSMetadataUpdateError", words, "")))
    assert "XDSMetadataUpdateError refus pour" in outcome.text
    assert CONTEXT.ins not in outcome.text
    assert CONTEXT.author_id not in outcome.text


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (held(ARCHIVED), ACCEPTED, "DMP-UPD-DONE"),
        (held(APPROVED), TRANSIENT, "DMP-UPD-NOT-DONE"),
        (answer(), TRANSIENT, "DMP-UPD-NOT-DONE"),
        (answer(status="Failure", errors=error("XDSRegistryBusy")), IN_DOUBT, "DMP-XDSRegistryBusy"),
        (answer(status="Failure", errors=error("XDSRegistryError")), IN_DOUBT, "DMP-QUERY-REFUSED"),
        (answer(errors=error("XDSTooManyResults", "Warning")), IN_DOUBT, "DMP-UNREADABLE"),
        (LATER, IN_DOUBT, "DMP-HTTP-503"),
        ((httpx2.ReadTimeout("x"), True), IN_DOUBT, "DMP-TIMEOUT"),
    ],
)
async def test_a_doubt_is_settled_by_what_the_document_is(reply: Any, verdict: Verdict, reason: str) -> None:
    http = FakeHttp(reply)
    outcome = await channel(http).resolve(update("archive"))
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert [service for service, _ in http.posted] == ["registry"]


async def test_a_doubt_left_to_a_person() -> None:
    http = FakeHttp()
    outcome = await channel(http, in_doubt="human").resolve(update("archive"))
    assert (outcome.verdict, outcome.reason, http.posted) == (IN_DOUBT, "DMP-NEEDS-HUMAN", [])


@pytest.mark.parametrize("action", ["UpdateDocumentSetResponse", "UpdateDocumentSet-Response"])
async def test_both_spellings_of_the_answer_s_action(action: str) -> None:
    said = f'<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">urn:ihe:iti:2010:{action}</a:Action>'
    reply = registry("Success").replace(b"<e:Header>", b"<e:Header>" + said.encode())
    outcome, *_ = await send("archive", held(APPROVED), reply)
    assert outcome.verdict is ACCEPTED


async def test_our_own_certificate_refused_is_ours_to_mend() -> None:
    raised = httpx2.ReadError("x")
    raised.__cause__ = _alert("TLSV1_ALERT_UNKNOWN_CA")
    http = FakeHttp((raised, True))
    assert (await channel(http).resolve(update("archive"))).verdict is CONFIGURATION


def test_a_change_is_of_the_right_kind() -> None:
    assert isinstance(update("mask").context, DmpUpdateContext)


# ------------------------------------------------------------------------------- the entry that is replaced

OLD = "2.25.500"


async def replace_it(
    *steps: Any, mode: Any = "direct", frozen: str = UUID, **settings: Any
) -> tuple[Outcome, FakeHttp]:
    from tests.unit.channels.test_dmp import existence, no_commit

    context = replace(CONTEXT, mode=mode, replaces_document=OLD, replaces_entry=frozen)
    link = f'<rim:Association associationType="x" targetObject="{frozen}"/></rim:RegistryObjectList>'.encode()
    metadata = PACKAGE.part("metadata")
    data = metadata.data.replace(b"</rim:RegistryObjectList>", link)
    parts = (replace(metadata, data=data), *PACKAGE.parts[1:])
    http = FakeHttp(existence(), *steps)
    return await channel(http, **settings).send(Package(parts, context), no_commit), http


def entry(uuid: str, status: str) -> str:
    return leaf(None, None, status, OLD, uuid)


REFERENCES = {one: f'<rim:ObjectRef id="{one}"/>' for one in (UUID, OTHER_UUID)}
FED = registry("Success")


@pytest.mark.parametrize(
    ("mode", "reply", "target"),
    [
        ("direct", answer(entry(UUID, APPROVED)), UUID),
        ("direct", answer(entry(OTHER_UUID, APPROVED)), OTHER_UUID),
        ("direct", answer(entry(UUID, DEPRECATED), entry(OTHER_UUID, APPROVED)), OTHER_UUID),
        ("indirect", answer(REFERENCES[UUID]), UUID),
        ("indirect", answer(REFERENCES[OTHER_UUID]), OTHER_UUID),
        ("indirect", answer(REFERENCES[OTHER_UUID], REFERENCES[UUID]), UUID),
        # A registry that refuses the question does not keep the correction back.
        ("direct", answer(status="Failure", errors=error("XDSUnknownStoredQuery")), UUID),
    ],
)
async def test_the_target_is_what_the_registry_has_now(mode: Any, reply: Any, target: str) -> None:
    outcome, http = await replace_it(reply, FED, mode=mode)
    assert outcome.verdict is ACCEPTED
    body = http.posted[-1][1].data
    assert f'targetObject="{target}"'.encode() in body
    assert PACKAGE.part("signature").data in body
    assert PACKAGE.part("document").data in body


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (answer(), PERMANENT, "DMP-RPLC-NOT-FOUND"),
        (answer(entry(UUID, DELETED)), PERMANENT, "DMP-RPLC-NOT-FOUND"),
        (answer(entry(UUID, DEPRECATED)), PERMANENT, "DMP-RPLC-DEPRECATED"),
        (answer(entry(UUID, ARCHIVED)), PERMANENT, "DMP-RPLC-ARCHIVED"),
        (answer(status="Failure", errors=error("XDSRegistryBusy")), TRANSIENT, "DMP-XDSRegistryBusy"),
        (LATER, TRANSIENT, "DMP-HTTP-503"),
        ((httpx2.ReadTimeout("x"), True), TRANSIENT, "DMP-TIMEOUT"),
    ],
)
async def test_a_correction_that_cannot_go(reply: Any, verdict: Verdict, reason: str) -> None:
    outcome, http = await replace_it(reply)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert [service for service, _ in http.posted] == ["patients", "registry"]


async def test_the_frozen_target_where_the_settings_say_so() -> None:
    outcome, http = await replace_it(FED, replace_target="frozen")
    assert outcome.verdict is ACCEPTED
    assert [service for service, _ in http.posted] == ["patients", "repository"]
