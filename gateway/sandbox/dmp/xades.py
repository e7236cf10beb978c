"""XAdES signature of a submission set: every digest recomputed on the bytes received (spec dmp §2).

Own code: no library reads the DMP manifest, and xmlsec does not fail on a wrong digest inside a
ds:Manifest. Two profiles: `legacy` (SHA-1, XAdES 1.1.1) and `modern` (SHA-256, XAdES 1.3.2).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.sandbox.certificates import CertificateError, check_signer, load_der, person_of, same_name, structure_of
from gateway.sandbox.problems import CONTENT, Problem
from gateway.sandbox.xml import (
    C14N,
    CANONICALISATIONS,
    Element,
    XmlError,
    canonical_document,
    canonical_part,
    canonical_signed_info,
    children,
    local,
    namespace,
    parse,
    text,
)

DS = "http://www.w3.org/2000/09/xmldsig#"
NS = {"ds": DS}
MANIFEST_TYPE = "http://www.w3.org/2000/09/xmldsig#Manifest"
PURPOSE = "1.2.840.10065.1.12.1.14"


@dataclass(frozen=True, slots=True)
class Profile:
    """Algorithms and namespaces that go together."""

    xades: str
    properties_type: str
    signature: str
    digest: str
    hash_name: str
    hash: hashes.HashAlgorithm


PROFILES = {
    "legacy": Profile(
        "http://uri.etsi.org/01903/v1.1.1#",
        "http://uri.etsi.org/01903/v1.1.1#SignedProperties",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "sha1",
        hashes.SHA1(),  # noqa: S303 the legacy profile of the DMP is SHA-1
    ),
    "modern": Profile(
        "http://uri.etsi.org/01903/v1.3.2#",
        "http://uri.etsi.org/01903#SignedProperties",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "sha256",
        hashes.SHA256(),
    ),
}


@dataclass(frozen=True, slots=True)
class SignedSet:
    """What the signature must cover: the set, its documents as received, and who may sign.

    `documents`: uniqueId to bytes and MIME type. `creation_time`: that of the signature's own entry, in UTC.
    """

    unique_id: str
    documents: Mapping[str, tuple[bytes, str]]
    signer: str
    direct: bool
    creation_time: str


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """What the checker trusts. `window`: how long a set may wait in the sender's retries."""

    authority: x509.Certificate
    now: Callable[[], datetime]
    profiles: tuple[str, ...] = ("legacy", "modern")
    skew: timedelta = timedelta(minutes=5)
    window: timedelta = timedelta(days=15)


class _RefusedError(ValueError):
    """A defect of the signature, in French."""


def check_signature(data: bytes, expected: SignedSet, policy: SignaturePolicy) -> list[Problem]:
    """The defect of a signature document, as a list of at most one problem."""
    try:
        _Check(parse(data), expected, policy).run()
    except (_RefusedError, XmlError, CertificateError) as fault:
        return [Problem(CONTENT, f"Signature[{expected.unique_id}]", f"Signature du lot : {fault}")]
    return []


