"""Bundles of the API read into people: only what is active, typed and published."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.channels.annuaire import fhir
from gateway.channels.annuaire.model import Person
from tests.unit.annuaire.samples import RPPS, organization, practitioner, role, telecom

ONE = "un@medecin.mssante.example"


def people(*resources: dict[str, Any]) -> list[Person]:
    sorts = {kind: [r for r in resources if r["resourceType"] == kind] for kind in ("Practitioner", "PractitionerRole")}
    places = fhir.structures([r for r in resources if r["resourceType"] == "Organization"])
    return fhir.people(sorts["Practitioner"], sorts["PractitionerRole"], places)


def addresses(*resources: dict[str, Any]) -> list[str]:
    return [box.address for person in people(*resources) for box in person.boxes]


def test_a_professional_with_a_box() -> None:
    coding = {"system": "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"}
    qualification = [{"code": {"coding": [{**coding, "code": "10"}]}}]
    [person] = people(practitioner(RPPS, telecom(ONE, rank=1), qualification=qualification))
    assert (person.rpps, person.name, person.profession) == (RPPS, "DR Hélène MODELE", "10")
    assert [(b.address, b.kind.value, b.rank, b.structure) for b in person.boxes] == [(ONE, "PER", 1, None)]


def test_the_national_identifier_serves_where_the_rpps_is_not_said() -> None:
    identifier = [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": f"8{RPPS}"}]
    [person] = people(practitioner(RPPS, identifier=identifier))
    assert person.rpps == RPPS
    assert (
        people(practitioner(RPPS, identifier=[{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "0123456789"}])) == []
    )


@pytest.mark.parametrize(
    "entry",
    [
        telecom(ONE, typed=False),
        telecom(ONE, red=True),
        telecom(ONE, red="true"),
        telecom(ONE, red=None),
        {**telecom(ONE), "system": "phone"},
        telecom("pas une adresse"),
        telecom("a@b@c"),
        telecom(None),
        telecom("é@medecin.mssante.example"),
        telecom("x@medecin.mssante.example\nBcc: y@z"),
    ],
)
def test_what_is_no_published_box_is_left_out(entry: dict[str, Any]) -> None:
    assert addresses(practitioner(RPPS, entry)) == []


@pytest.mark.parametrize("active", [False, None, "true"])
def test_only_what_is_active_counts(active: Any) -> None:
    assert people(practitioner(RPPS, telecom(ONE), active=active)) == []
    assert addresses(practitioner(RPPS), role(RPPS, "o1", telecom(ONE), active=active)) == []


def test_boxes_of_the_places_come_with_their_structure_first() -> None:
    [person] = people(
        practitioner(RPPS, telecom(ONE)),
        role(RPPS, "o1", telecom("la@cabinet.mssante.example", kind="CAB")),
        organization("o1", "1990000001"),
    )
    first, second = person.boxes
    assert (first.kind.value, first.structure.id if first.structure else "") == ("CAB", "1990000001")
    assert second.structure is None
    assert person.towns == ("RENNES",)


def test_a_place_that_cannot_be_read_is_not_taken_for_none() -> None:
    """A box tied to an unknown place must not pass for one that serves everywhere."""
    [person] = people(practitioner(RPPS), role(RPPS, "o9", telecom(ONE)))
    assert person.boxes[0].structure is not None


def test_roles_of_others_are_not_his() -> None:
    assert addresses(practitioner(RPPS), role("99700000001", "o1", telecom(ONE))) == []
    assert addresses({**practitioner(RPPS), "id": ""}, {**role(RPPS, "o1", telecom(ONE)), "practitioner": {}}) == []


def test_two_exercises_of_one_professional_are_one_person() -> None:
    other = {**practitioner(RPPS, telecom("deux@medecin.mssante.example")), "id": "003-bis"}
    [person] = people(practitioner(RPPS, telecom(ONE)), other)
    assert len(person.boxes) == 2


def test_the_marks_are_those_of_the_french_profile(shared: Any) -> None:
    """The address of the extension, against the profile as published by HL7 France."""
    profile = (shared / "fr-core" / "StructureDefinition-fr-core-contact-point-email-type.json").read_text()
    assert f'"{fhir.EMAIL_TYPE}"' in profile
