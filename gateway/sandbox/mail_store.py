"""Mailboxes of the operator: one file a mail, beside it what the envelope and the checks said.

Like a maildir: each file is complete and on disk before it bears its name, so a mail that was answered 250
is there after a crash.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import quote

from gateway.clock import Clock, Randomness
from gateway.sandbox.pki import write_private
from gateway.sandbox.problems import Problem


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail in one mailbox. `bytes` is the content exactly as received after DATA."""

    id: str
    envelope_from: str
    rcpt: str
    received_at: datetime
    message_id: str
    findings: tuple[Problem, ...]
    path: Path

    @property
    def bytes(self) -> bytes:
        """The mail, read from its file."""
        return self.path.read_bytes()


class MailStore:
    """The operator's mailboxes under one folder."""

    def __init__(self, folder: Path, clock: Clock, randomness: Randomness) -> None:
        self._folder = folder
        self._clock = clock
        self._randomness = randomness
        self._lock = threading.Lock()
        self._last = 0

    def keep(self, sender: str, recipients: Sequence[str], content: bytes, findings: Sequence[Problem]) -> list[str]:
        """Store a mail in the mailbox of each recipient; returns the ids given."""
        return [self._keep_one(sender, rcpt, content, findings) for rcpt in recipients]

    def _keep_one(self, sender: str, rcpt: str, content: bytes, findings: Sequence[Problem]) -> str:
        folder = self._mailbox(rcpt)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        now = self._clock.now()
        identifier = f"{self._number(now):020d}-{self._randomness.uuid().hex[:12]}"
        envelope = {
            "envelope_from": sender,
            "rcpt": rcpt,
            "received_at": now.isoformat(),
            "message_id": _message_id(content),
            "findings": [asdict(item) for item in findings],
        }
        write_private(folder / f"{identifier}.eml", content)
        # The envelope last: a mail without one was never answered 250.
        write_private(folder / f"{identifier}.json", json.dumps(envelope, ensure_ascii=False).encode())
        return identifier

    def _number(self, now: datetime) -> int:
        """Microseconds, never twice the same: names sort in order of arrival even with a frozen clock."""
        with self._lock:
            self._last = max(self._last + 1, int(now.timestamp() * 1_000_000))
            return self._last

    def _mailbox(self, address: str) -> Path:
        name, _, domain = address.lower().rpartition("@")
        return self._folder / _folder_name(domain) / _folder_name(name)

    def mailboxes(self) -> list[Path]:
        """Folders of the mailboxes that received something."""
        return sorted(path for path in self._folder.glob("*/*") if path.is_dir())

    def messages(self, mailbox: str) -> list[StoredMail]:
        """Mails of a mailbox, oldest first."""
        return [_read(path) for path in sorted(self._mailbox(mailbox).glob("*.json"))]

    def all_messages(self) -> list[StoredMail]:
        """Every mail of every mailbox, mailbox by mailbox, oldest first."""
        return [_read(path) for box in self.mailboxes() for path in sorted(box.glob("*.json"))]

    def receptions(self, message_id: str) -> int:
        """How many times a mail of this Message-ID was physically received, all mailboxes together."""
        return sum(1 for mail in self.all_messages() if mail.message_id == message_id)

    def duplicates(self) -> dict[tuple[str, str], int]:
        """(mailbox, Message-ID) received more than once, with the count (SMTP removes no duplicate)."""
        counts = Counter((mail.rcpt, mail.message_id) for mail in self.all_messages())
        return {key: count for key, count in counts.items() if count > 1}


def _folder_name(part: str) -> str:
    """A name that is one folder; quote leaves dots alone, and `..` would climb."""
    name = quote(part, safe="") or "_"
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _message_id(content: bytes) -> str:
    return str(BytesHeaderParser().parsebytes(content).get("Message-ID", "")).strip()


def _read(path: Path) -> StoredMail:
    envelope = json.loads(path.read_text(encoding="utf-8"))
    return StoredMail(
        path.stem,
        envelope["envelope_from"],
        envelope["rcpt"],
        datetime.fromisoformat(envelope["received_at"]),
        envelope["message_id"],
        tuple(Problem(**item) for item in envelope["findings"]),
        path.with_suffix(".eml"),
    )
