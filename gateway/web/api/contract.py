"""The contract as OpenAPI 3.1: what FastAPI reads off the routes, with our records, errors and words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from gateway.web.api import bodies
from gateway.web.api.problems import MEDIA_TYPE
from gateway.web.api.shapes import ProblemDetails

VERSION = "1.0.0"
"""Version of the contract (SemVer), apart from the product's: what is only added raises the second number."""
PREFIX = "/v1"
_ALWAYS = (401, 403, 413, 422, 429, 500, 503)
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": bodies.REF.format(model="ProblemDetails")}}}
DESCRIPTION = """Hands documents of physiotherapists over, and tells where each one stands.

Every error is a problem (RFC 9457) with a stable `code`. Bearer tokens: `kine-gateway token add`. No address ever holds
who a patient is. Texts for people (`detail`, `advice`, `message`) are French. See docs/http-api.md."""


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The problems that an operation may answer with, beside those that every operation may."""
    return {code: {"description": HTTPStatus(code).phrase, "content": _PROBLEM} for code in sorted({*codes, *_ALWAYS})}


def binary(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """An answer of 200 that is no JSON."""
    content = {kind: {"schema": {"type": "string", "contentMediaType": kind}} for kind in media_types}
    return {200: {"description": "The file.", "content": content}}


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title="kine-gateway",
            version=VERSION,
            openapi_version="3.1.0",
            description=DESCRIPTION,
            routes=app.routes,
            servers=[{"url": PREFIX}],
        )
        _, ours = models_json_schema(
            [*((one, "validation") for one in bodies.RECORDS), (ProblemDetails, "validation")],
            ref_template=bodies.REF,
        )
        schemas = made["components"]["schemas"]
        made["components"]["schemas"] = dict(sorted({**ours["$defs"], **schemas}.items()))
        app.openapi_schema = made
    return app.openapi_schema
