"""The whole life of a document in the DMP, by commands alone: fed, found, read, replaced, masked, archived, deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import Practice, case, open_practice
from tests.integration.test_dmp_life import ACCOUNT, BILAN, direct

DOORS: dict[str, tuple[str, ...]] = {
    "soap": (),
    "fhir": ('door = "fhir"', 'fhir_url = "{fhir_url}"'),
}
"""The ways into the DMP, and the lines of [account.dmp] that choose each."""
ACTS = ["--account", ACCOUNT]
WHY = ["--reason", "demande du patient", "--by", "Anne Essai", "--yes"]


@pytest.fixture(params=DOORS)
def practice(tmp_path: Path, certificates: Path, request: pytest.FixtureRequest) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    direct(made, *(line.format(fhir_url=made.box.fhir_url) for line in DOORS[request.param]))
    yield made
    made.box.close()


class Hands:
    """Types commands on one practice."""

    def __init__(self, practice: Practice) -> None:
        self._config = practice.config
        self._box = practice.box

    def submit(self, value: dict[str, Any]) -> str:
        told = as_json(self._run("submit", "-", stdin=json.dumps(value).encode()))
        document: str = told["document_id"]
        self.sent(document, "dmp")
        return document

    def change(self, verb: str, document: str) -> None:
        told = as_json(self._run("dmp", verb, document, *ACTS, *WHY))
        self.sent(document, told["delivery"]["role"])

    def sent(self, document: str, role: str) -> None:
        """Deliver; the delivery of this role must have arrived, as queue and trace say."""
        assert gateway("run", "--once", config=self._config).returncode == 0
        rows = as_json(self._run("queue", "list"))
        [row] = [one for one in rows if one["document_id"] == document and one["role"] == role]
        assert row["transport"] == "sent", as_json(self._run("queue", "show", row["id"]))

    def found(self, document: str, *statuses: str) -> list[dict[str, Any]]:
        more = [part for status in statuses for part in ("--status", status)]
        documents: list[dict[str, Any]] = as_json(self._run("dmp", "find", "--of", document, *ACTS, *more))["documents"]
        return documents

    def read(self, document: str, unique_id: str, out: Path) -> bytes:
        told = as_json(self._run("dmp", "get", unique_id, "--of", document, *ACTS, "--out", out))
        [file] = told["files"]
        return Path(file).read_bytes()

    def _run(self, *arguments: str | Path, stdin: bytes = b"") -> Any:
        return gateway(*arguments, "--json", config=self._config, stdin=stdin)

    def held(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What the other side has: uniqueId, status, visibility."""
        return [
            (one.unique_id, one.status, tuple(code for code in one.confidentiality if code != "N"))
            for one in self._box.dmp.documents()
        ]


def test_the_life_of_a_document(practice: Practice, tmp_path: Path) -> None:
    hands, value = Hands(practice), case(BILAN)
    assert (
        as_json(
            gateway(
                "dmp",
                "test",
                "--patient",
                "-",
                "--account",
                ACCOUNT,
                "--json",
                config=practice.config,
                stdin=json.dumps(value).encode(),
            )
        )["open"]
        is True
    )

    first = hands.submit(value)
    [entry] = hands.found(first)
    assert (entry["ours"], entry["status"], entry["visibility"]) == (first, "Approved", [])
    assert b"<ClinicalDocument" in hands.read(first, entry["unique_id"], tmp_path / "first")

    value["document"]["reason"] = "Texte corrigé"
    second = hands.submit(value | {"key": "correction-1", "replaces": first})
    [entry] = hands.found(second)
    assert entry["ours"] == second
    [old] = hands.found(second, "deprecated")
    assert old["ours"] == first
    assert "Texte corrigé".encode() in hands.read(second, entry["unique_id"], tmp_path / "second")

    hands.change("mask", second)
    assert (entry["unique_id"], "Approved", ("MASQUE_PS",)) in hands.held()
    hands.change("archive", second)
    assert hands.found(second) == []
    [archived] = hands.found(second, "archived")
    assert archived["unique_id"] == entry["unique_id"]
    assert [status for name, status, _ in hands.held() if name == entry["unique_id"]] == ["Archived"]
    hands.change("delete", second)
    assert sorted(status for _, status, _ in hands.held()) == ["Deleted", "Deprecated"]
    assert hands.found(second) == []
    assert gateway("journal", "verify", config=practice.config).returncode == 0
