"""The named steps at which the campaign kills, read from the product's own code, and the mines that kill there.

A step is a place around one transaction (`claiming.record` before, at its COMMIT, after), around one durable change of
a file (`folder.take`), or on the wire. The first two kinds are found by reading the source: a transaction that somebody
adds tomorrow is a step tomorrow. The mines are put around the product's functions from here; it has no crash switch.
"""

from __future__ import annotations

import ast
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gateway

ROOT = Path(gateway.__file__).parent
READ = ("store", "sidecar", "engine")
"""Rooms whose transactions and durable files are steps."""
DURABLE = ("write_atomic", "durable_rename", "remove")
"""The ways of gateway.platform to change a file for good."""
WIRE = (
    "smtp.mail.before",
    "smtp.rcpt.after",
    "smtp.data.before",
    "smtp.data.after",
    "smtp.content.half",
    "smtp.dot.after",
    "smtp.answer.after",
    "dmp.post.before",
    "dmp.post.half",
    "dmp.post.after",
    "dmp.answer.after",
    "dmp.query.before",
    "imap.look.before",
    "imap.look.after",
)
"""Named by hand: what a protocol does between two bytes is written in no transaction."""

FOUNDING = ("keyring.create_secret.", "sealing.create_secret.", "outbox._found.", "settling.remember.")
"""What happens once in the life of a store: its keys and its first record. Beginnings of names."""
RARE = (
    "claiming.recover",
    "claiming.renew",
    "checkpoint",
    "dmp.query",
    "receiving.mark_overdue",
    "traces",
    "folder.reject",
)
"""Steps that one process may come to once only. Beginnings of names."""
ELSEWHERE = {
    "backup.take": "a command run beside the gateway; tests/e2e/test_backup.py",
    "clockbook.tell_machine": "a clock that is wrong only; tests/unit/engine/test_clockwatch.py",
    "checkpoint.anchor": "needs a time-stamping authority; tests/integration/test_anchor.py",
    "dmp_acting.change": "a person's order, one transaction, as linking.link; tests/unit/store",
    "freezing.freeze": "after the upgrade of an old store only; tests/integration/test_migrations.py",
    "leavings.sweep": "what an erased document left in its folder; tests/e2e/test_patient_rights.py",
    "outbox._restored": "a restored backup only; tests/unit/store/test_restored.py",
    "rotating.retire": "the end of a rotation; tests/integration/test_rotation_processes.py",
    "settling._stop": "a copied store only; tests/unit/store/test_homes.py",
    "settling.adopt": "a person takes a copied store over; tests/unit/store/test_homes.py",
    "settling.settle_in": "a store that was moved only; tests/unit/store/test_homes.py",
    "receiving.key_mail": "after the upgrade of an old store only; tests/integration/test_migrations.py",
    "traces.prune": "deletes traces older than six months; tests/unit/engine",
    "receiving.move_cursor": "a mailbox whose numbering changed; tests/unit/store",
}
"""Sites that the campaign does not come to, each with its reason and what tests it instead."""

_stack = threading.local()


def sites() -> dict[str, str]:
    """Every place of the code that changes something durably, as `module.function`: `tx` or `file`."""
    found: dict[str, str] = {}
    for path in sorted(file for room in READ for file in (ROOT / room).rglob("*.py")):
        for function, call in _calls(path):
            kind = _kind(call)
            if kind:
                found[f"{path.stem}.{function}"] = kind
    return found | {"platform.write_atomic": "file"}


def steps() -> tuple[str, ...]:
    """Every named step, those of people's own orders included (see `errands.py`)."""
    places = {"tx": ("before", "commit", "after"), "file": ("before", "after")}
    return tuple(f"{site}.{place}" for site, kind in sites().items() for place in places[kind]) + WIRE


def wanted() -> tuple[str, ...]:
    """The steps that the campaign kills at: all but those of `ELSEWHERE`."""
    return tuple(step for step in steps() if step.rpartition(".")[0] not in ELSEWHERE)


def _calls(path: Path) -> Iterator[tuple[str, str]]:
    """Each function of a module with what it calls, as written."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield function.name, ast.unparse(node.func)


def _kind(call: str) -> str:
    if call.endswith("core.write") or call.startswith("replace(self.core"):
        return "tx"
    return "file" if call.startswith("platform.") and call.removeprefix("platform.") in DURABLE else ""


class Mine:
    """Goes off the n-th time that its step is reached. `signal`: SIGKILL, or SIGSTOP for a pause.

    `told` hears of the step just before the process stops.
    """

    def __init__(self, step: str, count: int, number: int = signal.SIGKILL, told: Callable[[], None] | None = None):
        self.step, self.left, self.number, self.told = step, count, number, told

    def __call__(self, step: str) -> None:
        if step and step == self.step:
            self.left -= 1
            if self.left == 0:
                if self.told is not None:
                    self.told()
                os.kill(os.getpid(), self.number)
                if self.number == signal.SIGSTOP:
                    time.sleep(0.2)  # the other threads are stopped first: this one must not run on meanwhile


def arm(mine: Mine) -> None:
    """Put mines around the product's functions in this process."""
    _around_transactions(mine)
    _around_files(mine)
    _on_smtp(mine)
    _on_dmp(mine)
    _on_imap(mine)


