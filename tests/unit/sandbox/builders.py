"""A minimal builder of correct ITI-41 and TD0.2 requests, independent of the gateway and of the sandbox.

It imports neither: what both sides agree on is the specification. Every stage can be edited (`edits`), so a
test takes a request that is right and breaks one thing.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

E = etree._Element

ENV = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
XDSB = "urn:ihe:iti:xds-b:2007"
XOP = "http://www.w3.org/2004/08/xop/include"
HL7 = "urn:hl7-org:v3"
HUGE = etree.XMLParser(huge_tree=True)
XSI = "http://www.w3.org/2001/XMLSchema-instance"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_COMMENTS = f"{C14N}#WithComments"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"

FEED = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
EXISTS = "urn:hl7-org:v3:PRPA_IN201307UV02"
ROOT = "/si-dmp-server/v2/services/"

INS = "279035121518989"
INS_OID = "1.2.250.1.213.1.4.10"
RPPS = "99700001011"
PS = f"8{RPPS}"
STRUCTURE = "499700001011007"
OTHER_STRUCTURE = "499700002019001"
SOURCE = "1.2.250.1.999.7.1"

PROFILES: dict[str, dict[str, Any]] = {
    "legacy": {
        "xades": "http://uri.etsi.org/01903/v1.1.1#",
        "type": "http://uri.etsi.org/01903/v1.1.1#SignedProperties",
        "signature": f"{DS}rsa-sha1",
        "digest": f"{DS}sha1",
        "name": "sha1",
        "hash": hashes.SHA1(),
    },
    "modern": {
        "xades": "http://uri.etsi.org/01903/v1.3.2#",
        "type": "http://uri.etsi.org/01903#SignedProperties",
        "signature": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "digest": "http://www.w3.org/2001/04/xmlenc#sha256",
        "name": "sha256",
        "hash": hashes.SHA256(),
    },
}


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    cert_path: Path
    key_path: Path

    @classmethod
    def load(cls, cert_path: Path, key_path: Path) -> Identity:
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return cls(x509.load_pem_x509_certificate(cert_path.read_bytes()), key, cert_path, key_path)

    @property
    def base64(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    def sign(self, data: bytes, algorithm: hashes.HashAlgorithm) -> str:
        return base64.b64encode(self.key.sign(data, padding.PKCS1v15(), algorithm)).decode()


def new_oid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def utc(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S")


def paris(moment: datetime) -> str:
    """The same instant written with an offset, as a CDA does."""
    return (moment + timedelta(hours=1)).strftime("%Y%m%d%H%M%S") + "+0100"


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Draft:
    """Everything a request is made of; `edits` maps a stage to a function that changes it.

    Stages: cda, metadata, manifest, xades, vihf, vihf_signed, payload, envelope (elements); document, signature
    (bytes, after signing); parts (list of [headers, bytes]); content_type (str); body (bytes).
    """

    now: datetime
    sign: Identity
    edits: dict[str, Callable[..., Any]] = field(default_factory=dict)
    mode: str = "INDIRECTE"
    profile: str = "modern"
    ins: str = INS
    oid: str = INS_OID
    document_id: str = field(default_factory=new_oid)
    set_id: str = field(default_factory=new_oid)
    cda_set_id: str = field(default_factory=new_oid)
    version: int = 1
    replaces: tuple[str, str] | None = None  # (entryUUID, uniqueId)
    pdf: bytes | None = None
    vihf_sign: Identity | None = None
    vihf_profile: str = "modern"
    action: str = FEED
    service: str = "repository"
    symbolic: bool = True

    def edit(self, stage: str, value: Any) -> Any:
        change = self.edits.get(stage)
        if change is None:
            return value
        result = change(value)
        return value if result is None or isinstance(result, bool) else result


@dataclass
class Built:
    """A finished request and its parts, for looking at."""

    path: str
    content_type: str
    body: bytes
    document: bytes
    signature: bytes
    assertion: E
    envelope: bytes


# --------------------------------------------------------------------------------------------- CDA


def cda(draft: Draft) -> bytes:
    start, now = draft.now - timedelta(hours=1), draft.now
    person = (
        f'<id root="1.2.250.1.71.4.2.1" extension="{PS}"/><code code="G15_70" '
        'displayName="Masseur-Kinésithérapeute" codeSystem="1.2.250.1.213.1.1.4.5"/>'
        "<assignedPerson><name><given>Gwenaël</given><family>TESTOU</family></name></assignedPerson>"
        f'<representedOrganization><id root="1.2.250.1.71.4.2.2" extension="{STRUCTURE}"/>'
        "<name>Cabinet FICTIF</name>"
    )
    industry = (
        '<standardIndustryClassCode code="AMBULATOIRE" displayName="Ambulatoire" codeSystem="1.2.250.1.213.1.1.4.9"/>'
    )
    body = (
        f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{base64.b64encode(draft.pdf).decode()}'
        "</text></nonXMLBody>"
        if draft.pdf is not None
        else "<structuredBody><component><section><title>Conclusion</title><text>Essai</text></section></component>"
        "</structuredBody>"
    )
    related = (
        f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{draft.replaces[1]}"/></parentDocument>'
        "</relatedDocument>"
        if draft.replaces
        else ""
    )
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="{HL7}" xmlns:xsi="{XSI}"><!-- kept by canonicalisation -->
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.2.250.1.999.1"/>
<id root="{draft.document_id}"/>
<code code="47420-5" displayName="CR de bilan fonctionnel" codeSystem="2.16.840.1.113883.6.1"/>
<title>Bilan initial</title><effectiveTime value="{paris(now)}"/>
<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>
<setId root="{draft.cda_set_id}"/><versionNumber value="{draft.version}"/>
<recordTarget><patientRole><id root="{draft.oid}" extension="{draft.ins}"/>
<id root="1.2.250.1.999.8" extension="IPP-1"/>
<patient><name><family qualifier="BR">PAT-TROIS</family><given>DOMINIQUE MARIE</given>
<given qualifier="BR">DOMINIQUE</given></name>
<administrativeGenderCode code="F" displayName="Féminin" codeSystem="2.16.840.1.113883.5.1"/>
<birthTime value="19790328"/>
<birthplace><place><addr><county>51215</county></addr></place></birthplace></patient></patientRole></recordTarget>
<author><time value="{paris(now)}"/><assignedAuthor>{person}</representedOrganization></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.250.1.71.4.2.2" extension="{STRUCTURE}"/>
</representedCustodianOrganization></assignedCustodian></custodian>
<legalAuthenticator><time value="{paris(now)}"/><signatureCode code="S"/>
<assignedEntity>{person}</representedOrganization>
</assignedEntity></legalAuthenticator>
<documentationOf><serviceEvent><effectiveTime><low value="{paris(start)}"/><high value="{paris(now)}"/></effectiveTime>
<performer typeCode="PRF"><assignedEntity>{person}{industry}</representedOrganization></assignedEntity></performer>
</serviceEvent></documentationOf>{related}
<componentOf><encompassingEncounter><effectiveTime><low value="{paris(start)}"/></effectiveTime>
<location><healthCareFacility>
<code code="SA07" displayName="Cabinet individuel" codeSystem="1.2.250.1.71.4.2.4"/></healthCareFacility></location>
</encompassingEncounter></componentOf>
<component>{body}</component></ClinicalDocument>"""
    root = draft.edit("cda", etree.fromstring(text.encode(), HUGE))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


