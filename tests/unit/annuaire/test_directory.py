"""One lookup over both sources: which one answers, what is kept, what is forgotten, and what a fault changes."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gateway import platform
from gateway.channels.annuaire.api import AnnuaireApi
from gateway.channels.annuaire.directory import Directory, inspect
from gateway.channels.annuaire.model import (
    AnnuaireError,
    AnnuaireUnavailableError,
    Found,
    Person,
    Query,
    Source,
    State,
    Verdict,
)
from gateway.clock import FrozenClock
from gateway.settings import AnnuaireApiSettings, AnnuaireSettings
from tests.unit.annuaire.samples import RPPS, TRUST, box, clock, imported, line

LISTED = "essai.2019@medecin.mssante.example"


class Api:
    """Stands for AnnuaireApi: answers, or fails."""

    def __init__(self, now: FrozenClock) -> None:
        self.now = now
        self.answer: tuple[Person, ...] | AnnuaireError = (Person(RPPS, "MODELE", boxes=(box("un@" + DOMAIN),)),)
        self.calls = 0

    def find(self, query: Query) -> Found:
        self.calls += 1
        if isinstance(self.answer, AnnuaireError):
            raise self.answer
        return Found(self.answer, Source.API, self.now.now())

    def close(self) -> None:
        pass


DOMAIN = "medecin.mssante.example"
DOWN = AnnuaireUnavailableError("ANN-104", "L'Annuaire Santé ne répond pas.", "Réessayer.")


class World:
    """A directory with a scripted API and, when asked for, a list."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, api: bool, listed: bool) -> None:
        self.clock = clock()
        made = imported(folder, [line(2019)]) if listed else AnnuaireSettings(file=folder / "annuaire.db")
        if api:
            made = made.model_copy(update={"api": AnnuaireApiSettings(key_file=folder / "absent.key")})
        self.settings = made
        self.api = Api(self.clock)
        self.directory = Directory(made, TRUST, self.clock)
        if api:
            monkeypatch.setitem(self.directory.__dict__, "_api", self.api)

    def ask(self, **more: Any) -> Found:
        return self.directory.find(Query(rpps=RPPS), **more)


def test_the_api_answers_before_the_list_and_is_not_asked_twice_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=True)
    first = world.ask()
    assert (first.source, first.people[0].boxes[0].address) == (Source.API, f"un@{DOMAIN}")
    world.clock.advance(3600)
    again = world.ask()
    assert (again.people, again.at, world.api.calls) == (first.people, first.at, 1)
    world.ask(fresh=True)
    world.clock.advance(86_400)
    world.ask()
    assert world.api.calls == 3


def test_the_list_stands_in_for_an_api_that_is_down_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=True)
    world.api.answer = DOWN
    found = world.ask()
    assert (found.source, found.people[0].boxes[0].address) == (Source.FILE, LISTED)
    assert "[ANN-104]" in found.notes[0]
    with pytest.raises(AnnuaireUnavailableError):
        world.ask(source=Source.API)


def test_an_earlier_answer_stands_in_when_it_is_newer_than_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=True)
    world.ask()
    world.api.answer = DOWN
    world.clock.advance(5 * 86_400)
    found = world.ask()
    assert (found.source, found.people[0].boxes[0].address) == (Source.API, f"un@{DOMAIN}")
    assert found.at < world.clock.now()


def test_without_any_source_the_fault_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=False)
    world.api.answer = DOWN
    choice = world.directory.choose(RPPS)
    assert (choice.verdict, choice.code) == (Verdict.STALE, "ANN-104")
    assert world.directory.recheck(RPPS, "x@y").state is State.UNKNOWN
    nothing = World(tmp_path / "b", monkeypatch, api=False, listed=False).directory
    assert nothing.choose(RPPS).code == "ANN-304"
    with pytest.raises(AnnuaireError) as caught:
        nothing.find(Query(rpps=RPPS), source=Source.API)
    assert caught.value.code == "ANN-108"


def test_a_search_by_town_alone_goes_to_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=True)
    assert world.directory.find(Query(town="rennes")).source is Source.FILE
    assert world.api.calls == 0


def test_a_key_that_cannot_be_read_does_not_hide_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=True)
    world.directory.close()  # drops the scripted API: the real one has no key
    found = world.ask()
    assert found.source is Source.FILE
    assert "[ANN-101]" in found.notes[0]


def test_recheck_asks_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=True)
    assert world.directory.recheck(RPPS, f"un@{DOMAIN}").state is State.SAME
    world.api.answer = (Person(RPPS, "MODELE", boxes=(box(f"deux@{DOMAIN}"),)),)
    again = world.directory.recheck(RPPS, f"un@{DOMAIN}")
    assert (again.state, again.new.address if again.new else None) == (State.CHANGED, f"deux@{DOMAIN}")
    world.api.answer = DOWN
    later = world.clock.now() + dt.timedelta(hours=1)
    assert world.directory.recheck(RPPS, f"un@{DOMAIN}", since=later).state is State.UNKNOWN


def test_a_list_grows_old_and_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=False, listed=True)
    status = world.directory.status()
    assert (status.usable, status.age_days, status.findings) == (True, 0, ())
    world.clock.advance(10 * 86_400)
    assert [f.code for f in world.directory.status().findings] == ["ANN-402"]
    world.clock.advance(20 * 86_400)
    assert world.ask().people  # thirty days: the last one
    world.clock.advance(86_400)
    status = world.directory.status()
    assert ([f.code for f in status.findings], status.usable) == (["ANN-403"], False)
    assert not world.settings.file.exists()
    assert world.directory.choose(RPPS).code == "ANN-304"


def held(path: Path) -> None:
    raise PermissionError(13, "held by another program", str(path))


def test_a_too_old_list_is_not_used_even_when_nobody_asked_for_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch, api=False, listed=True)
    world.clock.advance(31 * 86_400)
    monkeypatch.setattr(platform, "remove", held)
    for _ in range(2):
        choice = world.directory.choose(RPPS)
        assert (choice.verdict, choice.code) == (Verdict.STALE, "ANN-403")
        assert world.directory.owners(LISTED) == set()
    assert world.settings.file.exists()


def test_answers_of_the_api_are_forgotten_after_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=False)
    world.ask()
    assert world.directory.status().cached == 1
    world.clock.advance(31 * 86_400)
    assert world.directory.status().cached == 0


def test_a_damaged_memory_is_begun_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, monkeypatch, api=True, listed=False)
    kept = tmp_path / "annuaire-cache.db"
    kept.write_bytes(b"x" * 4096)
    assert world.ask().people
    assert world.ask().people
    world.ask()
    with sqlite3.connect(kept) as base:
        assert base.execute("SELECT count(*) FROM answer").fetchone()[0] == 1
    base.close()


def test_doctor_hears_of_it(tmp_path: Path) -> None:
    made = AnnuaireSettings(file=tmp_path / "annuaire.db")
    assert [(f.code, f.severity.value) for f in inspect(made, clock())] == [("ANN-401", "warning")]
    with_api = made.model_copy(update={"api": AnnuaireApiSettings(key_file=tmp_path / "k")})
    assert [(f.code, f.severity.value) for f in inspect(with_api, clock())] == [("ANN-401", "info")]


def test_the_key_file_holds_one_line(tmp_path: Path) -> None:
    for content in (b"", b"deux mots", b"\xff", b"a\nb"):
        path = tmp_path / "cle"
        path.write_bytes(content)
        with pytest.raises(AnnuaireError) as caught:
            AnnuaireApi(AnnuaireApiSettings(key_file=path), clock())
        assert caught.value.code == "ANN-101"
