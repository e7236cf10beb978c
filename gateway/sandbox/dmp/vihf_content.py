"""What a VIHF says: identity, mode, attributes, role (spec dmp §1.4, table of attributes)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from gateway.sandbox.certificates import person_of, structure_of
from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.hl7 import Cx, is_matricule, is_ps_id, parse_cx
from gateway.sandbox.values import facts, in_set, professions
from gateway.sandbox.xml import Element, children, text

_NS = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion"}
_HL7 = "urn:hl7-org:v3"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_BAD = "wsse:InvalidSecurityToken"

_SUBJECT_ID = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
_ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
_RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
_PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
_MINOR = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"
_MODES = ("Authentification_mode", "Authentification_Mode")
_MANDATORY = (
    "VIHF_Version",
    "Identifiant_Structure",
    "Secteur_Activite",
    _ROLE,
    _RESOURCE,
    "Ressource_URN",
    _PURPOSE,
    "LPS_Nom",
    "LPS_Version",
    "LPS_ID_HOMOLOGATION_DMP",
)


@dataclass(frozen=True, slots=True)
class Vihf:
    """A verified assertion: who asks (`name_id`), from which structure, about which patient."""

    id: str
    direct: bool
    name_id: str
    structure: str
    patient: Cx
    profession: str


def read_content(assertion: Element, certificate: x509.Certificate) -> Vihf:
    """Read and check the statements of a verified assertion. Raises SoapFault."""
    values = _attributes(assertion)
    mode = _mode(values)
    direct = mode == "DIRECTE"
    _check_authentication(assertion, mode)
    _check_mandatory(values, direct=direct)
    name_id = text(assertion.find("saml:Subject/saml:NameID", _NS))
    structure = text(values["Identifiant_Structure"][0])
    _check_identity(name_id, structure, certificate, direct=direct)
    _check_constants(values)
    profession = _check_roles(values[_ROLE])
    _check_purpose(values[_PURPOSE])
    _check_secret(values.get(_MINOR))
    patient = _patient(text(values[_RESOURCE][0]))
    return Vihf(assertion.get("ID", ""), direct, name_id, structure, patient, profession)


def _attributes(assertion: Element) -> dict[str, list[Element]]:
    statements = assertion.findall("saml:AttributeStatement", _NS)
    if assertion.get("Version") != "2.0" or len(statements) != 1:
        raise SoapFault("VIHF : assertion SAML 2.0 avec un AttributeStatement attendue", _BAD)
    found = statements[0].findall("saml:Attribute", _NS)
    names = [item.get("Name", "") for item in found]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise SoapFault(f"VIHF : attribut {repeated[0]} répété", _BAD)
    return {name: item.findall("saml:AttributeValue", _NS) for name, item in zip(names, found, strict=True)}


def _mode(values: dict[str, list[Element]]) -> str:
    """Both spellings of the attribute are seen in accepted samples; only one may be there."""
    present = [name for name in _MODES if name in values]
    if len(present) != 1:
        raise SoapFault("VIHF : un attribut Authentification_Mode attendu", _BAD)
    mode = text(values[present[0]][0]) if values[present[0]] else ""
    if mode not in facts()["vihf"]["modes"]:
        raise SoapFault(f"VIHF : Authentification_Mode « {mode} » inconnu", _BAD)
    return mode


def _check_authentication(assertion: Element, mode: str) -> None:
    statements = assertion.findall("saml:AuthnStatement", _NS)
    if len(statements) != 1 or not statements[0].get("AuthnInstant"):
        raise SoapFault("VIHF : un AuthnStatement avec AuthnInstant attendu", _BAD)
    reference = text(statements[0].find("saml:AuthnContext/saml:AuthnContextClassRef", _NS))
    if reference not in facts()["vihf"]["modes"][mode]:
        raise SoapFault(f"VIHF : AuthnContextClassRef incompatible avec le mode {mode}", _BAD)


def _check_mandatory(values: dict[str, list[Element]], *, direct: bool) -> None:
    for name in _MANDATORY if direct else (*_MANDATORY, _SUBJECT_ID):
        found = values.get(name, [])
        if not found or any(not text(value) and not children(value) for value in found):
            raise SoapFault(f"VIHF : attribut {name} absent ou vide", _BAD)
        if len(found) > 1 and name != _ROLE:
            raise SoapFault(f"VIHF : une seule valeur attendue pour {name}", _BAD)


def _check_identity(name_id: str, structure: str, certificate: x509.Certificate, *, direct: bool) -> None:
    if direct:
        if not is_ps_id(name_id) or person_of(certificate) != name_id:
            raise SoapFault("VIHF : NameID (PS_IdNat) diffère du porteur du certificat signataire", _BAD)
        if structure_of(certificate) not in {"", structure}:
            raise SoapFault("VIHF : Identifiant_Structure diffère de celui du certificat signataire", _BAD)
        return
    if structure_of(certificate) != structure:
        raise SoapFault("VIHF : Identifiant_Structure diffère de celui du certificat signataire", _BAD)
    head, slash, local_id = name_id.partition("/")
    if head != structure or not slash or not local_id:
        raise SoapFault("VIHF : NameID Struct_IdNat/identifiant local attendu", _BAD)


def _check_constants(values: dict[str, list[Element]]) -> None:
    known: dict[str, Any] = facts()["vihf"]
    version = text(values["VIHF_Version"][0])
    if version not in known["versions"]:
        raise SoapFault(f"VIHF : version « {version} » non acceptée", _BAD)
    if text(values["Ressource_URN"][0]) != known["resource"]:
        raise SoapFault("VIHF : Ressource_URN urn:dmp attendu", _BAD)
    code, _, system = text(values["Secteur_Activite"][0]).partition("^")
    if not in_set("J02", code, system):
        raise SoapFault("VIHF : Secteur_Activite hors de JDV_J61 (exemple SA07^1.2.250.1.71.4.2.4)", _BAD)


def _check_roles(values: list[Element]) -> str:
    """One G15 profession; a second value only, and always, for physicians and pharmacists (JDV_J65)."""
    known: dict[str, Any] = facts()["vihf"]
    roles = [_coded(value, "Role") for value in values]
    code, system = roles[0]
    if system == known["automaton_scheme"] and code == "AUTOMATE" and len(roles) == 1:
        return code
    if system != known["role_scheme"] or code not in professions():
        raise SoapFault(f"VIHF : rôle {code} absent de la table G15", _BAD)
    second = known["roles_with_second_value"].get(code)
    if second is None and len(roles) > 1:
        raise SoapFault("VIHF : un seul rôle attendu pour cette profession", _BAD)
    if second is not None and [system for _, system in roles[1:]] != [second]:
        raise SoapFault(
            "Aucune spécialité dans le vihf. Spécialité obligatoire pour les médecins et pharmaciens.", _BAD
        )
    return code


def _check_purpose(values: list[Element]) -> None:
    known: dict[str, Any] = facts()["vihf"]
    code, system = _coded(values[0], "PurposeOfUse")
    if system != known["purpose_scheme"] or code not in known["purposes"]:
        raise SoapFault(f"VIHF : purposeofuse « {code} » inconnu", _BAD)


def _check_secret(values: list[Element] | None) -> None:
    """Secret connection of a minor (EX_0.1-1100): JDV_J64 has one code, written as a text or as a coded element."""
    if values is None:
        return
    codes = [text(value) or next((inside.get("code", "") for inside in children(value)), "") for value in values]
    if codes != [facts()["vihf"]["secret_connection"]]:
        raise SoapFault("VIHF : confidentiality-code hors de JDV_J64", _BAD)


def _coded(value: Element, name: str) -> tuple[str, str]:
    inside = children(value)
    if len(inside) != 1 or inside[0].tag != f"{{{_HL7}}}{name}" or inside[0].get(_XSI_TYPE) != "CE":
        raise SoapFault(f"VIHF : élément {name} (xsi:type CE, {_HL7}) attendu", _BAD)
    code, system = inside[0].get("code", ""), inside[0].get("codeSystem", "")
    if not code or not system or not inside[0].get("displayName"):
        raise SoapFault(f"VIHF : {name} sans code, codeSystem ou displayName", _BAD)
    return code, system


def _patient(value: str) -> Cx:
    try:
        patient = parse_cx(value)
    except ValueError as fault:
        raise SoapFault(f"VIHF : resource-id illisible ({fault})", _BAD) from fault
    if patient.type != "NH" or patient.oid not in facts()["ins_oids"] or not is_matricule(patient.id):
        raise SoapFault("VIHF : resource-id ne désigne pas un INS", _BAD)
    return patient
