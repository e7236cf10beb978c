"""Signatures judged by a second implementation (xmlsec), and manifest digests recomputed apart from our code."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.package import dmp, mtom, vihf
from gateway.package.signature import ProfileName
from gateway.package.types import DmpContext, Package
from tests.unit.package.samples import CDA, DOCUMENT_ID, NOW, account, dmp_settings, document, ids, signing_keys

DS = "http://www.w3.org/2000/09/xmldsig#"
NS = {"ds": DS, "saml2": "urn:oasis:names:tc:SAML:2.0:assertion"}
PROFILES: tuple[ProfileName, ...] = ("legacy", "modern")
SOFTWARE = vihf.SoftwareIdentity("kine-gateway", "0.1.0", "NON-HOMOLOGUE")


@pytest.fixture(scope="module", autouse=True)
def _urn_oid_served() -> Iterator[None]:
    """xmlsec opens each reference of a manifest; it finds the document, and nothing behind the set's own OID."""
    documents = {f"urn:oid:{DOCUMENT_ID}".encode(): CDA}

    def read(handle: BytesIO, buffer: memoryview) -> int:
        return handle.readinto(buffer)

    xmlsec.cleanup_callbacks()
    xmlsec.register_callbacks(
        lambda uri: uri.startswith(b"urn:oid:"),
        lambda uri: BytesIO(documents.get(uri, b"\x00")),
        read,
        lambda handle: handle.close(),
    )
    yield
    xmlsec.cleanup_callbacks()
    xmlsec.register_default_callbacks()


def package(profile: ProfileName) -> Package:
    settings = dmp_settings(profile=profile)
    return dmp.dmp_package(document(), CDA, account=account(dmp=settings), keys=signing_keys(), now=NOW, ids=ids())


def key() -> Any:
    return xmlsec.Key.from_memory(base64.b64decode(signing_keys().base64_der), xmlsec.constants.KeyDataFormatCertDer)


def verify(root: etree._Element, id_attribute: str, *tags: str) -> None:
    """Verify the first signature with the signer's certificate, registering the ids that it points to."""
    context = xmlsec.SignatureContext()
    context.key = key()
    for element in root.iter(*tags):
        context.register_id(element, id_attribute)
    signature = root if root.tag == f"{{{DS}}}Signature" else root.find(".//ds:Signature", NS)
    assert signature is not None
    context.verify(signature)


def verify_xades(data: bytes) -> None:
    root = etree.fromstring(data)
    xades = {e.tag for e in root.iter() if isinstance(e.tag, str) and e.tag.endswith("}SignedProperties")}
    verify(root, "Id", f"{{{DS}}}Manifest", *xades)


def verify_vihf(root: etree._Element) -> None:
    verify(root, "ID", "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")


# ------------------------------------------------------------------------------------------------- XAdES


@pytest.mark.parametrize("profile", PROFILES)
def test_xmlsec_accepts_the_submission_set_signature(profile: ProfileName) -> None:
    verify_xades(package(profile).part("signature").data)


@pytest.mark.parametrize("profile", PROFILES)
def test_signature_survives_the_mtom_body(profile: ProfileName) -> None:
    frozen = package(profile)
    body = mtom.feed(frozen, to="https://dmp.example", message_id="urn:uuid:1", assertion=None)
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    parts = list(email.message_from_bytes(head + body.data, policy=email.policy.HTTP).iter_parts())
    received = [part.get_payload(decode=True) for part in parts]
    assert received[1:] == [frozen.part("document").data, frozen.part("signature").data]
    verify_xades(received[2])


@pytest.mark.parametrize("profile", PROFILES)
def test_manifest_digests_recomputed_by_another_canonicaliser(profile: ProfileName) -> None:
    """The standard library canonicalises the CDA (C14N 2.0 equals 1.0 here: no xml: attribute, no comment)."""
    frozen = package(profile)
    name = {"legacy": "sha1", "modern": "sha256"}[profile]
    root = etree.fromstring(frozen.part("signature").data)
    references = root.findall(".//ds:Manifest/ds:Reference", NS)
    assert isinstance(frozen.context, DmpContext)
    assert [r.get("URI") for r in references] == [
        f"urn:oid:{frozen.context.submission_set_id}",
        f"urn:oid:{frozen.context.document_id}",
    ]
    values = [r.findtext("ds:DigestValue", namespaces=NS) for r in references]
    canonical = ET.canonicalize(frozen.part("document").data.decode(), with_comments=True).encode()
    assert values == ["AA==", base64.b64encode(hashlib.new(name, canonical).digest()).decode()]
    methods = {e.get("Algorithm", "").rpartition("#")[2] for e in root.iter(f"{{{DS}}}DigestMethod")}
    assert methods == {name}


@pytest.mark.parametrize("profile", PROFILES)
def test_signing_certificate_digest_covers_the_whole_chain(profile: ProfileName) -> None:
    name = {"legacy": "sha1", "modern": "sha256"}[profile]
    xad = {
        "legacy": "http://uri.etsi.org/01903/v1.1.1#",
        "modern": "http://uri.etsi.org/01903/v1.3.2#",
    }[profile]
    root = etree.fromstring(package(profile).part("signature").data)
    found = [e.findtext(f"{{{xad}}}CertDigest/{{{DS}}}DigestValue") for e in root.iter(f"{{{xad}}}Cert")]
    ders = [certificate.public_bytes(Encoding.DER) for certificate in signing_keys().chain]
    assert found == [base64.b64encode(hashlib.new(name, der).digest()).decode() for der in ders]


