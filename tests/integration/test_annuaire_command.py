"""`kine-gateway annuaire`: what it prints, its JSON and its exit status; and what `doctor` says of the list."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.app import main
from gateway.sandbox.annuaire.people import BY_CASE
from tests.integration.practice import Practice, open_practice


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path_factory.mktemp("commande"), certificates=certificates)
    yield made
    made.box.close()


def run(practice: Practice, *words: str) -> tuple[int, str, str]:
    """In this process: starting one for each command would take longer than the tests themselves."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["kine-gateway", *words, "--config", str(practice.config)]
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return status, out.getvalue(), err.getvalue()


def as_json(practice: Practice, *words: str) -> tuple[int, dict[str, Any]]:
    status, out, _ = run(practice, *words, "--json")
    value: dict[str, Any] = json.loads(out)
    return status, value


def test_the_whole_story(practice: Practice) -> None:
    """One after the other, as a practice would: nothing imported, then everything."""
    status, value = as_json(practice, "annuaire", "status")
    assert (status, value["list"], [f["code"] for f in value["findings"]]) == (0, None, ["ANN-401"])
    assert "bac-a-sable" not in json.dumps(value), "the key is shown nowhere"

    status, value = as_json(practice, "annuaire", "find", "--town", "brest")
    assert (status, value["error"]["code"]) == (69, "ANN-304")

    status, out, err = run(practice, "annuaire", "import", "--download")
    assert (status, err.splitlines()) == (0, ["téléchargement...", "lecture...", "index..."])
    assert re.match(r"\d+ boîtes importées en [\d.]+ s, liste du ", out)

    status, value = as_json(practice, "annuaire", "find", "--town", "brest", "--profession", "médecin", "--limit", "2")
    assert (status, value["source"], len(value["people"]), value["more"]) == (0, "extraction", 2, True)
    assert {p["profession_label"] for p in value["people"]} == {"Médecin"}

    status, value = as_json(practice, "annuaire", "status")
    assert (status, value["list"]["age_days"], value["findings"]) == (0, 0, [])

    status, value = as_json(practice, "doctor")
    assert [f["code"] for f in value["findings"] if f["code"].startswith("ANN")] == []


@pytest.mark.parametrize(
    ("name", "status", "verdict", "said"),
    [
        ("one", 0, "one", "Boîte à employer : celeste.unique-test@medecin.mssante.example"),
        ("practice", 1, "ask", "À choisir :"),
        ("none", 1, "none", "Pas de boîte."),
        ("outside", 1, "none", "hors espace de confiance"),
    ],
)
def test_find_by_number_concludes(practice: Practice, name: str, status: int, verdict: str, said: str) -> None:
    rpps = BY_CASE[name].rpps
    code, value = as_json(practice, "annuaire", "find", "--rpps", rpps)
    assert (code, value["choice"]["verdict"], value["people"][0]["rpps"]) == (status, verdict, rpps)
    code, out, _ = run(practice, "annuaire", "find", "--rpps", rpps)
    assert code == status
    assert said in out
    assert value["choice"]["code"] in out


def test_the_structure_settles_two_places(practice: Practice) -> None:
    one = BY_CASE["two_places"]
    place = one.posts[1].place
    words = ("annuaire", "find", "--rpps", one.rpps)
    assert as_json(practice, *words)[0] == 1
    status, value = as_json(practice, *words, "--structure", f"1{place.finess}")
    assert (status, value["choice"]["boxes"][0]["address"]) == (0, one.posts[1].boxes[0].address)


@pytest.mark.parametrize(
    "words",
    [
        ("find",),
        ("find", "--rpps", "123"),
        ("find", "--profession", "médecin"),
        ("find", "--name", " "),
        ("find", "--name", "x", "--source", "oracle"),
        ("import",),
        ("import", "liste.zip", "--download"),
    ],
)
def test_wrong_use_is_told(practice: Practice, words: tuple[str, ...]) -> None:
    status, out, err = run(practice, "annuaire", *words)
    assert (status, out) == (2, "")
    assert "Error" in err


def test_a_file_that_is_no_list_is_refused(practice: Practice, tmp_path: Path) -> None:
    path = tmp_path / "liste.zip"
    path.write_bytes(b"PK\x03\x04 et rien")
    status, value = as_json(practice, "annuaire", "import", str(path))
    assert (status, value["error"]["code"]) == (65, "ANN-301")
    assert value["error"]["advice"]


def test_without_a_directory_the_way_to_one_is_told(practice: Practice, tmp_path: Path) -> None:
    text = practice.config.read_text(encoding="utf-8")
    bare = re.sub(r"\[annuaire.*?(?=\n\[(?!annuaire))", "", text, count=1, flags=re.DOTALL)
    assert "annuaire" not in bare
    config = practice.folder / "sans.toml"
    config.write_text(bare, encoding="utf-8")
    other = Practice(practice.box, config, practice.folder)
    status, value = as_json(other, "annuaire", "find", "--name", "modele")
    assert (status, value["error"]["code"]) == (78, "ANN-400")
