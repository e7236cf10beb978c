"""Rules on codes: a code beside another code's name, or in another system (spec cda §8), and units."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document.model import Code
from gateway.errors import MappingError
from gateway.findings import Finding, Severity
from gateway.validate.ucum import is_unit
from gateway.validate.view import Element, Rule, View, found

_DOCUMENT = "/c:ClinicalDocument"
_HEADER = (
    (f"{_DOCUMENT}/c:code", "J07"),
    (f"{_DOCUMENT}//c:recordTarget//c:administrativeGenderCode", "J143"),
    (f"{_DOCUMENT}/c:author/c:assignedAuthor/c:code", "J01"),
    (f"{_DOCUMENT}/c:legalAuthenticator/c:assignedEntity/c:code", "J01"),
    (f"{_DOCUMENT}/c:participant/c:associatedEntity/c:code", "J01"),
    (f"{_DOCUMENT}/c:documentationOf[1]//c:performer/c:assignedEntity/c:code", "J01"),
    (f"{_DOCUMENT}/c:author/c:functionCode | {_DOCUMENT}/c:participant/c:functionCode", "J47"),
    (f"{_DOCUMENT}/c:documentationOf[1]//c:standardIndustryClassCode", "J04"),
    (f"{_DOCUMENT}/c:componentOf/c:encompassingEncounter/c:code", "J142"),
    (f"{_DOCUMENT}/c:componentOf//c:healthCareFacility/c:code", "J02"),
)
"""Coded elements of the header and their value sets: the suites compare them by @code alone."""

_NAME = "Reprendre le libellé du code dans sa terminologie, ou corriger le code."


def _header_codes(view: View) -> Iterator[Finding]:
    for path, set_name in _HEADER:
        for element in view.find(path):
            if element.get("code"):
                yield from _against(view, element, set_name)


def _against(view: View, element: Element, set_name: str) -> Iterator[Finding]:
    try:
        known = view.terms.value(set_name, str(element.get("code")))
    except MappingError:
        message = f"Ce code n'est pas dans le jeu de valeurs JDV_{set_name}"
        yield found("CDA-032", element, message, "Choisir un code du jeu de valeurs.", f"JDV_{set_name}")
        return
    if element.get("codeSystem") != known.system:
        message = "Le codeSystem n'est pas celui du code"
        yield found("CDA-031", element, message, f"Système attendu : {known.system}.", f"JDV_{set_name}")
    elif element.get("displayName") != known.display and not _named(view, element):
        message = "Le libellé n'est pas celui du code"
        yield found("CDA-030", element, message, _NAME, f"JDV_{set_name}")


def _named(view: View, element: Element) -> bool:
    return view.terms.display_matches(_code(element)) is True


def _code(element: Element) -> Code:
    return Code(element.get("code") or "", element.get("codeSystem") or "", element.get("displayName") or "")


def _displays(view: View) -> Iterator[Finding]:
    seen = {element for path, _set in _HEADER for element in view.find(path)}
    fixed = set(view.profile.codes.values())
    for element in view.find("//c:*[@code and @codeSystem and @displayName]"):
        code = _code(element)
        if element not in seen and code not in fixed and view.terms.display_matches(code) is False:
            yield found("CDA-030", element, "Le libellé n'est pas celui du code", _NAME)


def _units(view: View) -> Iterator[Finding]:
    for element in view.find("//c:structuredBody//c:*[@unit]"):
        if not is_unit(str(element.get("unit"))):
            message = "L'unité n'est pas une unité UCUM connue"
            advice = "Écrire l'unité en UCUM (deg, kg/m2, {score}, /min...)."
            yield found("CDA-050", element, message, advice, "UCUM", severity=Severity.WARNING)


RULES: tuple[Rule, ...] = (_header_codes, _displays, _units)
