"""What a vendor hands in: a submission in JSON, an archive, or a PDF and its metadata as a form. Never on a disk."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from gateway import rules
from gateway.errors import InputError
from gateway.findings import error
from gateway.records.level1 import AnySubmission, Level1Metadata, parse_any
from gateway.records.submission import Submission
from gateway.web.api.access import Caller
from gateway.web.api.problems import RefusedError

JSON, ZIP, FORM = "application/json", "application/zip", "multipart/form-data"
REF = "#/components/schemas/{model}"
_IN_MEMORY = 1 << 30
"""Above any limit of a request: an uploaded PDF is never spooled to a temporary file."""


class _Parser(MultiPartParser):
    spool_max_size = _IN_MEMORY

    def close(self) -> None:
        """Close every file: of a part that was never finished the form knows nothing."""
        for file in self._files_to_close_on_error:
            file.close()


async def read(request: Request) -> bytes:
    """The body as the library takes it: JSON, or an archive. Raises RefusedError (WEB-415, WEB-400)."""
    kind = _kind(request)
    if kind == FORM:
        return await _packed(request)
    if kind not in {JSON, ZIP}:
        raise _unsupported(f"{JSON} (données), {ZIP} (archive) ou {FORM} (metadata et document)")
    return await request.body()


async def read_as(request: Request, kind: str) -> bytes:
    """A body of one media type. Raises RefusedError (WEB-415) for another."""
    if _kind(request) != kind:
        raise _unsupported(kind)
    return await request.body()


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unsupported(wanted: str) -> RefusedError:
    return RefusedError(415, "WEB-415", "Type de contenu non pris en charge.", f"Envoyer {wanted}.")


async def _packed(request: Request) -> bytes:
    """A form of two parts, `metadata` and `document`, as the archive that the folder takes."""
    parser = _Parser(request.headers, request.stream(), max_files=2, max_fields=2)
    try:
        return await _archived(await parser.parse())
    except (MultiPartException, KeyError, ValueError) as fault:  # the last two: encodings and names that are none
        raise _no_form() from fault
    finally:
        parser.close()


async def _archived(form: FormData) -> bytes:
    parts = {name: value for name in ("metadata", "document") if (value := form.get(name)) is not None}
    if len(form) != 2 or len(parts) != 2:
        raise _no_form()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", await _bytes(parts["metadata"]))
        archive.writestr("document.pdf", await _bytes(parts["document"]))
    return held.getvalue()


async def _bytes(part: UploadFile | str) -> bytes:
    return await part.read() if isinstance(part, UploadFile) else part.encode()


def _no_form() -> RefusedError:
    advice = "Deux parties et deux seulement : metadata (JSON) et document (PDF)."
    return RefusedError(400, "WEB-400", "Formulaire illisible.", advice)


def own(caller: Caller, data: bytes) -> AnySubmission:
    """What was handed in, for the caller's account. Raises InputError with every finding."""
    parsed, findings = parse_any(data)
    if parsed is None:
        raise InputError(findings)
    if not caller.own(parsed.account):
        raise InputError([rules.other_account()])
    return parsed


def keyed(submission: AnySubmission, header: str | None) -> AnySubmission:
    """The submission under the key of the header (a quoted string is one too, RFC 9651 §3.3.3).

    Raises InputError (WEB-411): the submission has another key of its own.
    """
    if header is None:
        return submission
    key = header[1:-1] if len(header) > 2 and header[0] == header[-1] == '"' else header
    if submission.key not in {None, key}:
        advice = "Donner la même valeur dans Idempotency-Key et dans key, ou une seule des deux."
        raise InputError([error("WEB-411", "/key", "Deux clés d'idempotence différentes.", advice)])
    return submission.model_copy(update={"key": key})


def described(*, checked: bool = True) -> dict[str, Any]:
    """The request body of a submission in OpenAPI. `checked` False: anything is taken, and told what it lacks."""
    submission = {"$ref": REF.format(model="Submission")}
    form = {
        "type": "object",
        "required": ["metadata", "document"],
        "properties": {
            "metadata": {"$ref": REF.format(model="Level1Metadata")},
            "document": {"type": "string", "contentMediaType": "application/pdf"},
        },
    }
    content: dict[str, Any] = {
        JSON: {"schema": submission if checked else {"anyOf": [submission, {}]}},
        ZIP: {"schema": {"type": "string", "contentMediaType": ZIP}},
        FORM: {"schema": form, "encoding": {"metadata": {"contentType": JSON}}},
    }
    return {"requestBody": {"required": True, "content": content}}


def raw(kind: str) -> dict[str, Any]:
    """A request body of one media type, no JSON, in OpenAPI."""
    schema = {"type": "string", "contentMediaType": kind}
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


RECORDS = (Submission, Level1Metadata)
"""The records whose schema the contract holds."""
