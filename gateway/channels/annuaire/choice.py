"""Which box of a professional to write to: one, or a question to a person. Never a guess (spec mssante §5)."""

from __future__ import annotations

from datetime import datetime

from gateway.channels.annuaire.model import Box, BoxKind, Choice, Found, Person, Recheck, Source, State, Verdict
from gateway.rules.trust_space import TrustList

_ORDER = {kind: place for place, kind in enumerate(BoxKind)}
_LAST = 1 << 30
_SOURCES = {Source.API: "Annuaire Santé", Source.FILE: "liste de l'Annuaire Santé"}
_OTHERWISE = "Demander son adresse au destinataire, ou remettre le document autrement et le déclarer (queue handed)."

_SAID = {
    "ANN-200": (Verdict.ONE, "Une seule boîte convient.", "L'employer."),
    "ANN-201": (Verdict.NONE, "L'annuaire ne connaît aucun professionnel en activité sous ce RPPS.", _OTHERWISE),
    "ANN-202": (Verdict.NONE, "L'annuaire ne donne aucune boîte MSSanté à ce professionnel.", _OTHERWISE),
    "ANN-203": (Verdict.NONE, "L'annuaire ne donne que des adresses hors de l'espace de confiance.", _OTHERWISE),
    "ANN-204": (
        Verdict.ASK,
        "Plusieurs boîtes sont possibles.",
        "Choisir avec le destinataire, ou donner sa structure.",
    ),
    "ANN-205": (Verdict.ASK, "La seule boîte est celle d'un autre lieu d'exercice.", "Confirmer avec le destinataire."),
    "ANN-206": (Verdict.NONE, "La liste importée ne donne aucune boîte MSSanté pour ce RPPS.", _OTHERWISE),
}
"""What each code means: its verdict, what is said, and what to do."""


def choose(found: Found, rpps: str, trust: TrustList, structure: str | None = None) -> Choice:
    """What the answer `found` says of the box of `rpps`, at the practice `structure` (Struct_IdNat) when it is known.

    A box outside the trust space is left out. Boxes of the structure win over those of the person alone; several
    distinct ones, or a box shared in another practice, are a question.
    """
    person = next((p for p in found.people if p.rpps == rpps), None)
    if person is None:
        # The file lists boxes: that no line names somebody says nothing of his activity.
        return _choice("ANN-206" if found.source is Source.FILE else "ANN-201", found)
    trusted = tuple(box for box in person.boxes if trust.allows(box.address))
    if not trusted:
        return _choice("ANN-203" if person.boxes else "ANN-202", found, person)
    return _among(trusted, found, person, structure)


def _among(boxes: tuple[Box, ...], found: Found, person: Person, structure: str | None) -> Choice:
    here = tuple(box for box in boxes if _is_at(box, structure))
    alone = tuple(box for box in boxes if box.structure is None)
    kept = distinct(here or (alone if structure else ()) or boxes)
    if len(kept) > 1:
        return _choice("ANN-204", found, person, kept)
    if structure and not here and not alone and kept[0].kind is not BoxKind.PERSONAL:
        return _choice("ANN-205", found, person, kept)
    return _choice("ANN-200", found, person, kept)


def _choice(code: str, found: Found, person: Person | None = None, boxes: tuple[Box, ...] = ()) -> Choice:
    verdict, why, advice = _SAID[code]
    dated = f"{why} ({_SOURCES[found.source]}, {found.at:%d/%m/%Y})"
    return Choice(verdict, code, dated, boxes, found.source, found.at, person, advice)


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


def stale(code: str, why: str, advice: str = "") -> Choice:
    """No usable answer, and the reason."""
    return Choice(Verdict.STALE, code, why, advice=advice)


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
