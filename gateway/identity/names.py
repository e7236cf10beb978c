"""Names of birth as the INSi service takes them: capitals without accents, and never a guess.

The service's schema admits `^[A-Z]+(?:(?:-{1,2}|[' ])[A-Z]+)*$` (spec dmp §5). Rewriting keeps every letter of the
civil record: an accent goes, a ligature becomes its two letters, a typographic mark its plain one. What cannot be
said so (a digit, a dot, another script) is a finding: a name is never cut to make it pass.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gateway.findings import Finding, Severity, error

PATTERN = re.compile(r"[A-Z]+(?:(?:-{1,2}|[' ])[A-Z]+)*")
"""A name that the service accepts as it is."""

_LIGATURES = str.maketrans(
    {"Æ": "AE", "Œ": "OE", "Ø": "O", "Đ": "D", "Ð": "D", "Ł": "L", "Þ": "TH", "ẞ": "SS", "Ĳ": "IJ", "ı": "I"}
)
# What keyboards, word processors and copied PDF files put for the apostrophe and the hyphen.
_MARKS = str.maketrans(dict.fromkeys("’‘ʼʹ`´′＇", "'") | dict.fromkeys("‐‑‒–—−﹣－", "-"))
_RULE = "INSi, motif des noms"


@dataclass(frozen=True, slots=True)
class Name:
    """A name for the service, None where there is none; `findings` say what was rewritten, or why it cannot be."""

    text: str | None
    findings: tuple[Finding, ...] = ()


def insi_name(written: str, path: str) -> Name:
    """The name as the service takes it. `path` says where it was written, for the findings."""
    if PATTERN.fullmatch(written):
        return Name(written)
    text = _rewritten(written)
    if not PATTERN.fullmatch(text):
        return Name(None, (_impossible(text, path),))
    message = "Nom réécrit comme INSi l'attend (capitales sans accents, tiret et apostrophe simples)."
    advice = "Rien à faire si c'est bien l'état civil ; reprendre ensuite le trait rendu par INSi."
    return Name(text, (Finding("INS-030", Severity.INFO, path, message, advice, _RULE),))


def same_name(one: str, other: str) -> bool:
    """Whether two spellings are one name: hyphens, apostrophes and spaces count as the same mark (RNIV)."""
    return words_of(one) == words_of(other)


def words_of(name: str) -> list[str]:
    """The words of a name, in capitals without accents."""
    return [word for word in re.split(r"[-' ]+", _rewritten(name)) if word]


def _rewritten(written: str) -> str:
    text = written.translate(_MARKS).upper().translate(_LIGATURES)
    # NFD, not NFKD: a compatibility character (a superscript, a circled letter) is no letter of a name.
    text = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    text = re.sub(r"\s+", " ", text).strip()
    # Spaces beside a mark go; marks that stand apart from each other are left, for nobody knows what they mean.
    return re.sub(r" ?(--?|') ?(?![-' ])", r"\1", text)


def _impossible(text: str, path: str) -> Finding:
    what = _defect(text)
    advice = "Écrire le nom comme sur la pièce d'identité, en lettres ; le service n'est pas appelé avec ce nom."
    return error("INS-031", path, f"Nom qu'INSi ne peut pas recevoir : {what}.", advice, _RULE)


def _defect(text: str) -> str:
    """Which rule of the pattern is broken, in words; never the name itself."""
    if not text:
        return "il est vide"
    if any(char.isdigit() for char in text):
        return "il contient un chiffre"
    if any(char.isalpha() and not "A" <= char <= "Z" for char in text):
        return "il contient une lettre d'une autre écriture"
    if not re.fullmatch(r"[A-Z' -]+", text):
        return "il contient un signe qui n'est ni tiret, ni apostrophe, ni espace"
    if text[0] in "-'" or text[-1] in "-'":
        return "il commence ou finit par un tiret ou une apostrophe"
    return "deux tirets ou apostrophes se suivent d'une façon que le service refuse"
