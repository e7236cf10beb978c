"""Limits that XDS sets to every value, whatever it says: lengths, emptiness, the syntax of recipients.

Sources: ebRIM 3.0 §2.8 (a slot's value has at most 256 characters), ITI TF-3 §4.2.3.2.23 (title: 128 bytes) and
§4.2.3.3.7 (intendedRecipient: organisation, person or both).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.sandbox.ebrim import RegistryObject
from gateway.sandbox.problems import REGISTRY_METADATA, Problem

SLOT, TITLE = 256, 128
_APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_VALUED = ("hash", "size")


def check(owner: RegistryObject) -> Iterator[Problem]:
    """What of a submission set or an entry is too long or empty."""
    for name, value in _values(owner):
        if len(value) > SLOT:
            yield _bad(owner, name, f"{len(value)} caractères, {SLOT} au plus")
    if len(owner.title.encode()) > TITLE:
        yield _bad(owner, "title", f"{len(owner.title.encode())} octets, {TITLE} au plus")
    for name in _VALUED:
        if name in owner.slots and not owner.slot(name):
            yield _bad(owner, name, "valeur vide")


def check_set(owner: RegistryObject) -> Iterator[Problem]:
    """What only a submission set can break."""
    if owner.element.get("status", _APPROVED) != _APPROVED:
        yield _bad(owner, "availabilityStatus", "un lot soumis est Approved")
    for value in owner.slots.get("intendedRecipient", ()):
        if not _recipient(value):
            yield _bad(owner, "intendedRecipient", "organisation|personne attendu")


def _values(owner: RegistryObject) -> Iterator[tuple[str, str]]:
    for name, values in owner.slots.items():
        yield from ((name, value) for value in values)
    for author in owner.authors:
        fields = (author.person, author.institution, author.role, author.specialty)
        yield from (("author", value) for values in fields for value in values)


def _recipient(text: str) -> bool:
    """`XON|XCN|XTN`, each of which may be empty, the whole may not; an organisation has a name."""
    parts = text.split("|")
    if len(parts) > 3 or not any(parts) or not all(part.strip("^&") for part in parts if part):
        return False
    organisation, *others = parts
    person = others[0] if others else ""
    named = not organisation or organisation.split("^")[0] != ""
    known = not person or person.split("^")[0] != "" or (person + "^").split("^")[1] != ""
    # A part after the person is a telecommunication address (XTN), which has an @ or a number.
    address = len(others) < 2 or any(mark in others[1] for mark in ("@", "^"))
    return named and known and address


def _bad(owner: RegistryObject, attribute: str, message: str) -> Problem:
    return Problem(REGISTRY_METADATA, f"{owner.label}/{attribute}", f"{attribute} : {message}")
