"""From a planned destination to the state in which its delivery starts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.package.types import MailContext, context_to_json
from gateway.store.base import NORMAL, SOON, URGENT, Blob, PlannedDelivery
from gateway.store.received import MailKeys
from gateway.store.states import Transport

if TYPE_CHECKING:
    from gateway.package.types import Package
    from gateway.pipeline import Planned
    from gateway.records.level1 import AnySubmission

BY_HAND = {"hand": "MAN-HAND", "post": "MAN-POST", "sip": "MAN-SIP"}
"""Reason for which a delivery by a person is held: what that person has to do."""
NO_PACKAGE = "ENG-NO-PACKAGE"
_PRIORITIES = {"urgence": URGENT, "24h": SOON}
_DECISIONS = {"urgence": "urgence", "reorientation_24h": "24h"}


def delivery(planned: Planned, priority: int = NORMAL) -> PlannedDelivery:
    """The delivery of one destination: `prepared` with its package, `impossible` with its reason, or `held` until a
    person delivers it otherwise.
    """
    route, package = planned.route, planned.package
    state, reason = _start(route.channel, route.reason, route.destination, package)
    return PlannedDelivery(
        destination=route.destination,
        role=route.role,
        channel=route.channel,
        state=state,
        reason=reason,
        priority=priority,
        parts=parts(package) if state is Transport.PREPARED else (),
        context=context_to_json(package.context) if package is not None and state is Transport.PREPARED else None,
        keys=mail_keys(package),
        waits_for=planned.waits_for,
        needs_it=planned.waits_for is not None and route.channel == "dmp",
    )


def mail_keys(package: Package | None) -> MailKeys | None:
    """What a receipt will name of a mail; None for what is no mail."""
    if package is None or not isinstance(package.context, MailContext):
        return None
    return MailKeys(package.context.message_id, package.context.envid, package.context.envelope_to)


def _start(channel: str, reason: str | None, destination: str, package: Package | None) -> tuple[Transport, str | None]:
    if reason is not None:
        return Transport.IMPOSSIBLE, reason
    if channel == "manual":
        return Transport.HELD, BY_HAND.get(destination, "MAN-HAND")
    if package is None:
        return Transport.IMPOSSIBLE, NO_PACKAGE
    return Transport.PREPARED, None


def parts(package: Package | None) -> tuple[Blob, ...]:
    """A package's parts as the store keeps them."""
    return () if package is None else tuple(Blob(part.name, part.media_type, part.data) for part in package.parts)


def priority(submission: AnySubmission) -> int:
    """An urgent reorientation goes first (DESIGN §4; issue of the engine, priorities).

    So does a document whose search for red flags decided an emergency, even where the reorientation is not described.
    """
    document = submission.document
    flags = getattr(document, "red_flags", None)
    reorientation = getattr(document, "reorientation", None)
    asked: list[str] = [reorientation.urgency] if reorientation is not None else []
    asked += [_DECISIONS.get(flags.decision.value, "")] if flags is not None else []
    return max((_PRIORITIES[urgency] for urgency in asked if urgency in _PRIORITIES), default=NORMAL)
