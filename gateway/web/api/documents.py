"""`/check`, `/render`, `/documents`: what a vendor hands in, and where it stands."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from gateway.errors import InputError
from gateway.records.level1 import AnySubmission
from gateway.web.api import bodies
from gateway.web.api.access import Anyone, Caller, IdempotencyKey, Staff, Vendor
from gateway.web.api.answers import document_row, ordered, own_document
from gateway.web.api.contract import PREFIX, binary, errors
from gateway.web.api.shapes import (
    Document,
    Report,
    Submitted,
    Withdrawal,
    WithdrawalPlan,
    Withdrawing,
)

router = APIRouter(tags=["documents"])
DocumentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="As `POST /documents` gave it.")]
RenderingName = Literal["cda", "fhir", "pdf", "xdm", "submission"]
_TYPES = {
    "cda": "application/xml",
    "fhir": "application/fhir+json",
    "pdf": "application/pdf",
    "xdm": "application/zip",
    "submission": "application/json",
}
_CREATED = {"Location": {"description": "Where the document can be asked for.", "schema": {"type": "string"}}}


@router.post(
    "/check",
    response_model=Report,
    responses=errors(400, 415),
    openapi_extra=bodies.described(checked=False),
    summary="Every finding on a submission and where it would go; sends and stores nothing",
)
async def check(caller: Vendor, request: Request) -> JSONResponse:
    """A submission that cannot even be read is a report too, with `ok` false."""
    data = await bodies.read(request)
    report = await run_in_threadpool(caller.gateway.check, data, account=caller.account)
    return JSONResponse(report.as_dict())


@router.post(
    "/render",
    responses={**errors(400, 415), **binary("application/zip")},
    response_class=Response,
    openapi_extra=bodies.described(),
    summary="The documents and messages of a submission, unsigned, in an archive with the report; sends nothing",
)
async def render(caller: Vendor, request: Request) -> Response:
    """422 with the findings where one stops the document."""
    data = await bodies.read(request)
    return Response(await run_in_threadpool(_rendered, caller, data), media_type="application/zip")


def _rendered(caller: Caller, data: bytes) -> bytes:
    rendered = caller.gateway.render(bodies.own(caller, data))
    if not rendered.report.ok:
        raise InputError(rendered.report.findings)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        for name, content in rendered.files.items():
            archive.writestr(name, content)
        archive.writestr("report.json", json.dumps(rendered.report.as_dict(), ensure_ascii=False))
    return held.getvalue()


@router.post(
    "/documents",
    status_code=201,
    response_model=Submitted,
    responses={
        **errors(400, 409, 415),
        200: {"model": Submitted, "description": "This very document was known already.", "headers": _CREATED},
        201: {"description": "Committed: it can no longer be lost.", "headers": _CREATED},
    },
    openapi_extra=bodies.described(),
    summary="Hand a document over: checked, rendered, signed, committed, then sent in the background",
)
async def submit(caller: Vendor, request: Request, key: IdempotencyKey = None) -> JSONResponse:
    """Idempotent for good, by `Idempotency-Key`, the submission's own `key`, or its content."""
    data = await bodies.read(request)
    return await run_in_threadpool(_submitted, caller, bodies.keyed(bodies.own(caller, data), key))


def _submitted(caller: Caller, submission: AnySubmission) -> JSONResponse:
    done = caller.gateway.submit(submission)
    value = {
        "document_id": done.document_id,
        "delivery_ids": list(done.delivery_ids),
        "created": done.created,
        "findings": list(caller.gateway.store.document(done.document_id).findings),
    }
    where = {"Location": f"{PREFIX}/documents/{done.document_id}"}
    return JSONResponse(value, 201 if done.created else 200, where)


@router.get(
    "/documents/{document_id}",
    response_model=Document,
    responses=errors(404),
    summary="Where a document stands, destination by destination",
)
def status(caller: Anyone, document_id: DocumentId) -> JSONResponse:
    """`transport` is what we did, `receipt` what the other side confirmed: sent is not received."""
    return JSONResponse(own_document(caller, document_id).as_dict())


@router.get(
    "/documents/{document_id}/renderings/{name}",
    responses={**errors(404), **binary(*_TYPES.values())},
    response_class=Response,
    summary="What was committed for a document, byte for byte",
)
def rendering(caller: Staff, document_id: DocumentId, name: RenderingName) -> Response:
    """404 (DOC-410) once the content was erased."""
    document_row(caller, document_id)
    return Response(caller.gateway.rendering(document_id, name), media_type=_TYPES[name])


@router.post(
    "/documents/{document_id}/withdrawal",
    response_model=Withdrawal | WithdrawalPlan,
    responses=errors(400, 404, 409),
    summary="Take a document back, all its versions, from everywhere; `dry_run` shows what would be done",
)
def withdraw(
    caller: Staff, document_id: DocumentId, order: Withdrawing, request: Request, key: IdempotencyKey = None
) -> Response:
    """Withdrawing again changes nothing and says where it stands."""
    document_row(caller, document_id)
    about = {"reason": order.reason, "by": order.by, "note": order.note}
    if order.dry_run:
        return JSONResponse(caller.gateway.linked.plan_withdrawal(document_id, **about).as_dict())
    return ordered(caller, request, key, order, lambda: caller.gateway.withdraw(document_id, **about).as_dict())


@router.get(
    "/documents/{document_id}/withdrawal",
    response_model=Withdrawal,
    responses=errors(404, 409),
    summary="Where a withdrawal stands",
)
def withdrawal(caller: Anyone, document_id: DocumentId) -> JSONResponse:
    """409 (WDR-004) when it was not withdrawn."""
    document_row(caller, document_id)
    return JSONResponse(caller.gateway.linked.withdrawal(document_id).as_dict())
