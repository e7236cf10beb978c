"""People, places and how to reach them, from a CDA header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.document.model import (
    Id,
    PatientIdentity,
    PersonName,
    PostalAddress,
    Professional,
    StructureRef,
    Telecom,
)
from gateway.identity.roots import INS_ROOTS
from gateway.read.cda.scan import Scan
from gateway.read.names import split_given
from gateway.read.reading import ABSENT_CODE, ABSENT_ID
from gateway.read.xml import Element, attribute, child, children, local, path, text

_RPPS = re.compile(r"8[0-9]{11}")
_FRENCH_CODE = re.compile(r"([0-9]{5}) (.+)", re.DOTALL)
_OTHER_CODE = re.compile(r"([0-9A-Z-]{2,10}(?: (?=[A-Z-]*[0-9])[0-9A-Z-]+)?) (.+)", re.DOTALL)
_STREET = ("houseNumber", "houseNumberNumeric", "streetNameType", "streetNameBase", "streetName")
_BESIDE = ("additionalLocator", "unitID", "postBox", "precinct", "deliveryAddressLine")


def rpps_of(scan: Scan, number: Id) -> str:
    """The RPPS number inside a PS_IdNat (`8` and eleven digits), empty for any other identifier."""
    national = number.root == scan.terms.professional_root and _RPPS.fullmatch(number.extension)
    return number.extension[1:] if national else ""


def postal_address(element: Element | None) -> PostalAddress | None:
    """<addr>, in components or in lines whose last one ends with postal code and city."""
    if element is None or element.get("nullFlavor"):
        return None
    lines = [text(line) for line in children(element, "streetAddressLine")]
    code, city = text(child(element, "postalCode")), text(child(element, "city"))
    if not code and not city and lines:
        code, city = split_city(lines.pop())
    return PostalAddress((*_street(element), *lines), code, city)


def _street(element: Element) -> tuple[str, ...]:
    street = " ".join(text(part) for part in element if local(part) in _STREET and text(part))
    beside = (text(part) for part in element if local(part) in _BESIDE)
    return tuple(line for line in (*beside, street) if line)


def split_city(line: str) -> tuple[str, str]:
    """Postal code and city of the last line of an address; a French code has five digits and no space."""
    found = _FRENCH_CODE.fullmatch(line) or _OTHER_CODE.fullmatch(line)
    return (found[1], found[2]) if found is not None else ("", line.strip())


def telecoms(parent: Element | None) -> tuple[Telecom, ...]:
    """The <telecom>s of a role. CDA has no mark for a secure mailbox: a mail address of a role at work is one."""
    found = []
    for one in children(parent, "telecom"):
        value, use = attribute(one, "value"), attribute(one, "use")
        if value:
            found.append(Telecom(value, use, is_mailbox(value, use)))
    return tuple(found)


def is_mailbox(value: str, use: str) -> bool:
    """Whether a telecom is a mailbox that a document may carry: CI-SIS headers name MSSanté addresses only."""
    return value.lower().startswith("mailto:") and use not in {"H", "HP", "HV"}


def person_name(holder: Element | None) -> PersonName:
    """Name of a professional."""
    name = child(holder, "name")
    prefix, suffix = child(name, "prefix"), child(name, "suffix")
    return PersonName(
        text(child(name, "family")),
        " ".join(text(one) for one in children(name, "given") if text(one)),
        None if prefix is None else text(prefix),
        None if suffix is None else text(suffix),
    )


def structure(scan: Scan, element: Element | None) -> StructureRef | None:
    """An organisation."""
    if element is None:
        return None
    return StructureRef(
        scan.id(child(element, "id")),
        text(child(element, "name")),
        postal_address(child(element, "addr")),
        telecoms(element),
    )


def professional(scan: Scan, role: Element | None, person: str, organization: str) -> Professional | None:
    """A role with its person and its organisation, named as the role's class names them."""
    if role is None:
        return None
    number = scan.id(child(role, "id"))
    coded = child(role, "code")
    specialty = child(coded, "originalText")
    return Professional(
        id=number,
        rpps=rpps_of(scan, number),
        name=person_name(child(role, person)),
        profession=scan.code(coded),
        specialty=None if specialty is None else text(specialty),
        address=postal_address(child(role, "addr")),
        telecoms=telecoms(role),
        structure=structure(scan, child(role, organization)),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    """The patient's names by qualifier: BR of birth, CL in use, none the whole list of given names."""

    families: dict[str, str]
    givens: dict[str, str]

    @classmethod
    def of(cls, names: Sequence[Element]) -> _Names:
        families: dict[str, str] = {}
        givens: dict[str, str] = {}
        for name in names:
            for part in name:
                held = families if local(part) == "family" else givens if local(part) == "given" else None
                if held is not None:
                    held.setdefault(attribute(part, "qualifier"), text(part))
        return cls(families, givens)


def patient(scan: Scan, target: Element | None, technical_root: str) -> PatientIdentity:
    """<recordTarget>. What the header does not say stays empty, with a finding for what designates a person."""
    role = child(target, "patientRole")
    person = child(role, "patient")
    ins, others = _identifiers(scan, role, technical_root)
    names = _Names.of(list(children(person, "name")))
    place = child(person, "birthplace", "place", "addr")
    _incomplete(scan, target, names)
    first = names.givens.get("BR", "") or names.givens.get("", "").partition(" ")[0]
    born = child(person, "birthTime")
    missing = person if person is not None else scan.root
    return PatientIdentity(
        ins=ins,
        identity_status="QUAL" if ins is not None else "PROV",
        local_ids=others,
        birth_family=names.families.get("BR") or names.families.get("", ""),
        birth_given=split_given(names.givens.get(""), first),
        first_given=first,
        used_family=names.families.get("CL"),
        used_given=names.givens.get("CL"),
        sex=scan.code(child(person, "administrativeGenderCode")) or ABSENT_CODE,
        birth_date=scan.day_or_absent(born, missing),
        birth_place_cog=_said(child(place, "county")),
        birth_place_name=_said(child(place, "city")),
        address=postal_address(child(role, "addr")),
        telecoms=telecoms(role),
    )


def _said(element: Element | None) -> str | None:
    return None if element is None else text(element)


def _identifiers(scan: Scan, role: Element | None, technical_root: str) -> tuple[Id | None, tuple[Id, ...]]:
    """The INS and the others. An identifier under the document's own set names the patient in it alone."""
    listed = [scan.id(one) for one in children(role, "id") if attribute(one, "root")]
    ins = next((one for one in listed if one.root in INS_ROOTS), None)
    others = [one for one in listed if one is not ins and one != Id(technical_root, "patient")]
    if sum(one.root in INS_ROOTS for one in listed) > 1 and role is not None:
        scan.trail.fault("RDB-021", path(role), "Deux INS pour un même patient.", "Vérifier l'identité.", "RNIV")
    return ins, tuple(others)


def _incomplete(scan: Scan, target: Element | None, names: _Names) -> None:
    if not names.families or not names.givens:
        advice = "Vérifier à qui appartient ce document."
        scan.trail.fault(
            "RDB-022",
            path(target if target is not None else scan.root),
            "Le nom ou le prénom du patient manque.",
            advice,
            "CI-SIS",
        )


def known(number: StructureRef | None) -> StructureRef:
    """A structure that the model wants."""
    return number or StructureRef(ABSENT_ID, "")
