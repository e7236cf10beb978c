"""What operations share: an account's own documents and deliveries, orders done once, and how deliveries are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from gateway.errors import NotFoundError
from gateway.store.base import DocumentRow
from gateway.views import DeliveryHistory, DeliveryView, DocumentView
from gateway.web.api.access import Caller


def ordered(
    caller: Caller, request: Request, key: str | None, order: BaseModel, do: Callable[[], Any], *, status: int = 200
) -> Response:
    """Do what a person decided, once for each idempotency key, and answer with what it made."""
    what = f"{request.url.path}\n{order.model_dump_json()}".encode()
    return caller.desk.replays.once(caller.token.id, key, what, lambda: JSONResponse(do(), status))


def document_row(caller: Caller, document_id: str) -> DocumentRow:
    """A document of the caller's. Raises NotFoundError: unknown, or another account's, which is told alike."""
    row = caller.gateway.store.document(document_id)
    if not caller.own(row.account):
        raise NotFoundError("DOC-404", f"Aucun document {document_id}.")
    return row


def own_document(caller: Caller, document_id: str) -> DocumentView:
    """The same, with its deliveries."""
    document_row(caller, document_id)
    return caller.gateway.status(document_id)


def own_delivery(caller: Caller, delivery_id: str) -> DeliveryHistory:
    """A delivery of the caller's, with its history. Raises NotFoundError like `document_row`."""
    found = caller.gateway.delivery(delivery_id)
    if not caller.own(found.view.account):
        raise NotFoundError("DLV-404", f"Aucun envoi {delivery_id}.")
    return found


def shown(view: DeliveryView) -> dict[str, Any]:
    """A delivery, JSON-ready."""
    return view.as_dict()


def history(caller: Caller, found: DeliveryHistory) -> dict[str, Any]:
    """A delivery with its history; an auditor does not read what people wrote about a patient."""
    value = found.as_dict()
    if not caller.sees_content:
        value["notes"] = [{**note, "text": None} for note in value["notes"]]
    return value