# ---------------------------------------------------------------------------------------- metadata


def _add(parent: E, name: str, /, **attributes: str) -> E:
    return etree.SubElement(parent, f"{{{RIM}}}{name}", attributes)


def slot(parent: E, name: str, *values: str) -> E:
    found = _add(parent, "Slot", name=name)
    listed = _add(found, "ValueList")
    for value in values:
        _add(listed, "Value").text = value
    return found


def _name(parent: E, value: str) -> None:
    _add(_add(parent, "Name"), "LocalizedString", value=value, charset="UTF8")


def classify(owner: E, scheme: str, code: str, system: str, display: str) -> E:
    found = _add(
        owner,
        "Classification",
        id=f"urn:uuid:{uuid.uuid4()}",
        classifiedObject=owner.get("id", ""),
        classificationScheme=f"urn:uuid:{scheme}",
        nodeRepresentation=code,
    )
    slot(found, "codingScheme", system)
    _name(found, display)
    return found


def author(owner: E, scheme: str) -> E:
    found = _add(
        owner,
        "Classification",
        id=f"urn:uuid:{uuid.uuid4()}",
        classifiedObject=owner.get("id", ""),
        classificationScheme=f"urn:uuid:{scheme}",
        nodeRepresentation="",
    )
    slot(found, "authorInstitution", f"Cabinet FICTIF^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^{STRUCTURE}")
    slot(found, "authorPerson", XCN)
    slot(found, "authorSpecialty", "G15_70^Masseur-Kinésithérapeute^1.2.250.1.213.1.1.4.5")
    return found


