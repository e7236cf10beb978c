"""What every operation of the store shares: the transaction that carries its journal records with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.clock import Clock, Randomness
from gateway.errors import NotFoundError, StateError
from gateway.skew import Skew
from gateway.store import journal, mail_keys, masters, stops, succession
from gateway.store.checkpoint import CheckpointFolder
from gateway.store.database import Database, Row, Transaction
from gateway.store.received import PROVED, PROVES
from gateway.store.sealing import DocumentKey, Vault, Wrapped
from gateway.store.states import GATEWAY, Event, Receipt, Transport, allowed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOG = logging.getLogger(__name__)


def to_ms(at: datetime) -> int:
    """UTC milliseconds since 1970, as the tables hold them."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_ms(value: int) -> datetime:
    """The aware UTC instant of a column."""
    return _EPOCH + timedelta(milliseconds=value)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds after sending at which a missing receipt is overdue: for any, a soon and an urgent mail.

    An urgent mail has to be read by then; `processed` says when any other one has to be, None: no matter.
    """

    delivered: float = 2 * 86400.0
    soon: float = 86400.0
    urgent: float = 4 * 3600.0
    processed: float | None = None

    def first(self, priority: int) -> float:
        """Seconds until a sent mail of that priority is overdue without the receipt that it waits for."""
        return (self.delivered, self.soon, self.urgent)[priority]


class Work:
    """A write transaction and the journal records that commit with it."""

    def __init__(self, tx: Transaction, now: datetime, core: Core) -> None:
        self.tx = tx
        self.core = core
        self.now = now
        self.ms = to_ms(now)
        self.records: dict[int, list[journal.Record]] = {}
        self._master: str | None = None

    def note(self, event: str, /, *, of: str | None = None, **fields: Any) -> None:
        """Add a journal record; fields that are None are left out. `of`: its account, where no field says so."""
        self.records.setdefault(self._shard(of, fields), []).append({"event": event, **fields})

    def note_shard(self, shard: int, event: str, **fields: Any) -> None:
        """Add a journal record that is about a shard itself."""
        self.records.setdefault(shard, []).append({"event": event, **fields})

    def _shard(self, account: str | None, fields: dict[str, Any]) -> int:
        if self.core.shards == 1:
            return 0
        account = account or fields.get("account")
        if account is None and "document" in fields:
            row = self.tx.one("document_get", id=fields["document"])
            account = None if row is None else row["account"]
        return journal.shard_of(account, self.core.shards)

    def master_key(self) -> str:
        """Id of the master key that wraps what this transaction adds. Raises StoreError (SEA-010)."""
        if self._master is None:
            self._master = masters.choose(self.tx, self.core.vault)
        return self._master

    def delivery(self, delivery_id: str) -> Row:
        """The delivery's row as it stands now. Raises NotFoundError (DLV-404)."""
        return find_delivery(self.tx, delivery_id)

    def note_delivery(self, event: str, row: Row, **fields: Any) -> None:
        """Add a journal record about a delivery."""
        about = {"document": row["document_id"], "delivery": row["id"], "channel": row["channel"]}
        self.note(event, of=row["account"], **about, **fields)

    def move(
        self,
        row: Row,
        event: Event,
        state: Transport,
        *,
        due_in: float | None = None,
        fields: dict[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        """Change a delivery's state and journal it.

        `columns` overrides `receipt`, `reason`, `actor`, `means`, `handed_at`, `failures`, `burned_ms`, `reference`;
        `fields` go to the journal record only; `due_in` in seconds. Raises StateError (DLV-001): no such transition.
        """
        if due_in is not None and succession.waits_again(self, row, event):
            due_in, columns["reason"] = None, succession.waiting_reason(row["purpose"])
        new = self.moving(row, event, state, due_in=due_in, fields=fields, **columns)
        self.tx.run("delivery_move", **new)
        if row["state"] in succession.UNSETTLED and _is_proven(state, new["receipt"]):
            self.move(self.delivery(row["id"]), Event.RECEIPT, Transport.SENT, reason=PROVED)
            return  # a receipt came while the attempt was under way: that is its outcome
        if state in _ASKED_NO_MORE:
            self.tx.run("delivery_closed", id=row["id"])
        self._hold_with_its_pair(row, event, state, new["actor"])
        succession.settled(self, row, state)
        stops.caught(self, row, state)
        succession.withdrawn(self, row, state)

    def moving(
        self,
        row: Row,
        event: Event,
        state: Transport,
        *,
        due_in: float | None = None,
        fields: dict[str, Any] | None = None,
        **columns: Any,
    ) -> dict[str, Any]:
        """Journal a change of state, and give the values of `delivery_move` that make it. Only for who runs it, and
        knows that nothing follows from it; everybody else calls `move`.
        """
        check(event, row, state)
        kept = {name: row[name] for name in ("receipt", "failures", "burned_ms", "reference")}
        due_at = None if due_in is None else self.ms + round(due_in * 1000)
        new = {"reason": None, "actor": None, "means": None, "handed_at": None, **kept, **columns}
        about = {
            "state": state,
            "receipt": new["receipt"],
            "reason": new["reason"],
            "by": new["actor"],
            "means": new["means"],
            "reference": new["reference"],
            "due_at": None if due_at is None else journal.timestamp(from_ms(due_at)),
            "handed_at": None if new["handed_at"] is None else journal.timestamp(from_ms(new["handed_at"])),
        }
        self.note_delivery(event, row, **about, **(fields or {}))
        waits = state is Transport.SENT and new["receipt"] == Receipt.AWAITED  # from now on, for a receipt
        awaited = self.awaited_until(row) if waits else None
        return {"id": row["id"], "state": state, "now": self.ms, "due_at": due_at, "awaited": awaited, **new}

    def awaited_until(self, row: Row) -> int:
        """When a receipt of what is sent now becomes overdue."""
        return self.ms + round(self.core.deadlines.first(row["priority"]) * 1000)

    def _hold_with_its_pair(self, row: Row, event: Event, state: Transport, actor: str | None) -> None:
        """Hold what comes back from an attempt while its patient is not the recipient's, as its siblings are."""
        by_itself = event in _COMES_BACK or (event is Event.RESEND_DECIDED and actor is None)
        if not by_itself or state not in {Transport.PREPARED, Transport.RETRY}:
            return
        hold = mail_keys.pair_hold(self.tx, row["account"], row["document_id"], row["recipient_mac"])
        if hold is not None:
            self.move(self.delivery(row["id"]), Event.HOLD, Transport.HELD, reason=hold["reason"], actor=GATEWAY)


_ASKED_NO_MORE = frozenset({Transport.HANDED_OVER, Transport.SUPERSEDED, Transport.CANCELLED})
"""States in which nobody asks for a receipt any more: a person has done otherwise."""

_COMES_BACK = frozenset(
    {Event.FAILED, Event.MISCONFIGURED, Event.GIVEN_BACK, Event.RECOVERED, Event.SESSION_READY, Event.FOLLOWS}
)
"""Events by which the engine, and no person, makes a delivery wait for its next attempt."""


def _is_proven(state: Transport, receipt: str) -> bool:
    return receipt in PROVES and state is not Transport.PREPARED and allowed(Event.RECEIPT, state, Transport.SENT)


def check(event: Event, row: Row, state: Transport) -> None:
    """Raise StateError (DLV-001) unless the delivery may go there by this event."""
    if not allowed(event, Transport(row["state"]), state):
        raise StateError(
            "DLV-001",
            f"Action impossible : l'envoi {row['id']} est dans l'état « {row['state']} ».",
            "Attendez la fin de l'envoi en cours." if row["state"] in {"sending", "transmitting"} else "",
        )


@dataclass(frozen=True)
class Core:
    """The pieces a store is made of."""

    db: Database
    vault: Vault
    clock: Clock
    ids: Randomness
    folder: CheckpointFolder
    every_records: int
    deadlines: Deadlines = Deadlines()
    shards: int = 1
    skew: Skew | None = None

    @contextmanager
    def write(self, *accounts: str) -> Iterator[Work]:
        """A transaction whose journal records are appended just before it commits.

        `accounts` are those that it reads and changes (none given: any), so that it need not hold up the others.
        """
        grown: list[journal.Growth] = []
        held = sorted({journal.shard_of(account, self.shards) for account in accounts}) or None
        with self.db.write(held) as tx:
            work = Work(tx, self.time_of(tx), self)
            clocked = self._clocked(work.now)
            yield work
            for shard in sorted(work.records):
                if held is not None and shard not in held:
                    raise RuntimeError(f"{work.records[shard][0]['event']}: journal shard {shard} is not held")
                grown.append(journal.append(tx, work.now, shard, work.records[shard], clocked))
        for one in grown:
            if one.before // self.every_records != one.size // self.every_records:
                self.sign(one.size, one.root, one.shard)

    def _clocked(self, now: datetime) -> dict[str, int]:
        """How far `now` is from the servers' time, for every record of the transaction; nothing where it is unknown."""
        found = None if self.skew is None else self.skew.agreed(now)
        if found is None:
            return {}
        return {"clock_offset_ms": round(found.seconds * 1000), "clock_error_ms": round(found.error * 1000)}

    def now(self) -> datetime:
        """The time that leases and due times follow: the database's where it has a clock that counts."""
        with self.db.read() as tx:
            return self.time_of(tx)

    def time_of(self, tx: Transaction) -> datetime:
        """`now`, inside a transaction."""
        return tx.now() or self.clock.now()

    def sign(self, size: int, root: bytes, shard: int = 0) -> None:
        """Write a checkpoint. A failure is logged, not raised: the change itself is committed."""
        try:
            self.folder.write(size, root, shard)
        except OSError as error:
            _LOG.error("checkpoint_not_written", extra={"error": error.strerror})

    def new_id(self) -> str:
        """A random identifier."""
        return str(self.ids.uuid())

    def document_key(self, row: Row) -> DocumentKey | None:
        """The key of a document row, or of a delivery row joined with it; None once it is erased."""
        document = row["document_id"] if "document_id" in row.keys() else row["id"]  # noqa: SIM118 (sqlite3.Row)
        if row["wrapped_key"] is None:
            return None
        return self.vault.open_key(document, Wrapped(row["key_id"], row["wrapped_key"]))


def find_delivery(tx: Transaction, delivery_id: str) -> Row:
    """The delivery's row. Raises NotFoundError (DLV-404)."""
    row = tx.one("delivery_get", id=delivery_id)
    if row is None:
        raise NotFoundError("DLV-404", f"Aucun envoi {delivery_id}.", "Voir `kine-gateway queue list`.")
    return row


def find_document(tx: Transaction, document_id: str) -> Row:
    """The document's row. Raises NotFoundError (DOC-404)."""
    row = tx.one("document_get", id=document_id)
    if row is None:
        raise NotFoundError("DOC-404", f"Aucun document {document_id}.")
    return row


def receipt_of(row: Row) -> Receipt:
    """The receipt axis of a row."""
    return Receipt(row["receipt"])
