"""Whether INSi speaks of the same person as the practice, and of the same INS. Names of traits only, never values.

RNIV: an INS is taken over only when every strict trait agrees. Hyphens, apostrophes and spaces count as the same mark;
a practice that knows the first given names only is not contradicted by a longer list.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.channels.insi.answers import FOUND, SEVERAL, Reply
from gateway.channels.insi.classify import Failure
from gateway.identity.names import same_name, words_of

if TYPE_CHECKING:
    from gateway.channels.insi.answers import Traits
    from gateway.channels.insi.messages import Search
    from gateway.records.people import Ins


class Verification(StrEnum):
    """What an answer says about an INS that was held for this person's."""

    CONFIRMED = "confirmed"
    NONE = "none"
    SEVERAL = "several"
    CHANGED = "changed"
    """The person has another matricule or OID now; the one given may stand in the history."""
    OTHER_TRAITS = "other_traits"
    """The INS is right and a strict trait is not."""
    UNKNOWN = "unknown"
    """The service did not answer, or not usably: nothing is known, nothing follows."""


def differing(person: Search, traits: Traits) -> list[str]:
    """Strict traits that differ, by their field in a submission."""
    compared = {
        "birth_family": same_name(person.family, traits.family),
        "birth_given": _begins(traits.given, words_of(" ".join(person.given))),
        "sex": person.sex == traits.sex,
        "birth_date": person.born == traits.born,
        "birth_place_cog": not (person.cog and traits.cog) or person.cog == traits.cog,
    }
    return [name for name, same in compared.items() if not same]


def _begins(listed: str, given: list[str]) -> bool:
    """Whether these words are the first names of the list, each whole: PIERRE is not PIERRE-ALAIN."""
    rest = given
    for name in listed.split(" "):
        words = words_of(name)
        if not rest or rest[: len(words)] != words:
            break
        rest = rest[len(words) :]
    return bool(given) and not rest


def verify(ins: Ins, person: Search, answer: Reply | Failure) -> Verification:
    """Compare the INS of the records with what the service says."""
    if isinstance(answer, Failure):
        return Verification.UNKNOWN
    if answer.code != FOUND:
        return Verification.SEVERAL if answer.code == SEVERAL else Verification.NONE
    if answer.active is None or answer.traits is None:
        return Verification.UNKNOWN
    if (answer.active.matricule, answer.active.oid) != (ins.matricule, ins.oid):
        return Verification.CHANGED
    return Verification.OTHER_TRAITS if differing(person, answer.traits) else Verification.CONFIRMED


def in_history(ins: Ins, answer: Reply) -> bool:
    """Whether the INS of the records is one that this person had before."""
    return any(number.matricule == ins.matricule for number in answer.history)
