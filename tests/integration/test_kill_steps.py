"""kill -9 at each named step between claim and receipt, against a real Postfix and Dovecot: each step has one outcome.

One practice with a letter for each step; a new gateway for each kill, which also mends what the one before left. At the
end the doctors' maildirs are the truth.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.api import Gateway
from gateway.views import DeliveryView
from tests.integration import mined
from tests.integration.real_practice import DOCTOR_DOMAIN, RealPractice, letter, open_real
from tests.integration.test_kill_real import QUICK, message_id, receptions

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
]
OPERATOR = '[receipts]\nreporters = ["operateur.test.mssante.fr"]\n'


@pytest.mark.parametrize(
    ("self_copy", "steps"),
    [(False, mined.STEPS), (True, ("data.before", "dot.after", "answer.after"))],
    ids=["receipts alone", "self-copy"],
)
def test_each_step_has_its_outcome(
    real_mail: RealMail, tmp_path: Path, self_copy: bool, steps: tuple[str, ...]
) -> None:
    name = f"pas-{'copie' if self_copy else 'accuse'}"
    options = {"self_copy": self_copy, "poll_every": 1}
    practice = open_real(tmp_path, real_mail, name, retry=QUICK, tables=OPERATOR, **options)
    with practice.open() as gateway:
        for number in range(len(steps)):
            gateway.submit(letter(f"{name}.medecin", str(number)))
        for one in gateway.deliveries(states=["held"]):  # they look like repeats of the first
            if one.channel == "mssante":
                gateway.release(one.id, by="Test", reason="plusieurs bilans du jour")
    for step in steps:
        assert killed(practice, step), f"{step} was never reached"
    with practice.open() as gateway:
        mails = settled(gateway, len(steps))
        time.sleep(0.5)  # what Postfix has taken over is in the box by then
        got = receptions(real_mail, f"{name}.medecin@{DOCTOR_DOMAIN}")
        counts = {one.id: got[message_id(gateway, one)] for one in mails}
        assert gateway.verify_journal().ok
    undecided = [one for one in mails if one.transport == "in_doubt"]
    print(f"\n{len(mails)} mails, {len(steps)} kills, {len(undecided)} undecided", Counter(u.reason for u in undecided))
    assert len(mails) == len(steps)
    assert max(counts.values()) == 1, "doubled"
    assert all(counts[one.id] == 1 for one in mails if one.transport == "sent"), "lost"
    assert len(undecided) == sum(step in mined.UNKNOWN for step in steps)
    assert all(one.reason == "ENG-WORKER-LOST" and counts[one.id] == 0 for one in undecided)
    assert sum(counts.values()) == len(mails) - len(undecided)


def killed(practice: RealPractice, step: str) -> bool:
    """Run the gateway until it dies at a step; False when it never got there."""
    command = [sys.executable, "-m", "tests.integration.mined", str(practice.config), step]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            return worker.wait(timeout=20) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            worker.kill()
            return False


def settled(gateway: Gateway, number: int) -> list[DeliveryView]:
    """The mails once all is decided that evidence can decide: a few looks after the last of them was."""
    quiet, before, until = 0, -1, time.monotonic() + 20
    while quiet < 4 and time.monotonic() < until:
        gateway.deliver_due()
        mails = [one for one in gateway.deliveries() if one.channel == "mssante"]
        now = sum(one.transport == "sent" for one in mails)
        quiet = quiet + 1 if now == before and all(one.transport in {"sent", "in_doubt"} for one in mails) else 0
        before = now
        time.sleep(0.25)
    assert len(mails) == number
    return mails
