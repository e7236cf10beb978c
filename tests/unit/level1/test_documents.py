"""From the archive to CDA R2 level 1, FHIR, mail and DMP metadata."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from lxml import etree

from gateway.api import Gateway
from gateway.views import Rendered
from tests.unit.level1.samples import archive, metadata, vendor_pdf

NS = {"h": "urn:hl7-org:v3", "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    made = Gateway.preview().render(archive())
    assert made.report.ok
    return made


def values(data: bytes, path: str) -> list[str]:
    found = etree.fromstring(data, etree.XMLParser(huge_tree=True)).xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(one) for one in found]


def test_the_cda_is_level_1_around_the_very_pdf(rendered: Rendered) -> None:
    cda = rendered.files["document.cda.xml"]
    assert values(cda, "h:templateId/@root") == [
        "2.16.840.1.113883.2.8.2.1",
        "1.2.250.1.213.1.1.1.1",
        "1.3.6.1.4.1.19376.1.2.20",
    ]
    assert values(cda, "h:component/h:nonXMLBody/h:text/@mediaType") == ["application/pdf"]
    assert values(cda, "h:component/h:nonXMLBody/h:text/@representation") == ["B64"]
    [body] = values(cda, "h:component/h:nonXMLBody/h:text/text()")
    assert base64.b64decode(body, validate=True) == vendor_pdf()
    assert values(cda, "h:title/text()") == ["Bilan initial de kinésithérapie"]


def test_a_title_of_one_s_own() -> None:
    value = metadata()
    value["document"]["title"] = "Bilan de l'épaule"
    assert values(Gateway.preview().render(archive(value)).files["document.cda.xml"], "h:title/text()") == [
        "Bilan de l'épaule"
    ]


def test_the_attachment_is_the_encapsulated_file(rendered: Rendered) -> None:
    message = message_from_bytes(rendered.files["medecin_traitant.eml"], policy=policy.default)
    assert isinstance(message, EmailMessage)
    attached = {part.get_content_type(): part.get_payload(decode=True) for part in message.iter_attachments()}
    assert attached["application/pdf"] == vendor_pdf() == rendered.files["document.pdf"]
    archived = attached["application/zip"]
    assert isinstance(archived, bytes)
    with zipfile.ZipFile(io.BytesIO(archived)) as opened:
        described = opened.read("IHE_XDM/SUBSET01/METADATA.XML")
        assert opened.read("IHE_XDM/SUBSET01/DOC0001.XML") == rendered.files["document.cda.xml"]
    scheme = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
    code = f"//rim:Classification[@classificationScheme='{scheme}']"
    assert values(described, f"{code}/@nodeRepresentation") == ["urn:ihe:iti:xds-sd:pdf:2008"]
    assert values(described, f"{code}//rim:Value/text()") == ["1.3.6.1.4.1.19376.1.2.3"]


def test_fhir_carries_the_file_once(rendered: Rendered) -> None:
    bundle = json.loads(rendered.files["document.fhir.json"])
    resources = [entry["resource"] for entry in bundle["entry"]]
    [binary] = [one for one in resources if one["resourceType"] == "Binary"]
    [reference] = [one for one in resources if one["resourceType"] == "DocumentReference"]
    assert base64.b64decode(binary["data"]) == vendor_pdf()
    assert reference["content"][0]["attachment"]["url"] == f"urn:uuid:{binary['id']}"
    assert [section["code"]["coding"][0]["code"] for section in resources[0]["section"]] == ["55108-5"]


@pytest.mark.parametrize("path", ["birth_date", "birth_family"])
def test_identity_is_checked_like_any_other(path: str) -> None:
    value = metadata()
    value["patient"][path] = None
    report = Gateway.preview().check(archive(value))
    assert not report.ok
    assert "INS-013" in {one.code for one in report.findings}


def test_access_may_be_left_out() -> None:
    value = metadata()
    del value["access"]
    assert Gateway.preview().check(archive(value)).ok


def test_a_pdf_that_cannot_go_renders_nothing() -> None:
    made = Gateway.preview().render(archive(pdf=b"not a pdf"))
    assert made.files == {}
    assert [one.code for one in made.report.findings if one.severity == "error"] == ["PDF-001"]
