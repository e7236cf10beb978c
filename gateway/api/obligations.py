"""Obligations: what was due for each episode, what proves it, what is missing; and the billing compared with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gateway import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.api.machinery import Machinery
    from gateway.api.reconcile import Reconciled
    from gateway.rules.obligations import Obligation

FORMAT = "kine-gateway/obligations/1"


@dataclass(frozen=True, slots=True)
class ObligationView:
    """One obligation with its words. `episode` and `patient` are pseudonyms; no identity, no clinical content."""

    obligation: Obligation

    @property
    def document_label(self) -> str:
        """French name of the document due."""
        return wording.obligation("document", self.obligation.document)

    @property
    def reader_label(self) -> str:
        """French name of who has to receive it; empty where nothing is due."""
        return wording.obligation("reader", self.obligation.to) if self.obligation.to else ""

    @property
    def state_label(self) -> str:
        """The state in French, with how it was met."""
        one = self.obligation
        said = wording.obligation("state", one.state)
        return said if one.evidence is None else f"{said} : {wording.obligation_proof(one.evidence.how)}"

    @property
    def why(self) -> str:
        """Why it stands so, in French; empty when it is met."""
        return wording.obligation_reason(self.obligation.reason)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready (`docs/obligations.md`)."""
        one = self.obligation
        value = asdict(one)
        value["due_by"] = one.due_by.isoformat() if one.due_by else None
        if one.evidence is not None:
            value["evidence"]["at"] = one.evidence.at.isoformat() if one.evidence.at else None
            value["evidence"]["label"] = wording.obligation_proof(one.evidence.how)
        labels = {"document_label": self.document_label, "reader_label": self.reader_label, "why": self.why}
        return {**value, **labels, "state_label": self.state_label}


@dataclass(frozen=True, slots=True)
class Standing:
    """Obligations, and how many there are in each state."""

    lines: tuple[ObligationView, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number in each of the five states; what was met, by its proof too (`met_person`...)."""
        found = dict.fromkeys(("due", "late", "met", "impossible", "not_due"), 0)
        found |= dict.fromkeys(("met_electronic", "met_person", "met_operator"), 0)
        for one in (line.obligation for line in self.lines):
            found[one.state] += 1
            if one.evidence is not None:
                found[f"met_{one.evidence.proof}"] += 1
        return found

    @property
    def missing(self) -> tuple[ObligationView, ...]:
        """What is left to do: late, due, or impossible by the way that was tried."""
        return tuple(line for line in self.lines if line.obligation.open)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"format": FORMAT, "counts": self.counts, "obligations": [one.as_dict() for one in self.lines]}


class Obligations:
    """What was due and what became of it, computed from the store each time it is asked."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def standing(
        self, *, account: str | None = None, episode: str | None = None, document: str | None = None
    ) -> Standing:
        """Every obligation, of one account, one episode or one document's episode.

        `episode` is the pseudonym that the lines show (its beginning is enough), or the practice's own number, which
        is looked for in the documents that were not erased. Raises StoreError, NotFoundError (DOC-404).
        """
        lines = self._lines(account)
        if document is not None:
            self._machinery.store.document(document)
            lines = _of_document(lines, document)
        if episode is not None:
            lines = self._of_episode(lines, episode)
        return Standing(tuple(ObligationView(one) for one in lines))

    def late(self, account: str | None = None, *, tell: bool = False) -> Standing:
        """What is late now. With `tell`, each one that was never told is journalled and published as an event."""
        from gateway.engine import obligations

        found = [one for one in self._lines(account) if one.state == "late"]
        if tell:
            for one in obligations.tell_late(self._machinery.store, found):
                self._publish(one)
        return Standing(tuple(ObligationView(one) for one in found))

    def reconcile(
        self, data: bytes, *, columns: Mapping[str, str] | None = None, account: str | None = None
    ) -> Reconciled:
        """Billed sessions in direct access that no document speaks of, from an export of the billing software.

        `columns` gives the heading of a field (`docs/obligations.md`). Nothing of the file is kept. Raises InputError
        (REC-001 to REC-003), StoreError.
        """
        from gateway.api import reconcile

        return reconcile.run(self._machinery, data, columns or {}, account)

    def _publish(self, one: Obligation) -> None:
        from gateway.engine.events import DeliveryEvent, log_event

        event = DeliveryEvent(
            self._machinery.clock.now(),
            "obligation_late",
            one.account,
            "",
            delivery=one.delivery_id or "",
            document=one.near,
            destination=one.to,
            state=one.state,
            reason=one.reason or "",
        )
        log_event(event)
        self._machinery._tell(event)  # noqa: SLF001 (the faces' own machinery)

    def _lines(self, account: str | None) -> list[Obligation]:
        from gateway.engine import obligations

        one = self._machinery
        return obligations.listing(one.store, one.world.rules, one.clock.now(), account)

    def _of_episode(self, lines: list[Obligation], episode: str) -> list[Obligation]:
        if len(episode) >= 8 and any((one.episode or "").startswith(episode) for one in lines):
            return [one for one in lines if (one.episode or "").startswith(episode)]
        named = {near for near in {one.near for one in lines} if self._number(near) == episode}
        mine = {one.episode for one in lines if one.near in named}
        return [one for one in lines if one.near in named or (one.episode is not None and one.episode in mine)]

    def _number(self, document: str) -> str | None:
        from gateway.engine import stored

        submission = stored.submission(self._machinery.store, self._machinery.store.document(document))
        return None if submission is None or submission.access is None else submission.access.episode.id


def _of_document(lines: Iterable[Obligation], document: str) -> list[Obligation]:
    lines = list(lines)
    mine = {(one.account, one.episode) for one in lines if document in {one.near, one.document_id} and one.episode}
    return [one for one in lines if document == one.near or (one.account, one.episode) in mine]
