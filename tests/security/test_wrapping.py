"""XML signature wrapping: what is signed stays whole and valid, and something else is put where it would be read.

The eight classical arrangements against SAML (Somorovsky et al., USENIX Security 2012) on the VIHF, and their like on
the signature of the submission set. Each is tried on the sandbox, the one side here that verifies signatures: a vendor
who tests against it must not learn that such a message passes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from tests.unit.sandbox import builders as b
from tests.unit.sandbox.conftest import Dmp, make_dmp, outcome, pki

__all__ = ["make_dmp", "pki"]
E = etree._Element
NS = {"saml": b.SAML, "ds": b.DS, "wsse": b.WSSE, "env": b.ENV}
OTHER = "277076322082910"


def _one(root: E, path: str) -> E:
    found = root.find(path, NS)
    assert found is not None
    return found


def _forged(signed: E, *, named: str = "_forged") -> E:
    """The same assertion for another patient, without the signature of the first."""
    forged = copy.deepcopy(signed)
    forged.set("ID", named)
    forged.remove(_one(forged, "ds:Signature"))
    for value in forged.iter(f"{{{b.SAML}}}AttributeValue"):
        if value.text and "^^^&" in value.text:
            value.text = f"{OTHER}^^^&{b.INS_OID}&ISO^NH"
    return forged


def _places(root: E) -> tuple[E, E, E, E]:
    security = _one(root, ".//wsse:Security")
    signed = _one(security, "saml:Assertion")
    signature = _one(signed, "ds:Signature")
    return security, signed, _forged(signed), signature


def _signature_in_forged(root: E) -> None:
    """XSW 1: the signature moves to the forged assertion, which holds the signed one inside the signature."""
    security, signed, forged, signature = _places(root)
    forged.insert(1, signature)
    security.replace(signed, forged)
    signature.append(signed)


def _signed_in_object(root: E) -> None:
    """XSW 2: the signed assertion in a ds:Object of the signature that the forged one bears."""
    security, signed, forged, signature = _places(root)
    forged.insert(1, signature)
    security.replace(signed, forged)
    etree.SubElement(signature, f"{{{b.DS}}}Object").append(signed)


def _forged_before(root: E) -> None:
    """XSW 3: a forged sibling first."""
    _, signed, forged, _ = _places(root)
    signed.addprevious(forged)


def _signed_inside_forged(root: E) -> None:
    """XSW 4: the signed assertion becomes a child of the forged one."""
    security, signed, forged, _ = _places(root)
    security.replace(signed, forged)
    forged.append(signed)


def _forged_keeps_signature(root: E) -> None:
    """XSW 5: the forged assertion bears the signature, the signed one stands beside without it."""
    security, _, forged, signature = _places(root)
    forged.insert(1, signature)
    security.insert(0, forged)


def _same_identifier(root: E) -> None:
    """XSW 6: two assertions of one ID, the forged one first."""
    security, signed, _, signature = _places(root)
    forged = _forged(signed, named=signed.get("ID", "")) if signed.find("ds:Signature", NS) is not None else signed
    forged.insert(1, copy.deepcopy(signature))
    security.insert(0, forged)


def _forged_in_extension(root: E) -> None:
    """XSW 7: the forged assertion in an element that no schema looks into."""
    security, _, forged, _ = _places(root)
    etree.SubElement(security, "{urn:x}Extensions").append(forged)


def _signed_in_body(root: E) -> None:
    """XSW 8: the signed assertion leaves the header; a forged one takes its place there."""
    security, signed, forged, signature = _places(root)
    forged.insert(1, copy.deepcopy(signature))
    security.replace(signed, forged)
    body = _one(root, "env:Body")
    etree.SubElement(body[0], "{urn:x}Kept").append(signed)


def _second_header(root: E) -> None:
    """Two Security headers, of which a careless reader takes the last and a verifier the first."""
    security, _, forged, _ = _places(root)
    second = etree.Element(f"{{{b.WSSE}}}Security")
    second.append(forged)
    security.addnext(second)


def _comment_in_value(root: E) -> None:
    """A comment splits a signed text: canonicalisation drops it, a reader may stop there (CVE-2017-11427)."""
    value = next(v for v in root.iter(f"{{{b.SAML}}}AttributeValue") if v.text and "^^^&" in v.text)
    text, value.text = value.text or "", OTHER
    comment = etree.Comment("x")
    comment.tail = text
    value.insert(0, comment)


VIHF: tuple[Callable[[E], None], ...] = (
    _signature_in_forged,
    _signed_in_object,
    _forged_before,
    _signed_inside_forged,
    _forged_keeps_signature,
    _same_identifier,
    _forged_in_extension,
    _signed_in_body,
    _second_header,
    _comment_in_value,
)


@pytest.fixture
def dmp(make_dmp: Callable[..., Dmp]) -> Dmp:
    return make_dmp()


def test_the_untouched_message_passes(dmp: Dmp) -> None:
    """Without this, refusals below could be about anything."""
    assert b"ResponseStatusType:Success" in dmp.send(b.feed(dmp.draft())).body


@pytest.mark.parametrize("attack", VIHF, ids=lambda one: one.__name__.strip("_"))
def test_a_wrapped_assertion_is_refused(dmp: Dmp, attack: Callable[[E], None]) -> None:
    answer = dmp.send(b.feed(dmp.draft(edits={"envelope": attack})))
    assert outcome(answer)[0] == "Fault"
    assert dmp.store.documents() == []


def _manifest_beside(root: E) -> None:
    """The signed manifest stays, a forged one takes its place before it."""
    manifest = next(root.iter(f"{{{b.DS}}}Manifest"))
    forged = copy.deepcopy(manifest)
    for value in forged.iter(f"{{{b.DS}}}DigestValue"):
        value.text = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    forged.set("Id", "Forged")
    manifest.addprevious(forged)


def test_a_manifest_that_nobody_signed_counts_for_nothing(dmp: Dmp) -> None:
    """Its digests are wrong: the message passes, so it was not the one that was looked at."""
    assert b"ResponseStatusType:Success" in dmp.send(b.feed(dmp.draft(edits={"signature": _on(_manifest_beside)}))).body


def _on(attack: Callable[[E], None]) -> Callable[[bytes], bytes]:
    def change(signature: bytes) -> bytes:
        root = etree.fromstring(signature)
        attack(root)
        return etree.tostring(root)

    return change


def _manifest_of_one_id(root: E) -> None:
    manifest = next(root.iter(f"{{{b.DS}}}Manifest"))
    manifest.addprevious(copy.deepcopy(manifest))


def _reference_elsewhere(root: E) -> None:
    reference = next(root.iter(f"{{{b.DS}}}Reference"))
    reference.set("URI", "http://127.0.0.1/manifest.xml")


def _external_transform(root: E) -> None:
    """An XSLT transform would run code of the sender."""
    for transform in root.iter(f"{{{b.DS}}}Transform"):
        transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")


def _key_of_his_own(root: E) -> None:
    """A KeyValue beside the certificate: a verifier must not take the sender's word for the key."""
    info = next(root.iter(f"{{{b.DS}}}KeyInfo"))
    key = etree.SubElement(etree.SubElement(info, f"{{{b.DS}}}KeyValue"), f"{{{b.DS}}}RSAKeyValue")
    etree.SubElement(key, f"{{{b.DS}}}Modulus").text = "AQAB"
    for certificate in list(info.iter(f"{{{b.DS}}}X509Data")):
        info.remove(certificate)


SET: tuple[Callable[[E], None], ...] = (
    _manifest_of_one_id,
    _reference_elsewhere,
    _external_transform,
    _key_of_his_own,
)


@pytest.mark.parametrize("attack", SET, ids=lambda one: one.__name__.strip("_"))
def test_a_wrapped_set_signature_is_refused(dmp: Dmp, attack: Callable[[E], None]) -> None:
    answer = dmp.send(b.feed(dmp.draft(edits={"signature": _on(attack)})))
    assert b"ResponseStatusType:Success" not in answer.body
    assert dmp.store.documents() == []
