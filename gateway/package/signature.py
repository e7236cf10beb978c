"""XAdES signature of a submission set, as the DMP wants it (spec dmp §2).

No library makes this document: its manifest points to documents by `urn:oid:`, which no verifier follows by
itself. So it is built here with lxml and cryptography, and verified in the tests by xmlsec as a second opinion.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from lxml import etree

from gateway.package.keys import SigningKeys, load_signing_keys
from gateway.package.xml import Element, canonical, canonical_document

DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
MANIFEST_TYPE = f"{DS}Manifest"
MANIFEST_ID = "IHEManifest"
PROPERTIES_ID = "S0-SignedProperties"
PURPOSE = "1.2.840.10065.1.12.1.14"
"""Purpose of signature "source" (ASTM E1762)."""
ZERO_DIGEST = "AA=="
"""Digest of the set itself: one zero byte, the set has no canonical form (spec dmp §2.1)."""
UNSIGNED_NOTE = " APERCU NON SIGNE : aucune cle de signature n'etait disponible. Ne pas transmettre. "

ProfileName = Literal["legacy", "modern"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Algorithms of one signature profile, by their XML identifiers."""

    xades: str
    properties_type: str
    signature: str
    digest: str
    hash_name: str

    def hash_bytes(self, data: bytes) -> str:
        """Digest in base64."""
        return base64.b64encode(hashlib.new(self.hash_name, data, usedforsecurity=False).digest()).decode()

    @property
    def algorithm(self) -> hashes.HashAlgorithm:
        """The hash that the signature value uses."""
        return hashes.SHA1() if self.hash_name == "sha1" else hashes.SHA256()  # noqa: S303 - imposed by the DMP


PROFILES: dict[ProfileName, Profile] = {
    "legacy": Profile(
        xades="http://uri.etsi.org/01903/v1.1.1#",
        properties_type="http://uri.etsi.org/01903/v1.1.1#SignedProperties",
        signature=f"{DS}rsa-sha1",
        digest=f"{DS}sha1",
        hash_name="sha1",
    ),
    "modern": Profile(
        xades="http://uri.etsi.org/01903/v1.3.2#",
        properties_type="http://uri.etsi.org/01903#SignedProperties",
        signature="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        digest="http://www.w3.org/2001/04/xmlenc#sha256",
        hash_name="sha256",
    ),
}


@dataclass(frozen=True, slots=True)
class Signed:
    """What is signed: a document's OID and its bytes. XML is digested in canonical form, anything else as it is."""

    oid: str
    data: bytes
    xml: bool = True


def sign_submission_set(
    set_oid: str,
    documents: Sequence[Signed],
    keys: SigningKeys | None,
    *,
    profile: ProfileName,
    signature_id: str,
    now: datetime,
) -> bytes:
    """The signature document as UTF-8 XML. `signature_id` must be an NCName (a UUID needs a letter or `_` first).

    Without keys the same document comes out with no signature value and no certificate, and a comment that says
    so: a preview, which `DmpChannel` refuses to send.
    """
    return _Builder(PROFILES[profile], keys, signature_id, now).build(set_oid, documents)


def manifest_digest(document: Signed, profile: Profile) -> str:
    """Digest of a document as the manifest states it, base64. Raises ValueError when XML is not well-formed."""
    return profile.hash_bytes(canonical_document(document.data) if document.xml else document.data)