def edit(xpath: str, change: Callable[[str], str]) -> Callable[[etree._Element], None]:
    def apply(root: etree._Element) -> None:
        found = root.xpath(xpath)
        assert found, xpath
        found[0].text = change(found[0].text)

    return apply


def other_digest(value: str) -> str:
    return base64.b64encode(bytes(len(base64.b64decode(value)))).decode()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "place",
    [
        "//*[local-name()='Manifest']/*[2]/*[local-name()='DigestValue']",
        "//*[local-name()='SignedInfo']/*[local-name()='Reference'][1]/*[local-name()='DigestValue']",
        "//*[local-name()='SignedInfo']/*[local-name()='Reference'][2]/*[local-name()='DigestValue']",
        "//*[local-name()='Cert'][1]//*[local-name()='DigestValue']",
    ],
)
def test_changed_digest_is_refused(profile: ProfileName, place: str) -> None:
    root = etree.fromstring(package(profile).part("signature").data)
    edit(place, other_digest)(root)
    with pytest.raises(xmlsec.Error):
        verify_xades(etree.tostring(root))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2026-11-22T15:00:00Z", b"2026-11-22T15:00:01Z"),
        (b'<ds:Reference URI="urn:oid:2.25.3298', b'<ds:Reference URI="urn:oid:2.25.9298'),
    ],
)
def test_changed_time_or_document_reference_is_refused(profile: ProfileName, old: bytes, new: bytes) -> None:
    data = package(profile).part("signature").data
    assert data.count(old) == 1
    with pytest.raises(xmlsec.Error):
        verify_xades(data.replace(old, new))


def test_preview_without_keys_says_so_and_does_not_verify() -> None:
    preview = dmp.dmp_package(document(), CDA, account=account(), keys=None, now=NOW, ids=ids())
    data = preview.part("signature").data
    assert not dmp.is_signed(preview)
    assert b"NON SIGNE" in data
    assert b"UNSIGNED PREVIEW" in dmp.request_preview(preview)
    with pytest.raises(xmlsec.Error):
        verify_xades(data)


# -------------------------------------------------------------------------------------------------- VIHF


def assertion(mode: str = "indirect", options: vihf.Options | None = None) -> etree._Element:
    frozen = dmp.dmp_package(
        document(), CDA, account=account(dmp=dmp_settings(mode=mode)), keys=signing_keys(), now=NOW, ids=ids()
    )
    assert isinstance(frozen.context, DmpContext)
    return vihf.assertion(
        frozen.context, signing_keys(), software=SOFTWARE, options=options or vihf.Options(), now=NOW, ids=ids("send")
    )


@pytest.mark.parametrize("mode", ["direct", "indirect"])
def test_xmlsec_accepts_the_vihf(mode: str) -> None:
    verify_vihf(assertion(mode))


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize("name", ["Authentification_Mode", "Authentification_mode"])
@pytest.mark.parametrize("signature", ["rsa-sha256", "rsa-sha1"])
def test_xmlsec_accepts_every_form_of_the_vihf(version: str, name: str, signature: Any) -> None:
    root = assertion("direct", vihf.Options(version, name, signature))
    verify_vihf(root)
    [method] = root.findall(".//ds:SignatureMethod", NS)
    assert str(method.get("Algorithm")).endswith(signature)
    values = {one.get("Name"): "".join(one.itertext()) for one in root.iter(f"{{{vihf.SAML}}}Attribute")}
    assert (values["VIHF_Version"], values[name]) == (version, "DIRECTE")
    assert len([one for one in values if str(one).lower() == name.lower()]) == 1


def test_vihf_survives_the_soap_envelope() -> None:
    frozen = package("modern")
    token = etree.tostring(assertion(), encoding="unicode").encode()
    body = mtom.feed(frozen, to="https://dmp.example/repository", message_id="urn:uuid:1", assertion=token)
    envelope = body.data.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    verify_vihf(etree.fromstring(envelope))


def test_vihf_signature_stands_right_after_issuer_and_covers_the_assertion() -> None:
    root = assertion()
    assert [etree.QName(child).localname for child in root][:3] == ["Issuer", "Signature", "Subject"]
    references = root.findall(".//ds:Reference", NS)
    assert [r.get("URI") for r in references] == [f"#{root.get('ID')}"]
    assert root.findtext("saml2:Issuer", namespaces=NS) == signing_keys().certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    "place",
    [
        "//*[local-name()='NameID']",
        "//*[local-name()='Issuer']",
        "//*[@Name='urn:oasis:names:tc:xacml:2.0:resource:resource-id']/*",
        "//*[@Name='Identifiant_Structure']/*",
        "//*[local-name()='DigestValue']",
    ],
)
def test_changed_vihf_is_refused(place: str) -> None:
    root = assertion()
    edit(place, lambda text: ("A" if text[0] != "A" else "B") + text[1:])(root)
    with pytest.raises(xmlsec.Error):
        verify_vihf(etree.fromstring(etree.tostring(root)))


def test_changed_role_is_refused() -> None:
    root = assertion()
    role = root.find(".//{urn:hl7-org:v3}Role")
    assert role is not None
    role.set("code", "10")
    with pytest.raises(xmlsec.Error):
        verify_vihf(root)