def _place(depth: int = 2) -> str:
    """`module.function` of the caller's caller."""
    frame = sys._getframe(depth)
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"


def _around_transactions(mine: Mine) -> None:
    from gateway.store.core import Core
    from gateway.store.postgres import PostgresDatabase
    from gateway.store.sqlite import SqliteDatabase

    original = Core.write

    def write(self: Core, *accounts: str) -> Any:
        return _transaction(mine, _place(), original(self, *accounts))

    Core.write = write  # type: ignore[method-assign,assignment]
    for engine in (SqliteDatabase, PostgresDatabase):
        engine.write = _before_commit(mine, engine.write)  # type: ignore[method-assign,assignment]


@contextmanager
def _transaction(mine: Mine, site: str, inner: Any) -> Iterator[Any]:
    mine(f"{site}.before")
    outer, _stack.site = getattr(_stack, "site", ""), site
    try:
        with inner as work:
            yield work
    finally:
        _stack.site = outer
    mine(f"{site}.after")


def _before_commit(mine: Mine, write: Callable[..., Any]) -> Any:
    @contextmanager
    def mined(self: Any, *shards: Any) -> Iterator[Any]:
        site = getattr(_stack, "site", "")
        with write(self, *shards) as tx:
            yield tx
            mine(f"{site}.commit")

    return mined


def _around_files(mine: Mine) -> None:
    from gateway import platform

    for name in DURABLE:
        setattr(platform, name, _file(mine, getattr(platform, name)))


def _file(mine: Mine, original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def mined(*arguments: Any, **options: Any) -> Any:
        site = _place()
        mine(f"{site}.before")
        result = original(*arguments, **options)
        mine(f"{site}.after")
        return result

    return mined


def _on_smtp(mine: Mine) -> None:
    from aiosmtplib.protocol import SMTPProtocol

    from gateway.channels.mssante.channel import MssanteChannel
    from gateway.channels.mssante.client import TracedClient

    command, write, send = TracedClient.execute_command, SMTPProtocol.write, MssanteChannel.send

    async def execute(self: TracedClient, *arguments: bytes, **options: Any) -> Any:
        word = arguments[0].decode().lower()
        mine(f"smtp.{word}.before")
        answer = await command(self, *arguments, **options)
        mine(f"smtp.{word}.after")
        return answer

    def out(self: SMTPProtocol, data: bytes) -> None:
        write(self, data)
        mine("smtp.dot.after" if data == b".\r\n" else "smtp.content.half" if len(data) > 10_000 else "")

    async def sent(self: MssanteChannel, *arguments: Any) -> Any:
        answer = await send(self, *arguments)
        mine("smtp.answer.after")
        return answer

    TracedClient.execute_command = execute  # type: ignore[method-assign]
    SMTPProtocol.write = out  # type: ignore[method-assign]
    MssanteChannel.send = sent  # type: ignore[method-assign]


def _on_dmp(mine: Mine) -> None:
    from gateway.channels.dmp import channel, http

    pieces, leave, post = http._pieces, http.Exchange.leave, channel.DmpChannel._post_feed
    look = channel.DmpChannel._look_for

    async def slowly(body: Any) -> Any:
        async for number, piece in _numbered(pieces(body)):
            yield piece
            mine("dmp.post.half" if number == 0 else "")
        mine("dmp.post.after")

    async def left(self: Any) -> None:
        await leave(self)
        if self._before is not None:
            mine("dmp.post.before")

    async def posted(self: Any, *arguments: Any) -> Any:
        answer = await post(self, *arguments)
        mine("dmp.answer.after")
        return answer

    async def looked(self: Any, *arguments: Any) -> Any:
        mine("dmp.query.before")
        return await look(self, *arguments)

    http._pieces = slowly
    http.Exchange.leave = left  # type: ignore[method-assign]
    channel.DmpChannel._post_feed = posted  # type: ignore[method-assign]
    channel.DmpChannel._look_for = looked  # type: ignore[method-assign]


async def _numbered(items: Any) -> Any:
    number = 0
    async for item in items:
        yield number, item
        number += 1


def _on_imap(mine: Mine) -> None:
    from gateway.engine.mailwatch import MailWatch

    poll = MailWatch.poll

    async def mined(self: MailWatch) -> Any:
        mine("imap.look.before")
        found = await poll(self)
        mine("imap.look.after")
        return found

    MailWatch.poll = mined  # type: ignore[method-assign]
