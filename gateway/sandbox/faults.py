"""Faults that can be switched on while the sandbox runs, from Python or through a control file.

The control file (`faults.json` in the sandbox folder) is read again whenever it changes, so another
process, the command line for example, can set faults: a JSON list of objects with `channel`, `kind` and
optionally `count` (default 1), `seconds` and `only` (one transaction of the DMP: `TD0.2`, `TD2.1`, `TD3.1`,
`TD3.2`, `TD3.3`). Without `only`, the faults of the DMP that need data strike what stores something (TD2.1, TD3.3).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

_log = logging.getLogger(__name__)


class Channel(StrEnum):
    """The service that misbehaves."""

    MSSANTE = "mssante"
    DMP = "dmp"
    INSI = "insi"
    ANNUAIRE = "annuaire"


class FaultKind(StrEnum):
    """What goes wrong.

    refuse: transient refusal of the content (mail 451 4.3.0; DMP XDSRepositoryBusy), nothing stored.
    reject: permanent refusal (mail 554 5.6.0; DMP XDSRepositoryError), nothing stored.
    busy: the service says so at once (mail greeting 421 4.3.2; DMP HTTP 503 with Retry-After).
    delay: the answer waits `seconds`.
    unavailable: the connection is dropped before anything is read.
    drop_after_data: everything was received, checked and stored, then the connection drops: the answer is lost.
    drop_before_store: everything was received, nothing was kept, the connection drops.
    The DMP alone: not_available (XDSRegistryNotAvailable), out_of_resources (XDS...OutOfResources), soap_fault
    (env:Receiver, HTTP 500), server_error (HTTP 500 with a page), nonsense (HTTP 200 whose XML stops half-way);
    nothing is stored.
    """

    REFUSE = "refuse"
    REJECT = "reject"
    BUSY = "busy"
    DELAY = "delay"
    UNAVAILABLE = "unavailable"
    DROP_AFTER_DATA = "drop_after_data"
    DROP_BEFORE_STORE = "drop_before_store"
    NOT_AVAILABLE = "not_available"
    OUT_OF_RESOURCES = "out_of_resources"
    SOAP_FAULT = "soap_fault"
    SERVER_ERROR = "server_error"
    NONSENSE = "nonsense"


TRANSACTIONS = ("TD0.2", "TD2.1", "TD3.1", "TD3.2", "TD3.3")
_DMP_ONLY = frozenset(
    {
        FaultKind.NOT_AVAILABLE,
        FaultKind.OUT_OF_RESOURCES,
        FaultKind.SOAP_FAULT,
        FaultKind.SERVER_ERROR,
        FaultKind.NONSENSE,
    }
)

# When each kind strikes: as somebody connects, as a request begins, or once everything was received.
AT_CONNECTION = frozenset({FaultKind.UNAVAILABLE})
AT_GREETING = frozenset({FaultKind.BUSY})
AFTER_DATA = frozenset(FaultKind) - AT_CONNECTION - AT_GREETING


@dataclass(slots=True)
class Fault:
    """One fault that is still to happen `count` times (-1: until cleared), to one transaction or to any.

    Raises ValueError when the channel has no such fault or transaction.
    """

    channel: Channel
    kind: FaultKind
    count: int = 1
    seconds: float = 0.0
    only: str = ""

    def __post_init__(self) -> None:
        """Refuse what could never strike."""
        if self.channel is not Channel.DMP and (self.kind in _DMP_ONLY or self.only):
            raise ValueError(f"{self.kind} {self.only}: not a fault of {self.channel}")
        if self.only and (self.only not in TRANSACTIONS or self.kind is FaultKind.UNAVAILABLE):
            raise ValueError(f"{self.kind} {self.only}: no such fault of a transaction")


class DropConnectionError(Exception):
    """An injected fault: the answer must never reach the client."""


class Faults:
    """The faults still to come, in the order they were set. Safe to use from any thread."""

    def __init__(self, control_file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._pending: list[Fault] = []
        self._struck: dict[tuple[Channel, FaultKind], int] = {}
        self._file = control_file
        self._seen: tuple[int, int] | None = self._stamp()

    def set(self, channel: str, kind: str, *, count: int = 1, seconds: float = 0.0, only: str = "") -> None:
        """Add a fault that will strike the next `count` times (-1: always). Raises ValueError on unknown names."""
        with self._lock:
            self._pending.append(Fault(Channel(channel), FaultKind(kind), count, seconds, only))

    def clear(self, channel: str | None = None) -> None:
        """Forget the faults of a channel, or all of them."""
        with self._lock:
            self._pending = [f for f in self._pending if channel is not None and f.channel != channel]

    def pending(self) -> list[dict[str, object]]:
        """The faults still to come, as plain data."""
        with self._lock:
            return [asdict(fault) for fault in self._pending]

    def struck(self, channel: str, kind: str) -> int:
        """How many times a fault of this kind has happened since the start."""
        with self._lock:
            return self._struck.get((Channel(channel), FaultKind(kind)), 0)

    def take(self, channel: Channel, kinds: frozenset[FaultKind], transaction: str = "") -> Fault | None:
        """The first pending fault of these kinds, counted down; None when all goes well.

        With a `transaction`, only those that were set for it; without, only those set for none.
        """
        with self._lock:
            self._reload()
            for fault in self._pending:
                if fault.channel is channel and fault.kind in kinds and fault.only == transaction:
                    return self._strike(fault)
            return None

    def _strike(self, fault: Fault) -> Fault:
        struck = (fault.channel, fault.kind)
        self._struck[struck] = self._struck.get(struck, 0) + 1
        if fault.count > 0:
            fault.count -= 1
        if fault.count == 0:
            self._pending.remove(fault)
        return fault

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found is not None else None

    def _reload(self) -> None:
        """Take the control file's list when it changed; a malformed one is logged and changes nothing."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen or self._file is None:
            return
        self._seen = stamp
        try:
            self._pending = _read_faults(self._file)
        except (OSError, ValueError, TypeError, KeyError) as fault:
            _log.warning("sandbox.faults.unreadable file=%s reason=%s", self._file.name, type(fault).__name__)


def _read_faults(file: Path) -> list[Fault]:
    rows = json.loads(file.read_text(encoding="utf-8"))
    return [
        Fault(
            Channel(row["channel"]),
            FaultKind(row["kind"]),
            int(row.get("count", 1)),
            float(row.get("seconds", 0.0)),
            str(row.get("only", "")),
        )
        for row in rows
    ]


def write_faults(file: Path, faults: Sequence[Fault]) -> None:
    """Write a control file for a sandbox that runs in another process."""
    partial = file.with_name(file.name + ".part")
    partial.write_text(json.dumps([asdict(fault) for fault in faults]), encoding="utf-8")
    partial.replace(file)
