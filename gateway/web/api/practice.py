"""`/obligations`, `/report`, `/pauses`, `/oppositions`: what is due, what was done, what must not go."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from gateway.audit import tables
from gateway.records.base import Flag, Line, Record
from gateway.store.base import Pause
from gateway.web.api import bodies
from gateway.web.api.access import Anyone, Caller, IdempotencyKey, Staff, Vendor
from gateway.web.api.answers import document_row, ordered, shown
from gateway.web.api.contract import errors
from gateway.web.api.deliveries import AccountName
from gateway.web.api.documents import DocumentId
from gateway.web.api.journal import note
from gateway.web.api.shapes import Answer, Delivery, Opposition, PauseShape, Shown

router = APIRouter()
Channel = Literal["mssante", "dmp", "*"]
_PERIOD = r"^[0-9]{4}(-Q[1-4]|-[0-9]{2}|-[0-9]{2}-[0-9]{2}\.\.[0-9]{4}-[0-9]{2}-[0-9]{2})?$"
_CSV = "text/csv"


class Due(BaseModel):
    """Of which episode; what is not given means any."""

    model_config = ConfigDict(extra="forbid")
    account: AccountName = None
    episode: Annotated[str | None, Field(pattern=r"^[0-9a-f]{6,64}$", description="Pseudonym, or its beginning.")] = (
        None
    )
    document: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    missing: Annotated[bool, Field(description="Only what is left to do.")] = False


@router.get(
    "/obligations",
    tags=["obligations"],
    response_model=Shown,
    responses=errors(404),
    summary="What was due for each episode, to whom, by when, and what proves it",
)
def obligations(caller: Anyone, due: Annotated[Due, Query()]) -> JSONResponse:
    """Patients and episodes stand by pseudonym."""
    account = None if caller.account is None and due.account is None else caller.account_for(due.account)
    if due.document is not None:
        document_row(caller, due.document)
    found = caller.gateway.obligations.standing(account=account, episode=due.episode, document=due.document)
    value = found.as_dict()
    if due.missing:
        value["obligations"] = [one.as_dict() for one in found.missing]
    return JSONResponse(value)


@router.post(
    "/obligations/reconcile",
    tags=["obligations"],
    response_model=Shown,
    responses=errors(400, 415),
    openapi_extra=bodies.raw(_CSV),
    summary="Direct-access sessions billed without a document, from an export of the billing software",
)
async def reconcile(caller: Vendor, request: Request) -> JSONResponse:
    """Lines by number, nobody by name. Nothing of the file is kept."""
    data, account = await bodies.read_as(request, _CSV), caller.account_for(None)
    found = await run_in_threadpool(caller.gateway.obligations.reconcile, data, account=account)
    return JSONResponse(found.as_dict())


class Reported(BaseModel):
    """Which period: `2026`, `2026-Q1`, `2026-03`, or `2026-01-15..2026-02-14`."""

    model_config = ConfigDict(extra="forbid")
    period: Annotated[str, Field(pattern=_PERIOD)]
    account: AccountName = None


@router.get(
    "/report",
    tags=["obligations"],
    response_model=Shown,
    responses=errors(404),
    summary="The six indicators that the ARS asks for, with definitions, coverage and checkpoint",
)
def report(caller: Anyone, asked: Annotated[Reported, Query()]) -> JSONResponse:
    """Computed from the journal and the frozen facts, so they survive erasure."""
    account = None if caller.account is None and asked.account is None else caller.account_for(asked.account)
    found = caller.gateway.report(asked.period, account=account)
    note(caller, "consulted", "report")
    return JSONResponse(tables.as_dict(found))


# ------------------------------------------------------------------------------------------------------ pauses


class Pausing(Record):
    """Send nothing more on a channel (`*`: on none) until resumed; `reason` is one word."""

    channel: Channel = "*"
    by: Line
    reason: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]


class Resuming(Record):
    """End a pause, whoever set it."""

    channel: Channel = "*"
    by: Line


class ResumedChannel(Answer):
    """Whether there was a pause to end."""

    ended: bool


@router.get(
    "/pauses",
    tags=["deliveries"],
    response_model=list[PauseShape],
    responses=errors(),
    summary="What is paused, why, by whom and since when",
)
def pauses(caller: Anyone) -> JSONResponse:
    """The account's own, and those of the whole gateway (`*`)."""
    return JSONResponse(_pauses(caller))


