"""Reading an INS Datamatrix: the text that a scanner delivers, walked field by field, with a finding for each defect.

Form (spec dmp §5; ANS, format of the INS Datamatrix): 26 characters of header, then fields in any order, each two
characters of name and its value. S1, S5, S6 and S7 have a fixed length; S2, S3 and S4 end with GS (0x1D) where they
are shorter than their full length, unless they come last. The text is walked and never searched: `S4` may well be the
end of a name. A scan copies an identity; it neither retrieves nor validates it, so no status follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from gateway.findings import Finding, Severity, error, has_errors, warning
from gateway.identity.datamatrix import Traits
from gateway.identity.matricule import read as read_matricule
from gateway.identity.names import PATTERN
from gateway.identity.roots import INS_C_OID, INS_ROOTS

MAX_TEXT = 400
"""Characters; the longest sound symbol has 297."""

_HEADER, _VERSION, _RESERVED = 26, "01", "0" * 22
_GS = "\x1d"
_GS_AS_TEXT = re.compile(r"<GS>|\{GS\}|␝", re.IGNORECASE)
# Symbology identifier of a Data Matrix (ISO/IEC 15424), which some scanners send first.
_AIM = re.compile(r"\]d[0-9]")
_FIXED = {"S1": 15, "S5": 1, "S6": 10, "S7": 5}
_SHORTER = {"S2": 20, "S3": 100, "S4": 100}
_NEEDED = ("S1", "S2", "S3", "S4", "S5", "S6")
_COG = re.compile(r"([0-9]{2}|2[AB])[0-9]{3}")
NAMES = {
    "S1": "matricule",
    "S2": "OID",
    "S3": "prénoms",
    "S4": "nom de naissance",
    "S5": "sexe",
    "S6": "date de naissance",
    "S7": "lieu de naissance",
}
"""Fields of a symbol, and what each says."""
_SOURCE = "ANS, format du Datamatrix INS"
_Check = Callable[[str], Iterator[Finding]]
_AGAIN = "Scanner de nouveau, ou lire l'identité sur le document et interroger INSi."


@dataclass(frozen=True, slots=True)
class Reading:
    """What a symbol says. `traits` is None when any finding is an error; `fields` holds what could be walked."""

    fields: Mapping[str, str]
    traits: Traits | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the symbol can be used."""
        return self.traits is not None


@dataclass(slots=True)
class _Walk:
    fields: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read(text: str) -> Reading:
    """The content of a symbol as a scanner delivered it: GS as 0x1D or as the text `<GS>`, line end allowed.

    No trait is repeated in a finding; positions count from 1 in the text without what the scanner added.
    """
    text = _GS_AS_TEXT.sub(_GS, _AIM.sub("", text.strip("\r\n\t "), count=1))
    walk = _Walk()
    walk.findings += _header(text)
    if not walk.findings:
        _fields(text, walk)
        walk.findings += _missing(walk)
        for name, value in walk.fields.items():
            walk.findings += _CHECKS[name](value)
    traits = None if has_errors(walk.findings) else _traits(walk.fields)
    walk.findings.append(_reminder())
    return Reading(walk.fields, traits, tuple(walk.findings))


def _reminder() -> Finding:
    message = "Un code lu ne change pas le statut de l'identité."
    advice = "Interroger INSi, puis contrôler une pièce d'identité."
    return Finding("DMX-001", Severity.INFO, "", message, advice, "RNIV")


def _header(text: str) -> Iterator[Finding]:
    if len(text) > MAX_TEXT:
        yield _bad("DMX-002", "", "Texte trop long pour un Datamatrix INS.")
    elif not text.isascii():
        yield _bad("DMX-003", "", "Le texte lu contient un caractère qui n'existe pas dans un Datamatrix INS.")
    elif not text.startswith("IS"):
        yield _bad("DMX-004", "", "Ce code n'est pas un Datamatrix INS : il ne commence pas par IS.")
    elif text[2:4] != _VERSION:
        yield _bad("DMX-005", "", "Version du Datamatrix INS inconnue (01 attendue).")
    elif text[4:_HEADER] != _RESERVED:
        yield _bad("DMX-006", "", "En-tête du Datamatrix INS abîmé (22 zéros attendus après IS01).")


def _bad(code: str, path: str, message: str) -> Finding:
    return error(code, path, message, _AGAIN, _SOURCE)


