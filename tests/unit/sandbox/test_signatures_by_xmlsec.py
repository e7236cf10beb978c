"""The requests of these tests are right by another judge: libxmlsec verifies both signatures."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from .builders import DS, SAML, Built, feed
from .conftest import Dmp, outcome

_SERVED: dict[str, bytes] = {}


@pytest.fixture(autouse=True)
def _oids() -> Iterator[None]:
    """libxmlsec opens the references of a manifest: serve `urn:oid:` from memory."""

    def name(uri: bytes | str) -> str:
        return uri.decode() if isinstance(uri, bytes) else uri

    xmlsec.cleanup_callbacks()
    xmlsec.register_callbacks(
        lambda uri: name(uri).startswith("urn:oid:"),
        lambda uri: io.BytesIO(_SERVED.get(name(uri).removeprefix("urn:oid:"), b"\x00")),
        lambda stream, size: stream.readinto(size),
        lambda stream: None,
    )
    yield
    _SERVED.clear()
    xmlsec.cleanup_callbacks()
    xmlsec.register_default_callbacks()


def _verify(root: etree._Element, signature: etree._Element, dmp: Dmp, identifier: str) -> None:
    context = xmlsec.SignatureContext()
    data = dmp.pki.sign.certificate.public_bytes(Encoding.DER)
    context.key = xmlsec.Key.from_memory(data, xmlsec.constants.KeyDataFormatCertDer)
    xmlsec.tree.add_ids(root, [identifier])
    context.verify(signature)


def _signature(root: etree._Element) -> etree._Element:
    found = root.find(f".//{{{DS}}}Signature")
    return root if found is None else found


def test_xmlsec_verifies_the_vihf_inside_its_envelope(dmp: Dmp) -> None:
    root = etree.fromstring(feed(dmp.draft()).envelope)
    assertion = root.find(f".//{{{SAML}}}Assertion")
    assert assertion is not None
    _verify(root, _signature(assertion), dmp, "ID")


def test_xmlsec_refuses_a_changed_vihf(dmp: Dmp) -> None:
    root = etree.fromstring(feed(dmp.draft()).envelope)
    assertion = root.find(f".//{{{SAML}}}Assertion")
    assert assertion is not None
    assertion.set("IssueInstant", "2020-01-01T00:00:00Z")
    with pytest.raises(xmlsec.Error):
        _verify(root, _signature(assertion), dmp, "ID")


@pytest.mark.parametrize("profile", ["legacy", "modern"])
def test_xmlsec_verifies_the_signature_of_the_set(dmp: Dmp, profile: str) -> None:
    draft = dmp.draft(profile=profile)
    built: Built = feed(draft)
    _SERVED[draft.document_id] = built.document
    root = etree.fromstring(built.signature)
    _verify(root, root, dmp, "Id")


def test_xmlsec_lets_a_wrong_manifest_digest_pass_and_we_do_not(dmp: Dmp) -> None:
    """Why the sandbox has code of its own: a Manifest's digests are nobody's duty in XMLDSig."""

    def wrong(root: etree._Element) -> None:
        values = root.findall(f".//{{{DS}}}Manifest/{{{DS}}}Reference/{{{DS}}}DigestValue")
        values[1].text = base64.b64encode(bytes(32)).decode()

    draft = dmp.draft(edits={"manifest": wrong})
    built = feed(draft)
    _SERVED[draft.document_id] = built.document
    root = etree.fromstring(built.signature)
    _verify(root, root, dmp, "Id")
    assert outcome(dmp.send(built)) == ("InvalidDocumentContent",)
