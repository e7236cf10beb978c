"""kill -9 of the whole gateway while it talks to a real Postfix: nothing lost, nothing doubled, the rest undecided.

The worker is killed just as content leaves, again and again; at the end the doctors' maildirs are the truth. In two
forms: with a copy to oneself as proof, and with receipts alone.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.api import Gateway
from gateway.package.types import MailContext, context_from_json
from gateway.views import DeliveryView
from tests.integration.real_practice import DOCTOR_DOMAIN, RealPractice, letter, open_real

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
]

LETTERS = max(8, int(os.environ.get("KINE_REAL_KILLS", "0")))
KILLS = int(os.environ.get("KINE_REAL_KILLS", "3"))
WORKER = """
import asyncio, sys
from gateway.api import Gateway
gateway = Gateway.open(sys.argv[1])
gateway.subscribe(lambda event: print(event.event, flush=True))
asyncio.run(gateway.arun(asyncio.Event()))
"""
QUICK = "delays = [0.2, 0.5]\njitter = false\nbreaker_failures = 1000"


@pytest.mark.parametrize("self_copy", [True, False], ids=["self-copy", "receipts alone"])
def test_killed_while_transmitting(real_mail: RealMail, tmp_path: Path, self_copy: bool) -> None:
    seed = int(os.environ.get("KINE_CRASH_SEED", random.randrange(10**6)))
    name = "tue-copie" if self_copy else "tue-accuse"
    practice = open_real(tmp_path, real_mail, name, retry=QUICK, self_copy=self_copy, poll_every=1)
    with practice.open() as gateway:
        for number in range(LETTERS):
            gateway.submit(letter(f"{name}.medecin", str(number)))
        for one in gateway.deliveries(states=["held"]):  # they look like repeats of the first
            if one.channel == "mssante":
                gateway.release(one.id, by="Test", reason="plusieurs bilans du jour")
    kills = Counter(step for run in range(KILLS) if (step := kill_once(practice, random.Random(seed + run))))
    settle(practice)
    time.sleep(1)  # what Postfix has taken over is in the box by then
    with practice.open() as gateway:
        mails = [one for one in gateway.deliveries() if one.channel == "mssante"]
        got = receptions(real_mail, f"{name}.medecin@{DOCTOR_DOMAIN}")
        counts = {one.id: got[message_id(gateway, one)] for one in mails}
        assert gateway.verify_journal().ok
    undecided = [one for one in mails if one.transport == "in_doubt"]
    print(f"\nseed {seed}: {len(mails)} mails, kills {dict(kills)}, {len(undecided)} undecided", end=" ")
    print(Counter(one.reason for one in undecided))
    assert len(mails) == LETTERS
    assert kills["transmit"] > 0
    assert max(counts.values()) <= 1, "doubled"
    assert all(counts[one.id] == 1 for one in mails if one.transport == "sent"), "lost"
    assert {one.transport for one in mails} <= {"sent", "in_doubt"}
    assert all(one.reason for one in undecided)
    if self_copy:
        assert all(counts[one.id] == 0 for one in undecided), "a copy was there and was not found"


def kill_once(practice: RealPractice, chance: random.Random) -> str:
    """Run the gateway until some content leaves, then kill it a moment later. Empty: it had nothing to send."""
    command = [sys.executable, "-c", WORKER, str(practice.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
        try:
            wanted = chance.choice([b"claimed", b"transmit", b"transmit", b"transmit"])
            said = listen(worker, wanted, seconds=4)
            time.sleep(chance.choice([0, 0, 0.005, 0.01, 0.03]))
        finally:
            worker.send_signal(signal.SIGKILL)
    return wanted.decode() if wanted in said else ""


def listen(worker: subprocess.Popen[bytes], wanted: bytes, seconds: float) -> bytes:
    """What the worker says until it says the wanted word, or time is up."""
    assert worker.stdout is not None
    said, until, source = b"", time.monotonic() + seconds, worker.stdout.fileno()
    while wanted not in said and time.monotonic() < until:
        if select.select([source], [], [], 0.05)[0]:
            said += os.read(source, 4096)
    return said


def settle(practice: RealPractice) -> None:
    """Run undisturbed until everything is decided, or evidently cannot be."""
    with practice.open() as gateway:
        until = time.monotonic() + 12
        while time.monotonic() < until:
            gateway.deliver_due()
            if all(one.transport == "sent" for one in gateway.deliveries() if one.channel == "mssante"):
                return
            time.sleep(0.2)


def message_id(gateway: Gateway, delivery: DeliveryView) -> str:
    data = gateway.store.context(delivery.id)
    assert data is not None
    context = context_from_json(data)
    assert isinstance(context, MailContext)
    return context.message_id


def receptions(mail: RealMail, box: str) -> Counter[str]:
    return Counter(str(message_from_bytes(raw)["Message-ID"]) for raw in mail.messages(box))
