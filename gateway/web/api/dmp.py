"""`/dmp`: questions to a patient's DMP, and changes of what was fed to it."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, model_validator

from gateway.api.dmp import DmpOffice, Who
from gateway.package.metadata_update import ARCHIVED, DEPRECATED
from gateway.package.query import APPROVED, Criteria
from gateway.package.types import Change
from gateway.records.base import Flag, Instant, Line, Record
from gateway.web.api.access import Caller, IdempotencyKey, Vendor
from gateway.web.api.answers import document_row, ordered, shown
from gateway.web.api.contract import errors
from gateway.web.api.documents import DocumentId
from gateway.web.api.shapes import Answer, Decision, Delivery, Finding, Shown

router = APIRouter(tags=["dmp"])
UniqueIds = Annotated[list[Line], Field(min_length=1, max_length=100)]
_STATUSES = {"approved": APPROVED, "deprecated": DEPRECATED, "archived": ARCHIVED}


class Asking(Record):
    """Whose DMP, and who asks (journalled): a document of ours by its id, or a submission to read the patient from."""

    by: Line
    document: Line | None = None
    submission: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Asking:
        if (self.document is None) == (self.submission is None):
            raise ValueError("document_or_submission")
        return self


class Searching(Asking):
    """What to look for beside the patient."""

    status: list[Literal["approved", "deprecated", "archived"]] = Field(default=["approved"], min_length=1)
    created_from: Instant | None = None


class Retrieving(Asking):
    """Which documents, by uniqueId."""

    unique_ids: UniqueIds


class Changing(Decision):
    """Who changes it, and why. `dry_run` shows what would be done."""

    dry_run: Flag = False


class Proposed(Answer):
    """What a change would do; `findings` say why not, `pending` is the same change already under way."""

    account: str
    document_id: str
    unique_id: str | None
    change: Change
    label: str
    mode: str | None
    ok: bool
    pending: str | None
    findings: list[Finding]


def _office(caller: Caller) -> DmpOffice:
    return caller.gateway.dmp(caller.account_for(None))


def _who(asking: Asking) -> Who:
    return asking.document if asking.document is not None else json.dumps(asking.submission).encode()


@router.post(
    "/dmp/test",
    response_model=Shown,
    responses=errors(400, 404),
    summary="Whether the patient has a DMP that this author may feed (TD0.2)",
)
def dmp_test(caller: Vendor, asking: Asking) -> JSONResponse:
    """A refusal of the service is a result: see `refusal`."""
    return JSONResponse(_office(caller).test(_who(asking), by=asking.by).as_dict())


@router.post(
    "/dmp/search",
    response_model=Shown,
    responses=errors(400, 404),
    summary="The patient's documents (TD3.1); references only in indirect mode",
)
def dmp_search(caller: Vendor, asking: Searching) -> JSONResponse:
    """`complete` is false when the registry left something out."""
    criteria = Criteria(tuple(_STATUSES[one] for one in asking.status), created_from=asking.created_from)
    return JSONResponse(_office(caller).find(_who(asking), by=asking.by, criteria=criteria).as_dict())


@router.post(
    "/dmp/sets",
    response_model=Shown,
    responses=errors(400, 404),
    summary="The submission sets that were accepted for the patient",
)
def dmp_sets(caller: Vendor, asking: Asking) -> JSONResponse:
    """See `/dmp/search`."""
    return JSONResponse(_office(caller).sets(_who(asking), by=asking.by).as_dict())


@router.post(
    "/dmp/retrieve",
    response_model=Shown,
    responses=errors(400, 404),
    summary="The documents themselves (TD3.2), in base64; direct mode only",
)
def dmp_retrieve(caller: Vendor, asking: Retrieving) -> JSONResponse:
    """Held against the registry's hash and size: see `checked`."""
    found = _office(caller).retrieve(_who(asking), asking.unique_ids, by=asking.by)
    value = found.as_dict()
    for told, file in zip(value["documents"], found.files, strict=True):
        told["content"] = base64.b64encode(file.content).decode()
    return JSONResponse(value)


@router.post(
    "/documents/{document_id}/dmp/{change}",
    response_model=Delivery | Proposed,
    responses=errors(400, 404, 409),
    summary="Mask, hide, archive or delete in the DMP what was fed to it (TD3.3); `dry_run` shows what would be done",
)
def dmp_change(
    caller: Vendor,
    document_id: DocumentId,
    change: Change,
    order: Changing,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    """A delivery like any other: same outbox, journal and retries."""
    document_row(caller, document_id)
    office = _office(caller)
    if order.dry_run:
        proposal = office.propose(document_id, change)
        return JSONResponse(proposal.as_dict())

    def do() -> dict[str, Any]:
        return shown(office.change(document_id, change, by=order.by, reason=order.reason))

    return ordered(caller, request, key, order, do)
