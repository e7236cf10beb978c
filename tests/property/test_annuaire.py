"""The directory's readers meet anything: they answer or refuse with a code, and never let a bad box through."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.channels.annuaire import extraction, fhir, reading
from gateway.channels.annuaire.choice import choose
from gateway.channels.annuaire.listing import Listing
from gateway.channels.annuaire.model import (
    BoxKind,
    Found,
    ListRefusedError,
    Person,
    Query,
    Source,
    Verdict,
    person_as_dict,
    person_of,
)
from gateway.channels.annuaire.words import ADDRESS, fold, fold_town, town_of
from tests.unit.annuaire.samples import (
    EMAIL_TYPE,
    HEADER,
    METADATA,
    NAME,
    NOW,
    RPPS,
    TRUST,
    box,
    clock,
    lines,
    organization,
    practitioner,
    role,
    telecom,
    text,
    write_zip,
)
from tests.unit.annuaire.samples import settings as directory_settings

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
words = st.sampled_from(
    [
        "resourceType", "Bundle", "entry", "resource", "link", "relation", "next", "url", "id", "identifier", "system",
        "value", "active", "telecom", "email", "extension", "valueCoding", "code", "MSSANTE", "type", "name", "family",
        "listeRouge", "valueBoolean", "rank", "organization", "practitioner", "reference", "Practitioner",
        "PractitionerRole", "Organization", "https://rpps.esante.gouv.fr", RPPS, EMAIL_TYPE, METADATA,
    ]
)  # fmt: skip
json_values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)


def everything(bundle: Any) -> list[Person]:
    places = fhir.structures(fhir.resources(bundle, "Organization"))
    roles = fhir.resources(bundle, "PractitionerRole")
    fhir.organization_ids(roles)
    return fhir.people(fhir.resources(bundle, "Practitioner"), roles, places)


@given(json_values)
def test_any_json_is_read_without_a_crash(value: Any) -> None:
    everything(value)
    everything({"entry": [{"resource": value}]})


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A good bundle in which one place, anywhere, holds something else."""
    good: Any = {
        "entry": [
            {"resource": practitioner(RPPS, telecom("un@medecin.mssante.example"))},
            {"resource": role(RPPS, "o1", telecom("deux@medecin.mssante.example"))},
            {"resource": organization("o1", "1990000001")},
        ]
    }
    place, key = good, "entry"
    for _ in range(draw(st.integers(0, 9))):
        inner = place[key]
        if isinstance(inner, dict) and inner:
            place, key = inner, draw(st.sampled_from(sorted(inner)))
        elif isinstance(inner, list) and inner:
            place, key = inner, draw(st.integers(0, len(inner) - 1))  # type: ignore[assignment]
    place[key] = draw(json_values)
    return dict(good)


@given(spoilt())
@settings(max_examples=300)
def test_one_wrong_value_costs_at_most_what_it_concerns(bundle: dict[str, Any]) -> None:
    for person in everything(bundle):
        assert len(person.rpps) == 11
        for found in person.boxes:
            assert ADDRESS.fullmatch(found.address)
        assert person_of(person_as_dict(person)) == person


addresses = st.sampled_from([f"{who}@{where}" for who in "abc" for where in (*sorted(TRUST.domains), "dehors.example")])
kinds = st.sampled_from([kind.value for kind in BoxKind])
structures = st.none() | st.sampled_from(["1990000001", "1990000002"])
boxes = st.lists(st.builds(box, addresses, kinds, structures, st.none() | st.integers(1, 3)), max_size=6)


@given(boxes, structures)
def test_a_choice_is_one_trusted_box_or_a_question(listed: list[Any], structure: str | None) -> None:
    found = Found((Person(RPPS, "MODELE", boxes=tuple(listed)),), Source.API, NOW)
    choice = choose(found, RPPS, TRUST, structure)
    trusted = {b.address for b in listed if TRUST.allows(b.address)}
    assert {b.address for b in choice.boxes} <= trusted
    assert (choice.verdict is Verdict.NONE) == (not trusted)
    if choice.verdict is Verdict.ONE:
        assert len(choice.boxes) == 1
        here = {b.address for b in listed if b.structure and structure and b.structure.id == structure} & trusted
        alone = {b.address for b in listed if b.structure is None} & trusted
        assert {choice.boxes[0].address} == (here or (alone if structure else set()) or trusted)
    if choice.verdict is Verdict.ASK and choice.code == "ANN-204":
        assert len({b.address for b in choice.boxes}) > 1


@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_any_line_is_taken_or_counted(extra: list[bytes], with_header: bool) -> None:
    body = b"\n".join([*(one.encode() for one in lines(3)), *extra])
    data = (HEADER.encode() + b"\n" if with_header else b"") + body
    counts = reading.Counts()
    source = reading.Opened(io.BytesIO(data), 0, "")
    if not with_header:
        with pytest.raises(ListRefusedError):
            list(reading.rows(source, counts))
        return
    taken = list(reading.rows(source, counts))
    assert len(taken) + counts.left == counts.lines
    assert len(taken) >= 3


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_spoilt_file_is_imported_or_refused_whole(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = directory_settings(folder)
        path = write_zip(folder / NAME.replace(".txt", ".zip"), text(lines(30)))
        extraction.import_file(made, path, clock())
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
        with contextlib.suppress(ListRefusedError):
            extraction.import_file(made, path, clock())
        assert Listing(made.file).about().boxes == 30
        assert not list(folder.glob(".annuaire*"))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_can_be_folded_and_looked_for(name: str, town: str) -> None:
    folded = fold(name)
    assert fold(folded) == folded
    assert all(c.isascii() and (c.isupper() or c.isdigit() or c == " ") for c in folded)
    assert fold_town(fold_town(town)) == fold_town(town)
    town_of(town)


def test_any_question_can_be_put_to_the_list() -> None:
    with tempfile.TemporaryDirectory() as name:
        made = directory_settings(Path(name))
        extraction.import_file(made, write_zip(Path(name) / "a.zip", text(lines(5))), clock())

        @given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
        def ask(who: str, where: str, what: str) -> None:
            Listing(made.file).find(Query(name=who, town=where, profession_label=what, profession=what))
            Listing(made.file).owners(who)

        ask()
