"""`/ins`, `/directory`: who the patient is, whose box it is. Questions are posted: no address holds an identity."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from gateway.channels.annuaire import model
from gateway.errors import InputError
from gateway.findings import error
from gateway.records.base import Flag, Line, Record
from gateway.records.people import Patient
from gateway.settings import AccountSettings
from gateway.web.api.access import Caller, Vendor
from gateway.web.api.contract import errors
from gateway.web.api.problems import RefusedError
from gateway.web.api.shapes import Shown

router = APIRouter()
Rpps = Annotated[str, Field(pattern=r"^[0-9]{11}$")]


class Identity(Record):
    """A patient as in a submission."""

    patient: Patient


class Question(Identity):
    """The same, and who asks: a question to INSi is journalled with this name."""

    by: Line


class ProofSeen(Question):
    """A document of high trust that this person saw: passport, identity card, birth certificate, family record."""

    proof: Literal["PA", "CN", "AN", "LE"]


class Scanned(Record):
    """What a scanner read in a Datamatrix INS."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Resuming(Record):
    """End the stop of an INS; with `release` what it held goes, under the INS that was written then."""

    matricule: Annotated[str, Field(pattern=r"^[0-9][0-9AB]{14}$")]
    by: Line
    release: Flag = False


def _settings(caller: Caller) -> AccountSettings:
    found = caller.gateway.settings.find_account(caller.account_for(None))
    assert found is not None  # `account_for` looked
    return found


@router.post(
    "/ins/check",
    tags=["ins"],
    response_model=Shown,
    responses=errors(400),
    summary="What is wrong with an identity, and whether its INS may leave; asks nobody",
)
def ins_check(caller: Vendor, order: Identity) -> JSONResponse:
    """In the environment of the account: a test INS never goes to production, nor the reverse."""
    return JSONResponse(caller.gateway.ins.check(order.patient, _settings(caller).environment).as_dict())


@router.post(
    "/ins/search",
    tags=["ins"],
    response_model=Shown,
    responses=errors(400),
    summary="Look for the INS of these traits (INSi), by the documented procedure",
)
def ins_search(caller: Vendor, order: Question) -> JSONResponse:
    """Failures of the service are results: see `outcome`. 503 (CFG-030) where the account asks no INSi."""
    return JSONResponse(caller.gateway.ins.search(order.patient, by=order.by, account=caller.account).as_dict())


@router.post(
    "/ins/verify",
    tags=["ins"],
    response_model=Shown,
    responses=errors(400),
    summary="Ask whether this INS is still this person's; when it is not, stop what goes under it",
)
def ins_verify(caller: Vendor, order: Question) -> JSONResponse:
    """No answer stops nothing."""
    return JSONResponse(caller.gateway.ins.verify(order.patient, by=order.by, account=caller.account).as_dict())


@router.post(
    "/ins/prove",
    tags=["ins"],
    response_model=Shown,
    responses=errors(400),
    summary="A named person saw a document of high trust: the state of the identity that follows",
)
def ins_prove(caller: Vendor, order: ProofSeen) -> JSONResponse:
    """The next submission must say the new state: nothing is stored of the identity itself."""
    account = caller.account_for(None)
    return JSONResponse(caller.gateway.ins.prove(account, order.patient, proof=order.proof, by=order.by).as_dict())


@router.get(
    "/ins/stops",
    tags=["ins"],
    response_model=list[dict[str, str]],
    responses=errors(),
    summary="Patients whose INS was refused or changed, by pseudonym",
)
def ins_stops(caller: Vendor) -> JSONResponse:
    """What waits for `POST /ins/resume`."""
    return JSONResponse([one.as_dict() for one in caller.gateway.ins.stops() if caller.own(one.account)])


class Resumed(Record):
    """The deliveries that go now."""

    released: list[str]


@router.post(
    "/ins/resume", tags=["ins"], response_model=Resumed, responses=errors(400), summary="End the stop of an INS"
)
def ins_resume(caller: Vendor, order: Resuming) -> JSONResponse:
    """A stop holds in every account: where there are several, its end is decided on the gateway's machine."""
    if len(caller.gateway.settings.account) > 1:
        message = "Plusieurs comptes partagent cette passerelle : l'arrêt les concerne tous."
        raise RefusedError(403, "WEB-412", message, "Lever l'arrêt sur le poste : kine-gateway ins resume.")
    released = caller.gateway.ins.resume(order.matricule, by=order.by, release=order.release)
    return JSONResponse({"released": list(released)})


@router.post(
    "/ins/datamatrix/read",
    tags=["ins"],
    response_model=Shown,
    responses=errors(400),
    summary="The content of a Datamatrix INS that a scanner delivered, with every defect",
)
def ins_datamatrix_read(caller: Vendor, order: Scanned) -> JSONResponse:
    """No status follows from it."""
    found = caller.gateway.ins.read_datamatrix(order.text)
    value = {"ok": found.ok, "fields": dict(found.fields), "findings": [one.as_dict() for one in found.findings]}
    return JSONResponse(value)


class Symbol(Record):
    """Text of the symbol."""

    text: str


@router.post(
    "/ins/datamatrix",
    tags=["ins"],
    response_model=Symbol,
    responses=errors(400),
    summary="Text of the Datamatrix of a qualified identity",
)
def ins_datamatrix_write(caller: Vendor, order: Identity) -> JSONResponse:
    """422 (DMX-023, DMX-024) where none may be made."""
    return JSONResponse({"text": caller.gateway.ins.write_datamatrix(order.patient, _settings(caller).environment)})


# -------------------------------------------------------------------------------------------------- directory


class Search(Record):
    """Whom to look for: `rpps`, `name` or `town` at least. `structure`, with `rpps`: where the patient is seen."""

    rpps: Rpps | None = None
    name: Line | None = None
    town: Line | None = None
    profession: Line | None = Field(default=None, description="A code (`10`) or words of its label (`médecin`).")
    structure: Line | None = Field(default=None, description="Struct_IdNat: prefix and FINESS, SIRET...")
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    source: model.Source | None = None
    fresh: Flag = False


@router.post(
    "/directory/search",
    tags=["directory"],
    response_model=Shown,
    responses=errors(400),
    summary="Professionals in activity with their published boxes; with `rpps`, which box to write to",
)
def directory_search(caller: Vendor, wanted: Search) -> JSONResponse:
    """503 where no directory is configured (ANN-400) or none can answer."""
    if wanted.rpps is None and wanted.name is None and wanted.town is None:
        advice = "Donner rpps, name ou town."
        raise InputError([error("WEB-425", "", "Qui cherche-t-on ?", advice)], "Recherche refusée.")
    face = caller.gateway.directory
    asked = wanted.model_dump(exclude={"structure"})
    found = face.find(**{**asked, "source": wanted.source})
    choice = None if wanted.rpps is None else face.conclude(found, wanted.rpps, wanted.structure)
    people = [model.person_as_dict(person) for person in found.people]
    for box in (box for person in people for box in person["boxes"]):
        box["trusted"] = face.is_trusted(box["address"])
    value = {"source": found.source, "at": found.at.isoformat(), "more": found.more, "notes": list(found.notes)}
    return JSONResponse({**value, "people": people, "choice": None if choice is None else _choice(choice)})


def _choice(choice: model.Choice) -> dict[str, Any]:
    value = {name: getattr(choice, name) for name in ("verdict", "code", "why", "advice", "source")}
    boxes = [model.box_as_dict(box) for box in choice.boxes]
    return {**value, "at": choice.at.isoformat() if choice.at else None, "boxes": boxes}
