"""What the directory says of a professional, and what may be concluded from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.errors import FileRefusedError, UnavailableError


class Source(StrEnum):
    """Where an answer comes from."""

    API = "api"
    """The FHIR API, asked just now or kept from an earlier question (the date says which)."""
    FILE = "extraction"
    """The imported daily file."""


class BoxKind(StrEnum):
    """Kinds of boxes (TRE_R257, JDV_J139), in the order in which they are offered."""

    PERSONAL = "PER"
    PRACTICE = "CAB"
    ORGANIZATION = "ORG"
    APPLICATION = "APP"


class AnnuaireError(UnavailableError):
    """The directory cannot answer: unreachable, refused, unreadable, or no list was imported."""


class AnnuaireUnavailableError(AnnuaireError):
    """The service does not answer for now; asking again later may help."""


class ListRefusedError(FileRefusedError):
    """A list was not imported; the one in place stays."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A place of practice. `id` is its Struct_IdNat (prefix and number), `town` as the postal line says it."""

    id: str = ""
    name: str = ""
    postal_code: str = ""
    town: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """One published MSSanté address. Without structure it belongs to the professional wherever he works.

    `rank` is FHIR's order of preference, 1 first; None when the directory gives none.
    """

    address: str
    kind: BoxKind = BoxKind.PERSONAL
    structure: Structure | None = None
    rank: int | None = None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A professional (`rpps` of 11 digits) or, for a box of an organisation, the organisation (`rpps` empty).

    `profession` is the code of TRE_G15 or another profession table, without prefix (10 = médecin); `skill` the label
    of the speciality, or its code where the directory gives no label.
    """

    rpps: str
    family: str
    given: str = ""
    civility: str = ""
    profession: str = ""
    profession_label: str = ""
    skill: str = ""
    places: tuple[Structure, ...] = ()
    boxes: tuple[Box, ...] = ()

    @property
    def name(self) -> str:
        """As people say it: `Dr Claire MODELE`."""
        return " ".join(part for part in (self.civility, self.given, self.family) if part)

    @property
    def towns(self) -> tuple[str, ...]:
        """Where the person practises, each town once."""
        places = (*self.places, *(box.structure for box in self.boxes if box.structure is not None))
        return tuple(dict.fromkeys(place.town for place in places if place.town))


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `profession` is a code (10) or, in the imported list, also words of its label."""

    rpps: str | None = None
    name: str | None = None
    town: str | None = None
    profession: str | None = None
    profession_label: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """Answer to a query: where it comes from, the date of the data, and whether there was more than `limit`."""

    people: tuple[Person, ...]
    source: Source
    at: datetime
    more: bool = False
    notes: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What can be concluded about a professional's box."""

    ONE = "one"
    """One box, `Choice.box`."""
    ASK = "ask"
    """Several distinct boxes, or one that is not surely the right one: a person decides among `Choice.boxes`."""
    NONE = "none"
    """The directory knows no box (or no such professional): `why` says which."""
    STALE = "stale"
    """No usable answer: nothing imported, list too old, service unreachable."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The box of a professional as far as the directory decides it. `why` and `advice` are French texts.

    `code` is stable: see docs/findings.md, family ANN.
    """

    verdict: Verdict
    code: str
    why: str
    boxes: tuple[Box, ...] = ()
    source: Source | None = None
    at: datetime | None = None
    person: Person | None = None
    advice: str = ""

    @property
    def box(self) -> Box | None:
        """The box to write to, when the verdict is ONE."""
        return self.boxes[0] if self.verdict is Verdict.ONE else None


class State(StrEnum):
    """What became of an address that a server refused (5.1.1)."""

    SAME = "same"
    """The directory still gives this address: the refusal has another cause."""
    CHANGED = "changed"
    """The directory gives one other address, `Recheck.new`."""
    GONE = "gone"
    """The directory gives none any more."""
    ASK = "ask"
    """The directory gives several others: a person decides."""
    UNKNOWN = "unknown"
    """No usable answer, or the imported list is older than the refusal."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """Answer to `recheck`; `choice` holds what the directory says now."""

    state: State
    why: str
    choice: Choice

    @property
    def new(self) -> Box | None:
        """The one other box, when the state is CHANGED."""
        return self.choice.box if self.state is State.CHANGED else None


def box_as_dict(box: Box) -> dict[str, Any]:
    """JSON-ready."""
    place = box.structure
    return {
        "address": box.address,
        "kind": box.kind.value,
        "rank": box.rank,
        "service": box.service,
        "structure": None if place is None else structure_as_dict(place),
    }


def structure_as_dict(place: Structure) -> dict[str, str]:
    """JSON-ready."""
    return {"id": place.id, "name": place.name, "postal_code": place.postal_code, "town": place.town}


def person_as_dict(person: Person) -> dict[str, Any]:
    """JSON-ready; `person_of` reads it back."""
    return {
        "rpps": person.rpps,
        "family": person.family,
        "given": person.given,
        "civility": person.civility,
        "profession": person.profession,
        "profession_label": person.profession_label,
        "skill": person.skill,
        "places": [structure_as_dict(place) for place in person.places],
        "boxes": [box_as_dict(box) for box in person.boxes],
    }


def person_of(value: dict[str, Any]) -> Person:
    """The person that `person_as_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
    texts = {name: str(value[name]) for name in ("rpps", "family", "given", "civility", "profession")}
    return Person(
        **texts,
        profession_label=str(value["profession_label"]),
        skill=str(value["skill"]),
        places=tuple(Structure(**place) for place in value["places"]),
        boxes=tuple(_box_of(box) for box in value["boxes"]),
    )


def _box_of(value: dict[str, Any]) -> Box:
    place = value["structure"]
    return Box(
        address=str(value["address"]),
        kind=BoxKind(value["kind"]),
        structure=None if place is None else Structure(**place),
        rank=value["rank"],
        service=str(value["service"]),
    )
