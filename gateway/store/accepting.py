"""Taking a document over: one transaction, once per idempotency key (DESIGN §4 rule 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import ConflictError
from gateway.store import freezing, identity, journal, mail_keys, payload, standing, stops, succession
from gateway.store.base import Accepted, AcceptRequest, Blob, PlannedDelivery
from gateway.store.core import Core, Work
from gateway.store.database import Transaction
from gateway.store.sealing import Wrapped
from gateway.store.states import GATEWAY, Event, Receipt, Transport, allowed

LIKELY_REPEAT = "ENG-REPEAT"
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class New:
    """A delivery about to be inserted. `patient` is the pseudonym, `keys` the columns that a receipt is found by,
    `succeeds` the one whose place it takes; `due_in` in seconds.
    """

    document: str
    account: str
    patient: str
    delivery: str
    planned: PlannedDelivery
    manifest: bytes | None
    keys: dict[str, bytes | None]
    succeeds: str | None = None
    due_in: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A document sealed before the transaction begins, so that the write lock is held for inserts only."""

    id: str
    wrapped: Wrapped
    manifest: bytes
    artifacts: dict[bytes, payload.SealedArtifact]
    deliveries: tuple[New, ...]
    asked: standing.Asked


def accept(core: Core, request: AcceptRequest) -> Accepted:
    """Store a document and plan its deliveries, or find that it is here already.

    Raises:
        ConflictError: `DOC-409` the key was used with another content, `DOC-RPL-AGAIN` and `DOC-RPL-MOVED` what it
            replaces is not as the caller saw it.
        ValueError: the request contradicts itself (a fault of the caller's code).
    """
    _check(request)
    found = known(core, request.account, request.key, request.content_sha256)
    return found or accept_many(core, [request])[0]


def accept_many(core: Core, requests: Sequence[AcceptRequest]) -> list[Accepted]:
    """`accept` for several documents in one transaction: all of them or none. Raises like it."""
    for request in requests:
        _check(request)
    sealed = [_seal(core, request) for request in requests]
    with core.write(*{request.account for request in requests}) as work:
        before = standing.read(work.tx, [one.asked for one in sealed])  # somebody may have been faster meanwhile
        return [_accept(work, request, one, before) for request, one in zip(requests, sealed, strict=True)]


def _accept(work: Work, request: AcceptRequest, sealed: _Sealed, before: standing.Standing) -> Accepted:
    found = _existing(work.tx, before.taken.get(sealed.asked.key), request.content_sha256)
    if found is not None:
        return found
    accepted = _insert(work, request, sealed, before)
    before.add(sealed.asked, sealed.id, request.content_sha256)
    return accepted


def _check(request: AcceptRequest) -> None:
    if not _HEX_SHA256.fullmatch(request.content_sha256):
        raise ValueError("content_sha256 is not a hex SHA-256")
    if not request.patient:
        raise ValueError("a document needs something that identifies its patient")
    for planned in request.deliveries:
        if not allowed(Event.ACCEPTED, None, planned.state):
            raise ValueError(f"a delivery cannot start as {planned.state}")
        if planned.state is Transport.PREPARED and (planned.context is None or planned.channel == "manual"):
            raise ValueError("a prepared delivery needs a package and a channel that sends")
        if planned.state is not Transport.PREPARED and not planned.reason:
            raise ValueError(f"a delivery that starts as {planned.state} needs a reason")


def _key_mac(core: Core, account: str, key: str | None, content_sha256: str) -> bytes:
    # The prefix keeps a caller's key that looks like a hash apart from a hash.
    return core.vault.key_mac(account, f"hash:{content_sha256}" if key is None else f"key:{key}")


def known(core: Core, account: str, key: str | None, content_sha256: str) -> Accepted | None:
    """What `accept` would find. Raises ConflictError like it."""
    mac = _key_mac(core, account, key, content_sha256)
    with core.db.read() as tx:
        return _existing(tx, standing.taken(tx, [(account, mac)]).get((account, mac)), content_sha256)


def _existing(tx: Transaction, taken: tuple[str, str] | None, content_sha256: str) -> Accepted | None:
    if taken is None:
        return None
    document, content = taken
    if content != content_sha256:
        raise ConflictError(
            "DOC-409",
            f"Cette clé a déjà servi pour un autre contenu (document {document}).",
            "Pour corriger un document, donnez une nouvelle clé et désignez celui qu'il remplace.",
        )
    ids = tuple(delivery["id"] for delivery in tx.all("deliveries_of_document", document_id=document))
    return Accepted(document, ids, created=False)


def _seal(core: Core, request: AcceptRequest) -> _Sealed:
    document, patient = core.new_id(), core.vault.pseudonym(request.account, request.patient)
    key, wrapped = core.vault.new_key(document)
    seen: dict[int, bytes] = {}
    submission = Blob(payload.SUBMISSION, "application/json", request.submission)
    own = payload.hashed((submission, *request.renderings), seen)
    deliveries, every = [], list(own)
    for planned in request.deliveries:
        delivery, manifest = core.new_id(), None
        if planned.context is not None:
            parts = payload.hashed(planned.parts, seen)
            every += parts
            manifest = payload.seal_manifest(key, "delivery", delivery, parts, planned.context)
        keys = mail_keys.columns(core.vault, planned.keys)
        deliveries.append(New(document, request.account, patient, delivery, planned, manifest, keys))
    return _Sealed(
        document,
        wrapped,
        payload.seal_manifest(key, "document", document, own),
        payload.seal_artifacts(key, every),
        tuple(deliveries),
        _asked(core, request, patient, deliveries),
    )


