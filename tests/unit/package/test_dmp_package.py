from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

import pytest
from lxml import etree

from gateway.document.model import Code
from gateway.errors import PackageError
from gateway.package import dmp, mtom, soap
from gateway.package.types import DmpContext, Package, context_from_json, context_to_json
from tests.unit.package.samples import (
    AUTHOR,
    CDA,
    DOCUMENT_ID,
    NOW,
    account,
    dmp_settings,
    document,
    ids,
    signing_keys,
    without_ins,
)

NS = {"soap": soap.SOAP, "wsa": soap.WSA, "ihe": mtom.IHE, "xop": mtom.XOP, "wsse": soap.WSSE}


def package(**changes: object) -> Package:
    mine = account(dmp=dmp_settings(**changes))
    return dmp.dmp_package(document(), CDA, account=mine, keys=signing_keys(), now=NOW, ids=ids())


def context(frozen: Package) -> DmpContext:
    assert isinstance(frozen.context, DmpContext)
    return frozen.context


def parsed(content_type: str, data: bytes) -> EmailMessage:
    message = email.message_from_bytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + data, policy=email.policy.HTTP
    )
    assert isinstance(message, EmailMessage)
    return message


def test_parts_and_context() -> None:
    frozen = package(local_id="poste-1")
    assert [(p.name, p.media_type) for p in frozen.parts] == [
        ("metadata", "text/xml"),
        ("document", "text/xml"),
        ("signature", "text/xml"),
    ]
    assert frozen.part("document").data == CDA
    known = context(frozen)
    assert known == replace(
        known,
        ins="201032227890155",
        ins_oid="1.2.250.1.213.1.4.10",
        mode="indirect",
        author_id="899700001011",
        author_name="TESTOU Gwenaël",
        role_code="70",
        role_display="Masseur-Kinésithérapeute",
        structure_id="499700001011001",
        sector="SA07^1.2.250.1.71.4.2.4",
        name_id="499700001011001/poste-1",
        document_id=DOCUMENT_ID,
    )
    assert known.submission_set_id.startswith("2.25.")
    assert context_from_json(context_to_json(known)) == known


def test_direct_mode_names_the_professional() -> None:
    assert context(package(mode="direct")).name_id == "899700001011"


def test_same_arguments_same_bytes() -> None:
    assert package() == package()


def test_no_ins_no_package() -> None:
    with pytest.raises(PackageError) as refused:
        dmp.dmp_package(without_ins(), CDA, account=account(), keys=None, now=NOW, ids=ids())
    assert refused.value.code == "PKG-001"


@pytest.mark.parametrize("profession", [None, Code("SECRETARIAT_MEDICAL", "x", "Secrétariat")])
def test_no_profession_no_package(profession: Code | None) -> None:
    unknown = document(author=replace(AUTHOR, profession=profession))
    with pytest.raises(PackageError) as refused:
        dmp.dmp_package(unknown, CDA, account=account(), keys=None, now=NOW, ids=ids())
    assert refused.value.code == "PKG-006"


def test_specialised_profession_gives_its_g15_code() -> None:
    doctor = document(author=replace(AUTHOR, profession=Code("G15_10/SM54", "x", "Médecin - généraliste")))
    frozen = dmp.dmp_package(doctor, CDA, account=account(), keys=None, now=NOW, ids=ids())
    assert context(frozen).role_code == "10"


def test_feed_is_mtom_with_every_document_included() -> None:
    frozen = package()
    body = mtom.feed(frozen, to="https://dmp/repository", message_id="urn:uuid:1", assertion=b"<a/>")
    message = parsed(body.content_type, body.data)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/xop+xml"
    assert message.get_param("start-info") == "application/soap+xml"
    assert message.get_param("action") == soap.FEED
    root, *attached = list(message.iter_parts())
    assert message.get_param("start") == root["Content-ID"] == f"<{mtom.ROOT_ID}>"
    assert {part["Content-Transfer-Encoding"] for part in (root, *attached)} == {"binary"}
    envelope = etree.fromstring(root.get_payload(decode=True))
    sent = {f"cid:{part['Content-ID'].strip('<>')}": part.get_payload(decode=True) for part in attached}
    included = {
        str(d.get("id")): sent[str(d.find("xop:Include", NS).get("href")).replace("%40", "@")]  # type: ignore[union-attr]
        for d in envelope.iterfind(".//ihe:Document", NS)
    }
    known = context(frozen)
    assert included == {
        known.document_entry: frozen.part("document").data,
        known.signature_entry: frozen.part("signature").data,
    }


def test_envelope_headers() -> None:
    body = mtom.feed(package(), to="https://dmp/repository", message_id="urn:uuid:1", assertion=b"<a/>")
    (root, *_) = parsed(body.content_type, body.data).iter_parts()
    header = etree.fromstring(root.get_payload(decode=True)).find("soap:Header", NS)
    assert header is not None
    action = header.find("wsa:Action", NS)
    assert action is not None
    assert (action.text, action.get(f"{{{soap.SOAP}}}mustUnderstand")) == (soap.FEED, "true")
    assert header.findtext("wsa:MessageID", namespaces=NS) == "urn:uuid:1"
    assert header.findtext("wsa:To", namespaces=NS) == "https://dmp/repository"
    assert header.findtext("wsa:ReplyTo/wsa:Address", namespaces=NS) == f"{soap.WSA}/anonymous"
    assert header.find("wsse:Security/a", NS) is not None


def test_hostile_address_is_escaped() -> None:
    body = mtom.feed(package(), to="https://x/?a=1&b=<c>", message_id="urn:uuid:1", assertion=b"<a/>")
    (root, *_) = parsed(body.content_type, body.data).iter_parts()
    found = etree.fromstring(root.get_payload(decode=True)).findtext("soap:Header/wsa:To", namespaces=NS)
    assert found == "https://x/?a=1&b=<c>"


def test_boundary_avoids_what_the_document_contains() -> None:
    frozen = package()
    name = mtom._boundary(frozen)
    hostile = replace(frozen.parts[1], data=CDA + b"\r\n--" + name.encode() + b"\r\n")
    changed = replace(frozen, parts=(frozen.parts[0], hostile, frozen.parts[2]))
    assert mtom._boundary(changed) != name
    body = mtom.feed(changed, to="x", message_id="urn:uuid:1", assertion=b"<a/>")
    parts = list(parsed(body.content_type, body.data).iter_parts())
    assert parts[1].get_payload(decode=True) == hostile.data


def test_preview_is_one_mime_entity_and_says_what_is_missing() -> None:
    frozen = package()
    message = email.message_from_bytes(dmp.request_preview(frozen), policy=email.policy.HTTP)
    assert isinstance(message, EmailMessage)
    assert "UNSIGNED" not in str(message["X-Kine-Gateway-Preview"])
    root, document_part, signature_part = list(message.iter_parts())
    text = root.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert b"APERCU" in text
    assert b"Assertion" not in text
    assert document_part.get_payload(decode=True) == CDA
    assert signature_part.get_payload(decode=True) == frozen.part("signature").data


def test_unsigned_preview_has_no_signature_value() -> None:
    frozen = dmp.dmp_package(document(), CDA, account=account(), keys=None, now=NOW, ids=ids())
    root = etree.fromstring(frozen.part("signature").data)
    assert root.findtext("{*}SignatureValue") in {None, ""}
    assert root.find("{*}KeyInfo") is None
    assert frozen.part("signature").media_type == dmp.UNSIGNED_TYPE
    assert b"UNSIGNED PREVIEW" in dmp.request_preview(frozen)
