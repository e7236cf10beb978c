"""A gateway that dies at a named step of its talk with a real mail server (`python -m tests.integration.mined ...`).

The places are put around the product's methods from here; it has no crash switch of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from aiosmtplib.protocol import SMTPProtocol

from gateway.api import Gateway
from gateway.channels.mssante.channel import MssanteChannel
from gateway.channels.mssante.client import TracedClient
from gateway.store.outbox import Outbox

BEFORE = ("claim.after", "mail.before", "rcpt.after", "transmit.before")
"""Nothing can have left: it is sent once the next worker runs."""
UNKNOWN = ("data.before", "content.half")
"""The mail was about to leave, and did not arrive: nobody can prove that, so it stays undecided."""
ARRIVED = ("dot.after", "answer.after", "record.after", "poll.before", "poll.after")
"""The server has it: its report, or the copy, says so."""
STEPS = BEFORE + UNKNOWN + ARRIVED


def die() -> None:
    """As `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def around(owner: type, name: str, place: str) -> None:
    """Die before or after a method of a class."""
    original: Callable[..., Any] = getattr(owner, name)

    def mined(*arguments: Any, **options: Any) -> Any:
        if place == "before":
            die()
        result = original(*arguments, **options)
        if place == "after" and result:
            die()
        return result

    setattr(owner, name, mined)


def at_command(word: bytes, place: str) -> None:
    """Die before or after an SMTP command."""
    original = TracedClient.execute_command

    async def mined(self: TracedClient, *arguments: bytes, **options: Any) -> Any:
        if arguments[0] == word and place == "before":
            die()
        answer = await original(self, *arguments, **options)
        if arguments[0] == word:
            die()
        return answer

    TracedClient.execute_command = mined  # type: ignore[method-assign]


def at_write(place: str) -> None:
    """Die after the first part of the content, or after the final dot went to the system."""
    original = SMTPProtocol.write

    def mined(self: SMTPProtocol, data: bytes) -> None:
        original(self, data)
        if (data == b".\r\n") if place == "dot" else len(data) > 10_000:
            die()

    SMTPProtocol.write = mined  # type: ignore[method-assign]


def at_answer() -> None:
    """Die once the server's 250 is there and nothing is written of it."""
    original = MssanteChannel.send

    async def mined(self: MssanteChannel, *arguments: Any) -> Any:
        await original(self, *arguments)
        die()

    MssanteChannel.send = mined  # type: ignore[method-assign]


def arm(step: str) -> None:
    """Put the mine of a step."""
    {
        "claim.after": lambda: around(Outbox, "claim", "after"),
        "mail.before": lambda: at_command(b"MAIL", "before"),
        "rcpt.after": lambda: at_command(b"RCPT", "after"),
        "transmit.before": lambda: [around(Outbox, name, "before") for name in ("mark_transmitting", "mark_many")],
        "data.before": lambda: at_command(b"DATA", "before"),
        "content.half": lambda: at_write("half"),
        "dot.after": lambda: at_write("dot"),
        "answer.after": at_answer,
        "poll.before": lambda: around(Outbox, "take_mail", "before"),
        "poll.after": lambda: around(Outbox, "take_mail", "after"),
    }.get(step, lambda: None)()


def main(config: str, step: str) -> None:
    """Deliver until the mine goes off."""
    arm(step)
    gateway = Gateway.open(config)
    if step == "record.after":
        gateway.subscribe(lambda event: die() if event.event == "taken" else None)
    asyncio.run(gateway.arun(asyncio.Event()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
