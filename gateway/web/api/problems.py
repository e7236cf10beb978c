"""Errors as `application/problem+json` (RFC 9457), with the stable codes and the findings of the library."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from gateway.errors import (
    ConfigError,
    ConflictError,
    FileRefusedError,
    GatewayError,
    InputError,
    NotFoundError,
    StateError,
    StoreError,
    UnavailableError,
)
from gateway.findings import Finding
from gateway.records import faults

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:kine-gateway:error:"
"""Start of every problem's `type`; the stable code follows (docs/findings.md says what each one means)."""
_LOG = logging.getLogger("gateway.web")

_STATUS: tuple[tuple[type[GatewayError], int], ...] = (
    (InputError, 422),
    (ConflictError, 409),
    (StateError, 409),
    (NotFoundError, 404),
    (FileRefusedError, 422),
    (UnavailableError, 503),
    (StoreError, 503),
    (ConfigError, 503),
)


class RefusedError(HTTPException):
    """A request that is refused before the library is asked: status, stable code, French text."""

    def __init__(
        self, status: int, code: str, message: str, advice: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code, self.message, self.advice = code, message, advice


def problem(
    status: int,
    code: str,
    message: str,
    advice: str = "",
    *,
    findings: Sequence[Finding] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer of an operation that was not done."""
    value: dict[str, Any] = {
        "type": TYPE + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "code": code,
        "advice": advice,
        "findings": [one.as_dict() for one in findings],
    }
    return JSONResponse(value, status, dict(headers or {}), media_type=MEDIA_TYPE)


def register(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""
    app.add_exception_handler(GatewayError, _gateway)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _http)


def crashed() -> JSONResponse:
    """What a fault of the gateway's own is answered with: nothing of it is shown."""
    message = "La passerelle a rencontré une erreur interne ; le journal d'activité en dit le type."
    return problem(500, "WEB-500", message, "Recommencer avec la même clé d'idempotence ; si cela dure, le signaler.")


def _gateway(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, GatewayError)
    status = next((number for kind, number in _STATUS if isinstance(fault, kind)), 500)
    if status >= 500:
        _LOG.error("request_failed", extra={"code": fault.code, "error": type(fault).__name__})
    found = fault.findings if isinstance(fault, InputError) else ()
    headers = {"Retry-After": "5"} if isinstance(fault, StoreError | UnavailableError) else None
    return problem(status, fault.code, fault.message, fault.advice, findings=found, headers=headers)


def _invalid(_: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, RequestValidationError)
    errors = [{**one, "loc": _place(one["loc"])} for one in fault.errors()]
    if any(one["type"] == "json_invalid" for one in errors):
        return problem(400, "WEB-400", "Le corps de la requête n'est pas un JSON lisible.", "Envoyer un JSON en UTF-8.")
    message = "La requête ne suit pas le contrat publié."
    return problem(422, "WEB-422", message, "Voir /v1/openapi.json.", findings=faults.findings(errors))  # type: ignore[arg-type]


def _place(steps: Sequence[int | str]) -> tuple[int | str, ...]:
    """Where a value stood: `query`, `path` and `header` are named, a body's fields stand at the root."""
    return tuple(steps[1:]) if steps and steps[0] == "body" else tuple(steps)


def _http(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, StarletteHTTPException)
    if isinstance(fault, RefusedError):
        return problem(fault.status_code, fault.code, fault.message, fault.advice, headers=fault.headers)
    if fault.status_code in {404, 405}:
        message = "Cette adresse n'existe pas, ou n'accepte pas cette méthode."
        allow = {"Allow": ", ".join(_methods(request))} if fault.status_code == 405 else None
        return problem(fault.status_code, "WEB-405", message, "Voir /v1/openapi.json.", headers=allow)
    if fault.status_code == 413:
        return problem(413, "WEB-413", "Requête trop grosse.", "La limite est celle de [web] max_bytes.")
    return problem(fault.status_code, "WEB-400", "Requête illisible.", "Voir /v1/openapi.json.", headers=fault.headers)


def _methods(request: Request) -> list[str]:
    """Every method of an address, whichever route serves it (RFC 9110 §10.2.1)."""
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in routes for method in getattr(route, "methods", None) or ()})
