"""Corrected versions: what becomes of the earlier one's deliveries, and which new ones wait (DESIGN §4 rule 8).

What never left is superseded. What left is followed by the new version, which waits while nobody knows whether the
earlier one arrived: the reader must not get the two in the wrong order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConflictError, StateError
from gateway.store.states import GATEWAY, IN_FLIGHT, TRANSITIONS, Event, Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.store.base import PlannedDelivery
    from gateway.store.core import Work
    from gateway.store.database import Row

AFTER = "ENG-AFTER"
"""Reason of a delivery that waits for the outcome of the earlier version's."""
REPLACED = "ENG-REPLACED"
"""Reason of a delivery that a corrected version made needless."""
NO_PREDECESSOR = "ENG-NO-PREDECESSOR"
"""Reason of a replacement that cannot go: the destination never got what it would replace."""
MOVED = "DOC-RPL-MOVED"
"""Code of the conflict in which a delivery of the earlier version moved while the new one was being prepared."""

OUTCOME = "ENG-AFTER-OUTCOME"
"""Reason of a retraction or deletion that waits for the attempt under way to end."""
WITHDRAWN = "ENG-WITHDRAWN"
"""Reason of a delivery that stopped because its document was withdrawn."""
NEEDLESS = "ENG-NOT-RECEIVED"
"""Reason of a retraction or deletion that is needless: what it would take back never arrived."""
SETTLE = 30.0
"""Seconds that a deletion waits after a doubt: the other side may still be at work on what it was sent."""

UNSETTLED = frozenset({*IN_FLIGHT, Transport.IN_DOUBT})
_UNSENT = frozenset({Transport.PREPARED, Transport.RETRY, Transport.WAITING_FOR_SESSION, Transport.HELD})


def replace(work: Work, former: str, supersedes: Sequence[str], planned: Sequence[PlannedDelivery]) -> None:
    """Supersede what never left of the earlier version. The caller planned by states it read a moment ago.

    Raises ConflictError: `DOC-RPL-AGAIN` somebody replaced that version first, `DOC-RPL-MOVED` a delivery has left (or
    turned out not to have arrived) since.
    """
    taken = work.tx.one("document_successor", id=former)
    if taken is not None:
        raise ConflictError(
            "DOC-RPL-AGAIN",
            f"Ce document a déjà été remplacé par {taken['id']}.",
            "Corriger la dernière version : donner son identifiant dans « replaces ».",
        )
    for one in planned:
        if one.waits_for is not None and _state(work, one.waits_for) not in {*UNSETTLED, Transport.SENT}:
            raise _moved()
    for delivery in supersedes:
        if _state(work, delivery) not in TRANSITIONS[Event.SUPERSEDE][0]:
            raise _moved()
        work.move(work.delivery(delivery), Event.SUPERSEDE, Transport.SUPERSEDED, reason=REPLACED, actor=GATEWAY)


def _state(work: Work, delivery: str) -> Transport | None:
    row = work.tx.one("delivery_get", id=delivery)
    return None if row is None else Transport(row["state"])


def _moved() -> ConflictError:
    return ConflictError(MOVED, "Un envoi de la version précédente vient de changer d'état.", "Réessayer.")


def must_wait(work: Work, planned: PlannedDelivery) -> bool:
    """Whether a new delivery waits, from the state in which the earlier one is now."""
    return planned.waits_for is not None and _state(work, planned.waits_for) in UNSETTLED


def waiting_reason(purpose: str) -> str:
    """Why a delivery waits for another one's outcome."""
    return AFTER if purpose == "document" else OUTCOME


def waits_again(work: Work, row: Row, event: Event) -> bool:
    """Whether a delivery that a person lets go still has to wait for the earlier version, whose outcome came, or did
    not come, while it was held. That version is superseded where it never left: it must not arrive afterwards.
    """
    if event not in {Event.RELEASE, Event.RETRY} or row["waits_for"] is None:
        return False
    earlier = work.delivery(row["waits_for"])
    state = Transport(earlier["state"])
    if state in _UNSENT and not row["needs_it"] and row["purpose"] == "document":
        work.move(earlier, Event.SUPERSEDE, Transport.SUPERSEDED, reason=REPLACED, actor=GATEWAY)
    return state in UNSETTLED or (bool(row["needs_it"]) and state in _UNSENT)