def _pauses(caller: Caller) -> list[dict[str, Any]]:
    return [_plain(one) for one in caller.gateway.pauses() if one.account == "*" or caller.own(one.account)]


def _plain(one: Pause) -> dict[str, Any]:
    about = {name: getattr(one, name) for name in ("account", "channel", "reason", "actor")}
    return {**about, "since": one.since.isoformat()}


@router.post(
    "/pauses",
    tags=["deliveries"],
    response_model=list[PauseShape],
    responses=errors(400, 409),
    summary="Send nothing more on a channel of the account until resumed",
)
def pause(caller: Staff, order: Pausing, request: Request, key: IdempotencyKey = None) -> Response:
    """Documents are still taken over meanwhile."""

    def do() -> list[dict[str, Any]]:
        caller.gateway.pause(caller.account_for(None), order.channel, by=order.by, reason=order.reason)
        return _pauses(caller)

    return ordered(caller, request, key, order, do)


@router.post(
    "/pauses/end",
    tags=["deliveries"],
    response_model=ResumedChannel,
    responses=errors(400, 409),
    summary="End a pause of the account",
)
def resume(caller: Staff, order: Resuming, request: Request, key: IdempotencyKey = None) -> Response:
    """A pause of the whole gateway is ended on its machine (`kine-gateway queue resume`)."""

    def do() -> dict[str, Any]:
        return {"ended": caller.gateway.resume(caller.account_for(None), order.channel, by=order.by)}

    return ordered(caller, request, key, order, do)


# -------------------------------------------------------------------------------------------------- oppositions


class Opposing(Record):
    """To whom: `patient` (Mon espace santé), `medecin_traitant`, `professional` (all others), `dmp`, or one box."""

    to: Line
    by: Line


class Unopposing(Opposing):
    """End it; with `release` what it stopped goes after all."""

    release: Flag = False


class Opposed(Answer):
    """`new` unless it was known already; what it stopped, what had left before it."""

    new: bool
    stopped: list[Delivery]
    gone: list[Delivery]


class Released(Answer):
    """Deliveries that go after all."""

    released: list[Delivery]


@router.get(
    "/oppositions",
    tags=["documents"],
    response_model=list[Opposition],
    responses=errors(),
    summary="Oppositions in force, patients by pseudonym",
)
def oppositions(caller: Staff) -> JSONResponse:
    """Of the caller's account."""
    return JSONResponse([one.as_dict() for one in caller.gateway.oppositions.list() if caller.own(one.account)])


@router.post(
    "/documents/{document_id}/oppositions",
    tags=["documents"],
    response_model=Opposed,
    responses=errors(400, 404, 409),
    summary="The patient of this document objects to a destination: what waits for it stops, what comes later too",
)
def oppose(
    caller: Staff, document_id: DocumentId, order: Opposing, request: Request, key: IdempotencyKey = None
) -> Response:
    """422 (OPP-003) for a destination that is none."""
    document_row(caller, document_id)

    def do() -> dict[str, Any]:
        return caller.gateway.oppositions.oppose(document_id, order.to, by=order.by).as_dict()

    return ordered(caller, request, key, order, do)


@router.post(
    "/documents/{document_id}/oppositions/end",
    tags=["documents"],
    response_model=Released,
    responses=errors(400, 404, 409),
    summary="End an opposition",
)
def unoppose(
    caller: Staff, document_id: DocumentId, order: Unopposing, request: Request, key: IdempotencyKey = None
) -> Response:
    """409 (OPP-001) when there is none."""
    document_row(caller, document_id)

    def do() -> dict[str, Any]:
        found = caller.gateway.oppositions.unoppose(document_id, order.to, by=order.by, release=order.release)
        return {"released": [shown(one) for one in found]}

    return ordered(caller, request, key, order, do)