def _asked(core: Core, request: AcceptRequest, patient: str, deliveries: Sequence[New]) -> standing.Asked:
    return standing.Asked(
        request.account,
        patient,
        _key_mac(core, request.account, request.key, request.content_sha256),
        request.document_type,
        request.document_date.isoformat(),
        tuple(box for one in deliveries if (box := one.keys["recipient_mac"]) is not None),
    )


def _insert(work: Work, request: AcceptRequest, sealed: _Sealed, before: standing.Standing) -> Accepted:
    core, patient = work.core, sealed.asked.patient
    wrapped = _under_current(work, sealed)
    if request.replaces is not None:
        succession.replace(work, request.replaces, request.supersedes, request.deliveries)
    repeat = None if request.replaces else before.repeats.get(sealed.asked.likeness)
    doubt = identity.found(core, work.tx, request.account, patient, request.guard) if request.guard else None
    common = {
        "account": request.account,
        "patient": patient,
        "kind": request.kind,
        "replaces": request.replaces,
        "mapping_pack": request.mapping_pack,
    }
    work.tx.later(
        "document_insert",
        id=sealed.id,
        key_mac=sealed.asked.key_mac,
        content_sha256=bytes.fromhex(request.content_sha256),
        document_type=request.document_type,
        document_date=request.document_date.isoformat(),
        findings=json.dumps(request.findings),
        accepted_at=work.ms,
        key_id=wrapped.key_id,
        wrapped_key=wrapped.data,
        manifest=sealed.manifest,
        unique_id=request.unique_id,
        **identity.columns(core, request.guard),
        **common,
    )
    for artifact in sealed.artifacts.values():
        work.tx.later("artifact_insert", **_artifact(sealed.id, artifact))
    frozen = freezing.accepted(work, sealed.id, request.account, request.patient, request.facts)
    work.note(
        "document_accepted",
        document=sealed.id,
        type=request.document_type,
        date=request.document_date.isoformat(),
        content_sha256=request.content_sha256,
        artifacts=sorted(digest.hex() for digest in sealed.artifacts),
        findings=[journal.code(finding) for finding in request.findings] or None,
        key_id=wrapped.key_id,
        repeat_of=repeat,
        facts_sha256=frozen,
        **common,
    )
    for new in sealed.deliveries:
        insert_delivery(work, new, before.barriers, held=doubt or (LIKELY_REPEAT if repeat else None))
    return Accepted(sealed.id, tuple(new.delivery for new in sealed.deliveries), True, repeat)


def _under_current(work: Work, sealed: _Sealed) -> Wrapped:
    """The document's key under the master key in use, which may have changed since it was sealed."""
    key_id, wrapped = work.master_key(), sealed.wrapped
    return wrapped if wrapped.key_id == key_id else work.core.vault.rewrap(sealed.id, wrapped, key_id)


def _artifact(document: str, artifact: payload.SealedArtifact) -> dict[str, Any]:
    return {"document_id": document, "sha256": artifact.digest, "size": artifact.size, "sealed": artifact.sealed}


def insert_delivery(work: Work, new: New, barriers: standing.Barriers, *, held: str | None = None) -> None:
    """Put a delivery in the table and in the journal. `held`: a reason to hold what would be prepared."""
    planned, patient = new.planned, (new.account, new.patient)
    state, reason = planned.state, None if planned.reason is None else journal.code(planned.reason)
    if planned.purpose == "document":
        held = barriers.stop(patient) or held
    held = held or barriers.hold(patient, new.keys["recipient_mac"])
    if held and state is Transport.PREPARED:
        state, reason = Transport.HELD, held
    if planned.purpose == "document" and state is not Transport.IMPOSSIBLE:
        place = {"destination": planned.destination, "role": planned.role, **new.keys}
        if stops.opposes(barriers.targets(patient), place):
            state, reason = Transport.IMPOSSIBLE, stops.OPPOSED
    waits = state is Transport.PREPARED and succession.must_wait(work, planned)
    if waits:
        reason = succession.AFTER if planned.purpose == "document" else succession.OUTCOME
    actor = GATEWAY if state is Transport.HELD else None
    common = {
        "channel": planned.channel,
        "destination": planned.destination,
        "role": journal.code(planned.role),
        "priority": planned.priority,
        "state": state,
        "receipt": Receipt.NONE,
        "reason": reason,
        "succeeds": new.succeeds,
    }
    due_at = work.ms + round(new.due_in * 1000) if state is Transport.PREPARED and not waits else None
    work.tx.later(
        "delivery_insert",
        id=new.delivery,
        document_id=new.document,
        account=new.account,
        at=work.ms,
        due_at=due_at,
        manifest=new.manifest,
        actor=actor,
        waits_for=planned.waits_for,
        needs_it=int(planned.needs_it),
        purpose=planned.purpose,
        **new.keys,
        **common,
    )
    purpose = None if planned.purpose == "document" else planned.purpose
    about = {"document": new.document, "delivery": new.delivery}
    work.note(Event.ACCEPTED, of=new.account, **about, by=actor, purpose=purpose, **common)
