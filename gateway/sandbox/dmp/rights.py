"""Who may do what to which document: PDT-INF-526 for a physiotherapist (spec dmp §1.5).

Direct (personal certificate): read what is not masked, mask anything seen, and unmask, hide, archive or delete
one's own documents. Indirect (structure certificate): feed, find references, delete the structure's own
documents; nothing else.
"""

from __future__ import annotations

from typing import Protocol

from gateway.sandbox.dmp.records import DELETED, DmpDocument, DmpSubmission
from gateway.sandbox.problems import POLICY, Problem

MASK_PS = "MASQUE_PS"


class Who(Protocol):
    """The one who asks: a verified VIHF, or what another door knows in its place."""

    @property
    def direct(self) -> bool:
        """Whether a personal certificate was used."""
        ...

    @property
    def name_id(self) -> str:
        """PS_IdNat of the person when direct."""
        ...

    @property
    def structure(self) -> str:
        """Struct_IdNat of the structure."""
        ...


def owns(one: DmpDocument | DmpSubmission, who: Who) -> bool:
    """Whether the document or the set was fed by this person (direct) or this structure (indirect)."""
    return one.author_id == who.name_id if who.direct else one.structure == who.structure


def sees(document: DmpDocument, who: Who) -> bool:
    """Whether the document may be found: a document masked to professionals only by who fed it."""
    return owns(document, who) or MASK_PS not in document.confidentiality


def check_retrieve(who: Who) -> list[Problem]:
    """TD3.2 asks for direct authentication."""
    if who.direct:
        return []
    return [Problem(POLICY, "", "authentification indirecte : la consultation (TD3.2) n'est pas permise")]


def check_status_change(document: DmpDocument, status: str, who: Who) -> list[Problem]:
    """Archive, restore and delete are for who fed the document; indirect authentication may only delete."""
    where = f"DocumentEntry[{document.entry_uuid}]"
    if not who.direct and status != DELETED:
        return [Problem(POLICY, where, "authentification indirecte : seule la suppression est permise")]
    if not owns(document, who):
        whose = "vous n'avez" if who.direct else "la structure n'a"
        return [Problem(POLICY, where, f"document que {whose} pas déposé")]
    return []


def check_visibility_change(
    document: DmpDocument, added: frozenset[str], removed: frozenset[str], who: Who
) -> list[Problem]:
    """Mask what one sees; everything else is for who fed the document. `added`, `removed`: codes of visibility."""
    where = f"DocumentEntry[{document.logical_id}]"
    if not who.direct:
        return [Problem(POLICY, where, "authentification indirecte : la visibilité ne peut pas être changée")]
    if owns(document, who):
        return []
    if sees(document, who) and added == {MASK_PS} and not removed:
        return []
    return [Problem(POLICY, where, "document que vous n'avez pas déposé : seul le masquage est permis")]
