"""Questions to the imported list: by RPPS, by name, by town, by profession; accents and spelling apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.annuaire.listing import Listing
from gateway.channels.annuaire.model import AnnuaireError, Query
from gateway.channels.annuaire.words import fold, fold_town, town_of
from gateway.settings import AnnuaireSettings
from tests.unit.annuaire.samples import imported, line, text

PEOPLE = [
    line(1, family="ÉCHANTILLON", given="Paul-Antoine", town="35400 SAINT MALO"),
    line(2, family="ESSAI-MARTIN", given="Zoé", town="29200 BREST CEDEX 2"),
    line(3, family="MARTINEAU", given="Léa", town="29200 BREST", profession="70|Masseur-Kinésithérapeute"),
    line(3, family="MARTINEAU", given="Léa", town="35000 RENNES", address="lea@cabinet.mssante.example"),
    line(4, family="D'ESSAI", given="Anne", town="29000 QUIMPER"),
    line(5, kind="ORG", address="reeducation@cabinet.mssante.example", family="", given="", town="29200 BREST"),
]


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    return Listing(imported(tmp_path_factory.mktemp("liste"), PEOPLE).file)


def names(listing: Listing, **query: Any) -> list[str]:
    return [person.family for person in listing.find(Query(**query)).people]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "echantillon"}, ["ÉCHANTILLON"]),
        ({"name": "Échantillon paul antoine"}, ["ÉCHANTILLON"]),
        ({"name": "Paul-Antoine ÉCHANTILLON"}, ["ÉCHANTILLON"]),
        ({"name": "Echantillon Jacques"}, []),
        ({"name": "martin"}, ["MARTINEAU"]),
        ({"name": "essai martin"}, ["ESSAI-MARTIN"]),
        ({"name": "antillon"}, ["ÉCHANTILLON"]),
        ({"name": "d essai"}, ["D'ESSAI"]),
        ({"name": "cabinet fictif"}, ["CABINET FICTIF"]),
        ({"town": "brest"}, ["CABINET FICTIF", "ESSAI-MARTIN", "MARTINEAU"]),
        ({"town": "St-Malo"}, ["ÉCHANTILLON"]),
        ({"town": "brest", "profession": "70"}, ["MARTINEAU"]),
        ({"town": "brest", "profession_label": "kiné"}, ["MARTINEAU"]),
        ({"town": "brest", "profession_label": "medecin"}, ["CABINET FICTIF", "ESSAI-MARTIN"]),
        ({"town": "brest", "profession_label": "astrologue"}, []),
        ({"name": "martineau", "town": "rennes"}, ["MARTINEAU"]),
        ({"name": "martineau", "town": "quimper"}, []),
        ({"rpps": "99700000003"}, ["MARTINEAU"]),
        ({"rpps": "99700000009"}, []),
        ({"name": "%"}, []),
        ({"name": "x' OR '1'='1"}, []),
        ({}, []),
    ],
)
def test_questions(listing: Listing, query: dict[str, str], expected: Sequence[str]) -> None:
    assert names(listing, **query) == expected


def test_a_person_has_all_the_boxes_of_the_number(listing: Listing) -> None:
    [person] = listing.find(Query(rpps="99700000003")).people
    assert sorted(b.address for b in person.boxes) == ["essai.3@medecin.mssante.example", "lea@cabinet.mssante.example"]
    assert set(person.towns) == {"BREST", "RENNES"}


def test_more_than_asked_for_is_said(listing: Listing) -> None:
    answer = listing.find(Query(town="brest", limit=2))
    assert (len(answer.people), answer.more) == (2, True)
    assert not listing.find(Query(town="brest", limit=3)).more


def test_owners_of_a_box(listing: Listing) -> None:
    assert listing.owners("LEA@cabinet.mssante.example") == {"99700000003"}
    assert listing.owners("reeducation@cabinet.mssante.example") == set()


def test_questions_by_number_name_and_town_use_an_index(listing: Listing) -> None:
    base = sqlite3.connect(listing.path)
    for where in (
        "rpps = ?1",
        "address = ?1",
        "name_key >= 'A' AND name_key < 'A~'",
        "town_key >= 'A' AND town_key < 'A~'",
    ):
        values = ("x",) if "?" in where else ()
        [plan] = base.execute(f"EXPLAIN QUERY PLAN SELECT * FROM box WHERE {where}", values).fetchall()
        assert str(plan[3]).startswith("SEARCH box USING INDEX"), plan[3]
    base.close()


@pytest.mark.parametrize("content", [None, b"", b"pas une base" * 100, b"SQLite format 3\0"])
def test_an_absent_or_foreign_file_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "annuaire.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AnnuaireError) as caught:
        Listing(path).find(Query(rpps="99700000003"))
    assert caught.value.code == "ANN-304"
    assert "import" in caught.value.advice


def test_another_program_s_base_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "annuaire.db"
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE box (x)")
    base.close()
    with pytest.raises(AnnuaireError):
        Listing(path).about()


def test_words() -> None:
    assert fold("Échantillon-d’Or ") == fold("ECHANTILLON D'OR") == "ECHANTILLON D OR"
    assert fold("Cœur") == "COEUR"
    assert town_of("29200 BREST CEDEX 2") == ("29200", "BREST")
    assert town_of("BREST") == ("", "BREST")
    assert fold_town("Ste-Anne") == "SAINTE ANNE"
    assert text([]).endswith(b"\n")
    assert AnnuaireSettings.model_fields["max_age_days"].default == 30
