"""Which addresses the operator serves: the trust space, and the mailboxes that exist in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.sandbox.hl7 import is_matricule

PATIENT_DOMAIN = "patient.mssante.fr"
# RFC 5321 §4.1.2 dot-atom: quoted local parts are not used in the trust space.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,255}")


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """`trust_space`: domains of the white list. `known`: for a domain, its only mailboxes (local parts).

    A domain without a list accepts any local part but those that begin with `inconnu`, so that a test can
    meet an unknown mailbox without configuring anything. The patients' domain takes matricules only.
    """

    trust_space: Sequence[str]
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def refusal(self, address: str) -> str:
        """The SMTP refusal of a recipient, empty when the mailbox is served."""
        lowered = address.lower()
        if not _ADDRESS.fullmatch(lowered):
            return "553 5.1.3 Adresse mal formee"
        name, _, domain = lowered.rpartition("@")
        if not self.in_trust_space(domain):
            return "550 5.1.2 Domaine hors de l'espace de confiance MSSante"
        if not self._exists(name, domain):
            return "550 5.1.1 Boite aux lettres inconnue"
        return ""

    def in_trust_space(self, domain: str) -> bool:
        """Whether the operator exchanges with this domain."""
        return domain.lower() in {item.lower() for item in self.trust_space}

    def _exists(self, name: str, domain: str) -> bool:
        if domain == PATIENT_DOMAIN:
            return is_matricule(name.upper())
        listed = self.known.get(domain)
        if listed is not None:
            return name in {item.lower() for item in listed}
        return not name.startswith("inconnu")
