"""Exports and figures of a journal of several shards, on a real PostgreSQL: proven and repeated like one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit import exports, ledger, tables
from gateway.audit.exports import Form
from gateway.audit.indicators import Basis, compute
from gateway.audit.period import parse
from gateway.errors import NotFoundError
from gateway.store import journal
from gateway.store.outbox import Outbox
from tests.unit.audit.test_exports import FORMS, judge, verifier
from tests.unit.audit.year import Year, summary
from tests.unit.store import kit
from tests.unit.store.engines import engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas", "verifier"]
pytestmark = [pytest.mark.engine("postgres"), pytest.mark.needs("postgres")]
PERIOD = parse("2026")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path)
    year = Year(opened)
    for number, account in enumerate(("cabinet", "autre", "cabinet")):
        name, when = f"d{number}", f"0{number + 1}-10"
        year.put(name, f"p{number}", summary(when, (PERIOD.first,) * (number + 1)), account=account)
    yield opened
    opened.close()


def figures(store: Outbox, at: str | None = None) -> dict[str, object]:
    return tables.as_dict(compute(Basis.of(ledger.read(store, at), store.facts()), PERIOD))


def test_several_shards_are_used(store: Outbox) -> None:
    assert len({journal.shard_of(account, store.shards) for account in ("cabinet", "autre")}) == 2


@pytest.mark.parametrize("period", [None, "2026", "2024"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_verifies(store: Outbox, tmp_path: Path, verifier: object, form: Form, period: str | None) -> None:
    wanted = None if period is None else parse(period)
    made = exports.write(store, tmp_path / "out", form, wanted)
    assert made.lines > 0 or period == "2024"
    said = judge(verifier, made.folder, tmp_path)  # type: ignore[arg-type]
    assert not said.startswith("WRONG"), said
    records = made.folder / "journal.jsonl"
    if "MSS" in (text := records.read_text(encoding="utf-8")) or "DMP-OK" in text:
        records.write_text(text.replace("DMP-OK", "DMP-KO", 1), encoding="utf-8")
        assert judge(verifier, made.folder, tmp_path).startswith("WRONG")  # type: ignore[arg-type]


def test_figures_and_the_same_again_later(store: Outbox) -> None:
    before = figures(store)
    told = before["figures"]
    assert isinstance(told, dict)
    assert (told["patients"], told["sessions_total"], told["dmps_updated"]) == (3, 6, 3)
    mark = before["checkpoint"]
    assert isinstance(mark, dict)
    assert len(mark["notes"]) >= 2
    Year(store).put("more", "p9", summary("04-04", (PERIOD.first,)), account="cabinet")
    assert figures(store)["figures"] != told
    store.accept(replace(kit.request("later"), account="autre"))
    assert figures(store, json.dumps(before)) == before
    for alone in (str(mark["size"]), mark["notes"][0]):  # one checkpoint says nothing of the other shards
        with pytest.raises(NotFoundError):
            figures(store, alone)
    told_again = compute(Basis.of(ledger.read(store), store.facts()), PERIOD)
    assert tables.checkpoint_note(told_again).endswith("--at RAPPORT.json")
