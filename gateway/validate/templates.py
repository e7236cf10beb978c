"""Rules on templates: the French template id of each section and entry, which no suite verifies (spec cda §4, §8)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding, Severity
from gateway.render.cda.profile import EntryRule, SectionRule
from gateway.validate.view import Element, Rule, View, child, children, found

SECTIONS = "1.2.250.1.213.1.1.2."
ENTRIES = "1.2.250.1.213.1.1.3."
_ADVICE = "Reprendre les templates de mappings/cda.toml (CI-SIS, modèles de contenus CDA)."
_LOINC = "2.16.840.1.113883.6.1"


def declared(element: Element) -> list[str]:
    """Roots of the templates that an element declares, in order."""
    return [item.get("root") or "" for item in children(element, "templateId")]


def _sections(view: View) -> Iterator[Finding]:
    by_fr = {rule.fr: rule for rule in view.profile.sections}
    for section in view.sections:
        own = declared(section)
        french = [root for root in own if root.startswith(SECTIONS)]
        rules = [by_fr[root] for root in french if root in by_fr]
        if rules:
            yield from _section(section, own, rules[-1])
        elif french:
            message = "Template français de section inconnu de la passerelle"
            yield found("CDA-047", section, message, _ADVICE, severity=Severity.WARNING)
        else:
            yield from _missing(section, own, view.profile.sections)


def _section(section: Element, own: list[str], rule: SectionRule) -> Iterator[Finding]:
    if not set(rule.parents) <= set(own):
        message = "Le template français de la section n'est pas celui de ses autres templates"
        yield found("CDA-045", section, message, _ADVICE)
        return
    code = child(section, "code")
    if code is not None and (code.get("code"), code.get("codeSystem")) != (rule.code, _LOINC):
        message = "Le code LOINC de la section n'est pas celui de son template"
        yield found("CDA-046", code, message, f"Code attendu : {rule.code}.")


def _missing(section: Element, own: list[str], rules: tuple[SectionRule, ...]) -> Iterator[Finding]:
    """A section that declares the parents of a French template and not the template itself."""
    fit = [rule for rule in rules if rule.parents and set(rule.parents) == set(own)]
    if fit:
        message = "Le template français de la section manque"
        yield found("CDA-048", section, message, _ADVICE, severity=Severity.WARNING)


def _entries(view: View) -> Iterator[Finding]:
    known = _known(view)
    for element in view.find("//c:structuredBody//c:*[c:templateId and not(self::c:section)]"):
        own = declared(element)
        french = [root for root in own if root.startswith(ENTRIES)]
        for root in french:
            if root in known:
                if not any(set(rule.parents) <= set(own) for rule in known[root]):
                    message = "Le template français de l'entrée n'est pas celui de ses autres templates"
                    yield found("CDA-049", element, message, _ADVICE)
            elif root not in view.profile.known_entries:
                message = "Template français d'entrée inconnu de la passerelle"
                yield found("CDA-047", element, message, _ADVICE, severity=Severity.WARNING)


def _known(view: View) -> dict[str, list[EntryRule]]:
    known: dict[str, list[EntryRule]] = {}
    for rule in view.profile.entries.values():
        known.setdefault(rule.fr, []).append(rule)
    return known


RULES: tuple[Rule, ...] = (_sections, _entries)
