"""Bundles and daily files for the tests of the directory, written by hand: not by the sandbox's code."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.channels.annuaire import extraction
from gateway.channels.annuaire.model import Box, BoxKind, Found, Person, Source, Structure
from gateway.clock import FrozenClock
from gateway.rules.trust_space import TrustList
from gateway.settings import AnnuaireSettings, ExtractionSettings

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
TRUST = TrustList(frozenset({"medecin.mssante.example", "cabinet.mssante.example"}), NOW.date(), "essai")
RPPS = "99700002019"
EMAIL_TYPE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
METADATA = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"

# The header of the ANS as of 2026 (31 columns).
HEADER = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|"
    "Type identifiant structure|Identification Structure|Service de rattachement|Civilité d'exercice|"
    "Nom d'exercice|Prénom d'exercice|Catégorie profession|Libellé de catégorie profession|Code Profession|"
    "Libellé Profession|Code savoir-faire|Libellé savoir-faire|Dématérialisation|Raison Sociale structure BAL|"
    "Enseigne commerciale structure BAL|L2COMPLEMENTLOCALISATION structure BAL|"
    "L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|L4COMPLEMENTNUMEROVOIE structure BAL|"
    "NL4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|"
    "L6LIGNEACHEMINEMENT structure BAL|Code postal structure BAL|Département structure BAL|Pays structure BAL"
)
NAME = "Extraction_Correspondance_MSSante_202611220413.txt"


def clock() -> FrozenClock:
    return FrozenClock(NOW)


def line(
    number: int,
    *,
    address: str | None = None,
    kind: str = "PER",
    family: str = "ESSAI",
    given: str = "Claire",
    town: str = "35999 RENNES",
    structure: str = "1990000001",
    profession: str = "10|Médecin",
) -> str:
    """A line of the daily file; `profession` is code and label."""
    rpps = f"{99_700_000_000 + number}" if kind == "PER" else ""
    national = f"8{rpps}" if rpps else ""
    address = address or f"essai.{number}@medecin.mssante.example"
    left = f"{kind}|{address}|{'8' if rpps else ''}|{rpps}|{national}|1|{structure}||DR|{family}|{given}|C|Civil|"
    return f"{left}{profession}|SM54|Médecine générale|O|CABINET FICTIF|||||12||RUE||{town}|{town[:5]}|35|France"


def lines(count: int) -> list[str]:
    return [line(number) for number in range(count)]


def text(found: Iterable[str], header: str = HEADER) -> bytes:
    return ("\n".join([header, *found]) + "\n").encode()


def write_zip(path: Path, data: bytes, name: str = NAME) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return path


def settings(folder: Path, *, min_boxes: int = 1) -> AnnuaireSettings:
    return AnnuaireSettings(file=folder / "annuaire.db", extraction=ExtractionSettings(min_boxes=min_boxes))


def imported(folder: Path, found: Iterable[str], name: str = NAME) -> AnnuaireSettings:
    """Settings of a directory whose list holds these lines."""
    made = settings(folder)
    extraction.import_file(made, write_zip(folder / "liste.zip", text(found), name), clock())
    return made


def box(
    address: str, kind: str = "PER", structure: str | None = None, rank: int | None = None, name: str = "CABINET"
) -> Box:
    place = None if structure is None else Structure(structure, name, "35999", "RENNES")
    return Box(address, BoxKind(kind), place, rank)


def found(*boxes: Box, source: Source = Source.API, at: dt.datetime = NOW, rpps: str = RPPS) -> Found:
    return Found((Person(rpps, "MODELE", "Hélène", boxes=boxes),), source, at)


def telecom(address: Any, *, kind: str = "PER", red: Any = False, typed: bool = True, **more: Any) -> dict[str, Any]:
    """An e-mail of the API; `typed` gives it the MSSANTE type."""
    parts = [
        {"url": "type", "valueCodeableConcept": {"coding": [{"code": kind}]}},
        {"url": "listeRouge", "valueBoolean": red},
    ]
    extensions: list[dict[str, Any]] = [{"url": METADATA, "extension": parts}]
    if typed:
        extensions.insert(0, {"url": EMAIL_TYPE, "valueCoding": {"code": "MSSANTE"}})
    return {"extension": extensions, "system": "email", "value": address, **more}


def practitioner(rpps: str = RPPS, *telecoms: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "id": f"003-{rpps}",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": rpps}],
        "active": True,
        "name": [{"family": "MODELE", "given": ["Hélène"], "prefix": ["MME"], "suffix": ["DR"]}],
        "telecom": list(telecoms),
        **more,
    }


def role(rpps: str, organization: str | None, *telecoms: dict[str, Any], **more: Any) -> dict[str, Any]:
    where = {} if organization is None else {"organization": {"reference": f"Organization/{organization}"}}
    return {
        "resourceType": "PractitionerRole",
        "id": f"005-{rpps}-{organization}",
        "active": True,
        "practitioner": {"reference": f"Practitioner/003-{rpps}"},
        "telecom": list(telecoms),
        **where,
        **more,
    }


def organization(number: str, idnat: str, town: str = "RENNES") -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "id": number,
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": idnat}],
        "name": "CABINET FICTIF",
        "address": [{"city": town, "postalCode": "35999"}],
    }


def bundle(*resources: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    links = [{"relation": "next", "url": following}] if following else []
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