XCN = f"{PS}^TESTOU^Gwenaël^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"


def identify(owner: E, scheme: str, name: str, value: str) -> None:
    found = _add(
        owner,
        "ExternalIdentifier",
        id=f"urn:uuid:{uuid.uuid4()}",
        registryObject=owner.get("id", ""),
        identificationScheme=f"urn:uuid:{scheme}",
        value=value,
    )
    _name(found, name)


def associate(parent: E, kind: str, source: str, target: str, *, original: bool = False) -> E:
    found = _add(
        parent,
        "Association",
        id=f"urn:uuid:{uuid.uuid4()}",
        associationType=kind,
        sourceObject=source,
        targetObject=target,
    )
    if original:
        slot(found, "SubmissionSetStatus", "Original")
    return found


def _entry(parent: E, identifier: str, draft: Draft, unique_id: str, title: str) -> E:
    cx = f"{draft.ins}^^^&{draft.oid}&ISO^NH"
    entry = _add(
        parent,
        "ExtrinsicObject",
        id=identifier,
        objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        mimeType="text/xml",
        status="urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
    )
    is_document = title != "Source"
    slot(entry, "creationTime", utc(draft.now))
    slot(entry, "languageCode", "fr-FR" if is_document else "art")
    slot(entry, "legalAuthenticator", XCN)
    slot(entry, "serviceStartTime", utc(draft.now - timedelta(hours=1) if is_document else draft.now))
    slot(entry, "serviceStopTime", utc(draft.now))
    slot(entry, "sourcePatientId", "IPP-1^^^&1.2.250.1.999.8&ISO^PI" if is_document else cx)
    slot(entry, "sourcePatientInfo", "PID-5|PAT-TROIS^DOMINIQUE^^^^^L", "PID-7|19790328", "PID-8|F")
    _name(entry, title)
    author(entry, "93606bcf-9494-43ec-9b4e-a7748d1a838d")
    classify(entry, "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "SA07", "1.2.250.1.71.4.2.4", "Cabinet individuel")
    classify(entry, "cccf5598-8b07-4b77-a05e-ae952c785ead", "AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire")
    classify(entry, "f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25", "Normal")
    identify(entry, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry.patientId", cx)
    identify(entry, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", "XDSDocumentEntry.uniqueId", unique_id)
    return entry


CLASS, TYPE, FORMAT = (
    "41a5887f-8865-4c09-adf7-e362475b143a",
    "f0306f51-975f-434e-a61c-c59651d33983",
    "a09d5840-386c-46f2-b5ad-9c3699a4309d",
)
EVENT, CONFIDENTIALITY = "2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4", "f4f85eac-e6cb-4883-b524-f2705394840f"
FACILITY, PRACTICE = "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "cccf5598-8b07-4b77-a05e-ae952c785ead"
MASKS = "1.2.250.1.213.1.1.4.13"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"


def metadata(draft: Draft, signature_id: str) -> E:
    request = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM, "rim": RIM})
    listed = _add(request, "RegistryObjectList")
    package = _add(listed, "RegistryPackage", id="SubmissionSet01")
    slot(package, "submissionTime", utc(draft.now))
    _name(package, "Bilan initial")
    author(package, "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d")
    classify(package, "aa543740-bdda-424e-8c96-df4873be8500", "07", "1.2.250.1.213.2.2", "Consultations soins externes")
    cx = f"{draft.ins}^^^&{draft.oid}&ISO^NH"
    identify(package, "6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet.patientId", cx)
    identify(package, "554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet.sourceId", SOURCE)
    identify(package, "96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet.uniqueId", draft.set_id)
    _add(
        listed,
        "Classification",
        id="mark",
        classifiedObject="SubmissionSet01",
        classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    )
    names = (
        ("Document01", "Signature01") if draft.symbolic else (f"urn:uuid:{uuid.uuid4()}", f"urn:uuid:{uuid.uuid4()}")
    )
    _document_entry(listed, draft, names[0])
    _signature_entry(listed, draft, names[1], signature_id)
    associate(listed, HAS_MEMBER, "SubmissionSet01", names[0], original=True)
    associate(listed, HAS_MEMBER, "SubmissionSet01", names[1], original=True)
    associate(listed, SIGNS, names[1], "SubmissionSet01")
    if draft.replaces:
        associate(listed, RPLC, names[0], draft.replaces[0])
    return request


def _document_entry(listed: E, draft: Draft, name: str) -> None:
    entry = _entry(listed, name, draft, draft.document_id, "Bilan initial")
    classify(entry, CLASS, "10", "1.2.250.1.213.1.1.4.1", "Compte rendu")
    classify(entry, TYPE, "47420-5", "2.16.840.1.113883.6.1", "CR de bilan fonctionnel")
    if draft.pdf is not None:
        classify(entry, FORMAT, "urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3", "PDF/A-1")
    else:
        system = "1.2.250.1.213.1.1.4.2.282"
        classify(entry, FORMAT, "urn:asipSante:modelesHorsProfils:2011", system, "Hors modèle")


def _signature_entry(listed: E, draft: Draft, name: str, signature_id: str) -> None:
    entry = _entry(listed, name, draft, signature_id, "Source")
    classify(entry, CLASS, "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN", "Digital Signature")
    classify(entry, TYPE, "E1762", "ASTM", "Full Document")
    classify(entry, FORMAT, DS, "URN", "Default Signature Style")
    classify(entry, EVENT, "1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12", "Source")
    classify(entry, CONFIDENTIALITY, "MASQUE_PS", MASKS, "Masqué aux professionnels de santé")
    classify(entry, CONFIDENTIALITY, "INVISIBLE_PATIENT", MASKS, "Non visible par le patient")


# ------------------------------------------------------------------------------------------- XAdES


def c14n(element: E, *, exclusive: bool = False, comments: bool = False) -> bytes:
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    return etree.tostring(copy, method="c14n", exclusive=exclusive, with_comments=comments)


def _ds(parent: E, name: str, text: str | None = None, /, **attributes: str) -> E:
    found = etree.SubElement(parent, f"{{{DS}}}{name}", attributes)
    found.text = text
    return found


def _digest(parent: E, profile: dict[str, Any], value: str) -> None:
    _ds(parent, "DigestMethod", Algorithm=profile["digest"])
    _ds(parent, "DigestValue", value)


def b64_hash(profile: dict[str, Any], data: bytes) -> str:
    return base64.b64encode(hashlib.new(profile["name"], data).digest()).decode()


def xades(draft: Draft, documents: dict[str, bytes]) -> bytes:
    """The signature of a submission set; `manifest` edits its objects before they are digested."""
    profile = PROFILES[draft.profile]
    root = etree.Element(f"{{{DS}}}Signature", {"Id": "sig"}, nsmap={"ds": DS, "xad": profile["xades"]})
    info = _ds(root, "SignedInfo")
    value = _ds(root, "SignatureValue")
    _ds(_ds(_ds(root, "KeyInfo"), "X509Data"), "X509Certificate", draft.sign.base64)
    manifest = _manifest(root, draft, profile, documents)
    properties = _ds(_ds(root, "Object"), "SignatureProperties")
    purpose = _ds(properties, "SignatureProperty", Id="purposeOfSignature", Target="#sig")
    purpose.text = "1.2.840.10065.1.12.1.14"
    signed = _properties(root, draft, profile)
    draft.edit("manifest", root)
    _ds(info, "CanonicalizationMethod", Algorithm=C14N_COMMENTS)
    _ds(info, "SignatureMethod", Algorithm=profile["signature"])
    for uri, kind, element in (
        ("#IHEManifest", "http://www.w3.org/2000/09/xmldsig#Manifest", manifest),
        ("#S0-SignedProperties", profile["type"], signed),
    ):
        _digest(_ds(info, "Reference", URI=uri, Type=kind), profile, b64_hash(profile, c14n(element)))
    draft.edit("signed_info", root)
    value.text = draft.sign.sign(c14n(info, comments=True), profile["hash"])
    draft.edit("xades", root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _manifest(root: E, draft: Draft, profile: dict[str, Any], documents: dict[str, bytes]) -> E:
    manifest = _ds(_ds(root, "Object"), "Manifest", Id="IHEManifest")
    _digest(_ds(manifest, "Reference", URI=f"urn:oid:{draft.set_id}"), profile, "AA==")
    for unique_id, content in documents.items():
        reference = _ds(manifest, "Reference", URI=f"urn:oid:{unique_id}")
        _ds(_ds(reference, "Transforms"), "Transform", Algorithm=C14N_COMMENTS)
        tree = etree.fromstring(content, HUGE).getroottree()
        canonical = etree.tostring(tree, method="c14n", with_comments=True)
        _digest(reference, profile, b64_hash(profile, canonical))
    return manifest


def _properties(root: E, draft: Draft, profile: dict[str, Any]) -> E:
    def add(parent: E, name: str, text: str | None = None, /, **attributes: str) -> E:
        found = etree.SubElement(parent, f"{{{profile['xades']}}}{name}", attributes)
        found.text = text
        return found

    certificate = draft.sign.certificate
    holder = add(_ds(root, "Object"), "QualifyingProperties", Target="#sig")
    signed = add(holder, "SignedProperties", Id="S0-SignedProperties")
    inside = add(signed, "SignedSignatureProperties")
    add(inside, "SigningTime", iso(draft.now))
    cert = add(add(inside, "SigningCertificate"), "Cert")
    digest = add(cert, "CertDigest")
    fingerprint = base64.b64encode(certificate.fingerprint(profile["hash"])).decode()
    if draft.profile == "legacy":
        add(digest, "DigestMethod", Algorithm=profile["digest"])
        add(digest, "DigestValue", fingerprint)
    else:
        _digest(digest, profile, fingerprint)
    serial = add(cert, "IssuerSerial")
    _ds(serial, "X509IssuerName", certificate.issuer.rfc4514_string())
    _ds(serial, "X509SerialNumber", str(certificate.serial_number))
    add(add(inside, "SignaturePolicyIdentifier"), "SignaturePolicyImplied")
    add(signed, "SignedDataObjectProperties")
    return signed


# -------------------------------------------------------------------------------------------- VIHF


def vihf(draft: Draft) -> E:
    signer = draft.vihf_sign or draft.sign
    root = etree.Element(f"{{{SAML}}}Assertion", nsmap={"saml2": SAML})
    root.set("ID", f"_{uuid.uuid4()}")
    root.set("IssueInstant", iso(draft.now))
    root.set("Version", "2.0")

    def add(parent: E, name: str, text: str | None = None, /, **attributes: str) -> E:
        found = etree.SubElement(parent, f"{{{SAML}}}{name}", attributes)
        found.text = text
        return found

    add(
        root,
        "Issuer",
        signer.certificate.subject.rfc4514_string(),
        Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName",
    )
    direct = draft.mode == "DIRECTE"
    add(add(root, "Subject"), "NameID", PS if direct else f"{STRUCTURE}/poste-1")
    add(
        root,
        "Conditions",
        NotBefore=iso(draft.now - timedelta(minutes=1)),
        NotOnOrAfter=iso(draft.now + timedelta(minutes=30)),
    )
    context = add(add(root, "AuthnStatement", AuthnInstant=iso(draft.now)), "AuthnContext")
    kind = "SmartcardPKI" if direct else "TLSClient"
    add(context, "AuthnContextClassRef", f"urn:oasis:names:tc:SAML:2.0:ac:classes:{kind}")
    statement = add(root, "AttributeStatement")
    for name, value in _attributes(draft).items():
        attribute = add(add(statement, "Attribute", Name=name), "AttributeValue")
        if isinstance(value, str):
            attribute.text = value
        else:
            attribute.append(value)
    draft.edit("vihf", root)
    _sign_assertion(root, signer, PROFILES[draft.vihf_profile])
    draft.edit("vihf_signed", root)
    return root


def coded(name: str, code: str, system: str, display: str) -> E:
    found = etree.Element(f"{{{HL7}}}{name}", nsmap={None: HL7, "xsi": XSI})
    found.set(f"{{{XSI}}}type", "CE")
    for key, value in (("code", code), ("codeSystem", system), ("displayName", display)):
        found.set(key, value)
    return found


ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
SUBJECT_ID = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"


def _attributes(draft: Draft) -> dict[str, Any]:
    return {
        "VIHF_Version": "3.0",
        "Authentification_Mode": draft.mode,
        "Identifiant_Structure": STRUCTURE,
        "Secteur_Activite": "SA07^1.2.250.1.71.4.2.4",
        SUBJECT_ID: "TESTOU Gwenaël",
        ROLE: coded("Role", "70", "1.2.250.1.71.1.2.7", "Masseur-Kinésithérapeute"),
        RESOURCE: f"{draft.ins}^^^&{draft.oid}&ISO^NH",
        "Ressource_URN": "urn:dmp",
        PURPOSE: coded("PurposeOfUse", "normal", "1.2.250.1.213.1.1.4.248", "Accès normal"),
        "LPS_Nom": "Logiciel d'essai",
        "LPS_Version": "1.0",
        "LPS_ID_HOMOLOGATION_DMP": "ESSAI-0001",
    }


def _sign_assertion(root: E, signer: Identity, profile: dict[str, Any]) -> None:
    """Enveloped signature, exclusive c14n, right after Issuer."""
    digest = b64_hash(profile, c14n(root, exclusive=True))
    signature = etree.Element(f"{{{DS}}}Signature", nsmap={"ds": DS})
    info = _ds(signature, "SignedInfo")
    _ds(info, "CanonicalizationMethod", Algorithm=EXC)
    _ds(info, "SignatureMethod", Algorithm=profile["signature"])
    reference = _ds(info, "Reference", URI=f"#{root.get('ID')}")
    transforms = _ds(reference, "Transforms")
    _ds(transforms, "Transform", Algorithm=f"{DS}enveloped-signature")
    _ds(transforms, "Transform", Algorithm=EXC)
    _digest(reference, profile, digest)
    _ds(signature, "SignatureValue", signer.sign(c14n(info, exclusive=True), profile["hash"]))
    _ds(_ds(_ds(signature, "KeyInfo"), "X509Data"), "X509Certificate", signer.base64)
    root.insert(1, signature)


# ---------------------------------------------------------------------------------------- envelope


def envelope(draft: Draft, payload: E, assertion: E) -> bytes:
    root = etree.Element(f"{{{ENV}}}Envelope", nsmap={"s": ENV, "wsa": WSA, "wsse": WSSE})
    header = etree.SubElement(root, f"{{{ENV}}}Header")
    action = etree.SubElement(header, f"{{{WSA}}}Action")
    action.set(f"{{{ENV}}}mustUnderstand", "true")
    action.text = draft.action
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = f"urn:uuid:{uuid.uuid4()}"
    etree.SubElement(header, f"{{{WSA}}}To").text = f"https://127.0.0.1{ROOT}{draft.service}"
    reply = etree.SubElement(header, f"{{{WSA}}}ReplyTo")
    etree.SubElement(reply, f"{{{WSA}}}Address").text = f"{WSA}/anonymous"
    etree.SubElement(header, f"{{{WSSE}}}Security").append(assertion)
    etree.SubElement(root, f"{{{ENV}}}Body").append(payload)
    draft.edit("envelope", root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def feed(draft: Draft) -> Built:
    """A whole ITI-41 request."""
    document = cda(draft)
    signature_id = new_oid()
    signature = xades(draft, {draft.document_id: document})
    document = draft.edit("document", document)
    signature = draft.edit("signature", signature)
    submit = draft.edit("metadata", metadata(draft, signature_id))
    payload = etree.Element(f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest", nsmap={"xds": XDSB})
    payload.append(submit)
    ids = [item.get("id", "") for item in submit.iter(f"{{{RIM}}}ExtrinsicObject")]
    contents = [f"doc{number}@essai" for number in range(1, len(ids) + 1)]
    for identifier, content_id in zip(ids, contents, strict=True):
        element = etree.SubElement(payload, f"{{{XDSB}}}Document", id=identifier)
        etree.SubElement(element, f"{{{XOP}}}Include", href=f"cid:{content_id.replace('@', '%40')}")
    payload = draft.edit("payload", payload)
    assertion = vihf(draft)
    soap = envelope(draft, payload, assertion)
    parts = _parts(soap, dict(zip(contents, (document, signature), strict=False)))
    content_type, body = _mime(draft, parts)
    return Built(ROOT + draft.service, content_type, body, document, signature, assertion, soap)


def _parts(soap: bytes, documents: dict[str, bytes]) -> list[list[Any]]:
    root = {
        "Content-Type": 'application/xop+xml; charset=UTF-8; type="application/soap+xml"',
        "Content-Transfer-Encoding": "binary",
        "Content-ID": "<root@essai>",
    }
    parts: list[list[Any]] = [[root, soap]]
    for name, content in documents.items():
        headers = {"Content-Type": "text/xml", "Content-Transfer-Encoding": "binary", "Content-ID": f"<{name}>"}
        parts.append([headers, content])
    return parts


def _mime(draft: Draft, parts: list[list[Any]]) -> tuple[str, bytes]:
    draft.edit("parts", parts)
    body = b""
    for headers, content in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body += b"--frontier\r\n" + lines.encode() + b"\r\n" + content + b"\r\n"
    body += b"--frontier--\r\n"
    content_type = (
        'multipart/related; type="application/xop+xml"; boundary="frontier"; start="<root@essai>"; '
        f'start-info="application/soap+xml"; action="{draft.action}"'
    )
    return draft.edit("content_type", content_type), draft.edit("body", body)


def existence(draft: Draft) -> Built:
    """A whole TD0.2 request (plain SOAP)."""
    draft.action, draft.service = EXISTS, "patients"
    text = f"""<PRPA_IN201307UV02 xmlns="{HL7}" ITSVersion="XML_1.0"><id root="{uuid.uuid4()}"/>
<creationTime value="{utc(draft.now)}"/><interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201307UV02"/>
<processingCode code="D"/><processingModeCode code="T"/><acceptAckCode code="AL"/>
<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.250.1.213.4.1.1.1"/>
<softwareName>DMP</softwareName></device></receiver>
<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="{SOURCE}"/></device></sender>
<controlActProcess classCode="CACT" moodCode="RQO"><code code="PRPA_TE201307UV02" codeSystem="2.16.840.1.113883.1.6"/>
<reasonCode code="TEST_EXST" codeSystem="1.2.250.1.213.1.1.4.11"/>
<queryByParameter><queryId root="{SOURCE}" extension="Q1"/><statusCode code="new"/><parameterList><patientIdentifier>
<value root="{draft.oid}" extension="{draft.ins}"/><semanticsText>Patient.id</semanticsText></patientIdentifier>
</parameterList></queryByParameter></controlActProcess></PRPA_IN201307UV02>"""
    payload = draft.edit("payload", etree.fromstring(text))
    assertion = vihf(draft)
    soap = envelope(draft, payload, assertion)
    content_type = f'application/soap+xml; charset=UTF-8; action="{EXISTS}"'
    return Built(ROOT + draft.service, draft.edit("content_type", content_type), soap, b"", b"", assertion, soap)