def obsolete(work: Work, row: Row) -> bool:
    """Whether a corrected version went, or goes, where this delivery goes: after that one it must not arrive."""
    if row["purpose"] != "document" or work.tx.one("document_successor", id=row["document_id"]) is None:
        return False
    return not any(map(_still_behind, work.tx.all("deliveries_behind", id=row["id"])))


def _still_behind(later: Row) -> bool:
    state, waits = Transport(later["state"]), later["due_at"] is None
    if later["needs_it"] and state in {Transport.DEAD, Transport.IMPOSSIBLE}:
        return True
    return state is Transport.HELD or (waits and state in {Transport.PREPARED, Transport.RETRY})


def check_not_obsolete(work: Work, row: Row) -> None:
    """Raise StateError (DLV-010) where somebody would send a version after the one that corrects it."""
    if obsolete(work, row):
        message = f"L'envoi {row['id']} porte une version qui a été corrigée : il ne part plus."
        raise StateError("DLV-010", message, "Agir sur l'envoi de la version corrigée (queue list).")


def settled(work: Work, row: Row, state: Transport) -> None:
    """A delivery has reached `state`: decide what becomes of those that wait for it.

    One that can go without (a mail) goes at once, in place of an earlier version that did not arrive. One that needs
    it (the DMP replaces only what it holds) waits on, and is held for a person once the earlier one is given up.
    """
    if state in UNSETTLED:
        return
    for waiting in work.tx.all("deliveries_waiting_for", id=row["id"]):
        if state is Transport.SENT or (not waiting["needs_it"] and state not in _UNSENT):
            work.move(waiting, Event.FOLLOWS, Transport.PREPARED, due_in=0)
        elif not waiting["needs_it"]:
            work.move(work.delivery(row["id"]), Event.SUPERSEDE, Transport.SUPERSEDED, reason=REPLACED, actor=GATEWAY)
            return  # and that has settled every one of them
        elif state not in _UNSENT:
            work.move(waiting, Event.HOLD, Transport.HELD, reason=NO_PREDECESSOR, actor=GATEWAY)


def withdrawn(work: Work, row: Row, state: Transport) -> None:
    """A delivery of a withdrawn document has moved: stop it where it stands, let go what waited for its outcome, and
    note the end of the withdrawal once nothing is open any more. Nothing for any other document.
    """
    document = work.tx.one("document_get", id=row["document_id"])
    if document is None or document["withdrawn_at"] is None:
        return
    if row["purpose"] == "document" and state not in IN_FLIGHT:
        _let_go(work, row, state)
        current = work.delivery(row["id"])
        if Transport(current["state"]) in TRANSITIONS[Event.CANCEL][0]:
            work.move(current, Event.CANCEL, Transport.CANCELLED, reason=WITHDRAWN, actor=document["withdrawn_by"])
            return  # and that has looked for the end
    end_withdrawal(work, row["document_id"])


def _let_go(work: Work, row: Row, state: Transport) -> None:
    """Decide about what waited for an attempt under way: needless where that attempt proves that nothing arrived."""
    for waiting in work.tx.all("deliveries_following", id=row["id"]):
        if waiting["needs_it"] and state not in {Transport.SENT, Transport.IN_DOUBT, Transport.HANDED_OVER}:
            work.move(waiting, Event.CANCEL, Transport.CANCELLED, reason=NEEDLESS, actor=GATEWAY)
        else:
            late = SETTLE if state is Transport.IN_DOUBT and waiting["purpose"] == "deletion" else 0
            work.move(waiting, Event.FOLLOWS, Transport.PREPARED, due_in=late)


def end_withdrawal(work: Work, document: str) -> None:
    """Journal, once, that every consequence of a withdrawal is confirmed."""
    found = work.tx.one("withdrawal_open", id=document)
    if found is not None and not found["number"] and work.tx.run("withdrawal_end", id=document, now=work.ms):
        work.note("withdrawal_ended", document=document)
