"""Where a document has to go, and why it cannot where it cannot: every destination is a row, never a hole.

The three recipients of direct access are the médecin traitant, the patient and the DMP (experiment: ARS and
order pages quoted in DESIGN §1); every other professional named in the submission is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.identity.ins import PATIENT_DOMAIN, ins_may_leave
from gateway.records.clinical import PrescriberInformation
from gateway.records.level1 import AnySubmission
from gateway.records.people import PatientMail, Recipient, RecipientRole, Visibility
from gateway.rules.trust_space import TrustList
from gateway.settings import AccountSettings

Destination = Literal["medecin_traitant", "professional", "patient", "dmp", "hand", "post", "sip"]
RouteChannel = Literal["mssante", "dmp", "manual"]

_BY_PERSON: dict[PatientMail, Destination] = {
    PatientMail.HAND: "hand",
    PatientMail.POST: "post",
    PatientMail.SIP: "sip",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One destination. `reason` is the stable code that makes it impossible, None when it can be tried.

    `role` tells destinations of one kind apart and names the mail file (`medecin_traitant`,
    `autre_professionnel_2`); `recipient` is the index in the submission's recipients.
    """

    destination: Destination
    role: str
    channel: RouteChannel
    recipient: int | None = None
    reason: str | None = None


def routes(submission: AnySubmission, account: AccountSettings, trust: TrustList | None) -> tuple[Route, ...]:
    """Every destination of a submission, in the order in which a reader expects them.

    The information of a renewal goes to the prescriber and to whom the submission names, to nobody else by itself
    (spec kine §1 row 20): its reader is not the médecin traitant, and no text sends it to the patient or the DMP.
    """
    if isinstance(submission.document, PrescriberInformation):
        return tuple(_professionals(submission, account, trust, RecipientRole.PRESCRIPTEUR))
    return (
        *_professionals(submission, account, trust),
        _patient(submission, account, trust),
        _dmp(submission, account),
    )


_ABSENT: dict[RecipientRole, Route] = {
    RecipientRole.MEDECIN_TRAITANT: Route("medecin_traitant", "medecin_traitant", "mssante", None, "DST-NO-MT"),
    RecipientRole.PRESCRIPTEUR: Route("professional", "prescripteur", "mssante", None, "DST-NO-PRESCRIBER"),
}
"""The destination of the reader that a document must have, where the submission does not name one."""


def _professionals(
    submission: AnySubmission,
    account: AccountSettings,
    trust: TrustList | None,
    expected: RecipientRole = RecipientRole.MEDECIN_TRAITANT,
) -> list[Route]:
    found: list[Route] = []
    seen: dict[str, int] = {}
    for index, recipient in enumerate(submission.recipients):
        seen[recipient.role] = seen.get(recipient.role, 0) + 1
        role = recipient.role.value + (f"_{seen[recipient.role]}" if seen[recipient.role] > 1 else "")
        main = recipient.role is RecipientRole.MEDECIN_TRAITANT
        reason = _unreachable(recipient, account, trust)
        found.append(Route("medecin_traitant" if main else "professional", role, "mssante", index, reason))
    if expected not in seen:
        found.insert(0, _ABSENT[expected])
    return found


def _unreachable(recipient: Recipient, account: AccountSettings, trust: TrustList | None) -> str | None:
    if not recipient.known:
        return "DST-NO-MT" if recipient.role is RecipientRole.MEDECIN_TRAITANT else "DST-UNKNOWN"
    if recipient.opposition is not None:
        return "DST-OPPOSITION"
    if recipient.mssante is None:
        return "DST-NO-BOX"
    if trust is not None and not trust.allows(recipient.mssante):
        return "DST-OUTSIDE"
    return None if account.smtp is not None else "DST-NO-SMTP"


def _patient(submission: AnySubmission, account: AccountSettings, trust: TrustList | None) -> Route:
    delivery, hidden = submission.patient.delivery, submission.visibility
    if hidden.hidden_from_patient or hidden.hidden_from_representatives:
        return Route("patient", "patient", "manual", None, "DST-HIDDEN")
    if delivery is not PatientMail.MSSANTE:
        return Route(_BY_PERSON[delivery], "patient", "manual")
    return Route("patient", "patient", "mssante", None, _patient_reason(submission, account, trust))


def _patient_reason(submission: AnySubmission, account: AccountSettings, trust: TrustList | None) -> str | None:
    patient = submission.patient
    if patient.mail_opposition is not None:
        return "DST-OPPOSITION"
    if not ins_may_leave(patient, account.environment):
        return "DST-NO-INS"
    if trust is not None and PATIENT_DOMAIN not in trust.domains:
        return "DST-PATIENT-TRUST"
    return None if account.smtp is not None else "DST-NO-SMTP"


def _dmp(submission: AnySubmission, account: AccountSettings) -> Route:
    patient = submission.patient
    reason = None
    if patient.dmp.opposition is not None:
        reason = "DST-OPPOSITION"
    elif patient.dmp.exists is False:
        reason = "DST-NO-DMP"
    elif not ins_may_leave(patient, account.environment):
        reason = "DST-NO-INS"
    elif _cumulates(submission.visibility, account):
        reason = "DST-VISIBILITY"
    elif account.dmp is None:
        reason = "DST-NO-DMP-ACCESS"
    elif account.dmp.mode == "direct" and submission.author.rpps != account.rpps:
        reason = "DST-OTHER-CARD"  # the VIHF would name who does not hold the card
    return Route("dmp", "dmp", "dmp", None, reason)


def _cumulates(visibility: Visibility, account: AccountSettings) -> bool:
    """The DMP does not take both labels while its parameter says so (spec dmp §1.7, EX_2.1-1050)."""
    both = visibility.masked_to_professionals and visibility.hidden_from_patient
    return both and not (account.dmp is not None and account.dmp.cumulated_visibility)
