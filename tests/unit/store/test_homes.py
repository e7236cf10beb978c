"""A copy of a store sends nothing until somebody says which of the two goes on; a move and a new name are no copy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gateway import platform
from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.engine import copies
from gateway.errors import InputError, StateError
from gateway.store.base import Result
from gateway.store.homes import Home, Verdict
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.store import kit

SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250")
sqlite = pytest.mark.engine("sqlite")
postgres_only = pytest.mark.engine("postgres")


def events(store: Outbox) -> list[str]:
    return [json.loads(entry.record)["event"] for entry in store.snapshot().records()]


def elsewhere(monkeypatch: pytest.MonkeyPatch, machine: str = "other") -> None:
    monkeypatch.setattr(platform, "machine_digest", lambda: machine)


def working(folder: Path, clock: FrozenClock) -> Outbox:
    """A store that waits with a document, and that was worked on here."""
    store = kit.open_store(folder, clock)
    store.accept(kit.request("a"))
    assert store.settle_in() is Verdict.AT_HOME
    return store


@sqlite
def test_a_copied_folder_started_beside_the_original(tmp_path: Path, clock: FrozenClock) -> None:
    working(tmp_path / "one", clock).close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copy = kit.open_store(tmp_path / "two", clock, seed="two")
    assert copy.at_home() is Verdict.STILL_THERE
    assert copy.pauses() == []  # looking changes nothing
    told: list[str] = []
    assert copies.settle_in(copy, told.append) is Verdict.STILL_THERE
    assert told == ["store_copied"]
    assert [(one.account, one.channel, one.reason) for one in copy.pauses()] == [("*", "*", "ENG-COPIED")]
    assert copy.claim(kit.wanted()) == []
    copy.accept(kit.request("b"))  # intake goes on
    assert copy.claim(kit.wanted()) == []
    with pytest.raises(StateError) as caught:
        copy.resume("*", "*", by="Anne")
    assert caught.value.code == "STO-015"
    shutil.rmtree(tmp_path / "one")  # that the original went away since decides nothing
    copy.close()
    copy = kit.open_store(tmp_path / "two", clock, seed="again")
    assert copy.settle_in() is Verdict.STILL_THERE
    assert events(copy).count("store_copied") == 1
    copy.close()


@sqlite
def test_the_original_does_not_mind_its_copy(tmp_path: Path, clock: FrozenClock) -> None:
    store = working(tmp_path / "one", clock)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert store.settle_in() is Verdict.AT_HOME
    assert len(store.claim(kit.wanted())) == 2
    store.close()


@sqlite
def test_another_machine_adopts_it_without_sending_blindly(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(tmp_path, clock).close()
    elsewhere(monkeypatch)
    store = kit.open_store(tmp_path, clock, seed="there")
    assert store.settle_in() is Verdict.OTHER_MACHINE
    with pytest.raises(InputError):
        store.adopt(by="Anne", reason=" ", original_stopped=False)
    assert store.adopt(by="Anne", reason="poste remplacé", original_stopped=False) == 2
    assert {(row.state, row.reason) for row in store.deliveries()} == {(Transport.IN_DOUBT, "ENG-COPIED")}
    assert store.pauses() == []
    assert store.claim(kit.wanted()) == []
    assert len(store.claim_doubtful(kit.wanted())) == 2
    assert store.settle_in() is Verdict.AT_HOME
    (record,) = [one for one in map(_record, store.snapshot().records()) if one["event"] == "store_adopted"]
    assert (record["by"], record["kind"], record["verdict"]) == ("Anne", "other_machine", "original_may_have_sent")
    assert verify_store(store).ok
    with pytest.raises(StateError) as caught:
        store.adopt(by="Anne", reason="encore", original_stopped=False)
    assert caught.value.code == "STO-016"
    store.close()


def _record(entry: object) -> dict[str, str]:
    found: dict[str, str] = json.loads(entry.record)  # type: ignore[attr-defined]
    return found


@sqlite
def test_an_original_that_was_stopped_is_simply_continued(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(tmp_path, clock).close()
    elsewhere(monkeypatch)
    store = kit.open_store(tmp_path, clock, seed="there")
    store.settle_in()
    assert store.adopt(by="Anne", reason="poste remplacé", original_stopped=True) == 0
    for claim in store.claim(kit.wanted()):
        store.mark_transmitting(claim)
        assert store.record(claim, SENT)
    assert {str(row.state) for row in store.deliveries()} == {"sent"}
    store.close()


@sqlite
def test_a_moved_folder_and_a_machine_without_identity_are_at_home(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(tmp_path / "one", clock).close()
    (tmp_path / "one").rename(tmp_path / "two")
    store = kit.open_store(tmp_path / "two", clock, seed="two")
    assert store.settle_in() is Verdict.MOVED
    assert store.settle_in() is Verdict.AT_HOME
    assert events(store).count("store_moved") == 1
    assert len(store.claim(kit.wanted())) == 2
    store.close()
    (tmp_path / "link").symlink_to(tmp_path / "two")
    monkeypatch.setattr(platform, "machine_digest", lambda: None)
    store = kit.open_store(tmp_path / "link", clock, seed="link")
    assert store.settle_in() is Verdict.AT_HOME
    store.close()


@sqlite
def test_another_store_at_the_old_place_is_no_original(tmp_path: Path, clock: FrozenClock) -> None:
    working(tmp_path / "one", clock).close()
    (tmp_path / "one").rename(tmp_path / "two")
    kit.open_store(tmp_path / "one", clock, seed="new practice").close()
    store = kit.open_store(tmp_path / "two", clock, seed="two")
    assert store.settle_in() is Verdict.MOVED
    store.close()


@sqlite
def test_two_that_sign_into_one_folder(tmp_path: Path, clock: FrozenClock) -> None:
    """A machine cloned whole: same identity, same path. Its checkpoints are all that differs."""
    store = working(tmp_path / "one", clock)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    twin = kit.open_store(tmp_path / "two", clock, seed="twin", journal=_journal(tmp_path / "one"))
    assert not store.forked()
    twin.accept(kit.request("b"))
    twin.checkpoint()
    told: list[str] = []
    watch = copies.CopyWatch(store, clock, told.append)
    watch.tick()
    assert told == []  # not yet time
    clock.advance(copies.EVERY)
    watch.tick()
    watch.tick()
    assert told == ["store_copied"]
    assert store.at_home() is Verdict.FORKED
    assert store.claim(kit.wanted()) == []
    twin.close()
    store.close()


def _journal(folder: Path) -> dict[str, Path]:
    return {"checkpoint_dir": folder / "checkpoints", "key_file": folder / "keys" / "journal.pem"}


def test_what_a_restored_backup_lacks_is_no_fork(store: Outbox) -> None:
    store.accept(kit.request("a"))
    store.checkpoint()
    assert not store.forked()


@postgres_only
def test_on_postgres_machines_come_and_go(tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    working(tmp_path, clock).close()
    elsewhere(monkeypatch)
    store = kit.open_store(tmp_path, clock, seed="there")
    assert store.settle_in() is Verdict.AT_HOME
    store.close()


@postgres_only
@pytest.mark.parametrize(
    ("host", "place", "verdict"),
    [
        ("another-server", None, Verdict.OTHER_SERVER),
        (None, "1/public", Verdict.STILL_THERE),  # template1 has the oid 1 on every server
        (None, "4000000000/public", Verdict.MOVED),
    ],
)
def test_on_postgres_a_dump_loaded_elsewhere_is_a_copy(
    tmp_path: Path, clock: FrozenClock, host: str | None, place: str | None, verdict: Verdict
) -> None:
    store = working(tmp_path, clock)
    here = store.core.db.home()
    assert here.host is not None
    was = Home(host or here.host, place or here.place)
    kit.sql(store, "UPDATE home SET value = ?", [was.dump()])
    assert store.settle_in() is verdict
    assert bool(store.pauses()) is verdict.copied
    store.close()
