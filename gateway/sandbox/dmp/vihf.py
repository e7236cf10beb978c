"""VIHF: the SAML 2.0 assertion that every DMP request carries (spec dmp §1.4).

Order of the checks: one assertion, one signature that covers it (anti-wrapping), a trusted signature
certificate, the signature itself by signxml, and only then what the assertion says, read from the bytes
that the signature covers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from gateway.sandbox.certificates import CertificateError, check_signer, load_der, same_name
from gateway.sandbox.dmp.soap import NS as SOAP_NS
from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.dmp.vihf_content import Vihf, read_content
from gateway.sandbox.xml import EXC_C14N, Element, children, reroot, text

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
NS = {"saml": SAML, "ds": DS}

# Place of each child of an assertion in the schema's sequence.
_RANKS = {
    f"{{{SAML}}}Issuer": 1,
    f"{{{DS}}}Signature": 2,
    f"{{{SAML}}}Subject": 3,
    f"{{{SAML}}}Conditions": 4,
    f"{{{SAML}}}AuthnStatement": 5,
    f"{{{SAML}}}AttributeStatement": 5,
}

INVALID = "wsse:InvalidSecurity"
INVALID_TOKEN = "wsse:InvalidSecurityToken"  # noqa: S105 a fault code of OASIS WSS, not a secret
FAILED = "wsse:FailedCheck"

_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_TRANSFORMS = ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXC_C14N]


class _Verifier(XMLVerifier):
    """signxml refuses SHA-1 before looking at the expected algorithms; the legacy profile needs it."""

    def check_signature_alg_expected(self, signature_alg: SignatureMethod) -> None:
        if signature_alg not in self.config.signature_methods:
            raise SignXMLException(f"algorithme de signature non permis : {signature_alg.value}")

    def check_digest_alg_expected(self, digest_alg: DigestAlgorithm) -> None:
        if digest_alg not in self.config.digest_algorithms:
            raise SignXMLException(f"algorithme d'empreinte non permis : {digest_alg.value}")


@dataclass(frozen=True, slots=True)
class VihfPolicy:
    """What the checker trusts and tolerates."""

    authority: x509.Certificate
    now: Callable[[], datetime]
    legacy: bool = True
    skew: timedelta = timedelta(minutes=5)
    life: timedelta = timedelta(hours=1)

    @property
    def configuration(self) -> SignatureConfiguration:
        """Algorithms: RSA-SHA256 and SHA-256, and the SHA-1 pair of the 2019 samples when legacy is on."""
        methods = {SignatureMethod.RSA_SHA256} | ({SignatureMethod.RSA_SHA1} if self.legacy else set())
        digests = {DigestAlgorithm.SHA256} | ({DigestAlgorithm.SHA1} if self.legacy else set())
        return SignatureConfiguration(
            location="./",
            expect_references=1,
            signature_methods=frozenset(methods),
            digest_algorithms=frozenset(digests),
        )


def check_vihf(envelope: Element, header: Element, policy: VihfPolicy) -> Vihf:
    """Verify the assertion of a request and return what it says. Raises SoapFault."""
    assertion = _one_assertion(envelope, header)
    signature = _one_signature(assertion)
    _check_reference(envelope, assertion, signature)
    certificate = _signing_certificate(signature, policy)
    signed = _verified(assertion, certificate, policy)
    _check_order(signed)
    _check_issuer(signed, certificate)
    _check_window(signed, policy)
    return read_content(signed, certificate)


def _one_assertion(envelope: Element, header: Element) -> Element:
    blocks = header.findall("wsse:Security", SOAP_NS)
    if len(blocks) != 1:
        raise SoapFault("Un seul en-tête wsse:Security attendu", INVALID)
    found = blocks[0].findall("saml:Assertion", NS)
    everywhere = list(envelope.iter(f"{{{SAML}}}Assertion"))
    if len(found) != 1 or len(everywhere) != 1:
        raise SoapFault("VIHF : une assertion SAML et une seule est attendue dans wsse:Security", INVALID)
    return found[0]


def _one_signature(assertion: Element) -> Element:
    inside = children(assertion)
    signatures = list(assertion.iter(f"{{{DS}}}Signature"))
    if len(signatures) != 1 or len(inside) < 2 or inside[1] is not signatures[0]:
        raise SoapFault("VIHF : une ds:Signature, juste après Issuer, est attendue", INVALID)
    if inside[0].tag != f"{{{SAML}}}Issuer":
        raise SoapFault("VIHF : Issuer doit être le premier élément", INVALID_TOKEN)
    return signatures[0]


def _check_reference(envelope: Element, assertion: Element, signature: Element) -> None:
    """One reference, to this assertion's ID, which no other element of the message bears (wrapping)."""
    identifier = assertion.get("ID", "")
    same = envelope.xpath("//*[@ID=$id or @Id=$id or @id=$id or @AssertionID=$id]", id=identifier)
    assert isinstance(same, list)
    if not identifier or len(same) != 1:
        raise SoapFault("VIHF : attribut ID absent ou utilisé deux fois dans le message", FAILED)
    references = signature.findall("ds:SignedInfo/ds:Reference", NS)
    if len(references) != 1 or references[0].get("URI") != f"#{identifier}":
        raise SoapFault("VIHF : la signature ne porte pas sur l'assertion elle-même", FAILED)
    transforms = [t.get("Algorithm") for t in references[0].findall("ds:Transforms/ds:Transform", NS)]
    if transforms != _TRANSFORMS:
        raise SoapFault("VIHF : transformations enveloped-signature puis exc-c14n attendues", FAILED)


