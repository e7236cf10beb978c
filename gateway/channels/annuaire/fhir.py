"""Bundles of the FHIR API read into people and boxes; whatever is not as expected is left out, nothing raises.

Profiles as-dp-practitioner, as-dp-practitionerrole and as-dp-organization of the ANS (spec mssante §5). Only what is
active counts, and a telecom is a box only if it is an e-mail that carries the MSSANTE type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.channels.annuaire.model import Box, BoxKind, Person, Structure
from gateway.channels.annuaire.words import ADDRESS

EMAIL_TYPE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
MAILBOX = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"
_PROFESSIONAL_ROOT = "urn:oid:1.2.250.1.71.4.2.1"
_STRUCTURE_ROOT = "urn:oid:1.2.250.1.71.4.2.2"
_PROFESSION, _SPECIALTY = "TRE_G15-", "TRE_R38-"

Json = Mapping[str, Any]


def resources(bundle: Any, kind: str) -> list[Json]:
    """The resources of a kind in a searchset, included ones too."""
    entries = (_dict(entry.get("resource")) for entry in _dicts(_dict(bundle).get("entry")))
    return [resource for resource in entries if resource.get("resourceType") == kind]


def organization_ids(roles: Sequence[Json]) -> list[str]:
    """Technical ids of the structures that active roles refer to, each once, in order."""
    return list(dict.fromkeys(filter(None, (_reference(r, "organization") for r in roles if r.get("active") is True))))


def structures(organizations: Sequence[Json]) -> dict[str, Structure]:
    """Structures by technical id. `Structure.id` is the Struct_IdNat where the directory gives one."""
    return {_text(found.get("id")): _structure(found) for found in organizations}


def _structure(organization: Json) -> Structure:
    address = next(_dicts(organization.get("address")), {})
    return Structure(
        id=_identifier(organization, _STRUCTURE_ROOT),
        name=_text(organization.get("name")),
        postal_code=_text(address.get("postalCode")),
        town=_text(address.get("city")),
    )


def people(practitioners: Sequence[Json], roles: Sequence[Json], places: Mapping[str, Structure]) -> list[Person]:
    """Active professionals with an RPPS number, one each, with the boxes of their active places of practice first."""
    found: dict[str, Person] = {}
    for practitioner in practitioners:
        rpps = rpps_of(practitioner)
        if not rpps or practitioner.get("active") is not True:
            continue
        mine = [r for r in roles if r.get("active") is True and _is_of(r, practitioner)]
        person = _person(rpps, practitioner, mine, places)
        found[rpps] = _merged(found[rpps], person) if rpps in found else person
    return list(found.values())


def rpps_of(practitioner: Json) -> str:
    """The RPPS number of a Practitioner: said as such, or behind the 8 of its national identifier."""
    for identifier in _dicts(practitioner.get("identifier")):
        value, system = _text(identifier.get("value")), _text(identifier.get("system"))
        if "rpps" in system and _is_rpps(value):
            return value
        if system == _PROFESSIONAL_ROOT and value.startswith("8") and _is_rpps(value[1:]):
            return value[1:]
    return ""


def _is_rpps(value: str) -> bool:
    return len(value) == 11 and value.isascii() and value.isdigit()


def _is_of(role: Json, practitioner: Json) -> bool:
    return bool(practitioner.get("id")) and _reference(role, "practitioner") == practitioner.get("id")


def _person(rpps: str, practitioner: Json, roles: Sequence[Json], places: Mapping[str, Structure]) -> Person:
    name = next(_dicts(practitioner.get("name")), {})
    code, label = _qualification(practitioner, _PROFESSION)
    where = [places.get(_reference(role, "organization"), Structure()) for role in roles]
    boxes = [
        box
        for role, place in zip(roles, where, strict=True)
        for box in mailboxes(role, place if _reference(role, "organization") else None)
    ]
    return Person(
        rpps=rpps,
        family=_text(name.get("family")),
        given=" ".join(part for part in _list(name.get("given")) if isinstance(part, str)),
        civility=_first(name.get("suffix")) or _first(name.get("prefix")),
        profession=code,
        profession_label=label,
        skill=next(filter(None, reversed(_qualification(practitioner, _SPECIALTY))), ""),
        places=tuple(dict.fromkeys(place for place in where if place != Structure())),
        boxes=tuple(dict.fromkeys([*boxes, *mailboxes(practitioner, None)])),
    )


def _merged(one: Person, other: Person) -> Person:
    """Two exercises of one professional: the first speaks, the places and boxes are those of both."""
    return replace(
        one,
        places=tuple(dict.fromkeys([*one.places, *other.places])),
        boxes=tuple(dict.fromkeys([*one.boxes, *other.boxes])),
    )


def mailboxes(resource: Json, place: Structure | None) -> Iterator[Box]:
    """The published MSSanté boxes among the telecoms of a resource; a red-listed one is never let through."""
    for telecom in _dicts(resource.get("telecom")):
        address = _text(telecom.get("value")).strip()
        if telecom.get("system") != "email" or not _is_mssante(telecom) or not ADDRESS.fullmatch(address):
            continue
        about = _parts(telecom)
        # Anything but a plain "no": an unreadable mark must not publish a box that its owner withdrew.
        if about.get("listeRouge", {}).get("valueBoolean", False) is not False:
            continue
        rank = telecom.get("rank")
        yield Box(
            address=address,
            kind=_kind(about),
            structure=place,
            rank=rank if type(rank) is int and rank > 0 else None,
            service=_text(about.get("description", {}).get("valueString")),
        )


def _is_mssante(telecom: Json) -> bool:
    return any(
        extension.get("url") == EMAIL_TYPE and _dict(extension.get("valueCoding")).get("code") == "MSSANTE"
        for extension in _dicts(telecom.get("extension"))
    )


def _parts(telecom: Json) -> dict[str, Json]:
    """The parts of the metadata extension, by their short url."""
    about = (e for e in _dicts(telecom.get("extension")) if e.get("url") == MAILBOX)
    return {_text(part.get("url")): part for extension in about for part in _dicts(extension.get("extension"))}


def _kind(about: Mapping[str, Json]) -> BoxKind:
    concept = _dict(about.get("type", {}).get("valueCodeableConcept"))
    codes = [coding.get("code") for coding in _dicts(concept.get("coding"))]
    return next((kind for kind in BoxKind if kind.value in codes), BoxKind.PERSONAL)


def _qualification(practitioner: Json, table: str) -> tuple[str, str]:
    """Code and label of the first qualification that is coded in `table`."""
    for qualification in _dicts(practitioner.get("qualification")):
        for coding in _dicts(_dict(qualification.get("code")).get("coding")):
            if table in _text(coding.get("system")):
                return _text(coding.get("code")), _text(coding.get("display"))
    return "", ""


def _identifier(resource: Json, system: str) -> str:
    values = (i.get("value") for i in _dicts(resource.get("identifier")) if i.get("system") == system)
    return next((value for value in values if isinstance(value, str)), "")


def _reference(resource: Json, name: str) -> str:
    """The technical id behind a reference, relative or absolute."""
    return _text(_dict(resource.get(name)).get("reference")).rpartition("/")[2]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in _list(value) if isinstance(item, dict))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _first(value: Any) -> str:
    return next((part for part in _list(value) if isinstance(part, str)), "")
