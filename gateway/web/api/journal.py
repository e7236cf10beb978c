"""`/journal`, `/receipts`: proofs, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from gateway.store.browsing_types import Consulted
from gateway.web.api import bodies
from gateway.web.api.access import Anyone, Auditor, Caller, Staff, Vendor
from gateway.web.api.answers import document_row, own_delivery, shown
from gateway.web.api.contract import binary, errors
from gateway.web.api.deliveries import DeliveryId
from gateway.web.api.documents import DocumentId
from gateway.web.api.shapes import Answer, Delivery, FoundBytes, LooseReceipt, ReceivedAnswer, Verification

router = APIRouter()
_MAIL, _BYTES = "message/rfc822", "application/octet-stream"
Proof = Annotated[dict[str, Any], Field(description="As `kine-gateway journal prove` writes it.")]


@router.get(
    "/journal/verification",
    tags=["journal"],
    response_model=Verification,
    responses=errors(),
    summary="Recompute chain, tree and signatures of the journal in place; may take long",
)
def journal_verification(caller: Auditor) -> JSONResponse:
    """An auditor who trusts nobody exports and verifies elsewhere, with a checkpoint of his own (docs/journal.md)."""
    found = caller.gateway.verify_journal()
    note(caller, "consulted", "journal-verification", size=found.size)
    return JSONResponse(found.as_dict())


@router.get(
    "/journal/export",
    tags=["journal"],
    responses={**errors(), **binary("application/jsonl")},
    response_class=StreamingResponse,
    summary="The whole journal as JSON lines, with public key, checkpoints and time stamps",
)
def journal_export(caller: Auditor) -> StreamingResponse:
    """`kine-gateway journal verify FILE` verifies it without this gateway."""
    note(caller, "exported", "journal")
    lines: Iterator[str] = caller.gateway.export_journal()
    return StreamingResponse(lines, media_type="application/jsonl")


@router.get(
    "/deliveries/{delivery_id}/proof",
    tags=["journal"],
    response_model=Proof,
    responses=errors(404),
    summary="Proof of what was journalled of a delivery, checked with the public key alone",
)
def proof(caller: Anyone, delivery_id: DeliveryId) -> JSONResponse:
    """`kine-gateway journal verify-proof` checks it."""
    own_delivery(caller, delivery_id)
    made = caller.gateway.journal.prove(delivery_id)
    note(caller, "exported", "proof", delivery=delivery_id)
    return JSONResponse(made)


@router.get(
    "/documents/{document_id}/disclosure",
    tags=["journal"],
    response_model=Proof,
    responses=errors(404),
    summary="Proof of what was journalled of the patient of a document, and of nobody else",
)
def disclosure(caller: Staff, document_id: DocumentId) -> JSONResponse:
    """For a patient who asks what was sent about him."""
    document_row(caller, document_id)
    made = caller.gateway.journal.disclose(document_id)
    note(caller, "exported", "disclosure", document=document_id)
    return JSONResponse(made)


@router.post(
    "/journal/find",
    tags=["journal"],
    response_model=FoundBytes,
    responses=errors(400, 415),
    openapi_extra=bodies.raw(_BYTES),
    summary="Were these very bytes sent, to whom and when; attachments and archives are looked into",
)
async def journal_find(caller: Anyone, request: Request) -> JSONResponse:
    """Answered from the journal alone, so also after an erasure."""
    data = await bodies.read_as(request, _BYTES)
    return JSONResponse({"found": await run_in_threadpool(_found, caller, data)})


def _found(caller: Caller, data: bytes) -> list[dict[str, Any]]:
    found = [one for one in caller.gateway.journal.find(data) if _is_own(caller, one.document)]
    value: list[dict[str, Any]] = json.loads(json.dumps([one.as_dict() for one in found], default=str))
    return value


def _is_own(caller: Caller, document: str) -> bool:
    return caller.own(caller.gateway.store.document(document).account)


def note(caller: Caller, event: Any, kind: str, **about: Any) -> None:
    """Reading a proof and exporting are journalled themselves."""
    caller.gateway.store.note_consulted(Consulted(event, caller.token.name, kind, account=caller.account, **about))


# ---------------------------------------------------------------------------------------------------- receipts


@router.post(
    "/receipts",
    tags=["receipts"],
    response_model=ReceivedAnswer,
    responses=errors(400, 415),
    openapi_extra=bodies.raw(_MAIL),
    summary="Take in one mail of the account's mailbox, whatever it is; twice changes nothing",
)
async def receipt_take_in(caller: Vendor, request: Request) -> JSONResponse:
    """For programs that read the mailbox themselves; the gateway does it alone where IMAP is configured."""
    mail = await bodies.read_as(request, _MAIL)
    account = caller.account_for(None)
    return JSONResponse((await run_in_threadpool(caller.gateway.receipts.take_in, account, mail)).as_dict())


@router.get(
    "/receipts/loose",
    tags=["receipts"],
    response_model=list[LooseReceipt],
    responses=errors(),
    summary="Receipts that were not believed or belong to no delivery, newest first",
)
def receipts_loose(caller: Anyone) -> JSONResponse:
    """Code, time and place of each, never content."""
    return JSONResponse(caller.gateway.receipts.loose(caller.account))


class Overdue(Answer):
    """Receipts whose time is over, found now."""

    found: list[Delivery]


@router.post(
    "/receipts/overdue",
    tags=["receipts"],
    response_model=Overdue,
    responses=errors(),
    summary="Look for receipts whose time is over; a running gateway does it by itself",
)
def receipts_overdue(caller: Vendor) -> JSONResponse:
    """Nothing is sent again for want of a receipt."""
    found = caller.gateway.receipts.mark_overdue(caller.account_for(None))
    return JSONResponse({"found": [shown(one) for one in found]})


@router.get(
    "/deliveries/{delivery_id}/traces",
    tags=["deliveries"],
    response_model=list[dict[str, Any]],
    responses=errors(404),
    summary="Every exchange with the servers about a delivery, in codes",
)
def traces(caller: Anyone, delivery_id: DeliveryId) -> JSONResponse:
    """As `kine-gateway queue show --trace --json` shows them."""
    own_delivery(caller, delivery_id)
    return JSONResponse(caller.gateway.traces.of_delivery(delivery_id))