def _signing_certificate(signature: Element, policy: VihfPolicy) -> x509.Certificate:
    found = signature.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NS)
    if len(found) != 1:
        raise SoapFault("VIHF : un certificat X509 attendu dans KeyInfo", INVALID_TOKEN)
    try:
        certificate = load_der(base64.b64decode("".join(text(found[0]).split())))
        check_signer(certificate, policy.authority, policy.now())
    except (CertificateError, ValueError) as fault:
        raise SoapFault(f"Le certificat ayant signé le VIHF est invalide : {fault}", FAILED) from fault
    return certificate


def _verified(assertion: Element, certificate: x509.Certificate, policy: VihfPolicy) -> Element:
    """The assertion as the signature covers it; nothing outside these bytes is read afterwards."""
    try:
        result = _Verifier().verify(
            reroot(assertion),
            x509_cert=certificate,
            id_attribute="ID",
            expect_config=policy.configuration,
        )
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, LookupError, AttributeError) as fault:
        # signxml reads hostile XML with little ceremony: an absent element may surface as any of these.
        raise SoapFault("VIHF : signature invalide", FAILED) from fault
    assert not isinstance(result, list)
    signed = result.signed_xml
    if signed is None or signed.tag != f"{{{SAML}}}Assertion" or signed.get("ID") != assertion.get("ID"):
        raise SoapFault("VIHF : la signature ne couvre pas l'assertion", FAILED)
    return signed


def _check_order(assertion: Element) -> None:
    """The sequence of the SAML 2.0 schema, one Subject in it (SAML core §2.3.3)."""
    ranks = [_RANKS.get(str(child.tag), 0) for child in children(assertion)]
    if 0 in ranks or ranks != sorted(ranks) or ranks.count(_RANKS[f"{{{SAML}}}Subject"]) != 1:
        raise SoapFault("VIHF : Issuer, Signature, Subject, Conditions puis déclarations attendus", INVALID_TOKEN)


def _check_issuer(assertion: Element, certificate: x509.Certificate) -> None:
    issuer = assertion.find("saml:Issuer", NS)
    if issuer is None or issuer.get("Format") != _SUBJECT_NAME:
        raise SoapFault(f"VIHF : Issuer/@Format {_SUBJECT_NAME} attendu", INVALID_TOKEN)
    if not same_name(text(issuer), certificate.subject):
        raise SoapFault("VIHF : Issuer diffère du DN (RFC 2253) du certificat signataire", FAILED)


def _check_window(assertion: Element, policy: VihfPolicy) -> None:
    now = policy.now()
    issued = _instant(assertion.get("IssueInstant", ""), "IssueInstant")
    if issued > now + policy.skew:
        raise SoapFault("VIHF : IssueInstant dans le futur", FAILED)
    if issued < now - policy.life - policy.skew:
        raise SoapFault("VIHF : assertion trop ancienne", FAILED)
    for statement in assertion.findall("saml:AuthnStatement", NS):
        if _instant(statement.get("AuthnInstant", ""), "AuthnInstant") > now + policy.skew:
            raise SoapFault("VIHF : AuthnInstant dans le futur", FAILED)
    conditions = assertion.findall("saml:Conditions", NS)
    if len(conditions) > 1:
        raise SoapFault("VIHF : Conditions répété", INVALID_TOKEN)
    for element in conditions:
        _check_conditions(element, now, policy.skew)


def _check_conditions(conditions: Element, now: datetime, skew: timedelta) -> None:
    unknown = set(map(str, conditions.attrib)) - {"NotBefore", "NotOnOrAfter"}
    if unknown:
        raise SoapFault(f"VIHF : attribut de Conditions inconnu ({', '.join(unknown)})", INVALID_TOKEN)
    if children(conditions):
        raise SoapFault("VIHF : Conditions doit rester vide (AudienceRestriction non admis)", INVALID_TOKEN)
    start, end = conditions.get("NotBefore"), conditions.get("NotOnOrAfter")
    if start and _instant(start, "NotBefore") > now + skew:
        raise SoapFault("VIHF : assertion pas encore valable (NotBefore)", FAILED)
    if end and _instant(end, "NotOnOrAfter") <= now - skew:
        raise SoapFault("VIHF : assertion expirée (NotOnOrAfter)", FAILED)


def _instant(value: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as fault:
        raise SoapFault(f"VIHF : {name} n'est pas une date xsd:dateTime", INVALID_TOKEN) from fault
    if moment.tzinfo is None:
        raise SoapFault(f"VIHF : {name} sans fuseau (UTC attendu)", INVALID_TOKEN)
    return moment
