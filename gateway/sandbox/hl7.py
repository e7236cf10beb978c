"""HL7 v2 data types that XDS metadata carry (CX, XCN, XON), HL7 times, OIDs and INS matricules.

Syntax: IHE ITI TF-3 §4.2.3.1.7 and the French rules of the DMP (spec dmp §3.3). Every reader raises
ValueError with a French reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_DELIMITERS = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
_ESCAPED = re.compile(r"\\([FSTRE])\\")
_TIME = re.compile(r"(\d{4}(?:\d{2}){0,5})(?:\.\d{1,4})?([+-]\d{4})?")
_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_MATRICULE = re.compile(r"[1-478]\d{4}(?:\d{2}|2A|2B)\d{8}")
# PS_IdNat, first digit = kind (spec dmp §3.3): only RPPS (8) and ADELI (0) have a fixed length.
_PS = re.compile(r"8\d{11}|0\d{9}|[13456]\d{5,17}(?:/\S{1,50})?")


def is_oid(text: str) -> bool:
    """Whether the text is an OID of at most 64 characters (ITI TF-3)."""
    return len(text) <= 64 and OID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Cx:
    """Patient identifier: `<id>^^^&<oid>&ISO^<type>`."""

    id: str
    oid: str
    type: str


@dataclass(frozen=True, slots=True)
class Xcn:
    """Person: `<id>^<family>^<given>^^^^^^&<oid>&ISO^<D|L|U>^^^<IDNPS|EI|RI|NH>`."""

    id: str
    family: str
    given: str
    oid: str
    name_type: str
    id_type: str


@dataclass(frozen=True, slots=True)
class Xon:
    """Organisation: `<name>^^^^^&<oid>&ISO^IDNST^^^<id>`."""

    name: str
    oid: str
    id_type: str
    id: str


def _authority(text: str) -> str:
    parts = text.split("&")
    if len(parts) != 3 or parts[0] or parts[2] != "ISO" or not is_oid(parts[1]):
        raise ValueError(f"autorité d'affectation « {text} », attendu &OID&ISO")
    return parts[1]


def plain(text: str) -> str:
    """A component without its escape sequences (HL7 v2.5 §2.7): `\\T\\` is the `&` of "Kiné & Fils"."""
    return _ESCAPED.sub(lambda found: _DELIMITERS[found[1]], text)


def parse_cx(text: str) -> Cx:
    """Read a CX; a date in the seventh component is tolerated (official samples carry one)."""
    parts = text.split("^")
    if len(parts) not in {5, 7} or not parts[0] or parts[1] or parts[2]:
        raise ValueError("syntaxe CX attendue : identifiant^^^&OID&ISO^type")
    if len(parts) == 7 and (parts[5] or not re.fullmatch(r"\d{8}", parts[6])):
        raise ValueError("composant 7 du CX : date AAAAMMJJ attendue")
    if not re.fullmatch(r"[A-Z]{2,5}", parts[4]):
        raise ValueError("composant 5 du CX : type d'identifiant attendu (NH ou PI)")
    return Cx(plain(parts[0]), _authority(parts[3]), parts[4])


def parse_xcn(text: str) -> Xcn:
    """Read an XCN of thirteen components."""
    parts = text.split("^")
    if len(parts) != 13 or not parts[0] or not parts[1]:
        raise ValueError("syntaxe XCN attendue : identifiant^NOM^prénom^^^^^^&OID&ISO^D^^^IDNPS")
    if any(parts[i] for i in (3, 4, 5, 6, 7, 10, 11)):
        raise ValueError("XCN : seuls les composants 1, 2, 3, 9, 10 et 13 sont permis")
    if parts[9] not in {"D", "L", "U"}:
        raise ValueError("composant 10 du XCN : D, L ou U attendu")
    if parts[12] not in {"IDNPS", "EI", "RI", "NH"}:
        raise ValueError("composant 13 du XCN : IDNPS, EI, RI ou NH attendu")
    return Xcn(plain(parts[0]), plain(parts[1]), plain(parts[2]), _authority(parts[8]), parts[9], parts[12])


def parse_xon(text: str) -> Xon:
    """Read an XON of ten components."""
    parts = text.split("^")
    if len(parts) != 10 or not parts[0] or not parts[9]:
        raise ValueError("syntaxe XON attendue : nom^^^^^&OID&ISO^IDNST^^^identifiant")
    if any(parts[i] for i in (1, 2, 3, 4, 7, 8)):
        raise ValueError("XON : seuls les composants 1, 6, 7 et 10 sont permis")
    return Xon(plain(parts[0]), _authority(parts[5]), parts[6], plain(parts[9]))


def is_ps_id(text: str) -> bool:
    """Whether the text is a PS_IdNat (8 + RPPS, 0 + ADELI, ...)."""
    return _PS.fullmatch(text) is not None


def check_utc(text: str, *, lengths: tuple[int, ...] = (14,)) -> None:
    """Raise ValueError unless this is a real UTC time of one of these lengths, without an offset."""
    if not text.isdigit() or len(text) not in lengths:
        wanted = "AAAAMMJJHHMMSS" if lengths == (14,) else "AAAAMMJJ[HHMM[SS]]"
        raise ValueError(f"heure UTC sans décalage attendue ({wanted}), reçu « {text} »")
    datetime.strptime(text, _FORMATS[len(text)]).replace(tzinfo=UTC)


def to_utc(text: str) -> str:
    """A CDA time as UTC digits of the same precision; unchanged below the hour or without an offset."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"horodatage HL7 illisible : « {text} »")
    digits, offset = found.group(1), found.group(2)
    moment = datetime.strptime(digits, _FORMATS[len(digits)])  # noqa: DTZ007 the offset is applied below
    if offset is None or len(digits) < 10:
        return digits
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    zone = timezone(shift if offset[0] == "+" else -shift)
    return moment.replace(tzinfo=zone).astimezone(UTC).strftime(_FORMATS[len(digits)])


def same_utc(metadata: str, document: str) -> bool:
    """Whether a metadata time says the same instant as a CDA time, at the precision of the CDA."""
    try:
        expected = to_utc(document)
    except ValueError:
        return False
    rest = metadata[len(expected) :]
    return metadata.startswith(expected) and not rest.strip("0")


def is_matricule(text: str) -> bool:
    """Whether the text has the shape of an INS matricule (15 characters, Corsica included)."""
    return _MATRICULE.fullmatch(text) is not None


def key_holds(matricule: str) -> bool:
    """Whether the last two digits are 97 - (N mod 97), 2A counted as 19 and 2B as 18 (spec dmp §5)."""
    digits = matricule[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(digits) % 97 == int(matricule[13:])
