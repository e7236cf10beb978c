"""The four states of an identity and what may move it from one to another. Pure.

RNIV (national referential of identity vigilance): an identity is *provisoire* at first; *récupérée* once INSi has
given the INS; *validée* once its holder proved it by a document of high trust; *qualifiée* when both happened. The
service alone never validates, the document alone never retrieves, and reading a Datamatrix does neither (spec dmp
§5). So a state is nothing but two facts, and every event below gives or takes one of them.

In doubt (*douteuse*) or made up (*fictive*), the identity stays provisional and INSi is not called (RNIV EXI SI 09);
*homonyme* blocks nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.findings import Finding, error
from gateway.records.people import IdentityAttribute, IdentityStatus

_RNIV = "RNIV"
_DOUBT = frozenset({IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE})


class IdentityEvent(StrEnum):
    """What can happen to an identity."""

    RETRIEVED = "retrieved"
    """INSi answered with one identity, and its traits are the patient's."""
    PROVEN = "proven"
    """A named person saw a document of high trust and found the same traits on it."""
    REFUSED = "refused"
    """INSi no longer confirms the INS: none, several, another matricule, other traits."""
    TRAITS_CHANGED = "traits_changed"
    """Somebody changed a strict trait by hand: neither INSi nor a document has confirmed the new one."""
    DOUBTED = "doubted"
    """The identity is in doubt, or made up."""
    SCANNED = "scanned"
    """A Datamatrix INS was read: it copies an identity, it neither asks INSi nor shows a document."""


class Proof(StrEnum):
    """Documents that validate an identity, by their code in FR Core (profile INS: exactly these, spec fhir §1)."""

    PASSPORT = "PA"
    IDENTITY_CARD = "CN"
    BIRTH_CERTIFICATE = "AN"
    FAMILY_BOOK = "LE"


_S = IdentityStatus
_E = IdentityEvent
# status: (INSi gave the INS, a document proved it)
_FACTS: Mapping[IdentityStatus, tuple[bool, bool]] = {
    _S.PROVISOIRE: (False, False),
    _S.RECUPEREE: (True, False),
    _S.VALIDEE: (False, True),
    _S.QUALIFIEE: (True, True),
}
_STATES = {facts: status for status, facts in _FACTS.items()}
# event: (fact about INSi, fact about the document); None leaves it as it is
_EFFECTS: Mapping[IdentityEvent, tuple[bool | None, bool | None]] = {
    _E.RETRIEVED: (True, None),
    _E.PROVEN: (None, True),
    _E.REFUSED: (False, None),
    _E.TRAITS_CHANGED: (False, False),
    _E.DOUBTED: (False, False),
    _E.SCANNED: (None, None),
}

TRANSITIONS: Mapping[tuple[IdentityStatus, IdentityEvent], IdentityStatus] = {
    (status, event): _STATES[
        had_ins if ins is None else ins,
        had_proof if proof is None else proof,
    ]
    for status, (had_ins, had_proof) in _FACTS.items()
    for event, (ins, proof) in _EFFECTS.items()
}
"""Every state and event, and the state that follows."""


@dataclass(frozen=True, slots=True)
class Move:
    """What an event does to an identity; `findings` say why it may not happen, and then `after` is `before`."""

    before: IdentityStatus
    after: IdentityStatus
    findings: tuple[Finding, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the event may happen."""
        return not self.findings


def in_doubt(attributes: Collection[IdentityAttribute]) -> bool:
    """Whether the identity must stay provisional, and INSi not be asked about it (RNIV EXI SI 09)."""
    return not _DOUBT.isdisjoint(attributes)


def may_call_insi(attributes: Collection[IdentityAttribute]) -> list[Finding]:
    """Why the service may not be asked about this identity; nothing when it may."""
    if not in_doubt(attributes):
        return []
    message = "Identité douteuse ou fictive : INSi ne doit pas être appelé."
    advice = "Lever d'abord le doute, ou retirer l'attribut s'il n'a pas lieu d'être."
    return [error("INS-032", "/patient/identity_attributes", message, advice, "RNIV, EXI SI 09")]


def check_attributes(attributes: Collection[IdentityAttribute]) -> list[Finding]:
    """An identity in doubt is a real person's, a made-up one is nobody's: not both (INS implementation guide)."""
    if not set(attributes) >= _DOUBT:
        return []
    message = "Une identité ne peut pas être à la fois douteuse et fictive."
    return [error("INS-033", "/patient/identity_attributes", message, "Garder celui des deux qui convient.", _RNIV)]


def move(
    before: IdentityStatus,
    event: IdentityEvent,
    attributes: Collection[IdentityAttribute] = (),
    *,
    proof: str | None = None,
    by: str | None = None,
) -> Move:
    """What the event makes of an identity in state `before`.

    `proof` (a code of `Proof`) and `by` (the person who saw it) belong to `PROVEN` and are required there: a
    validation that nobody answers for is none.
    """
    found = _refusals(event, attributes, proof, by)
    if found:
        return Move(before, before, tuple(found))
    return Move(before, TRANSITIONS[before, event])


def _refusals(
    event: IdentityEvent, attributes: Collection[IdentityAttribute], proof: str | None, by: str | None
) -> list[Finding]:
    if event is IdentityEvent.RETRIEVED:
        return may_call_insi(attributes)
    if event is not IdentityEvent.PROVEN:
        return []
    if in_doubt(attributes):
        message = "Identité douteuse ou fictive : elle ne peut pas être validée."
        advice = "Lever d'abord le doute (retirer l'attribut), puis valider sur la pièce."
        return [error("INS-034", "/patient/identity_attributes", message, advice, "RNIV, EXI SI 09")]
    return [*_check_proof(proof), *_check_person(by)]


def _check_proof(proof: str | None) -> list[Finding]:
    if proof in {one.value for one in Proof}:
        return []
    kinds = "PA passeport, CN carte d'identité, AN acte de naissance, LE livret de famille"
    message = "Pièce d'identité absente ou qui ne suffit pas à valider une identité."
    return [error("INS-035", "/proof", message, f"Donner le code de la pièce présentée : {kinds}.", _RNIV)]


def _check_person(by: str | None) -> list[Finding]:
    if by and by.strip():
        return []
    message = "Personne qui a contrôlé la pièce absente."
    return [error("INS-036", "/by", message, "Donner le nom de la personne qui a vu la pièce.", _RNIV)]
