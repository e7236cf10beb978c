"""`/health`, `/accounts`, `/sessions`: the gateway itself."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from gateway.api.sessions import Access
from gateway.errors import GatewayError
from gateway.records.base import Line
from gateway.web.api.access import Anyone, IdempotencyKey, Staff, desk_of
from gateway.web.api.answers import ordered
from gateway.web.api.contract import errors
from gateway.web.api.shapes import Account, Health, mirror

router = APIRouter(tags=["service"])


@router.get(
    "/health",
    response_model=Health,
    responses={503: {"description": "The store does not answer.", "model": Health}},
    summary="Whether documents can be taken over; needs no token",
)
def health(request: Request) -> JSONResponse:
    """Ask the store."""
    from gateway import __version__

    try:
        desk_of(request).gateway.store.counts()
    except GatewayError:
        return JSONResponse({"status": "unavailable", "version": __version__}, 503)
    return JSONResponse({"status": "ok", "version": __version__})


@router.get(
    "/accounts",
    response_model=list[Account],  # type: ignore[valid-type]
    responses=errors(),
    summary="What waits in each account, since when, and what is paused",
)
def accounts(caller: Anyone) -> JSONResponse:
    """The caller's account; for an auditor, all of them without their mailbox."""
    found = [one.as_dict() for one in caller.gateway.account_states() if caller.own(one.account)]
    if not caller.sees_content:
        found = [{**one, "mailbox": ""} for one in found]
    return JSONResponse(found)


AccessAnswer = mirror(Access, "SessionState")


class SessionReady(BaseModel):
    """Who logged in again."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: Line


class SessionOpened(BaseModel):
    """How many deliveries waited for it, and are due now."""

    model_config = ConfigDict(extra="forbid")
    account: str
    due: int


@router.post(
    "/session/ready",
    response_model=SessionOpened,
    responses=errors(400, 409),
    summary="A person has logged in again: what waited for it becomes due",
)
def session_ready(caller: Staff, order: SessionReady, request: Request, key: IdempotencyKey = None) -> Response:
    """See `Sessions.ready`."""
    account = caller.account_for(None)

    def do() -> dict[str, object]:
        return {"account": account, "due": caller.gateway.sessions.ready(account, by=order.by)}

    return ordered(caller, request, key, order, do)


@router.get(
    "/session",
    response_model=AccessAnswer,
    responses=errors(),
    summary="Whether the account can send without a person at the keyboard; may take seconds",
)
def session(caller: Staff) -> JSONResponse:
    """A token is asked for where one is needed, and dropped."""
    account = caller.account_for(None)
    return JSONResponse(next(one.as_dict() for one in caller.gateway.sessions.accesses() if one.account == account))
