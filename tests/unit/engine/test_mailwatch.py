"""The watch over a mailbox: each mail taken in, faults told once, a server in trouble left in peace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.mssante.imap import Cursor, FoundMail, Looked, Take
from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.outcome import Verdict
from gateway.clock import FrozenClock, SeededRandomness
from gateway.engine import receipts
from gateway.engine.events import DeliveryEvent
from gateway.engine.mailwatch import Desk, MailRoom, MailWatch
from gateway.errors import StoreError
from gateway.rules.trust_space import TrustList
from gateway.store.outbox import Outbox
from gateway.store.received import TakenMail
from tests.unit.engine.test_mail_doubt import IMAP
from tests.unit.store import kit

CONFIGURATION = MailboxError(Verdict.CONFIGURATION, "IMAP-LOGIN")
SESSION = MailboxError(Verdict.SESSION, "IMAP-SESSION", "La session est terminée.")
DOWN = MailboxError(Verdict.TRANSIENT, "IMAP-CONNECT")


@dataclass
class Box:
    """A mailbox that answers what it is told: mails, oddities, or a fault."""

    looks: list[Any] = field(default_factory=list)
    idles: bool = True
    cursors: list[Cursor | None] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    folder: str = "INBOX"
    host: str = "imap.test"

    async def look(self, cursor: Cursor | None, take: Take, trusted: datetime | None = None) -> Looked:
        self.calls.append("look")
        self.cursors.append(cursor)
        answer = self.looks.pop(0) if self.looks else Looked()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Looked):
            return answer
        for uid in answer:
            await take(FoundMail(7, uid, f"mail {uid}".encode(), whole=True))
        return Looked(Cursor(7, answer[-1]), len(answer))

    async def wait(self, seconds: float) -> bool:
        self.calls.append(f"wait {seconds:g}")
        return self.idles

    async def leave(self) -> None:
        self.calls.append("leave")

    async def aclose(self) -> None:
        self.calls.append("aclose")


@dataclass
class Scene:
    watch: MailWatch
    box: Box
    events: list[DeliveryEvent]
    taken: list[bytes]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event.event, event.reason) for event in self.events]

    @property
    def told_codes(self) -> list[tuple[str, str | None]]:
        return [(event, reason or None) for event, reason in self.told]


@pytest.fixture
def scene(tmp_path: Path, store: Outbox, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    account = kit.settings(tmp_path).account[0].model_dump() | {"imap": IMAP}
    found = kit.settings(tmp_path, account=[account]).account[0]
    events: list[DeliveryEvent] = []
    taken: list[bytes] = []
    trust = TrustList(frozenset({"example.mssante.fr"}), date(2026, 1, 1), "test")

    def take_in(_store: Any, _account: Any, raw: bytes, _trust: Any, **more: Any) -> TakenMail:
        taken.append(raw)
        store.move_cursor("cabinet", more["place"])
        return TakenMail("other", "ignored")

    monkeypatch.setattr(receipts, "take_in", take_in)
    box = Box()
    desk = Desk(store, trust, clock, SeededRandomness("m"), events.append)
    return Scene(MailWatch(found, box, desk), box, events, taken)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits instead of waiting; the tenth ends the watch."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) >= 10:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


async def run(scene: Scene) -> None:
    with pytest.raises(asyncio.CancelledError):
        await scene.watch.run()


async def test_mails_are_taken_in_and_the_cursor_goes_on(scene: Scene) -> None:
    scene.box.looks = [[1, 2], [3]]
    first, second = await scene.watch.poll(), await scene.watch.poll()
    assert (first.read, second.read, scene.taken) == (2, 1, [b"mail 1", b"mail 2", b"mail 3"])
    assert scene.box.cursors == [None, Cursor(7, 2)]
    assert first.as_dict()["mails"] == {"other ignored": 2}
    assert scene.events == []


async def test_a_box_that_could_not_be_read_is_in_the_journal(scene: Scene, store: Outbox) -> None:
    scene.box.looks = [CONFIGURATION, CONFIGURATION, [1]]
    for _ in range(3):
        await scene.watch.poll()
    told = [json.loads(entry.record) for entry in store.snapshot().records()]
    kept = [(one["event"], one.get("reason")) for one in told if one["event"].startswith("mailbox")]
    assert kept == scene.told_codes == [("mailbox_misconfigured", CONFIGURATION.reason), ("mailbox_back", None)]


async def test_a_backlog_is_read_to_its_end(scene: Scene) -> None:
    scene.box.looks = [Looked(Cursor(7, 200), 200, more=True), Looked(Cursor(7, 250), 50)]
    assert (await scene.watch.poll()).read == 250
    assert scene.box.cursors == [None, Cursor(7, 200)]


@pytest.mark.parametrize(
    ("fault", "event", "least"),
    [(CONFIGURATION, "mailbox_misconfigured", 3600.0), (SESSION, "mailbox_session_needed", 300.0)],
)
async def test_what_a_person_must_do_is_told_once_and_nothing_is_hammered(
    scene: Scene, slept: list[float], fault: MailboxError, event: str, least: float
) -> None:
    scene.box.looks = [fault] * 20
    await run(scene)
    assert scene.told == [(event, fault.reason)]
    assert set(slept) == {least}
    assert scene.box.calls[-1] == "aclose"


async def test_a_host_that_is_down_is_asked_less_and_less(scene: Scene, slept: list[float]) -> None:
    scene.box.looks = [DOWN] * 20
    await run(scene)
    assert scene.told == [("mailbox_unreachable", "IMAP-CONNECT")]
    for wait, step in zip(slept, (15, 30, 60, 120, 240, 480, 900, 900, 900, 900), strict=True):
        assert step / 2 <= wait <= step


async def test_one_blip_is_nobodys_business_and_the_end_of_trouble_is_told(scene: Scene, slept: list[float]) -> None:
    scene.box.looks = [DOWN, Looked(), DOWN, DOWN, DOWN, Looked(), CONFIGURATION]
    for _ in range(7):
        await scene.watch.poll()
    assert [event for event, _ in scene.told] == ["mailbox_unreachable", "mailbox_back", "mailbox_misconfigured"]


async def test_a_lie_is_told_once_until_it_is_over(scene: Scene) -> None:
    lie = Looked(odd=["IMAP-UID-BACKWARDS", "IMAP-UID-BACKWARDS"])
    scene.box.looks = [lie, lie, Looked(), lie]
    for _ in range(4):
        await scene.watch.poll()
    odd = ("mailbox_odd", "IMAP-UID-BACKWARDS")
    assert scene.told == [odd, ("mailbox_back", ""), odd]


async def test_a_full_disk_leaves_the_mail_where_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> TakenMail:
        raise StoreError("STO-002", "Disque plein.")

    scene.box.looks = [[1]]
    monkeypatch.setattr(receipts, "take_in", full)
    polled = await scene.watch.poll()
    assert (polled.verdict, polled.reason) == (Verdict.TRANSIENT, "STO-002")


async def test_a_mail_that_we_choke_on_does_not_end_the_watch(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def choke(*_: Any, **__: Any) -> TakenMail:
        raise ValueError("MARTINEZ")

    scene.box.looks = [[1]]
    monkeypatch.setattr(receipts, "take_in", choke)
    polled = await scene.watch.poll()
    assert (polled.verdict, polled.reason) == (Verdict.TRANSIENT, "IMAP-FAULT")
    assert "MARTINEZ" not in caplog.text


async def test_idle_is_renewed_and_a_chatty_server_slowed_down(scene: Scene, slept: list[float]) -> None:
    await run(scene)
    assert set(scene.box.calls) == {"look", "wait 300", "aclose"}
    assert slept == [2.0, 5.0, 15.0, *[30.0] * 7]


async def test_without_idle_the_connection_is_closed_between_polls(scene: Scene, slept: list[float]) -> None:
    scene.box.idles = False
    await run(scene)
    assert scene.box.calls[:4] == ["look", "wait 300", "leave", "look"]
    assert 300.0 in slept


async def test_a_connection_that_breaks_while_idling_is_looked_at_again(scene: Scene, slept: list[float]) -> None:
    async def cut(seconds: float) -> bool:
        raise MailboxError(Verdict.TRANSIENT, "IMAP-LOST")

    scene.box.wait = cut  # type: ignore[method-assign]
    await run(scene)
    assert scene.events == []
    assert scene.box.calls.count("look") == 10


async def test_a_room_watches_the_accounts_that_it_is_given(scene: Scene) -> None:
    opened: list[str] = []

    def open_watch(account: str) -> MailWatch | None:
        opened.append(account)
        return scene.watch if account == "cabinet" else None

    room = MailRoom(open_watch)
    assert room.looked
    assert [polled.account for polled in await room.poll({"cabinet", "autre"})] == ["cabinet"]
    scene.watch.polled = False
    async with room.watching(["cabinet"]):
        assert scene.watch.polled is False
        await until(lambda: room.looked)
    assert opened == ["autre", "cabinet", "cabinet"]
    assert scene.box.calls[-1] == "aclose"


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")
