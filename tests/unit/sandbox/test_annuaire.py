"""The sandbox's directory: valid FHIR, the key, the rate, the pages, and a daily file in the real shape."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway.clock import FrozenClock, SeededRandomness
from gateway.sandbox.annuaire import KEY, AnnuaireService
from gateway.sandbox.annuaire.people import BY_CASE, CROWD, Professional, crowd
from gateway.sandbox.annuaire.service import COLUMNS, Answer

BASE = "https://localhost:20444/fhir/v2"
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
Params = Sequence[tuple[str, str]]
REVINCLUDE = ("_revinclude", "PractitionerRole:practitioner")


class Desk:
    """The service, asked as slowly as it wants."""

    def __init__(self) -> None:
        self.clock = FrozenClock(NOW)
        self.service = AnnuaireService(self.clock, SeededRandomness("annuaire"))

    def get(self, path: str, *params: tuple[str, str]) -> Any:
        self.clock.advance(1)
        return json.loads(self.service.answer(BASE, path, params, KEY).body)

    def ids(self, path: str, *params: tuple[str, str]) -> list[str]:
        entries = self.get(path, *params).get("entry", [])
        return [e["resource"]["id"] for e in entries if e["search"]["mode"] == "match"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def everybody() -> Iterator[Professional]:
    yield from BY_CASE.values()
    yield from crowd()


@pytest.mark.parametrize(
    ("path", "params", "kinds"),
    [
        ("Practitioner", [("name", "test"), REVINCLUDE, ("_count", "200")], {"Practitioner", "PractitionerRole"}),
        ("Practitioner", [("active", "false")], {"Practitioner"}),
        (
            "PractitionerRole",
            [("_include", "*"), ("active", "true"), ("_count", "200")],
            {"PractitionerRole", "Practitioner", "Organization"},
        ),
        (
            "Organization",
            [("address-city", "brest"), ("_revinclude", "PractitionerRole:organization")],
            {"Organization", "PractitionerRole"},
        ),
        ("Practitioner", [("identifier", "00000000000")], set()),
    ],
)
def test_searches_answer_valid_fhir(desk: Desk, path: str, params: Params, kinds: set[str]) -> None:
    """R4B's models: what these resources hold is the same in R4."""
    bundle = desk.get(path, *params)
    assert Bundle.model_validate(bundle).type == "searchset"
    entries = bundle.get("entry", [])
    assert {entry["resource"]["resourceType"] for entry in entries} == kinds
    for entry in entries:
        kind = entry["resource"]["resourceType"]
        assert entry["fullUrl"] == f"{BASE}/{kind}/{entry['resource']['id']}"
        assert entry["search"]["mode"] == ("match" if kind == path else "include")


def test_fhir_that_is_wrong_would_be_seen(desk: Desk) -> None:
    bundle = desk.get("Practitioner", ("name", "test"))
    bundle["entry"][0]["resource"]["telecom"] = [{"system": "pigeon", "valeur": "x"}]
    with pytest.raises(ValueError, match="telecom"):
        Bundle.model_validate(bundle)


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [("Practitioner", [("astre", "1")], 400), ("Astre", [], 404), ("_page", [("id", "x")], 410)],
)
def test_refusals_are_operation_outcomes(desk: Desk, path: str, params: Params, status: int) -> None:
    answer = desk.service.answer(BASE, path, params, KEY)
    assert answer.status == status
    OperationOutcome.model_validate_json(answer.body)


def test_what_can_be_asked_is_said(desk: Desk) -> None:
    CapabilityStatement.model_validate(desk.get("metadata"))


def test_the_key_and_the_rate(desk: Desk) -> None:
    def status(key: str | None = KEY) -> int:
        return desk.service.answer(BASE, "Practitioner", [("_id", "x")], key).status

    assert status(None) == 401
    assert status("fausse") == 403
    assert [status() for _ in range(19)] == [200] * 17 + [429] * 2
    desk.clock.advance(0.9)
    assert status() == 429
    desk.clock.advance(0.2)
    assert status() == 200


def test_pages_hold_fifty_and_follow_each_other(desk: Desk) -> None:
    bundle = desk.get("Practitioner", ("family", "nombreux"))
    seen, sizes = [], []
    while True:
        entries = bundle["entry"]
        sizes.append(len(entries))
        seen += [entry["resource"]["id"] for entry in entries]
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        if not following:
            break
        bundle = desk.get("_page", ("id", following[0].partition("id=")[2]))
    assert sizes == [50, 50, 20]
    assert len(set(seen)) == CROWD
    assert desk.get("Practitioner", ("family", "nombreux"))["total"] == CROWD


def test_search_parameters(desk: Desk) -> None:
    one = BY_CASE["one"]
    for params in (
        [("identifier", one.rpps)],
        [("identifier", f"8{one.rpps}")],
        [("identifier", f"https://rpps.esante.gouv.fr|{one.rpps}")],
        [("family:exact", "UNIQUE-TEST")],
        [("name:contains", "nique-té")],
        [("family", "unique"), ("given", "celeste")],
        [("mailbox-mss:contains", "celeste.unique")],
        [("_id", one.id)],
    ):
        assert desk.ids("Practitioner", *params) == [one.id], params
    assert desk.ids("Practitioner", ("family", "unique"), ("active", "false")) == []
    assert desk.ids("Practitioner", ("qualification-code", "70")) == [BY_CASE["physiotherapist"].id]
    assert desk.ids("Practitioner", ("mailbox-mss:contains", "rouge-test")) == []
    two = f"{one.rpps},{BY_CASE['none'].rpps}"
    assert len(desk.ids("Practitioner", ("identifier", two))) == 2


def test_an_inactive_professional_shows_no_more_than_who_it_was(desk: Desk) -> None:
    [entry] = desk.get("Practitioner", ("identifier", BY_CASE["retired"].rpps))["entry"]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", "language", "identifier", "active"}


def daily_lines(answer: Answer) -> list[str]:
    """The name of the file inside the daily archive, then its lines."""
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        [name] = archive.namelist()
        return [name, *archive.read(name).decode("utf-8").split("\n")]


def test_nobody_is_red_listed_in_what_is_published(desk: Desk) -> None:
    searched = json.dumps(desk.get("Practitioner", ("_count", "200"), REVINCLUDE))
    _, *lines = daily_lines(desk.service.extraction())
    for published in (searched, "\n".join(lines)):
        assert "unique-test@" in published
        assert "rouge-test@" not in published


def test_the_daily_file_has_the_real_shape(desk: Desk) -> None:
    answer = desk.service.extraction()
    assert dict(answer.headers)["Content-Disposition"].endswith("Extraction_Correspondance_MSSante_202611221300.zip")
    name, *lines = daily_lines(answer)
    assert name == "Extraction_Correspondance_MSSante_202611221300.txt"  # French legal time
    assert lines[-1] == ""
    assert [len(line.split("|")) for line in lines[:-1]] == [31] * (len(lines) - 1)
    assert lines[0].split("|") == list(COLUMNS)
    assert {line.split("|")[0] for line in lines[1:-1]} == {"PER", "ORG"}


def test_numbers_are_outside_the_real_ranges_and_well_formed() -> None:
    from gateway.rules.destinations import luhn

    numbers = [one.rpps for one in everybody()]
    assert len(set(numbers)) == len(numbers)
    assert all(number.startswith("997000") and len(number) == 11 and luhn(number) for number in numbers)


def test_it_is_the_same_at_every_start() -> None:
    assert Desk().service.extraction().body == Desk().service.extraction().body
    assert Desk().get("Practitioner") == Desk().get("Practitioner")
