"""Who is concerned: patient, author, recipients, as short lines; a fact that is not known leaves no line."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from gateway.render.pdf.legible import clip, long_date, short_date, wording

if TYPE_CHECKING:
    from gateway.document.model import Addressee, Header, PatientIdentity, PersonName, PostalAddress, Telecom
    from gateway.terminology import Terminology

_FOOTER = 100
"""Longest name in the footer, in characters: it keeps to its line."""


def patient(header: Header, length: int) -> dict[str, Any]:
    """Card of the patient, its lines at most `length` characters long."""
    return _card(usual_name(header.patient), patient_lines(header), length)


def _card(name: str, lines: list[str], length: int) -> dict[str, Any]:
    return {"name": clip(name, length), "lines": [clip(line, length) for line in lines]}


def patient_lines(header: Header) -> list[str]:
    """Birth traits, and the INS when it leaves with the document."""
    person = header.patient
    words = wording()["words"]
    birth = f"{wording()['born'].get(person.sex.code, wording()['born']['UN'])} {long_date(person.birth_date)}"
    place = f" ({person.birth_place_name})" if person.birth_place_name else ""
    lines = [
        f"{birth}{place}, {age(person.birth_date, header.effective_time.date())} {words['age']}",
        f"{words['sex']} {person.sex.display.lower()}",
        _birth_name(person),
        _ins(person),
    ]
    return [line for line in lines if line]


def age(born: date, today: date) -> int:
    """Whole years lived."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def usual_name(person: PatientIdentity) -> str:
    """Given name, then family name in capitals; the names in use before those of birth."""
    given = person.used_given or person.first_given
    return f"{given} {(person.used_family or person.birth_family).upper()}".strip()


def _birth_name(person: PatientIdentity) -> str:
    given = " ".join(person.birth_given or (person.first_given,))
    return f"{wording()['words']['birth_name']} {person.birth_family}, {given}"


def _ins(person: PatientIdentity) -> str:
    if person.ins is None:
        return ""
    return f"{wording()['ins'].get(person.ins.root, wording()['words']['ins'])} {person.ins.extension}"


def author(header: Header, length: int) -> dict[str, Any]:
    """Card of the author, its lines at most `length` characters long."""
    return _card(full_name(header.author.name), author_lines(header), length)


def author_lines(header: Header) -> list[str]:
    """Profession, RPPS, practice, address, telephone and mailbox."""
    person, place = header.author, header.author.structure or header.custodian
    telecoms = [*person.telecoms, *place.telecoms]
    lines = [
        person.profession.display if person.profession else "",
        f"{wording()['words']['rpps']} {person.rpps}" if person.rpps else "",
        place.name,
        postal(place.address or person.address),
        *dict.fromkeys(contact(point) for point in telecoms),
    ]
    return [line for line in lines if line]


def full_name(name: PersonName) -> str:
    """`Dr Hélène MODELE`, `Gwenaël TESTOU`."""
    title = {"DR": "Dr", "PR": "Pr"}.get(name.suffix or "", "")
    return " ".join(part for part in (title, name.given, name.family.upper()) if part)


def postal(address: PostalAddress | None) -> str:
    """An address on one line."""
    if address is None:
        return ""
    return ", ".join([*address.lines, f"{address.postal_code} {address.city}".strip()])


def contact(point: Telecom) -> str:
    """A telephone number as it is dialled in France, or an address without its scheme."""
    scheme, _, rest = point.value.partition(":")
    if scheme not in {"tel", "mailto", "fax"}:
        return point.value
    if scheme == "mailto":
        return rest
    digits = rest.replace("+33", "0", 1) if rest.startswith("+33") else rest
    if len(digits) == 10 and digits.isdigit():
        digits = "\u202f".join(digits[start : start + 2] for start in range(0, 10, 2))
    return digits


def recipients(header: Header, limit: int, length: int, terminology: Terminology) -> list[dict[str, str]]:
    """The first recipients with their roles, and how many more there are."""
    found = [
        {"name": clip(full_name(one.professional.name), length), "role": clip(function(one, terminology), length)}
        for one in header.addressees
    ]
    more = len(found) - limit
    return found if more <= 0 else [*found[:limit], {"name": wording()["words"]["more"].format(n=more), "role": ""}]


def recipient(addressee: Addressee, terminology: Terminology) -> str:
    """Name, specialty and role of one recipient."""
    return f"{full_name(addressee.professional.name)}, {function(addressee, terminology)}"


def function(addressee: Addressee, terminology: Terminology) -> str:
    """Specialty and role of one recipient."""
    # A number tells two recipients of one role apart.
    role = terminology.wording("recipient_role", addressee.role.rstrip("0123456789").rstrip("_"))
    return ", ".join(part for part in (addressee.professional.specialty, role) if part)


def footer(header: Header) -> str:
    """What every page says of the patient: birth name, first given name, birth date."""
    person = header.patient
    born = wording()["born"].get(person.sex.code, wording()["born"]["UN"])
    return clip(f"{person.birth_family} {person.first_given}, {born} {short_date(person.birth_date)}", _FOOTER)
