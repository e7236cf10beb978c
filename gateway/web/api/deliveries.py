"""`/deliveries`, `/changes`: one document to one destination; what people decide about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.records.base import Instant
from gateway.store import browsing
from gateway.store.browsing_types import PageFilter
from gateway.store.requests import Destination
from gateway.store.states import Receipt, Transport
from gateway.views import DeliveryView, delivery_view
from gateway.web.api import cursors
from gateway.web.api.access import Anyone, Caller, IdempotencyKey, Staff
from gateway.web.api.answers import document_row, history, ordered, own_delivery, shown
from gateway.web.api.contract import binary, errors
from gateway.web.api.shapes import (
    Changes,
    Decision,
    Delivery,
    DeliveryPage,
    Handing,
    History,
    Linking,
    Readdressing,
    Repreparing,
    Suggestion,
)

router = APIRouter(tags=["deliveries"])
DeliveryId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="As a document's status lists it.")]


AccountName = Annotated[
    str | None,
    Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="An auditor's choice; others have one."),
]


class Wanted(BaseModel):
    """Which deliveries; what is not given means any. `since` included, `until` excluded (when they were accepted)."""

    model_config = ConfigDict(extra="forbid")
    account: AccountName = None
    state: Annotated[list[Transport], Field(max_length=20)] = []
    receipt: Annotated[list[Receipt], Field(max_length=20)] = []
    destination: Destination | None = None
    document: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    since: Instant | None = None
    until: Instant | None = None
    attention: Annotated[bool, Field(description="Only what may ask for a person.")] = False
    after: Annotated[str | None, Field(min_length=1, max_length=100, description="`next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


@router.get(
    "/deliveries",
    response_model=DeliveryPage,
    responses=errors(404),
    summary="Deliveries, newest first, filtered, page by page",
)
def deliveries(caller: Anyone, wanted: Annotated[Wanted, Query()]) -> JSONResponse:
    """The way to follow what moves is `/changes`."""
    if wanted.document is not None:
        document_row(caller, wanted.document)
    found = caller.gateway.store.page(_filter(caller, wanted))
    more = len(found) > wanted.limit
    page = found[: wanted.limit]
    following = browsing.cursor_text(page[-1].cursor) if more else None
    return JSONResponse({"deliveries": [shown(delivery_view(one.row)) for one in page], "next": following})


def _filter(caller: Caller, wanted: Wanted) -> PageFilter:
    accounts = () if wanted.account is None and caller.account is None else (caller.account_for(wanted.account),)
    after = None if wanted.after is None else browsing.parse_cursor(wanted.after)
    if wanted.after is not None and after is None:
        raise cursors.unknown()
    return PageFilter(
        accounts=accounts,
        states=tuple(wanted.state),
        receipts=tuple(wanted.receipt),
        destination=wanted.destination,
        reference=wanted.document,
        since=wanted.since,
        until=wanted.until,
        attention=wanted.attention,
        after=after,
        limit=wanted.limit + 1,
    )


class Since(BaseModel):
    """From where on. Without a cursor: from the very first delivery; `now`: only what moves from here on."""

    model_config = ConfigDict(extra="forbid")
    updated_since: Annotated[
        str | None, Field(min_length=1, max_length=100, description="`cursor` of the answer before, or `now`.")
    ] = None
    account: AccountName = None


@router.get(
    "/changes",
    response_model=Changes,
    responses=errors(404),
    summary="Deliveries that moved since a cursor: polling misses nothing",
)
def changes(caller: Anyone, since: Annotated[Since, Query()]) -> JSONResponse:
    """The cursor is a place in the journal, so no clock is compared and nothing is skipped."""
    account = caller.account_for(since.account)
    store = caller.gateway.store
    if since.updated_since == "now":
        return JSONResponse({"deliveries": [], "cursor": cursors.now(store, account), "more": False})
    moved = cursors.follow(store, account, cursors.read(store, account, since.updated_since))
    found = [shown(delivery_view(row)) for row in moved.rows]
    return JSONResponse({"deliveries": found, "cursor": cursors.text(store, account, moved.upto), "more": moved.more})


@router.get(
    "/deliveries/{delivery_id}",
    response_model=History,
    responses=errors(404),
    summary="One delivery: its attempts, the servers' replies, what people decided, the mails that came back",
)
def delivery(caller: Anyone, delivery_id: DeliveryId) -> JSONResponse:
    """An auditor does not see the words that people wrote."""
    return JSONResponse(history(caller, own_delivery(caller, delivery_id)))


@router.get(
    "/deliveries/{delivery_id}/suggestion",
    response_model=Suggestion,
    responses=errors(404),
    summary="The present address of a doctor whose box was refused, by the directory; may take seconds",
)
def suggestion(caller: Staff, delivery_id: DeliveryId) -> JSONResponse:
    """Never fails for want of an answer."""
    own_delivery(caller, delivery_id)
    found = caller.gateway.linked.suggestion(delivery_id)
    if found is None:
        return JSONResponse({"delivery": delivery_id, "state": None, "why": "", "addresses": []})
    value = found.as_dict()
    return JSONResponse({name: value[name] for name in ("delivery", "state", "why", "addresses")})


@router.get(
    "/deliveries/{delivery_id}/handout",
    responses={**errors(404), **binary("application/pdf")},
    response_class=Response,
    summary="The document as a PDF to hand over, behind a page for date, name and signature",
)
def handout(caller: Staff, delivery_id: DeliveryId) -> Response:
    """422 with the findings where the document may not be handed over."""
    own_delivery(caller, delivery_id)
    return Response(caller.gateway.linked.handout(delivery_id), media_type="application/pdf")


# ------------------------------------------------------------------------------------------------------ orders


def _order(name: str, summary: str, do: Callable[[Caller, str, Decision], DeliveryView | list[DeliveryView]]) -> None:
    """An order of a name and a reason, as an operation of its own."""

    def act(
        caller: Staff, delivery_id: DeliveryId, order: Decision, request: Request, key: IdempotencyKey = None
    ) -> Response:
        own_delivery(caller, delivery_id)
        return ordered(caller, request, key, order, lambda: _plain(do(caller, delivery_id, order)))

    act.__name__ = name
    many = name in _MANY
    router.post(
        f"/deliveries/{{delivery_id}}/{name}",
        response_model=list[Delivery] if many else Delivery,
        responses=errors(400, 404, 409),
        summary=summary,
    )(act)


def _plain(made: DeliveryView | list[DeliveryView]) -> Any:
    return [shown(one) for one in made] if isinstance(made, list) else shown(made)


_MANY = frozenset({"not_my_patient", "my_patient"})
_order("retry", "Try again now", lambda c, one, o: c.gateway.retry(one, by=o.by, reason=o.reason))
_order("hold", "Keep it back until released", lambda c, one, o: c.gateway.hold(one, by=o.by, reason=o.reason))
_order("release", "Let a held delivery go", lambda c, one, o: c.gateway.release(one, by=o.by, reason=o.reason))
_order("cancel", "Give it up for good", lambda c, one, o: c.gateway.cancel(one, by=o.by, reason=o.reason))
_order(
    "confirm_sent",
    "A named person found out that what is in doubt did arrive",
    lambda c, one, o: c.gateway.confirm_sent(one, by=o.by, reason=o.reason),
)
_order(
    "called",
    "The recipient was called: ends what a receipt, or its absence, asked",
    lambda c, one, o: c.gateway.receipts.called(one, by=o.by, reason=o.reason),
)
_order(
    "seen",
    "The replies in the mailbox were read",
    lambda c, one, o: c.gateway.receipts.seen(one, by=o.by, reason=o.reason),
)
_order(
    "not_my_patient",
    "Not this recipient's patient: hold what goes between the two",
    lambda c, one, o: c.gateway.receipts.not_my_patient(one, by=o.by, reason=o.reason),
)
_order(
    "my_patient",
    "The recipient's patient after all: let go what was held",
    lambda c, one, o: c.gateway.receipts.my_patient(one, by=o.by, reason=o.reason),
)


@router.post(
    "/deliveries/{delivery_id}/handed",
    response_model=Delivery,
    responses=errors(400, 404, 409),
    summary="A named person delivered it by other means",
)
def handed(
    caller: Staff, delivery_id: DeliveryId, order: Handing, request: Request, key: IdempotencyKey = None
) -> Response:
    """It counts as done by that person, never as electronically proven."""
    own_delivery(caller, delivery_id)

    def do() -> dict[str, Any]:
        about: dict[str, Any] = {"by": order.by, "reason": order.reason, "means": order.means, "at": order.at}
        return shown(caller.gateway.handed(delivery_id, **about))

    return ordered(caller, request, key, order, do)


@router.post(
    "/deliveries/{delivery_id}/readdress",
    response_model=Linking,
    responses=errors(400, 404, 409),
    summary="Send the same document to another box of the same doctor; `dry_run` shows what would be done",
)
def readdress(
    caller: Staff, delivery_id: DeliveryId, order: Readdressing, request: Request, key: IdempotencyKey = None
) -> Response:
    """422 with the findings that stop it; a preview returns them."""
    own_delivery(caller, delivery_id)
    about: dict[str, Any] = {"by": order.by, "reason": order.reason, "dry_run": order.dry_run}

    def do() -> dict[str, Any]:
        return caller.gateway.linked.readdress(delivery_id, to=order.to, name=order.name, **about).as_dict()

    return ordered(caller, request, None if order.dry_run else key, order, do)


@router.post(
    "/deliveries/{delivery_id}/reprepare",
    response_model=Linking,
    responses=errors(400, 404, 409),
    summary="Pack and sign the same document again for the same place; `dry_run` shows what would be done",
)
def reprepare(
    caller: Staff, delivery_id: DeliveryId, order: Repreparing, request: Request, key: IdempotencyKey = None
) -> Response:
    """For what can no longer go as frozen: an expired certificate, a changed address of ours."""
    own_delivery(caller, delivery_id)
    about: dict[str, Any] = {"by": order.by, "reason": order.reason, "dry_run": order.dry_run}

    def do() -> dict[str, Any]:
        return caller.gateway.linked.reprepare(delivery_id, **about).as_dict()

    return ordered(caller, request, None if order.dry_run else key, order, do)
