"""Inside the entries, as far as naive generators break them (spec cda §6-7, rules 23 to 25)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding
from gateway.render.cda.xml import TAGS
from gateway.validate.must import Must, rule
from gateway.validate.templates import declared
from gateway.validate.view import Rule, View, child, found

_PCC = "IHE PCC, modèles de contenus CDA"


def _with(name: str, *templates: str) -> str:
    """XPath of the entries of this element name that declare one of these templates."""
    roots = " or ".join(f"c:templateId/@root='{root}'" for root in templates)
    return f"//c:structuredBody//c:{name}[{roots}]"


_PROBLEM = _with("observation", "1.3.6.1.4.1.19376.1.5.3.1.4.5")
_SIMPLE = _with("observation", "1.3.6.1.4.1.19376.1.5.3.1.4.13")
_EVENTS = f"{_SIMPLE}[@moodCode='EVN']"
_CONCERN = _with("act", "1.3.6.1.4.1.19376.1.5.3.1.4.5.1")
_VITALS = _with("organizer", "1.3.6.1.4.1.19376.1.5.3.1.4.13.1")
_SURVEY = _with("observation", "1.3.6.1.4.1.19376.1.5.3.1.1.12.3.6")
_ACT = _with("procedure", "1.3.6.1.4.1.19376.1.5.3.1.4.19")
_OPEN = "c:statusCode/@code='active' or c:statusCode/@code='suspended'"

_MUSTS = (
    Must(
        "CDA-090",
        "Entrée sans renvoi vers son texte (text/reference)",
        "Ajouter <text><reference value='#ID'/></text>.",
        _PCC,
        f"{_PROBLEM} | {_EVENTS} | {_ACT}",
        "c:text/c:reference[@value]",
    ),
    Must(
        "CDA-091",
        "Observation sans date (effectiveTime)",
        "Dater l'observation, au besoin par nullFlavor.",
        _PCC,
        f"{_PROBLEM} | {_EVENTS} | {_VITALS}",
        "c:effectiveTime[@value or @nullFlavor or c:low]",
    ),
    Must(
        "CDA-092",
        "Observation dont l'état n'est pas completed",
        'Écrire statusCode code="completed".',
        _PCC,
        f"{_PROBLEM} | {_EVENTS}",
        "c:statusCode/@code='completed'",
    ),
    Must(
        "CDA-093",
        "Problème sans les mots du praticien (value/originalText)",
        "Ajouter originalText à value.",
        _PCC,
        _PROBLEM,
        "c:value/c:originalText or c:value/c:translation or c:value/@code",
    ),
    Must(
        "CDA-094",
        "Problème suivi (concern) dont le code n'est pas NA",
        'Écrire <code nullFlavor="NA"/>.',
        _PCC,
        _CONCERN,
        "c:code/@nullFlavor='NA'",
    ),
    Must(
        "CDA-095",
        "Problème suivi (concern) : date de fin et état se contredisent",
        "Mettre effectiveTime/high quand l'état est completed ou aborted, et alors seulement.",
        _PCC,
        _CONCERN,
        f"(boolean(c:effectiveTime/c:high) != boolean({_OPEN})) and c:effectiveTime/c:low",
    ),
    Must(
        "CDA-097",
        "Groupe de signes vitaux dont le code n'est pas 85353-1",
        "Écrire le code LOINC 85353-1.",
        _PCC,
        _VITALS,
        "c:code[@code='85353-1'][@codeSystem='2.16.840.1.113883.6.1']",
    ),
    Must(
        "CDA-098",
        "Réponse de questionnaire avec une méthode ou un site, interdits ici",
        "Retirer methodCode et targetSiteCode.",
        _PCC,
        _SURVEY,
        "not(c:methodCode or c:targetSiteCode)",
    ),
    Must(
        "CDA-099",
        "La section de copie PDF n'a pas son titre imposé",
        "Écrire le titre « Copie du document ».",
        "FR-Copie",
        "//c:section[c:templateId/@root='1.2.250.1.213.1.1.2.243']",
        "c:title='Copie du document'",
    ),
)


def _needs(view: View) -> Iterator[Finding]:
    """What the template of a section promises must stand inside (a procedure in coded results, for example)."""
    by_fr = {one.fr: one for one in view.profile.sections}
    for section in view.sections:
        rules = [by_fr[root] for root in declared(section) if root in by_fr]
        if not rules:
            continue
        inside = {str(item.get("root")) for item in section.iter(TAGS["templateId"])}
        for template in (need for need in rules[-1].needs if need not in inside):
            message = "La section n'a pas l'entrée que son template exige"
            advice = f"Ajouter une entrée {template}, ou déclarer la section sans entrée codée."
            yield found("CDA-096", section, message, advice, "IHE PCC, modèles de contenus CDA")


def _vital_units(view: View) -> Iterator[Finding]:
    """Vital signs take the units that the suite lists for their code, no other."""
    for observation in view.find(_with("observation", "1.3.6.1.4.1.19376.1.5.3.1.4.13.2")):
        code, value = (child(observation, name) for name in ("code", "value"))
        allowed = view.profile.vital_units.get("" if code is None else code.get("code") or "")
        if value is not None and value.get("unit") and allowed and value.get("unit") not in allowed:
            message = "Unité refusée pour ce signe vital"
            yield found("CDA-089", value, message, f"Unités admises : {', '.join(allowed)}.", "JDV_SignesVitaux")


RULES: tuple[Rule, ...] = (rule(_MUSTS), _needs, _vital_units)
