"""The structuration minimale, as far as naive generators break it (spec cda §7, rules 1 to 22 and element order)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from gateway.errors import MappingError
from gateway.findings import Finding
from gateway.render.cda.xml import NS
from gateway.validate.must import Must, rule
from gateway.validate.view import Rule, View, found, local_name

_SM = "CI-SIS, structuration minimale"
_ROOT = "/c:ClinicalDocument"
_PATIENT = f"{_ROOT}/c:recordTarget/c:patientRole/c:patient"
_EVENT = f"{_ROOT}/c:documentationOf[1]/c:serviceEvent"
_ENCOUNTER = f"{_ROOT}/c:componentOf/c:encompassingEncounter"

_MUSTS = (
    Must(
        "CDA-070",
        "Un des deux templates du document manque (HL7 France, CI-SIS)",
        "Déclarer 2.16.840.1.113883.2.8.2.1 et 1.2.250.1.213.1.1.1.1.",
        _SM,
        _ROOT,
        "c:templateId[@root='2.16.840.1.113883.2.8.2.1'] and c:templateId[@root='1.2.250.1.213.1.1.1.1']",
    ),
    Must(
        "CDA-071",
        "Le modèle du document n'est pas déclaré (troisième templateId ; trois exactement au niveau 1)",
        "Ajouter le templateId du modèle.",
        _SM,
        _ROOT,
        "count(c:templateId)=3 or (count(c:templateId)>3 and not(c:component/c:nonXMLBody))",
    ),
    Must(
        "CDA-072",
        "Le libellé (displayName) du code manque",
        "Écrire le libellé du jeu de valeurs.",
        _SM,
        f"{_ROOT}/c:code | {_ROOT}/c:confidentialityCode",
        "string-length(@displayName)>0",
    ),
    Must(
        "CDA-074",
        "La langue n'est pas fr-FR",
        'Écrire languageCode code="fr-FR".',
        _SM,
        _ROOT,
        "c:languageCode[@code='fr-FR']",
    ),
    Must("CDA-075", "Le numéro du lot de versions (setId) manque", "Ajouter setId.", _SM, _ROOT, "c:setId[@root]"),
    Must(
        "CDA-076",
        "Nom de famille du patient sans qualificatif BR (naissance) ou CL (utilisé)",
        "Qualifier chaque nom : BR ou CL, aucun autre.",
        "RNIV",
        f"{_PATIENT}/c:name/c:family",
        "@qualifier='BR' or @qualifier='CL'",
    ),
    Must(
        "CDA-077",
        "Adresse de télécommunication sans préfixe (tel:, mailto:...)",
        "Écrire par exemple tel:0140000000 ou mailto:nom@domaine.",
        _SM,
        "//c:telecom[not(@nullFlavor)]",
        "re:test(@value,'^(tel|fax|mailto|http|https|ftp|mllp):.')",
    ),
    Must(
        "CDA-078",
        "Usage de télécommunication inconnu",
        "Écrire MC (mobile), H (domicile) ou WP (travail).",
        _SM,
        "//c:telecom[@use]",
        "re:test(@use,'^(AS|BAD|CONF|DIR|EC|H|HP|HV|MC|PG|PUB|TMP|WP)( |$)')",
    ),
    Must(
        "CDA-080",
        "L'organisation conservatrice n'est pas identifiée comme structure de santé",
        "Root 1.2.250.1.71.4.2.2 et identifiant Struct_IdNat.",
        "Struct_IdNat",
        _ROOT,
        "c:custodian//c:representedCustodianOrganization/c:id"
        "[@root='1.2.250.1.71.4.2.2' or @root='1.2.250.1.213.4.1'][@extension]",
    ),
    Must(
        "CDA-081",
        "Le responsable du document manque, ou sa signature (signatureCode S)",
        'Ajouter legalAuthenticator avec signatureCode code="S".',
        _SM,
        _ROOT,
        "c:legalAuthenticator[c:signatureCode/@code='S'][c:time]",
    ),
    Must(
        "CDA-082",
        "Participant sans date (time)",
        'Ajouter time, au besoin nullFlavor="NA".',
        _SM,
        f"{_ROOT}/c:participant",
        "c:time",
    ),
    Must(
        "CDA-084",
        "Participant d'une classe interdite",
        "Écrire classCode PROV (professionnel) ou AGNT (autre).",
        _SM,
        f"{_ROOT}/c:participant/c:associatedEntity",
        "@classCode='PROV' or @classCode='AGNT'",
    ),
    Must(
        "CDA-085",
        "L'acte principal n'a pas de date de début",
        "Ajouter effectiveTime/low à documentationOf/serviceEvent.",
        _SM,
        _ROOT,
        "c:documentationOf[1]/c:serviceEvent/c:effectiveTime/c:low[@value]",
    ),
    Must(
        "CDA-086",
        "L'acte principal n'a pas exactement un exécutant",
        "Garder un seul performer dans le premier documentationOf.",
        _SM,
        _EVENT,
        "count(c:performer)=1",
    ),
    Must(
        "CDA-087",
        "Le cadre d'exercice (standardIndustryClassCode) de l'exécutant manque",
        "Ajouter un code de JDV_J04 à representedOrganization.",
        "JDV_J04",
        f"{_EVENT}/c:performer/c:assignedEntity",
        "c:representedOrganization/c:standardIndustryClassCode[@code]",
    ),
    Must(
        "CDA-088",
        "La prise en charge (componentOf) manque ou n'a pas sa date, son type ou sa structure",
        "Ajouter encompassingEncounter avec code (JDV_J142), effectiveTime et healthCareFacility/code (JDV_J02).",
        _SM,
        _ROOT,
        f"{_ENCOUNTER.removeprefix(_ROOT + '/')}[c:code/@code][c:effectiveTime]"
        "/c:location/c:healthCareFacility[c:code/@code]",
    ),
)

_VALUES = (
    ("J144", f"{_ROOT}/c:participant", "@typeCode"),
    ("J245", "//c:name/c:prefix", "text()"),
    ("J246", "//c:name/c:suffix", "text()"),
)
"""Values written outside a coded element, and their sets."""


def _values(view: View) -> Iterator[Finding]:
    for set_name, path, where in _VALUES:
        for element in view.find(path):
            code = (element.text or "").strip() if where == "text()" else element.get(where.removeprefix("@")) or ""
            if not _held(view, set_name, code):
                message = f"Valeur absente du jeu de valeurs JDV_{set_name}"
                yield found("CDA-083", element, message, "Choisir une valeur du jeu de valeurs.", f"JDV_{set_name}")


def _held(view: View, set_name: str, code: str) -> bool:
    try:
        view.terms.value(set_name, code)
    except MappingError:
        return False
    return True


_UID = re.compile(
    r"[0-2](?:\.(?:0|[1-9][0-9]*))+|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
)


def _uids(view: View) -> Iterator[Finding]:
    """Bare OIDs and UUIDs: neither `urn:oid:` nor `urn:uuid:` (HL7 V3, type UID)."""
    for element in view.find("//c:*[@root or @codeSystem]"):
        if not all(_UID.fullmatch(element.get(name) or "0.0") for name in ("root", "codeSystem")):
            message = "Identifiant qui n'est ni un OID ni un UUID nus"
            yield found("CDA-073", element, message, "Retirer le préfixe urn:oid: ou urn:uuid:.", "HL7 V3, UID")


_ORDER = (
    "realmCode",
    "typeId",
    "templateId",
    "id",
    "code",
    "title",
    "effectiveTime",
    "confidentialityCode",
    "languageCode",
    "setId",
    "versionNumber",
    "copyTime",
    "recordTarget",
    "author",
    "dataEnterer",
    "informant",
    "custodian",
    "informationRecipient",
    "legalAuthenticator",
    "authenticator",
    "participant",
    "inFulfillmentOf",
    "documentationOf",
    "relatedDocument",
    "authorization",
    "componentOf",
    "component",
)
"""Children of ClinicalDocument in the order of the schema (POCD_MT000040.xsd)."""


def _order(view: View) -> Iterator[Finding]:
    last = 0
    for element in view.root.iterchildren(etree.Element):
        if etree.QName(element).namespace != NS:
            continue  # an extension has its own places in the schema
        place = _ORDER.index(local_name(element)) if local_name(element) in _ORDER else -1
        if place < last:
            message = "Élément inconnu à cette place, ou hors de l'ordre du schéma"
            yield found("CDA-079", element, message, "Suivre l'ordre du schéma CDA (languageCode avant setId).", "XSD")
        last = max(last, place)


RULES: tuple[Rule, ...] = (rule(_MUSTS), _values, _uids, _order)
