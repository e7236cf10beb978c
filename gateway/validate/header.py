"""Rules on the rest of the header: people, identifiers, versions, times (spec cda §2 and §8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from gateway.findings import Finding, Severity
from gateway.render.cda.xml import TAGS, XSI_TYPE
from gateway.validate.view import Element, Rule, View, child, found, local_name

PROFESSIONAL_ROOT = "1.2.250.1.71.4.2.1"
STRUCTURE_ROOT = "1.2.250.1.71.4.2.2"
_PROFESSIONAL = re.compile(r"8[0-9]{11}|0[0-9A-Z]{9}|[1-7][0-9A-Z]+/.+")
_STRUCTURE = re.compile(r"0[0-9A-Z]{9,}|1[0-9][0-9AB][0-9]{7}|2[0-9]{9}|3[0-9]{14}|4[0-9]{11,}")
_BARE_RPPS = re.compile(r"[0-9]{11}")


def _professionals(view: View) -> Iterator[Finding]:
    for item in view.find(f"//c:id[@root='{PROFESSIONAL_ROOT}']"):
        extension = item.get("extension") or ""
        if _PROFESSIONAL.fullmatch(extension):
            continue
        bare = _BARE_RPPS.fullmatch(extension) is not None
        message = "Numéro RPPS sans le 8 qui le précède" if bare else "Identifiant de professionnel mal formé"
        advice = "PS_IdNat : 8 suivi des 11 chiffres du RPPS (0 et numéro ADELI, ou préfixe et identifiant interne)."
        yield found("CDA-020", item, message, advice, "PS_IdNat")


def _structures(view: View) -> Iterator[Finding]:
    for item in view.find(f"//c:id[@root='{STRUCTURE_ROOT}']"):
        if not _STRUCTURE.fullmatch(item.get("extension") or ""):
            message = "Identifiant de structure sans préfixe reconnu"
            advice = "Struct_IdNat : 1 FINESS, 2 SIREN, 3 SIRET, 4 RPPS-rang, 0 ADELI-rang."
            yield found("CDA-021", item, message, advice, "Struct_IdNat", severity=Severity.WARNING)


_SIGNERS = (
    ("c:author[not(c:assignedAuthor/c:assignedAuthoringDevice)]/c:assignedAuthor", "de l'auteur"),
    ("c:legalAuthenticator/c:assignedEntity", "du responsable"),
    ("c:documentationOf[1]/c:serviceEvent/c:performer/c:assignedEntity", "de l'exécutant"),
)


def _professions(view: View) -> Iterator[Finding]:
    for path, whose in _SIGNERS:
        for role in view.find(f"/c:ClinicalDocument/{path}"):
            code = child(role, "code")
            if code is None or not code.get("code"):
                message = f"La profession {whose} manque"
                yield found("CDA-022", role, message, "Ajouter le code de profession (JDV_J01).", "JDV_J01")


def _persons(view: View) -> Iterator[Finding]:
    for path, whose in _SIGNERS[:2]:
        for role in view.find(f"/c:ClinicalDocument/{path}"):
            person = child(role, "assignedPerson")
            if person is None or not _has_family(person):
                yield found("CDA-023", role, f"Le nom {whose} manque", "Ajouter assignedPerson et son nom.")


def _has_family(person: Element) -> bool:
    family = person.find(f".//{TAGS['family']}")
    return family is not None and bool((family.text or "").strip())


def _medecin_traitant(view: View) -> Iterator[Finding]:
    if not view.find("/c:ClinicalDocument/c:participant[c:functionCode/@code='PCP']"):
        message = "Aucun médecin traitant dans l'en-tête"
        advice = "Ajouter un participant INF de fonction PCP, ou vérifier que le patient n'en a pas."
        yield found("CDA-024", view.root, message, advice, severity=Severity.WARNING)


def _version(view: View) -> Iterator[Finding]:
    for element in view.find("/c:ClinicalDocument/c:versionNumber") or [view.root]:  # the root has no value
        if not re.fullmatch(r"[1-9][0-9]*", element.get("value") or ""):
            message = "Le numéro de version n'est pas un entier à partir de 1"
            yield found("CDA-025", element, message, "Commencer à 1.")


_TIMES = "|".join(f"//c:{name}[@value]" for name in ("effectiveTime", "time", "low", "high", "center", "birthTime"))
_TS = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,5}(?:\.[0-9]+)?(?P<zone>[+-][0-9]{4})?")
_EXACT = (
    "/c:ClinicalDocument/c:effectiveTime",
    "/c:ClinicalDocument/c:author/c:time",
    "/c:ClinicalDocument/c:legalAuthenticator/c:time",
)
_DIGITS = re.compile(r"[.+-]")
_TIMED = len("2026010514")
"""From this length on a timestamp says an hour, and an hour without zone is wrong for somebody."""


def _zones(view: View) -> Iterator[Finding]:
    exact = {element for path in _EXACT for element in view.find(path)}
    for element in view.find(_TIMES):
        if not _is_time(element):
            continue
        value = element.get("value") or ""
        match = _TS.fullmatch(value)
        if match is None:
            message = "Date mal formée"
            yield found("CDA-027", element, message, "Écrire AAAAMMJJ[HHMMSS+ZZZZ], sans tiret.", "HL7 TS")
        elif match["zone"] is None and (element in exact or len(value) >= _TIMED) and not _is_birth(element):
            message = "Heure sans fuseau"
            yield found("CDA-026", element, message, "Ajouter le décalage, par exemple +0100.", "HL7 TS")


_BOUNDS = frozenset({"low", "high", "center"})
_PERIODS = frozenset({"effectiveTime", "time", "useablePeriod", "expectedUseTime", "validTime"})


def _is_time(element: Element) -> bool:
    """Whether the value is a time: <low> and <high> may also bound a quantity."""
    parent = element.getparent()
    if local_name(element) not in _BOUNDS or parent is None:
        return True
    return local_name(parent) in _PERIODS or "TS" in (parent.get(XSI_TYPE) or "")


def _order(view: View) -> Iterator[Finding]:
    """An end before its start: the suites refuse it in the header and do not look at the body.

    In the body it is what somebody typed (a goal due before the assessment): shown, and no reason to stop.
    """
    for period in view.find("//c:*[c:low/@value and c:high/@value]"):
        low, high = child(period, "low"), child(period, "high")
        if low is not None and high is not None and _is_time(low) and _ends_early(low, high):
            message = "La fin précède le début"
            inside = next(period.iterancestors(TAGS["structuredBody"]), None) is not None
            severity = Severity.WARNING if inside else Severity.ERROR
            yield found("CDA-028", period, message, "Vérifier les deux dates.", "HL7 IVL_TS", severity=severity)


def _ends_early(low: Element, high: Element) -> bool:
    """Compared to the precision that both share: by day, or as instants when both say an hour."""
    start, stop = _TS.fullmatch(low.get("value") or ""), _TS.fullmatch(high.get("value") or "")
    if start is None or stop is None:
        return False
    first, last = _DIGITS.split(start[0])[0], _DIGITS.split(stop[0])[0]
    shared = min(len(first), len(last))
    if shared < _TIMED or start["zone"] is None or stop["zone"] is None:
        return last[:shared] < first[:shared]
    try:
        return _instant(last, stop["zone"]) < _instant(first, start["zone"])
    except ValueError:  # the thirty-second of a month: digits, but no date
        return False


def _instant(digits: str, zone: str) -> datetime:
    return datetime.strptime(digits.ljust(14, "0") + zone, "%Y%m%d%H%M%S%z")


def _is_birth(element: Element) -> bool:
    return local_name(element) == "birthTime"


RULES: tuple[Rule, ...] = (
    _professionals,
    _structures,
    _professions,
    _persons,
    _medecin_traitant,
    _version,
    _zones,
    _order,
)