class _Check:
    """The checks of one signature, in the order in which each may rely on the previous ones."""

    def __init__(self, root: Element, expected: SignedSet, policy: SignaturePolicy) -> None:
        self.root = root
        self.expected = expected
        self.policy = policy

    def run(self) -> None:
        """Raise at the first defect."""
        if self.root.tag != f"{{{DS}}}Signature" or not self.root.get("Id"):
            raise _RefusedError("élément racine ds:Signature avec Id attendu")
        self._check_unique_ids()
        properties = self._qualifying()
        manifest, signed = self._references(properties)
        certificate = self._certificate()
        self._check_value(certificate)
        at = self._check_properties(signed, certificate)
        check_signer(certificate, self.policy.authority, at)
        self._check_holder(certificate)
        self._check_purpose()
        self._check_manifest(manifest)

    def _check_unique_ids(self) -> None:
        ids = [item.get("Id") for item in self.root.iter() if item.get("Id")]
        if len(ids) != len(set(ids)):
            raise _RefusedError("attribut Id répété")

    def _qualifying(self) -> Element:
        """QualifyingProperties, whose namespace says which profile the sender follows."""
        found = [i for o in self.root.findall("ds:Object", NS) for i in children(o)]
        properties = [item for item in found if local(item) == "QualifyingProperties"]
        if len(properties) != 1 or properties[0].get("Target") != f"#{self.root.get('Id')}":
            raise _RefusedError("un QualifyingProperties qui vise la signature est attendu")
        spaces = {PROFILES[name].xades: PROFILES[name] for name in self.policy.profiles}
        if namespace(properties[0]) not in spaces:
            raise _RefusedError(f"version XAdES non acceptée : {namespace(properties[0])}")
        self.profile = spaces[namespace(properties[0])]
        return properties[0]

    def _references(self, properties: Element) -> tuple[Element, Element]:
        """Both references, of the right types, each digest right; the elements that they cover."""
        references = self.root.findall("ds:SignedInfo/ds:Reference", NS)
        types = [item.get("Type", "") for item in references]
        if sorted(types) != sorted([MANIFEST_TYPE, self.profile.properties_type]):
            raise _RefusedError("deux références attendues : Manifest et SignedProperties, avec leur Type")
        covered = {item.get("Type", ""): self._covered(item) for item in references}
        manifest, signed = covered[MANIFEST_TYPE], covered[self.profile.properties_type]
        if manifest.tag != f"{{{DS}}}Manifest":
            raise _RefusedError("la référence de type Manifest ne désigne pas un ds:Manifest")
        if signed.tag != f"{{{self.profile.xades}}}SignedProperties" or signed.getparent() is not properties:
            raise _RefusedError("la référence de type SignedProperties ne désigne pas celles de la signature")
        return manifest, signed

    def _covered(self, reference: Element) -> Element:
        uri = reference.get("URI", "")
        found = [item for item in self.root.iter() if item.get("Id") == uri[1:]]
        if not uri.startswith("#") or len(found) != 1:
            raise _RefusedError(f"référence {uri or 'vide'} introuvable")
        # Without a transform, a same-document reference is canonicalised by inclusive c14n (XMLDSig §4.3.3.2).
        algorithm = self._transform(reference)
        if not self._digest_matches(reference, canonical_part(found[0], algorithm or C14N)):
            raise _RefusedError(f"empreinte fausse pour {uri}")
        return found[0]

    def _transform(self, reference: Element) -> str:
        """The only transform admitted is a canonicalisation; empty when there is none."""
        found = [t.get("Algorithm", "") for t in reference.findall("ds:Transforms/ds:Transform", NS)]
        if len(found) > 1 or any(item not in CANONICALISATIONS for item in found):
            raise _RefusedError("transformation non admise (canonicalisation seule)")
        return found[0] if found else ""

    def _digest_matches(self, reference: Element, data: bytes) -> bool:
        method = reference.find("ds:DigestMethod", NS)
        if method is None or method.get("Algorithm") != self.profile.digest:
            raise _RefusedError(f"algorithme d'empreinte {self.profile.digest} attendu")
        value = _decode(text(reference.find("ds:DigestValue", NS)))
        return value == hashlib.new(self.profile.hash_name, data).digest()

    def _certificate(self) -> x509.Certificate:
        found = self.root.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NS)
        if not found:
            raise _RefusedError("certificat X509 absent de KeyInfo")
        return load_der(_decode(text(found[0])))

    def _check_value(self, certificate: x509.Certificate) -> None:
        info = self.root.find("ds:SignedInfo", NS)
        assert info is not None  # its references were found
        method = info.find("ds:SignatureMethod", NS)
        if method is None or method.get("Algorithm") != self.profile.signature:
            raise _RefusedError(f"algorithme de signature {self.profile.signature} attendu")
        canonical = info.find("ds:CanonicalizationMethod", NS)
        algorithm = canonical.get("Algorithm", "") if canonical is not None else ""
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise _RefusedError("clé RSA attendue")
        value = _decode(text(self.root.find("ds:SignatureValue", NS)))
        try:
            key.verify(value, canonical_signed_info(info, algorithm), padding.PKCS1v15(), self.profile.hash)
        except InvalidSignature as fault:
            raise _RefusedError("valeur de signature fausse") from fault

    def _check_properties(self, signed: Element, certificate: x509.Certificate) -> datetime:
        """SigningTime, SigningCertificate, implied policy; returns the signing time."""
        xades = {"x": self.profile.xades, "ds": DS}
        inside = signed.find("x:SignedSignatureProperties", xades)
        if inside is None:
            raise _RefusedError("SignedSignatureProperties absent")
        self._check_signing_certificate(inside, certificate, xades)
        policy = inside.find("x:SignaturePolicyIdentifier/x:SignaturePolicyImplied", xades)
        if policy is None:
            raise _RefusedError("SignaturePolicyImplied absent")
        at = _moment(text(inside.find("x:SigningTime", xades)))
        now = self.policy.now()
        if at > now + self.policy.skew:
            raise _RefusedError("SigningTime dans le futur")
        if at.strftime("%Y%m%d%H%M%S") != self.expected.creation_time:
            raise _RefusedError("SigningTime diffère du creationTime de la fiche de signature")
        if at < now - self.policy.window:
            raise _RefusedError(f"SigningTime antérieur à {self.policy.window.days} jours")
        return at

    def _check_signing_certificate(self, inside: Element, certificate: x509.Certificate, xades: dict[str, str]) -> None:
        """First Cert: digest and issuer/serial of the KeyInfo certificate (XAdES §7.2.2)."""
        cert = inside.find("x:SigningCertificate/x:Cert", xades)
        if cert is None:
            raise _RefusedError("SigningCertificate/Cert absent")
        # XAdES 1.1.1 puts DigestMethod and DigestValue in its own namespace, later versions in ds.
        values = {local(item): item for item in cert.iter() if isinstance(item.tag, str)}
        method = values.get("DigestMethod")
        if method is None or method.get("Algorithm") != self.profile.digest:
            raise _RefusedError("SigningCertificate : algorithme d'empreinte inattendu")
        if _decode(text(values.get("DigestValue"))) != certificate.fingerprint(self.profile.hash):
            raise _RefusedError("SigningCertificate ne désigne pas le certificat de KeyInfo")
        serial = text(values.get("X509SerialNumber"))
        issuer = text(values.get("X509IssuerName"))
        if serial != str(certificate.serial_number) or not same_name(issuer, certificate.issuer):
            raise _RefusedError("SigningCertificate : émetteur ou numéro de série différent de KeyInfo")

    def _check_holder(self, certificate: x509.Certificate) -> None:
        holder = person_of(certificate) if self.expected.direct else structure_of(certificate)
        # An unreadable author is reported with the metadata.
        if self.expected.signer and holder != self.expected.signer:
            who = "l'auteur" if self.expected.direct else "la structure"
            raise _RefusedError(f"le signataire n'est pas {who} du lot de soumission")

    def _check_purpose(self) -> None:
        target = f"#{self.root.get('Id')}"
        found = self.root.findall("ds:Object/ds:SignatureProperties/ds:SignatureProperty", NS)
        if not any(item.get("Target") == target and _whole_text(item) == PURPOSE for item in found):
            raise _RefusedError(f"SignatureProperty {PURPOSE} (signature de la source) absente")

    def _check_manifest(self, manifest: Element) -> None:
        references = manifest.findall("ds:Reference", NS)
        uris = [item.get("URI", "").removeprefix("urn:oid:") for item in references]
        if not references or references[0].get("URI") != f"urn:oid:{self.expected.unique_id}":
            raise _RefusedError("première référence du manifeste : urn:oid:<uniqueId du lot> attendu")
        if _decode(text(references[0].find("ds:DigestValue", NS))) != b"\x00":
            raise _RefusedError("première référence du manifeste : DigestValue AA== attendu")
        if sorted(uris[1:]) != sorted(self.expected.documents):
            raise _RefusedError("le manifeste ne désigne pas exactement les documents du lot")
        for uri, reference in zip(uris[1:], references[1:], strict=True):
            self._check_document(reference, *self.expected.documents[uri])

    def _check_document(self, reference: Element, content: bytes, mime: str) -> None:
        algorithm = self._transform(reference)
        if bool(algorithm) != (mime in _XML_TYPES):
            raise _RefusedError("manifeste : canonicalisation attendue pour un XML, aucune pour un binaire")
        data = canonical_document(content, algorithm) if algorithm else content
        if not self._digest_matches(reference, data):
            raise _RefusedError(f"empreinte fausse pour le document {reference.get('URI')}")


_XML_TYPES = {"text/xml", "application/xslt+xml"}


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError as fault:  # binascii.Error, and ValueError itself for text that is not ASCII
        raise _RefusedError("base64 illisible") from fault


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as fault:
        raise _RefusedError("SigningTime illisible") from fault
    if moment.tzinfo is None:
        raise _RefusedError("SigningTime sans fuseau")
    return moment.astimezone(UTC)


def _whole_text(element: Element) -> str:
    return "".join(str(piece) for piece in element.itertext()).strip()
