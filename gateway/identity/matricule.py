"""The matricule INS as a string of 15 characters: shape, key, and what its digits say.

A matricule INS is a NIR (or a NIA, built alike) of 13 characters followed by its two-digit key:
sex (1), year (2), month (2), department and commune or country of birth (5), order (3), key (2).
The only letters are `2A` and `2B`, at the department.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.records.people import Ins

PATIENT_DOMAIN = "patient.mssante.fr"
"""Domain of the citizens' mailboxes of Mon espace santé (spec mssante §4)."""

_SHAPE = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{8}")
_NIR13 = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{6}")
_FIRST_DIGITS = "123478"


@dataclass(frozen=True, slots=True)
class Matricule:
    """A well-formed matricule, cut into what its positions mean. Nothing here says that the key is right."""

    text: str

    @property
    def nir13(self) -> str:
        """The 13 characters that the key protects."""
        return self.text[:13]

    @property
    def key(self) -> str:
        """The two digits of the key, as written."""
        return self.text[13:]

    @property
    def first(self) -> str:
        """Position 1: 1, 3, 7 a man; 2, 4, 8 a woman (3, 4 provisional, 7, 8 waiting for a NIR)."""
        return self.text[0]

    @property
    def year(self) -> int:
        """Positions 2-3: year of birth without its century."""
        return int(self.text[1:3])

    @property
    def month(self) -> int:
        """Positions 4-5: month of birth, or a conventional number where the civil record has none."""
        return int(self.text[3:5])

    @property
    def department(self) -> str:
        """Positions 6-7: department of birth, `2A`, `2B`, `97`-`98` overseas, `99` abroad."""
        return self.text[5:7]

    def key_holds(self) -> bool:
        """Whether the key is the one that the 13 characters call for."""
        return self.key == key_of(self.nir13)

    def first_digit_allowed(self) -> bool:
        """1, 2, 3, 4, 7 or 8 (spec kine §0.4, from two published validators of the NIR)."""
        return self.first in _FIRST_DIGITS

    def month_allowed(self) -> bool:
        """01-12, or the conventional 20-42 and 50-99 (spec kine §0.4, same validators)."""
        return 1 <= self.month <= 12 or 20 <= self.month <= 42 or 50 <= self.month <= 99


def key_of(nir13: str) -> str:
    """The key of 13 characters: 97 - (N mod 97), two digits from 01 to 97.

    Corsica: `2A` counts as 19 and `2B` as 18 (spec kine §0.4, dmp §5). Replacing the letter by 0 without
    subtracting one or two million is a frequent bug and gives another key. Raises ValueError on any other shape.
    """
    if not _NIR13.fullmatch(nir13):
        raise ValueError("a NIR has 13 characters: digits, with 2A or 2B only at the department")
    number = int(nir13.replace("2A", "19").replace("2B", "18"))
    return f"{97 - number % 97:02d}"


def read(text: str) -> Matricule | None:
    """The matricule, or None when it is not 15 characters of the right kind. Nothing is corrected."""
    return Matricule(text) if _SHAPE.fullmatch(text) else None


def patient_mailbox(ins: Ins) -> str:
    """Address of the patient in Mon espace santé: `<matricule>@patient.mssante.fr` (ECO.2.2.6).

    To be called for a qualified INS only (`ins_may_leave`). Raises ValueError when the matricule is malformed:
    an address made from it would be somebody else's or nobody's.
    """
    if read(ins.matricule) is None:
        raise ValueError("not a matricule INS: no mailbox can be derived from it")
    return f"{ins.matricule}@{PATIENT_DOMAIN}"
