"""VIHF: the SAML 2.0 assertion that says who acts for which patient, signed, one for each request.

Attributes and order: CI-SIS VIHF, DMP usage (spec dmp §1.4). It is made at send time: its id and instants must
be fresh, everything else comes from the frozen context.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from gateway.clock import Randomness
from gateway.package import enveloped
from gateway.package.keys import SigningKeys
from gateway.package.types import DmpIdentity
from gateway.package.xml import Element

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
HL7 = "urn:hl7-org:v3"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NAMESPACES = {"saml2": SAML, "xsi": "http://www.w3.org/2001/XMLSchema-instance"}

_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_CONTEXT_CLASSES = {
    "direct": "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI",
    "indirect": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
}
_SKEW = timedelta(minutes=1)
_LIFE = timedelta(minutes=5)
_PROFESSIONS = "1.2.250.1.71.1.2.7"  # TRE_G15
_ACCESS_MODES = "1.2.250.1.213.1.1.4.248"  # TRE_R248-ModeAcces


@dataclass(frozen=True, slots=True)
class SoftwareIdentity:
    """The software as the DMP knows it. `homologation` is the number that the CNDA gave, `lps_id` optional."""

    name: str
    version: str
    homologation: str
    lps_id: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What sources disagree on, and so is configured (spec dmp §1.4): the version, the spelling of the name of the
    authentication mode, and the signature algorithm (SHA-1 in samples of 2019, SHA-256 today).
    """

    version: str = "3.0"
    mode_name: str = "Authentification_Mode"
    signature: enveloped.Algorithm = "rsa-sha256"


def assertion(
    context: DmpIdentity,
    keys: SigningKeys,
    *,
    software: SoftwareIdentity,
    options: Options,
    now: datetime,
    ids: Randomness,
) -> Element:
    """A signed `saml2:Assertion` (enveloped signature after Issuer, exclusive C14N).

    `now` must be the true time: the DMP refuses an assertion outside its window (one minute back, five ahead).
    """
    root = _unsigned(context, keys.subject, software, options, now.astimezone(UTC), f"_{ids.uuid()}")
    enveloped.sign(root, keys, options.signature, after=root[0])
    return root


def _unsigned(
    context: DmpIdentity, issuer: str, software: SoftwareIdentity, options: Options, now: datetime, identifier: str
) -> Element:
    instant = _instant(now)
    root = etree.Element(
        f"{{{SAML}}}Assertion", {"ID": identifier, "IssueInstant": instant, "Version": "2.0"}, nsmap=_NAMESPACES
    )
    _saml(root, "Issuer", issuer, Format=_SUBJECT_NAME)  # first: the signature comes right after it
    _saml(_saml(root, "Subject"), "NameID", context.name_id)
    _saml(root, "Conditions", NotBefore=_instant(now - _SKEW), NotOnOrAfter=_instant(now + _LIFE))
    context_element = _saml(_saml(root, "AuthnStatement", AuthnInstant=instant), "AuthnContext")
    _saml(context_element, "AuthnContextClassRef", _CONTEXT_CLASSES[context.mode])
    _attributes(_saml(root, "AttributeStatement"), context, software, options)
    return root


def _attributes(parent: Element, context: DmpIdentity, software: SoftwareIdentity, options: Options) -> None:
    modes = {"direct": "DIRECTE", "indirect": "INDIRECTE"}
    _text_attribute(parent, "VIHF_Version", options.version)
    _text_attribute(parent, options.mode_name, modes[context.mode])
    _text_attribute(parent, "Identifiant_Structure", context.structure_id)
    _text_attribute(parent, "Secteur_Activite", context.sector)
    if context.mode == "indirect":
        _text_attribute(parent, "urn:oasis:names:tc:xspa:1.0:subject:subject-id", context.author_name)
    role = {"code": context.role_code, "codeSystem": _PROFESSIONS, "displayName": context.role_display}
    _coded_attribute(parent, "urn:oasis:names:tc:xacml:2.0:subject:role", "Role", role)
    _text_attribute(parent, "urn:oasis:names:tc:xacml:2.0:resource:resource-id", context.patient_cx)
    _text_attribute(parent, "Ressource_URN", "urn:dmp")
    purpose = {
        "code": "normal",
        "codeSystem": _ACCESS_MODES,
        "codeSystemName": "mode acces VIHF 2.0",
        "displayName": "Accès normal",
    }
    _coded_attribute(parent, "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", "PurposeOfUse", purpose)
    if software.lps_id:
        _text_attribute(parent, "LPS_ID", software.lps_id)
    _text_attribute(parent, "LPS_Nom", software.name)
    _text_attribute(parent, "LPS_Version", software.version)
    _text_attribute(parent, "LPS_ID_HOMOLOGATION_DMP", software.homologation)


def _saml(parent: Element, tag: str, text: str | None = None, /, **attributes: str) -> Element:
    element = etree.SubElement(parent, f"{{{SAML}}}{tag}", attributes)
    element.text = text
    return element


def _text_attribute(parent: Element, name: str, value: str) -> None:
    _saml(_saml(parent, "Attribute", Name=name), "AttributeValue", value)


def _coded_attribute(parent: Element, name: str, tag: str, values: dict[str, str]) -> None:
    """A CE value as the official samples write it: default HL7 namespace on the element itself."""
    holder = _saml(_saml(parent, "Attribute", Name=name), "AttributeValue")
    element = etree.SubElement(holder, f"{{{HL7}}}{tag}", {_XSI_TYPE: "CE"}, nsmap={None: HL7})
    for key, value in values.items():
        element.set(key, value)


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