class _Builder:
    """Builds one signature. Every element has a prefix: see `gateway.package.xml.canonical`."""

    def __init__(self, profile: Profile, keys: SigningKeys | None, identifier: str, now: datetime) -> None:
        self._profile = profile
        self._keys = keys
        self._id = identifier
        self._now = now.astimezone(UTC)
        self._root = etree.Element(f"{{{DS}}}Signature", nsmap={"ds": DS, "xad": profile.xades}, Id=identifier)

    def build(self, set_oid: str, documents: Sequence[Signed]) -> bytes:
        info = self._ds(self._root, "SignedInfo")
        value = self._ds(self._root, "SignatureValue")
        self._key_info()
        manifest = self._manifest(set_oid, documents)
        self._purpose()
        properties = self._qualifying_properties()
        self._signed_info(info, manifest, properties)
        if self._keys is None:
            self._root.insert(0, etree.Comment(UNSIGNED_NOTE))
        else:
            data = canonical(info, comments=True)
            value.text = base64.b64encode(self._keys.sign(data, self._profile.algorithm)).decode()
        return etree.tostring(self._root, xml_declaration=True, encoding="UTF-8")

    def _ds(self, parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
        element = etree.SubElement(parent, f"{{{DS}}}{name}", attributes)
        element.text = text
        return element

    def _xad(self, parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
        element = etree.SubElement(parent, f"{{{self._profile.xades}}}{name}", attributes)
        element.text = text
        return element

    def _digest(self, parent: Element, digest: str) -> None:
        self._ds(parent, "DigestMethod", Algorithm=self._profile.digest)
        self._ds(parent, "DigestValue", digest)

    def _signed_info(self, info: Element, manifest: Element, properties: Element) -> None:
        self._ds(info, "CanonicalizationMethod", Algorithm=C14N)
        self._ds(info, "SignatureMethod", Algorithm=self._profile.signature)
        targets = (
            (MANIFEST_ID, MANIFEST_TYPE, manifest),
            (PROPERTIES_ID, self._profile.properties_type, properties),
        )
        for target, kind, element in targets:
            # No Transforms: a same-document reference means inclusive C14N 1.0 without comments.
            reference = self._ds(info, "Reference", URI=f"#{target}", Type=kind)
            self._digest(reference, self._profile.hash_bytes(canonical(element)))

    def _key_info(self) -> None:
        if self._keys is not None:
            data = self._ds(self._ds(self._root, "KeyInfo"), "X509Data")
            self._ds(data, "X509Certificate", self._keys.base64_der)

    def _manifest(self, set_oid: str, documents: Sequence[Signed]) -> Element:
        manifest = self._ds(self._ds(self._root, "Object"), "Manifest", Id=MANIFEST_ID)
        self._digest(self._ds(manifest, "Reference", URI=f"urn:oid:{set_oid}"), ZERO_DIGEST)
        for document in documents:
            reference = self._ds(manifest, "Reference", URI=f"urn:oid:{document.oid}")
            if document.xml:
                self._ds(self._ds(reference, "Transforms"), "Transform", Algorithm=C14N)
            self._digest(reference, manifest_digest(document, self._profile))
        return manifest

    def _purpose(self) -> None:
        properties = self._ds(self._ds(self._root, "Object"), "SignatureProperties")
        self._ds(properties, "SignatureProperty", PURPOSE, Id="purposeOfSignature", Target=f"#{self._id}")

    def _qualifying_properties(self) -> Element:
        parent = self._xad(self._ds(self._root, "Object"), "QualifyingProperties", Target=f"#{self._id}")
        signed = self._xad(parent, "SignedProperties", Id=PROPERTIES_ID)
        about = self._xad(signed, "SignedSignatureProperties")
        self._xad(about, "SigningTime", f"{self._now:%Y-%m-%dT%H:%M:%SZ}")
        chosen = self._xad(about, "SigningCertificate")
        for certificate in self._keys.chain if self._keys is not None else ():
            self._certificate(chosen, certificate)
        self._xad(self._xad(about, "SignaturePolicyIdentifier"), "SignaturePolicyImplied")
        self._xad(signed, "SignedDataObjectProperties")
        return signed

    def _certificate(self, parent: Element, certificate: x509.Certificate) -> None:
        element = self._xad(parent, "Cert")
        der = certificate.public_bytes(serialization.Encoding.DER)
        self._digest(self._xad(element, "CertDigest"), self._profile.hash_bytes(der))
        serial = self._xad(element, "IssuerSerial")
        self._ds(serial, "X509IssuerName", certificate.issuer.rfc4514_string())
        self._ds(serial, "X509SerialNumber", str(certificate.serial_number))


__all__ = [
    "PROFILES",
    "Profile",
    "ProfileName",
    "Signed",
    "SigningKeys",
    "load_signing_keys",
    "manifest_digest",
    "sign_submission_set",
]
