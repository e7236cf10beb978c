"""Which box of a professional to write to: one, or a question to a person. Never a guess (spec mssante §5)."""

from __future__ import annotations

from datetime import datetime

from gateway.channels.annuaire.model import Box, BoxKind, Choice, Found, Person, Recheck, Source, State, Verdict
from gateway.rules.trust_space import TrustList

_ORDER = {kind: place for place, kind in enumerate(BoxKind)}
_LAST = 1 << 30
_SOURCES = {Source.API: "Annuaire Santé", Source.FILE: "liste de l'Annuaire Santé"}


def choose(found: Found, rpps: str, trust: TrustList, structure: str | None = None) -> Choice:
    """What the answer `found` says of the box of `rpps`, at the practice `structure` (Struct_IdNat) when it is known.

    A box outside the trust space is left out. Boxes of the structure win over those of the person alone; several
    distinct ones, or a box shared in another practice, are a question.
    """
    person = next((p for p in found.people if p.rpps == rpps), None)
    if person is None:
        why = "L'annuaire ne connaît aucun professionnel en activité sous ce RPPS."
        if found.source is Source.FILE:  # the file lists boxes: no line says nothing about the person
            why = "La liste de l'annuaire ne donne aucune boîte MSSanté pour ce RPPS."
        return _choice(Verdict.NONE, "ANN-201", why, found)
    trusted = tuple(box for box in person.boxes if trust.allows(box.address))
    if not trusted:
        outside = "L'annuaire ne donne que des adresses hors de l'espace de confiance : aucune n'est employée."
        why = outside if person.boxes else "L'annuaire ne donne aucune boîte MSSanté à ce professionnel."
        return _choice(Verdict.NONE, "ANN-203" if person.boxes else "ANN-202", why, found, person)
    return _among(trusted, found, person, structure)


def _among(boxes: tuple[Box, ...], found: Found, person: Person, structure: str | None) -> Choice:
    here = tuple(box for box in boxes if _is_at(box, structure))
    alone = tuple(box for box in boxes if box.structure is None)
    kept = distinct(here or (alone if structure else ()) or boxes)
    if len(kept) > 1:
        why = f"{len(kept)} boîtes possibles : une personne doit choisir."
        return _choice(Verdict.ASK, "ANN-204", why, found, person, kept)
    if structure and not here and not alone and kept[0].kind is not BoxKind.PERSONAL:
        why = "La seule boîte connue est celle d'un autre lieu d'exercice : une personne doit confirmer."
        return _choice(Verdict.ASK, "ANN-205", why, found, person, kept)
    why = "Boîte de ce lieu d'exercice." if here else "Seule boîte de ce professionnel."
    return _choice(Verdict.ONE, "ANN-200", why, found, person, kept)


def _choice(
    verdict: Verdict, code: str, why: str, found: Found, person: Person | None = None, boxes: tuple[Box, ...] = ()
) -> Choice:
    dated = f"{why} ({_SOURCES[found.source]}, {found.at:%d/%m/%Y})"
    return Choice(verdict, code, dated, boxes, found.source, found.at, person)


def distinct(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """Each address once, best first: by rank where there is one, PER before CAB, then as given."""

    def place(box: Box) -> tuple[int, int]:
        return (box.rank if box.rank is not None else _LAST, _ORDER[box.kind])

    kept: dict[str, Box] = {}
    for box in sorted(boxes, key=place):
        kept.setdefault(box.address.lower(), box)
    return tuple(kept.values())


def _is_at(box: Box, structure: str | None) -> bool:
    """Whether a box belongs to a structure. The daily file may write its number without the prefix of Struct_IdNat."""
    known = box.structure.id if box.structure is not None else ""
    return bool(structure) and bool(known) and known in {structure, (structure or "")[1:]}


def stale(code: str, why: str) -> Choice:
    """No usable answer, and the reason."""
    return Choice(Verdict.STALE, code, why)


def recheck(choice: Choice, address: str, trust: TrustList, since: datetime | None = None) -> Recheck:
    """What became of a refused `address`, given what the directory now says of its owner.

    `since` is when the server refused it: a list made, or an answer given, before that proves nothing.
    """
    if choice.verdict is Verdict.STALE:
        return Recheck(State.UNKNOWN, choice.why, choice)
    if since is not None and choice.at is not None and choice.at < since:
        why = "Ce que l'on sait de l'annuaire date d'avant ce refus : le mettre à jour (annuaire import --download)."
        return Recheck(State.UNKNOWN, why, choice)
    listed = choice.person.boxes if choice.person is not None else ()
    if any(box.address.lower() == address.lower() and trust.allows(box.address) for box in listed):
        why = "L'annuaire donne toujours cette adresse : le refus a une autre cause."
        return Recheck(State.SAME, why, choice)
    states = {Verdict.ONE: State.CHANGED, Verdict.ASK: State.ASK}
    return Recheck(states.get(choice.verdict, State.GONE), choice.why, choice)
