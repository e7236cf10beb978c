"""FHIR datatypes made from the model's: instants, quantities, identifiers, addresses, telecoms, names."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.render.fhir.assembly import without_none

if TYPE_CHECKING:
    from gateway.document.model import PersonName, PostalAddress, Telecom
    from gateway.render.fhir.assembly import Json
    from gateway.render.fhir.data import FhirData
    from gateway.terminology import Terminology

_USES = {"H": "home", "HP": "home", "HV": "home", "WP": "work", "DIR": "work", "MC": "mobile", "TMP": "temp"}
_SCHEMES = {"tel": "phone", "fax": "fax", "mailto": "email", "http": "url", "https": "url", "sms": "sms"}
UCUM = "http://unitsofmeasure.org"


def instant(moment: datetime) -> str:
    """A dateTime or instant, to the second, with its offset."""
    return moment.isoformat(timespec="seconds")


def quantity(value: Decimal, unit: str | None, terminology: Terminology) -> Json:
    """A Quantity: UCUM code, and the unit in French words. The number keeps its digits."""
    if not unit:
        return {"value": value}
    known = terminology.units.get(unit)
    word = unit if known is None else known.plural if abs(value) >= 2 else known.singular
    return {"value": value, "unit": word, "system": UCUM, "code": unit}


def identifier(kind: str, system: str, value: str, data: FhirData, use: str | None = None) -> Json:
    """An Identifier whose type is a code of fr-core-cs-v2-0203."""
    return without_none(
        use=use,
        type={"coding": [{"system": data.identifier_types, "code": kind}]},
        system=system,
        value=value,
    )


def address(postal: PostalAddress | None) -> list[Json]:
    """A postal address, as a list of none or one."""
    if postal is None:
        return []
    return [without_none(line=list(postal.lines), city=postal.city, postalCode=postal.postal_code)]


def telecom(point: Telecom, data: FhirData) -> Json:
    """A contact point; an MSSanté mailbox says so in the FR Core extension."""
    scheme, _, rest = point.value.partition(":")
    system = _SCHEMES.get(scheme.lower(), "other") if rest else "other"
    mailbox = {"url": data.fr_core + "fr-core-contact-point-email-type", "valueCoding": data.mailbox_type}
    return without_none(
        extension=[mailbox] if point.mssante else [],
        system=system,
        value=rest if system in {"phone", "fax", "email", "sms"} else point.value,
        use=_USES.get(point.use),
    )


def telecoms(points: tuple[Telecom, ...], data: FhirData) -> list[Json]:
    """Contact points in their order."""
    return [telecom(point, data) for point in points]


def person_name(name: PersonName) -> Json:
    """Name of a professional."""
    return without_none(
        family=name.family,
        given=[name.given] if name.given else [],
        prefix=[name.prefix] if name.prefix else [],
        suffix=[name.suffix] if name.suffix else [],
    )
