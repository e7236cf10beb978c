"""A corrected version on the pure road: to whom it goes besides, what each place has, and what people are told of it.

What the store knows comes in as a `Lineage`; without one these functions change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.document import build
from gateway.findings import Finding, Severity, warning
from gateway.identity.ins import patient_mailbox

if TYPE_CHECKING:
    from gateway.clock import Randomness
    from gateway.document.lineage import Lineage, Received
    from gateway.records.level1 import AnySubmission
    from gateway.rules.routes import Route

_PATH = "/replaces"


def widened(submission: AnySubmission, lineage: Lineage | None) -> AnySubmission:
    """The submission with the professionals who hold an earlier version and whom it does not name any more."""
    if lineage is None or not lineage.former:
        return submission
    return submission.model_copy(update={"recipients": (*submission.recipients, *lineage.former)})


def place(submission: AnySubmission, route: Route) -> str | None:
    """What names a destination over all versions: `dmp`, or the mailbox; None where nothing is transmitted."""
    if route.channel == "dmp":
        return "dmp"
    if route.channel == "mssante" and route.recipient is not None:
        return (submission.recipients[route.recipient].mssante or "").lower() or None
    if route.channel == "mssante" and route.destination == "patient" and submission.patient.ins is not None:
        return patient_mailbox(submission.patient.ins).lower()
    return None


def had(submission: AnySubmission, route: Route, lineage: Lineage | None) -> Received | None:
    """The earlier version that a destination has, or may have."""
    where = place(submission, route)
    return None if lineage is None or where is None else lineage.received.get(where)


def main_edition(submission: AnySubmission, routes: Sequence[Route], lineage: Lineage | None) -> str | None:
    """Identifier of the version that the main edition replaces: the newest that a destination of this one has."""
    going = [found for route in routes if route.reason is None and (found := had(submission, route, lineage))]
    known = {found.document for found in going}
    return next((document for document in (lineage.refs if lineage is not None else ()) if document in known), None)


def identifiers(lineage: Lineage | None, replaced: str | None, ids: Randomness) -> build.DocumentIds:
    """Identifiers of an edition. A corrected version stays in the set of the first one."""
    own, new_set = oid_of(ids.uuid()), oid_of(ids.uuid())
    if lineage is None:
        return build.DocumentIds(own, new_set)
    ref = None if replaced is None else lineage.refs[replaced]
    return build.DocumentIds(own, lineage.set_id, lineage.version, ref)


def oid_of(uuid: UUID) -> str:
    """The OID that X.667 gives every UUID: 2.25 and its integer."""
    return f"2.25.{uuid.int}"


def check(submission: AnySubmission, routes: Sequence[Route], lineage: Lineage | None) -> list[Finding]:
    """What the correction does, destination by destination; nothing here stops it."""
    if lineage is None:
        return []
    return [*_supersedes(lineage), *_follows(submission, routes, lineage), *_unreached(submission, routes, lineage)]


def _supersedes(lineage: Lineage) -> Iterator[Finding]:
    if lineage.supersedes:
        message = f"Envois de la version précédente qui ne sont pas partis : {len(lineage.supersedes)}, remplacés."
        yield Finding("DOC-RPL-SUPERSEDED", Severity.INFO, _PATH, message, "Aucune action.")


def _follows(submission: AnySubmission, routes: Sequence[Route], lineage: Lineage) -> Iterator[Finding]:
    extra = len(submission.recipients) - len(lineage.former)
    for route in routes:
        found = had(submission, route, lineage)
        if found is None or route.reason is not None:
            continue
        if route.recipient is not None and route.recipient >= extra:
            message = "Un professionnel qui a reçu la version précédente n'est plus destinataire : il reçoit celle-ci."
            advice = "S'il ne doit plus rien recevoir, noter l'opposition du patient à cet envoi."
            yield warning("DOC-RPL-FORMER", _PATH, message, advice)
        if found.certain:
            message = f"Version précédente reçue ({route.role}) : celle-ci l'annule et la remplace."
            yield Finding("DOC-RPL-SENT", Severity.INFO, _PATH, message, "Aucune action.")
        else:
            message = f"On ne sait pas encore si la version précédente est arrivée ({route.role}) : celle-ci attend."
            advice = "Si l'attente dure, trancher l'envoi incertain : le confirmer ou le renvoyer."
            yield Finding("DOC-RPL-AFTER", Severity.INFO, _PATH, message, advice)


def _unreached(submission: AnySubmission, routes: Sequence[Route], lineage: Lineage) -> Iterator[Finding]:
    reached = {place(submission, route) for route in routes if route.reason is None}
    lost = sum(where not in reached for where in lineage.received)
    if lost:
        message = f"Destinations qui ont reçu la version précédente et ne recevront pas celle-ci : {lost}."
        yield warning("DOC-RPL-UNREACHED", _PATH, message, "Les prévenir autrement que leur version est à remplacer.")
