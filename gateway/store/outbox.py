"""The outbox: the `Store` protocol over any database engine. Each method's work is in the module it calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gateway.errors import LeaseLostError, StoreError
from gateway.store import (
    accepting,
    browsing,
    claiming,
    dmp_acting,
    freezing,
    identity,
    journal,
    linking,
    masters,
    movements,
    operating,
    reading,
    settling,
    snapshot,
)
from gateway.store.base import (
    ANY,
    Accepted,
    AcceptRequest,
    Action,
    Blob,
    ChannelName,
    Claim,
    Count,
    DeliveryDetail,
    DeliveryRow,
    DocumentRow,
    Filter,
    Guard,
    Pause,
    Result,
    Wanted,
)
from gateway.store.browsing_types import Consulted, Listed, PageFilter
from gateway.store.checkpoint import SignedNote
from gateway.store.clockbook import ClockOutbox
from gateway.store.core import Core, Work
from gateway.store.dmp_acts import DmpAccess, DmpChange
from gateway.store.facts import EpisodeFacts, LateObligation, NewFacts
from gateway.store.following import WINDOW, Moved
from gateway.store.linked import Link, Withdrawal
from gateway.store.outbox_keeping import KeepingOutbox
from gateway.store.outbox_keys import KeyOutbox
from gateway.store.outbox_patients import PatientOutbox
from gateway.store.snapshot import Snapshot
from gateway.store.states import GATEWAY, Event, Receipt, Transport

RESTORED = "ENG-RESTORED"


class Outbox(PatientOutbox, KeepingOutbox, KeyOutbox, ClockOutbox):
    """Implements `gateway.store.base.Store`, where every method is described."""

    def __init__(self, core: Core, locks: Path | None, shards: int = 1) -> None:
        """Check that this store, its keys and its checkpoints belong together; `locks` is the prefix of lock files.

        `shards` of the journal are made when the store is founded; one that is there already keeps its own.

        Raises StoreError (SEA-007): the database was sealed with another master key.
        """
        self.core = core
        self._locks = locks
        self._begin(shards)

    def accept(self, request: AcceptRequest) -> Accepted:
        """See Store."""
        return accepting.accept(self.core, request)

    def accept_many(self, requests: Sequence[AcceptRequest]) -> list[Accepted]:
        """See Store."""
        return accepting.accept_many(self.core, requests) if requests else []

    def known(self, account: str, key: str | None, content_sha256: str) -> Accepted | None:
        """See Store."""
        return accepting.known(self.core, account, key, content_sha256)

    def claim(self, wanted: Wanted) -> list[Claim]:
        """See Store."""
        return claiming.claim(self.core, wanted, "send")

    def claim_doubtful(self, wanted: Wanted) -> list[Claim]:
        """See Store."""
        return claiming.claim(self.core, wanted, "resolve")

    def mark_transmitting(self, claim: Claim) -> None:
        """See Store."""
        for fault in claiming.mark_transmitting(self.core, [claim]):
            if fault is not None:
                raise fault

    def mark_many(self, claims: Sequence[Claim]) -> list[LeaseLostError | None]:
        """See Store."""
        return claiming.mark_transmitting(self.core, claims)

    def renew(self, claim: Claim, lease: float) -> Claim:
        """See Store."""
        return claiming.renew(self.core, claim, lease)

    def record(self, claim: Claim, result: Result) -> bool:
        """See Store."""
        return claiming.record(self.core, [(claim, result)])[0]

    def record_many(self, ended: Sequence[tuple[Claim, Result]]) -> list[bool]:
        """See Store."""
        return claiming.record(self.core, ended)

    def recover(
        self, *, account: str | None = None, owner_gone: bool = False, settle: float = 0.0, went_back: bool = False
    ) -> list[str]:
        """See Store."""
        return claiming.recover(self.core, account, owner_gone, settle, went_back)

    def act(
        self,
        delivery_id: str,
        action: Action,
        *,
        by: str,
        reason: str,
        means: str | None = None,
        at: datetime | None = None,
    ) -> DeliveryRow:
        """See Store."""
        operating.act(self.core, delivery_id, operating.Decision(action, by, reason, means, at))
        return reading.delivery(self.core, delivery_id).row

    def link(self, link: Link) -> str:
        """See Store."""
        return linking.link(self.core, link)

    def withdraw(self, withdrawal: Withdrawal) -> tuple[str, ...]:
        """See Store."""
        return linking.withdraw(self.core, withdrawal)

    def pause(self, account: str, channel: str = journal.EVERY, *, by: str, reason: str) -> None:
        """See Store."""
        operating.pause(self.core, account, channel, by, reason)

    def resume(self, account: str, channel: str = journal.EVERY, *, by: str) -> bool:
        """See Store."""
        return operating.resume(self.core, account, channel, by)

    def pauses(self) -> list[Pause]:
        """See Store."""
        return reading.pauses(self.core)

    def session_ready(self, account: str, channel: ChannelName, *, by: str) -> int:
        """See Store."""
        return operating.session_ready(self.core, account, channel, by)

    def record_receipt(
        self, delivery_id: str, receipt: Receipt, *, evidence_sha256: str, code: str | None = None
    ) -> bool:
        """See Store."""
        return operating.record_receipt(self.core, delivery_id, receipt, evidence_sha256, code)

    def document(self, document_id: str) -> DocumentRow:
        """See Store."""
        return reading.document(self.core, document_id)

    def named(self, account: str, name: str) -> DocumentRow:
        """See Store."""
        return reading.named(self.core, account, name)

    def documents(self, account: str, patient: str) -> list[DocumentRow]:
        """See Store."""
        return reading.documents(self.core, account, patient)

    def same_patient(self, document_id: str) -> list[DocumentRow]:
        """See Store."""
        return reading.same_patient(self.core, document_id)

    def suspicion(self, account: str, patient: str, guard: Guard) -> str | None:
        """See Store."""
        return identity.suspicion(self.core, account, patient, guard)

    def rendering(self, document_id: str, name: str) -> Blob:
        """See Store."""
        return reading.rendering(self.core, document_id, name)

    def parts(self, delivery_id: str) -> tuple[Blob, ...]:
        """See Store."""
        return reading.parts(self.core, delivery_id)

    def context(self, delivery_id: str) -> bytes | None:
        """See Store."""
        return reading.context(self.core, delivery_id)

    def delivery(self, delivery_id: str) -> DeliveryDetail:
        """See Store."""
        return reading.delivery(self.core, delivery_id)

    def deliveries(self, wanted: Filter = ANY) -> list[DeliveryRow]:
        """See Store."""
        return reading.deliveries(self.core, wanted)

    def page(self, wanted: PageFilter) -> list[Listed]:
        """See BrowseStore."""
        return browsing.page(self.core, wanted)

    def note_consulted(self, consulted: Consulted) -> None:
        """See BrowseStore."""
        browsing.note_consulted(self.core, consulted)

    def journal_records(self) -> int:
        """See BrowseStore."""
        return browsing.journal_records(self.core)

    def counts(self) -> list[Count]:
        """See Store."""
        return reading.counts(self.core)

    def next_due(self, accounts: Sequence[str], channel: str | None = None) -> datetime | None:
        """See Store."""
        return reading.next_due(self.core, accounts, channel)

    def note_dmp(self, access: DmpAccess, patient: str | None = None) -> None:
        """See DmpStore."""
        dmp_acting.note_access(self.core, access, patient)

    def change(self, change: DmpChange) -> str:
        """See DmpStore."""
        return dmp_acting.change(self.core, change)

    def facts(self, account: str | None = None, *, episode: str | None = None) -> list[EpisodeFacts]:
        """See FactStore."""
        return freezing.listing(self.core, account, episode)

    def without_facts(self) -> list[str]:
        """See FactStore."""
        return freezing.missing(self.core)

    def freeze(self, document_id: str, patient: str, facts_of: NewFacts) -> None:
        """See FactStore."""
        freezing.freeze(self.core, document_id, patient, facts_of)

    def note_late(self, late: Sequence[LateObligation]) -> list[LateObligation]:
        """See FactStore."""
        return freezing.note_late(self.core, late)

    def checkpoint(self) -> None:
        """See Store."""
        with self.core.db.read() as tx:
            heads = [journal.head(tx, shard) for shard in range(self.core.shards)]
        for shard, (size, root) in enumerate(heads):
            self.core.sign(size, root, shard)

    def attest(self, subject: str, line: str) -> str:
        """See Store."""
        return self.core.folder.attest(subject, line)

    def unanchored(self) -> tuple[SignedNote, ...]:
        """See Store."""
        return self.core.folder.unanchored()

    def anchor(self, name: str, token: bytes) -> None:
        """See Store."""
        self.core.folder.anchor(name, token)

    def touched(self, after: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """See Store."""
        return reading.touched(self.core, after)

    def moved(self, account: str, after: int, *, window: int = WINDOW) -> Moved:
        """See FollowStore."""
        return movements.moved(self.core, account, after, window)

    def journal_size(self, account: str) -> int:
        """See FollowStore."""
        return movements.size(self.core, account)

    def journal_mark(self, account: str, place: int) -> str | None:
        """See FollowStore."""
        return movements.mark(self.core, account, place)

    def snapshot(self) -> Snapshot:
        """See Store."""
        return snapshot.take(self.core)

    @property
    def shards(self) -> int:
        """See Store."""
        return self.core.shards

    def lock_path(self, account: str) -> str | None:
        """See Store."""
        return None if self._locks is None else f"{self._locks}.{account}.lock"

    def now(self) -> datetime:
        """See Store."""
        return self.core.now()

    def close(self) -> None:
        """See Store."""
        try:
            self.checkpoint()
        finally:
            self.core.db.close()

    def _begin(self, shards: int) -> None:
        # Read before the journal's size: a checkpoint is written after its commit, so it can never be ahead.
        signed = self.core.folder.latest_of_each()
        with self.core.db.read() as tx:
            owner = tx.one("meta_get", name="key_id")
        if owner is None:
            self._found(shards)
        elif owner["value"] != self.core.vault.store_id:
            raise StoreError(
                "SEA-007", "La base a été scellée avec une autre clé maîtresse.", "Restaurez la clé d'origine."
            )
        with self.core.db.read() as tx:
            masters.begin(tx, self.core.vault)
            kept = tx.one("meta_get", name="shards")
            self.core = replace(self.core, shards=1 if kept is None else int(kept["value"]))
            heads = [journal.head(tx, shard) for shard in range(self.core.shards)]
        for shard, (size, root) in enumerate(heads):
            latest = signed.get(shard)
            if latest is not None and (latest.size > size or (latest.size == size and latest.root != root)):
                self._restored(shard, latest.size, latest.root)
        settling.remember(self.core)

    def _found(self, shards: int) -> None:
        epoch = self.core.new_id()
        with replace(self.core, shards=1).write() as work:
            if work.tx.one("meta_get", name="key_id") is not None:
                return  # another process was first
            work.tx.run("meta_put", name="key_id", value=self.core.vault.store_id)
            work.tx.run("master_insert", id=self.core.vault.store_id, made_at=work.ms)
            work.tx.run("master_use", id=self.core.vault.store_id)
            work.tx.run("meta_put", name="epoch", value=epoch)
            if shards > 1:
                work.tx.run("meta_put", name="shards", value=str(shards))
                work.tx.many(
                    "journal_head_insert", [{"shard": one, "hash": journal.GENESIS} for one in range(1, shards)]
                )
            work.note("journal_started", epoch=epoch, key_id=self.core.vault.store_id)

    def _restored(self, shard: int, size: int, root: bytes) -> None:
        """A checkpoint outside knows more than the database: this is a restored copy, and what it believes unsent may
        have been sent since. Everything stops, doubtful, until a person resumes it (DESIGN §4 "Store").
        """
        name = settling.restored_name(shard, size, root)
        with self.core.write() as work:
            if work.tx.one("meta_get", name=name) is not None:
                return
            work.tx.run("meta_put", name=name, value=journal.timestamp(work.now))
            work.note_shard(shard, "store_restored", size=size, root=root.hex())
            unsent = work.tx.all("deliveries_unsent")
            for row in unsent:
                work.move(row, Event.RESTORED, Transport.IN_DOUBT, due_in=0, reason=RESTORED)
            if unsent:
                _stop_everything(work)


def _stop_everything(work: Work) -> None:
    values = {"account": journal.EVERY, "channel": journal.EVERY, "reason": RESTORED}
    if work.tx.run("pause_put", actor=GATEWAY, now=work.ms, **values):
        work.note("paused", by=GATEWAY, **values)
