"""The other side of the campaign, in a process of its own that nobody kills (`python -m tests.crash.witness FOLDER`).

An MSSanté operator and a DMP (the sandbox), and the boxes of the accounts, read by IMAP from a real Dovecot. Every mail
and every set that arrives is on its disk before it is answered; some answers are lost before, some after it was kept.
About two recipients in three answer with a proof of reading. It knows nothing of the gateway's store.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import random
import shutil
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gateway.clock import SystemClock
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.mail_store import MailStore
from gateway.sandbox.service import Sandbox
from tests.crash.papers import first_papers, imap_user, with_imap

FAULTS = (
    ("mssante", "drop_after_data", ""),
    ("mssante", "drop_before_store", ""),
    ("mssante", "busy", ""),
    ("dmp", "drop_after_data", "TD2.1"),
    ("dmp", "drop_before_store", "TD2.1"),
    ("dmp", "busy", "TD2.1"),
    ("mssante", "delay", ""),
    ("dmp", "delay", "TD2.1"),
)
"""What goes wrong of itself, one of these every few seconds."""
SLOW = 2.5
"""Seconds that a slow answer takes: long enough for a lease to be renewed meanwhile."""
ANSWERED = 2 / 3
"""Share of the recipients that prove their reading."""


class Witness:
    """The running servers."""

    def __init__(self, folder: Path, every: float) -> None:
        """`every`: seconds between two faults."""
        self.folder = folder
        self.every = every
        self.box = Sandbox(folder / "sandbox", clock=SystemClock())
        self.kept: SimpleQueue[tuple[str, str, str]] = SimpleQueue()
        self.stopped = threading.Event()

    def run(self) -> None:
        """Serve until standard input ends."""
        with ExitStack() as stack:
            imap = self._imap(stack)
            self._hear_of_mail()
            self.box.start()
            config = self._write(imap)
            for task in (self._answer, self._break):
                threading.Thread(target=task, args=(imap,), daemon=True).start()
            print(json.dumps({"config": str(config), "imap": imap is not None}), flush=True)
            sys.stdin.read()
            self.stopped.set()
            self.box.close()

    def _imap(self, stack: ExitStack) -> Any:
        from tests.integration import mailserver

        if os.geteuid() != 0 or shutil.which("dovecot", path="/usr/sbin:/sbin:/usr/bin") is None:
            return None
        return stack.enter_context(mailserver.running())

    def _write(self, imap: Any) -> Path:
        from gateway.cli.practice import write_practice

        config = write_practice(self.folder, self.box, first_papers())
        text = config.read_text(encoding="utf-8")
        if imap is not None:
            text = with_imap(text, self.folder, imap)
        config.write_text(text, encoding="utf-8")
        return config

    def _hear_of_mail(self) -> None:
        store = self.box._mail_store
        keep = store._keep_one

        def kept(sender: str, rcpt: str, content: bytes, findings: Any) -> str:
            identifier = keep(sender, rcpt, content, findings)
            head = content[: content.find(b"\r\n\r\n")].decode("utf-8", "replace")
            line = next(one for one in head.split("\r\n") if one.lower().startswith("message-id:"))
            self.kept.put((sender, rcpt, line.partition(":")[2].strip()))
            return identifier

        store._keep_one = kept  # type: ignore[method-assign]

    def _answer(self, imap: Any) -> None:
        """Recipients' software: a proof of reading for most mails, put into the sender's box."""
        owner = pwd.getpwnam("nobody")
        while not self.stopped.is_set():
            sender, recipient, message_id = self.kept.get()
            if imap is None or int(hashlib.sha256(message_id.encode()).hexdigest(), 16) % 1000 > 1000 * ANSWERED:
                continue
            box = imap.maildir(imap_user(sender))
            for part in ("", "tmp", "new", "cur"):
                (box / part).mkdir(parents=True, exist_ok=True)
                os.chown(box / part, owner.pw_uid, owner.pw_gid)
            os.chown(box.parent, owner.pw_uid, owner.pw_gid)
            name = f"{time.time_ns()}.witness"
            written = box / "tmp" / name
            written.write_bytes(proof(message_id, recipient, sender))
            os.chown(written, owner.pw_uid, owner.pw_gid)
            written.rename(box / "new" / name)

    def _break(self, _imap: Any) -> None:
        chance = random.Random(7)
        while not self.stopped.wait(chance.uniform(0.5, 1.5) * self.every):
            channel, kind, only = chance.choice(FAULTS)
            self.box.faults.set(channel, kind, only=only, seconds=SLOW if kind == "delay" else 0)


def proof(message_id: str, recipient: str, box: str) -> bytes:
    """What a doctor's software answers (RFC 8098)."""
    return (
        f"From: <{recipient}>\r\nTo: <{box}>\r\nSubject: Lu\r\nMessage-ID: <lu-{time.time_ns()}@witness.example>\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nLu.\r\n"
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Final-Recipient: rfc822;{recipient}\r\nOriginal-Recipient: rfc822;{recipient}\r\n"
        f"Original-Message-ID: {message_id}\r\n"
        "Disposition: automatic-action/MDN-sent-automatically; processed\r\n\r\n--b--\r\n"
    ).encode()


def counted(folder: Path) -> dict[str, Counter[str]]:
    """What the witness kept on its disk, by Message-ID and by submission set, read after it stopped.

    `mail`: mails in a box; `dmp`: sets that arrived whole, whatever became of them; `dmp_kept`: sets that are held.
    """
    from gateway.clock import SystemRandomness

    mails = MailStore(folder / "sandbox" / "mail", SystemClock(), SystemRandomness())
    dmp = DmpStore(folder / "sandbox" / "dmp.sqlite", SystemClock())
    try:
        return {
            "mail": Counter(one.message_id for one in mails.all_messages()),
            "dmp": Counter(one.set_unique_id for one in dmp.receptions() if one.outcome != "fault"),
            "dmp_kept": Counter(one.unique_id for one in dmp.submissions()),
        }
    finally:
        dmp.close()


if __name__ == "__main__":
    Witness(Path(sys.argv[1]), float(sys.argv[2])).run()