def _fields(text: str, walk: _Walk) -> None:
    at = _HEADER
    while at < len(text):
        name = text[at : at + 2]
        if name not in NAMES:
            walk.findings.append(_bad("DMX-007", "", f"Champ inconnu au caractère {at + 1} : le reste n'est pas lu."))
            return
        if name in walk.fields:
            walk.findings.append(_bad("DMX-008", f"/{name}", f"Champ {name} ({NAMES[name]}) présent deux fois."))
        value, at = _value(text, at + 2, name, walk)
        walk.fields.setdefault(name, value)


def _value(text: str, start: int, name: str, walk: _Walk) -> tuple[str, int]:
    """The value that begins at `start`, and where the next field does."""
    full = _FIXED.get(name) or _SHORTER[name]
    value = text[start : start + full].split(_GS, maxsplit=1)[0]
    end = start + len(value)
    if len(value) < full and name in _FIXED:
        message = f"Champ {name} ({NAMES[name]}) trop court : {len(value)} caractères au lieu de {full}."
        walk.findings.append(_bad("DMX-009", f"/{name}", message))
    if text[end : end + 1] != _GS:
        return value, end
    if len(value) == full:
        message = f"Séparateur inutile après le champ {name} ({NAMES[name]})."
        walk.findings.append(warning("DMX-010", f"/{name}", message, "Rien à faire : le champ est lu.", _SOURCE))
    return value, end + 1


def _missing(walk: _Walk) -> Iterator[Finding]:
    for name in _NEEDED:
        if name not in walk.fields:
            yield _bad("DMX-011", f"/{name}", f"Champ {name} ({NAMES[name]}) absent.")


def _matricule(value: str) -> Iterator[Finding]:
    found = read_matricule(value)
    if found is None:
        if len(value) == _FIXED["S1"]:
            yield _bad("DMX-012", "/S1", "Le matricule lu n'a pas la forme attendue.")
    elif not found.key_holds():
        # As in a reply of INSi: published examples break the rule, so a person decides (spec dmp §5).
        yield warning("DMX-013", "/S1", "La clé du matricule lu est fausse.", _AGAIN, "structure du NIR")


def _oid(value: str) -> Iterator[Finding]:
    if value == INS_C_OID:
        yield _bad("DMX-014", "/S2", "Le code porte un INS-C (ancien INS calculé), qui n'est plus un INS.")
    elif value not in INS_ROOTS:
        yield _bad("DMX-015", "/S2", "L'OID lu n'est pas celui d'un INS.")


def _given(value: str) -> Iterator[Finding]:
    if not PATTERN.fullmatch(value):
        yield _bad("DMX-016", "/S3", "Prénoms absents, ou écrits autrement qu'INSi ne le fait.")


def _family(value: str) -> Iterator[Finding]:
    if not PATTERN.fullmatch(value):
        yield _bad("DMX-017", "/S4", "Nom de naissance absent, ou écrit autrement qu'INSi ne le fait.")


def _sex(value: str) -> Iterator[Finding]:
    if value and value not in {"F", "M"}:
        yield _bad("DMX-018", "/S5", "Sexe lu différent de F et de M.")


def _born(value: str) -> Iterator[Finding]:
    if len(value) == _FIXED["S6"] and _date(value) is None:
        yield _bad("DMX-019", "/S6", "Date de naissance lue impossible (JJ-MM-AAAA attendu).")


def _cog(value: str) -> Iterator[Finding]:
    if len(value) == _FIXED["S7"] and not _COG.fullmatch(value):
        yield _bad("DMX-020", "/S7", "Lieu de naissance lu différent d'un code officiel géographique.")


_CHECKS: Mapping[str, _Check] = {
    "S1": _matricule,
    "S2": _oid,
    "S3": _given,
    "S4": _family,
    "S5": _sex,
    "S6": _born,
    "S7": _cog,
}


def _date(value: str) -> date | None:
    if not re.fullmatch(r"[0-9]{2}-[0-9]{2}-[0-9]{4}", value):
        return None
    try:
        return datetime.strptime(value, "%d-%m-%Y").date()  # noqa: DTZ007 (a birth date has no time zone)
    except ValueError:
        return None


def _traits(fields: Mapping[str, str]) -> Traits:
    born = _date(fields["S6"])
    assert born is not None  # checked above
    return Traits(
        matricule=fields["S1"],
        oid=fields["S2"],
        given=tuple(fields["S3"].split(" ")),
        family=fields["S4"],
        sex=fields["S5"],
        born=born,
        cog=fields.get("S7"),
    )
