"""Answers of INSi: `RESULTAT` and SOAP faults, read with tolerance where the service itself strays from its schema.

Seen in replies (spec dmp §5): names in any order inside INSHISTO, a list of given names without the first one apart,
keys that fail the rule of the NIR (fixture TEST_2.08 of the CNDA), severities outside the schema (`fatal`). What
cannot be an INS is never made one: a malformed matricule leaves the reply without INS, with a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from gateway.findings import Finding, error, warning
from gateway.identity.matricule import read as read_matricule
from gateway.identity.roots import INS_ROOTS
from gateway.package.xml import Element, parse

RESULT = "http://www.cnamts.fr/INSiResultat"
SIRAM = "urn:siram"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_NS = {"s": _SOAP, "r": RESULT, "siram": SIRAM}
FOUND, NONE, SEVERAL = "00", "01", "02"
_CODES = frozenset({FOUND, NONE, SEVERAL})
MAX_HISTORY = 50
"""Earlier matricules kept of a reply; a civil record changes a few times at most."""


@dataclass(frozen=True, slots=True)
class Number:
    """A matricule INS (15 characters) with its OID, and when it was in use where the service says."""

    matricule: str
    oid: str
    begin: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of the national base: `given` is the list of given names as one text, separated by spaces."""

    family: str
    given: str
    sex: str
    born: date | None
    cog: str | None
    first_given: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered: `code` 00, 01 or 02; number, history and traits with 00 only."""

    code: str
    active: Number | None = None
    history: tuple[Number, ...] = ()
    traits: Traits | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: code and subcode without prefix, the service's own code, and its texts (they hold no trait)."""

    code: str
    subcode: str
    detail_code: str
    severity: str
    text: str


class UnreadableError(ValueError):
    """The answer is not one that this service gives."""


def read(data: bytes) -> Reply | Fault:
    """The answer in a SOAP envelope. Raises UnreadableError."""
    try:
        envelope = parse(data)
    except ValueError as fault:
        raise UnreadableError("not an XML answer") from fault
    if envelope.tag != f"{{{_SOAP}}}Envelope":
        raise UnreadableError("not a SOAP 1.2 envelope")
    fault_element = envelope.find("s:Body/s:Fault", _NS)
    if fault_element is not None:
        return _fault(fault_element)
    result = envelope.find("s:Body/r:RESULTAT", _NS)
    if result is None:
        raise UnreadableError("neither RESULTAT nor Fault")
    return _reply(result)


def _fault(element: Element) -> Fault:
    detail = element.find("s:Detail/siram:Erreur", _NS)
    texts = [_said(element, "s:Reason/s:Text"), " ".join((detail.text or "").split()) if detail is not None else ""]
    return Fault(
        code=_local(_said(element, "s:Code/s:Value")),
        subcode=_local(_said(element, "s:Code/s:Subcode/s:Value")),
        detail_code="" if detail is None else (detail.get("code") or ""),
        severity="" if detail is None else (detail.get("severite") or ""),
        text=" ".join(text for text in texts if text),
    )


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _said(parent: Element, path: str) -> str:
    found = parent.find(path, _NS)
    return "" if found is None else " ".join((found.text or "").split())


def _reply(result: Element) -> Reply:
    code = _said(result, "r:CR/r:CodeCR")
    if code not in _CODES:
        raise UnreadableError("unknown CodeCR")
    if code != FOUND:
        return Reply(code)
    people = result.findall("r:INDIVIDU", _NS)
    if len(people) != 1:
        raise UnreadableError("CodeCR 00 without exactly one INDIVIDU")
    findings: list[Finding] = []
    actives = [_number(element, findings) for element in people[0].findall("r:INSACTIF", _NS)]
    if len(actives) > 1:
        raise UnreadableError("more than one INSACTIF")
    return Reply(
        code,
        active=actives[0] if actives else None,
        history=_history(people[0], findings),
        traits=_traits(people[0].find("r:TIQ", _NS)),
        findings=tuple(findings),
    )


def _history(person: Element, findings: list[Finding]) -> tuple[Number, ...]:
    quiet: list[Finding] = []  # an earlier number is there to be recognised, not used: its defects harm nobody
    found = [_number(element, quiet) for element in person.findall("r:INSHISTO", _NS)[:MAX_HISTORY]]
    kept = tuple(number for number in found if number is not None)
    if len(kept) < len(found):
        message = "Un ancien matricule rendu par INSi est illisible : il est laissé de côté."
        findings.append(warning("TSI-010", "/reply/INSHISTO", message, "Rien à faire.", "INSi"))
    return kept


def _number(element: Element, findings: list[Finding]) -> Number | None:
    """The number of an INSACTIF or INSHISTO; None, with a finding, when it cannot be a matricule."""
    digits = _said(element, "r:IdIndividu/r:NumIdentifiant").upper()
    key, oid = _said(element, "r:IdIndividu/r:Cle"), _said(element, "r:OID")
    # A NIR may come with its key inside: a text of 15 characters is never what the schema says (13).
    matricule = read_matricule(digits + key) if len(digits) == 13 else None
    if matricule is None or oid not in INS_ROOTS:
        message = "Le matricule ou l'OID rendu par INSi n'a pas la forme attendue : il n'est pas utilisé."
        advice = "Refaire la recherche plus tard ; si cela dure, prévenir l'éditeur."
        findings.append(error("TSI-011", "/reply/INSACTIF", message, advice, "INSi"))
        return None
    if not matricule.key_holds():
        message = "La clé du matricule rendu par INSi ne correspond pas à ses 13 premiers caractères."
        advice = "Garder la réponse telle quelle et signaler le cas ; ne jamais corriger la clé à la main."
        findings.append(warning("TSI-012", "/reply/INSACTIF", message, advice, "structure du NIR"))
    return Number(matricule.text, oid, _date(_said(element, "r:DateDeb")), _date(_said(element, "r:DateFin")))


def _traits(element: Element | None) -> Traits | None:
    if element is None:
        return None
    first, listed = _said(element, "r:Prenom"), _said(element, "r:ListePrenom")
    return Traits(
        family=_said(element, "r:NomNaissance"),
        given=listed or first,
        sex=_said(element, "r:Sexe"),
        born=_date(_said(element, "r:DateNaissance")),
        cog=_said(element, "r:LieuNaissance") or None,
        first_given=first or None,
    )


def _date(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
