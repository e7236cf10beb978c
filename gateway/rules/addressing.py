"""May a document go to this other box? Only to another box of the same professional (DESIGN §4 rule 7). Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from gateway.findings import Finding, Severity, error, warning
from gateway.identity.matricule import PATIENT_DOMAIN
from gateway.records.base import MailAddress

if TYPE_CHECKING:
    from gateway.records.people import Recipient
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings

_PATH = "/to"
_TRUST = "espace de confiance MSSanté"
Owners = Callable[[str], set[str]]
"""RPPS numbers whose box an address is; empty when that is not known."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An address that somebody says is another box of `recipient`. `name`: whose box, in that person's words.

    `others` are the other people that the document was meant for.
    """

    address: str
    name: str | None
    recipient: Recipient
    others: tuple[Recipient, ...] = ()


def check(claim: Claim, account: AccountSettings, trust: TrustList | None, owners: Owners) -> list[Finding]:
    """Why the document may not go there (errors), and what a person has to know. `trust` None: nothing may."""
    address = claim.address.strip().lower()
    if not _is_address(address):
        return [error("LNK-ADDRESS", _PATH, "Ce n'est pas une adresse de messagerie.", "La recopier de l'annuaire.")]
    if address.endswith(f"@{PATIENT_DOMAIN}"):
        advice = "Donner la boîte du professionnel."
        return [error("DST-PATIENT-BOX", _PATH, "C'est l'adresse d'un patient.", advice, _TRUST)]
    if trust is None or not trust.allows(address):
        advice = "Corriger l'adresse. Une donnée de santé ne part jamais vers une messagerie ordinaire."
        return [error("DST-OUTSIDE", _PATH, "Adresse hors de l'espace de confiance MSSanté.", advice, _TRUST)]
    if address == account.mailbox.lower():
        return [error("DST-SELF", _PATH, "C'est la boîte de l'auteur.", "Donner celle du destinataire.")]
    if claim.recipient.opposition is not None:
        return [error("DST-OPPOSITION", _PATH, "Le patient s'oppose à cet envoi.", "Ne rien envoyer.")]
    return _whose(claim, address, owners(address))


_MAIL: TypeAdapter[str] = TypeAdapter(MailAddress)


def _is_address(text: str) -> bool:
    try:
        return bool(_MAIL.validate_python(text))
    except ValidationError:
        return False


def _whose(claim: Claim, address: str, owners: set[str]) -> list[Finding]:
    """The document names its reader: another one gets a version of his own."""
    if any((one.mssante or "").lower() == address for one in claim.others):
        return [_another("C'est la boîte d'un autre destinataire du document.")]
    if claim.name is not None and not _same_name(claim.name, claim.recipient):
        return [_another("Le nom donné n'est pas celui du destinataire que le document nomme.")]
    if owners and claim.recipient.rpps is not None:
        if claim.recipient.rpps in owners:
            advice = "Aucune action."
            return [
                Finding("LNK-CONFIRMED", Severity.INFO, _PATH, "L'annuaire donne cette boîte à ce médecin.", advice)
            ]
        return [_another("L'annuaire donne cette boîte à un autre professionnel.")]
    if claim.name is None:
        advice = "Vérifier à qui est cette boîte, puis donner le nom de son titulaire (--name)."
        return [error("LNK-UNVERIFIED", "/name", "L'annuaire ne dit pas à qui est cette boîte.", advice)]
    advice = "S'assurer par téléphone que c'est bien sa boîte."
    return [warning("LNK-BY-NAME", "/name", "Boîte non confirmée par l'annuaire : vous en répondez.", advice)]


def _another(message: str) -> Finding:
    advice = "Confier une nouvelle version du document (replaces) qui nomme ce professionnel."
    return error("LNK-OTHER-PERSON", _PATH, message, advice)


def _same_name(name: str, recipient: Recipient) -> bool:
    """Whether a name as typed holds the family name, whatever the accents, case and order."""
    words = _plain(name)
    family = _plain(recipient.family or "")
    return bool(family) and f" {family} " in f" {words} "


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"[a-z0-9]+", "".join(c for c in spread if not unicodedata.combining(c))))
