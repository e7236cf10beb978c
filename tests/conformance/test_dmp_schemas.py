"""What we send to the DMP, byte for byte as it left, judged by a MIME parser and by schemas that are not ours.

The frames are those that `evidence` keeps of whole runs: every transaction, by both certificates, in both profiles.
SAML comes from Debian's opensaml-schemas, XAdES 1.3.2 and XML Signature from signxml. No package of PyPI, npm or Debian
was found that carries ebRIM, ebRS, XDS.b or SOAP 1.2: tests/tools/xds_schemas.sh takes them from the IPF project, and
those tests are skipped without them. Nothing was found of XAdES 1.1.1, WS-Security,
WS-Addressing, XOP and PRPA_IN201307UV02.
"""

from __future__ import annotations

import base64
import email
import email.policy
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from lxml import etree

from gateway.api import Gateway
from tests.integration.practice import case, open_practice
from tests.integration.test_dmp_life import ACCOUNT, BILAN, direct

E = etree._Element
ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / "build" / "schemas"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
XDSB = "urn:ihe:iti:xds-b:2007"
XOP = "http://www.w3.org/2004/08/xop/include"
DS = "http://www.w3.org/2000/09/xmldsig#"
OPENSAML = Path("/usr/share/xml/opensaml/saml-schema-assertion-2.0.xsd")
RUNS = {
    "direct-modern": ("direct", "modern", ("LIFE", "TD3.1b", "TD3.1-SETS", "TD3.3b")),
    "direct-legacy": ("direct", "legacy", ("TD2.1b",)),
    "indirect-modern": ("indirect", "modern", ("TD2.1b", "TD3.1a", "TD3.3c")),
    "indirect-legacy": ("indirect", "legacy", ("TD2.1a",)),
}


@dataclass(frozen=True)
class Frame:
    """One message as the standard library reads it: the SOAP envelope, and its other parts by Content-ID."""

    transaction: str
    profile: str
    envelope: bytes
    parts: dict[str, tuple[str, bytes]]
    answer: bool

    @property
    def body(self) -> E:
        body = etree.fromstring(self.envelope).find(f"{{{SOAP}}}Body")
        assert body is not None
        [payload] = body
        alone = etree.fromstring(etree.tostring(payload))  # the namespaces that it uses come along
        for include in list(alone.iter(f"{{{XOP}}}Include")):  # the infoset that the package stands for (XOP 1.0 §2)
            _, data = self.parts[str(include.get("href")).removeprefix("cid:").replace("%40", "@")]
            holder = include.getparent()
            assert holder is not None
            holder.remove(include)
            holder.text = base64.b64encode(data).decode("ascii")
        return alone


def read(data: bytes, transaction: str, profile: str, *, answer: bool) -> Frame:
    """HTTP frame to SOAP envelope and attachments, by the email package, which writes and reads no request here."""
    _, _, message = data.partition(b"\r\n")
    parsed = email.message_from_bytes(message, policy=email.policy.HTTP.clone(cte_type="8bit"))
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    if not parsed.is_multipart():
        assert parsed.get_content_type() == "application/soap+xml"
        return Frame(transaction, profile, message.partition(b"\r\n\r\n")[2], {}, answer)
    found: dict[str, tuple[str, bytes]] = {}
    for part in parsed.iter_parts():
        assert not part.defects
        assert part["Content-Transfer-Encoding"] in {"binary", "8bit"}
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(part["Content-ID"])] = (part.get_content_type(), content)
    assert parsed.get_param("type") == "application/xop+xml"
    assert parsed.get_param("start-info") == "application/soap+xml"
    kind, envelope = found.pop(str(parsed.get_param("start")))
    assert kind == "application/xop+xml"
    return Frame(transaction, profile, envelope, {name.strip("<>"): one for name, one in found.items()}, answer)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> list[Frame]:
    """Every exchange of all the runs."""
    taken: list[Frame] = []
    for name, (mode, profile, codes) in RUNS.items():
        folder = tmp_path_factory.mktemp(name)
        practice = open_practice(folder, certificates=certificates)
        try:
            _configure(practice, mode, profile)
            with Gateway.open(practice.config) as gateway:
                for code in codes:
                    plan = gateway.evidence.plan(code, submission=json.dumps(case(BILAN)).encode(), account=ACCOUNT)
                    run = gateway.evidence.run(plan, folder / code, by="Anne Essai")
                    assert run.ok, run.index["steps"]
                    taken += _of(run.index, folder / code, profile)
        finally:
            practice.box.close()
    return taken


def _configure(practice: Any, mode: str, profile: str) -> None:
    if mode == "direct":
        direct(practice, f'profile = "{profile}"')
        return
    text = practice.config.read_text(encoding="utf-8")
    practice.config.write_text(text.replace('mode = "indirect"', f'mode = "indirect"\nprofile = "{profile}"'))


def _of(index: dict[str, Any], folder: Path, profile: str) -> Iterator[Frame]:
    for one in index["exchanges"]:
        for side in ("request", "response"):
            data = (folder / one[side]["file"]).read_bytes()
            yield read(data, one["transaction"], profile, answer=side == "response")


def requests(frames: list[Frame], *transactions: str) -> list[Frame]:
    found = [one for one in frames if not one.answer and (not transactions or one.transaction in transactions)]
    assert found
    return found


# -------------------------------------------------------------------------------------------------------- MIME


def test_every_transaction_was_sent_and_parses_without_a_defect(frames: list[Frame]) -> None:
    assert {one.transaction for one in frames} == {"TD0.2", "TD2.1", "TD3.1", "TD3.2", "TD3.3"}
    assert len(requests(frames)) >= 40


def test_each_include_has_its_part_and_each_part_its_include(frames: list[Frame]) -> None:
    for one in requests(frames, "TD2.1"):
        root = etree.fromstring(one.envelope)
        hrefs = [str(item.get("href")) for item in root.iter(f"{{{XOP}}}Include")]
        assert len(hrefs) == len(set(hrefs)) == 2
        assert {href.removeprefix("cid:").replace("%40", "@") for href in hrefs} == set(one.parts)
        entries = {
            str(item.get("id")) for item in root.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}ExtrinsicObject")
        }
        assert {str(item.get("id")) for item in root.iter(f"{{{XDSB}}}Document")} == entries
        assert all(kind == "text/xml" and data.startswith(b"<?xml") for kind, data in one.parts.values())


# ----------------------------------------------------------------------------------------------------- schemas


class _Local(etree.Resolver):
    """Every schema from this machine: by its file name in the folders that carry them."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:
        name = str(system_url).rpartition("/")[2]
        for folder in self._folders:
            if (folder / name).is_file():
                return self.resolve_filename(str(folder / name), context)
        return None


@cache
def schema(path: Path, *folders: Path) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    parser.resolvers.add(_Local(*folders))
    return etree.XMLSchema(etree.parse(str(path), parser))


@cache
def ebxml() -> etree.XMLSchema:
    """XDS.b with ebRS and ebRIM. Its own second file comes by an import in a circle, which libxml2 leaves out."""
    tree = etree.parse(str(_fetched("IHE/IHEXDSB.xsd")))
    include = etree.Element("{http://www.w3.org/2001/XMLSchema}include", schemaLocation="xcf.xsd")
    tree.getroot().insert(0, include)
    return etree.XMLSchema(tree)


def _fetched(name: str) -> Path:
    path = FETCHED / name
    if not path.is_file():
        pytest.skip("tests/tools/xds_schemas.sh fetches these schemas: no package carries them")
    return path


def signxml_schemas() -> Path:
    return Path(str(files("signxml")))


def untyped(data: bytes) -> E:
    """Without the type CE of the HL7 values in the VIHF: its schema is not among these; SAML leaves a value open."""
    root = etree.fromstring(data)
    for item in root.iter("{urn:hl7-org:v3}Role", "{urn:hl7-org:v3}PurposeOfUse"):
        item.attrib.pop("{http://www.w3.org/2001/XMLSchema-instance}type", None)
    return root


def errors(judge: etree.XMLSchema, element: E) -> list[str]:
    judge.validate(element)
    return [f"{one.line}: {one.message}" for one in judge.error_log]


def test_requests_and_answers_are_what_xds_and_ebxml_say(frames: list[Frame]) -> None:
    """ITI-41, ITI-43 by XDS.b; ITI-18 by ebRS query; ITI-57 by ebRS lcm; each with ebRIM inside."""
    judge, seen = ebxml(), set()
    for one in frames:
        if one.transaction != "TD0.2":
            seen.add((one.transaction, one.answer))
            assert errors(judge, one.body) == [], (one.transaction, one.answer)
    assert len(seen) == 8


def test_the_ebxml_schemas_would_have_said_so(frames: list[Frame]) -> None:
    body = requests(frames, "TD2.1")[0].body
    value = next(body.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}Value"))
    value.text = "x" * 257
    assert errors(ebxml(), body)


def test_envelopes_are_soap_1_2(frames: list[Frame]) -> None:
    judge = schema(_fetched("soap-1.2-envelope.xsd"), FETCHED)
    for one in frames:
        assert errors(judge, untyped(one.envelope)) == []


@pytest.mark.needs("opensaml-schemas")
def test_every_vihf_is_saml(frames: list[Frame]) -> None:
    judge = schema(OPENSAML, OPENSAML.parent, Path("/usr/share/xml/xmltooling"))
    for one in requests(frames):
        [assertion] = etree.fromstring(one.envelope).iter(f"{{{SAML}}}Assertion")
        alone = untyped(etree.tostring(assertion))
        assert errors(judge, alone) == []
        issuer = alone.find(f"{{{SAML}}}Issuer")
        assert issuer is not None
        alone.remove(issuer)
        assert errors(judge, alone), "the schema asks for an issuer"


def signature_of(one: Frame) -> E:
    [found] = [etree.fromstring(data) for _, data in one.parts.values() if b":Signature" in data[:400]]
    return found


def test_the_modern_signature_is_xades_1_3_2_and_every_one_an_xml_signature(frames: list[Frame]) -> None:
    base = signxml_schemas()
    folders = (base / "schemas", base / "xades" / "schemas")
    dsig = schema(base / "schemas" / "xmldsig-core-schema.xsd", *folders)
    xades = schema(base / "xades" / "schemas" / "XAdES01903v132-201601.xsd", *folders)
    seen = set()
    for one in requests(frames, "TD2.1"):
        root = signature_of(one)
        seen.add(one.profile)
        # XML Signature wants an element of another namespace here; the DMP's samples and IHE DSG have a bare OID.
        found = errors(dsig, root)
        assert len(found) == 1
        assert "SignatureProperty'" in found[0]
        [properties] = [item for item in root.iter() if re.search(r"\}QualifyingProperties$", str(item.tag))]
        if one.profile == "modern":
            assert errors(xades, etree.fromstring(etree.tostring(properties))) == []
    assert seen == {"modern", "legacy"}


def test_sha1_stands_only_where_the_profile_asks_for_it(frames: list[Frame]) -> None:
    """The set's signature by `profile`; the VIHF by `vihf_signature`, which is SHA-256 in all of these runs."""
    for one in requests(frames, "TD2.1"):
        assert (b"xmldsig#sha1" in etree.tostring(signature_of(one))) == (one.profile == "legacy")
        assert (b"rsa-sha256" in etree.tostring(signature_of(one))) == (one.profile == "modern")
    for one in requests(frames):
        [assertion] = etree.fromstring(one.envelope).iter(f"{{{SAML}}}Assertion")
        methods = [
            str(item.get("Algorithm")) for item in assertion.iter(f"{{{DS}}}SignatureMethod", f"{{{DS}}}DigestMethod")
        ]
        assert [name.rpartition("#")[2] for name in methods] == ["rsa-sha256", "sha256"]


def test_xmlsec_verifies_every_signature_that_left(frames: list[Frame]) -> None:
    """Of each VIHF in its envelope as it was sent, and of each set, with the certificate that it carries."""
    verified = {"vihf": 0, "legacy": 0, "modern": 0}
    for one in requests(frames):
        root = etree.fromstring(one.envelope)
        _verify(root, "ID")
        verified["vihf"] += 1
        if one.transaction == "TD2.1":
            [(_, document)] = [part for part in one.parts.values() if b":Signature" not in part[1][:400]]
            with served(document):
                _verify(signature_of(one), "Id")
            verified[one.profile] += 1
    assert verified["vihf"] >= 40
    assert verified["modern"] >= 4
    assert verified["legacy"] >= 2


@contextmanager
def served(document: bytes) -> Iterator[None]:
    """libxmlsec opens the references of a manifest: the set's has one zero byte, the document's these bytes."""
    oid = str(etree.fromstring(document).find("{urn:hl7-org:v3}id").get("root"))  # type: ignore[union-attr]

    def content(uri: bytes) -> io.BytesIO:
        name = bytes(uri).decode()
        return io.BytesIO(document if name == f"urn:oid:{oid}" else b"\x00")

    xmlsec.cleanup_callbacks()
    xmlsec.register_callbacks(
        lambda uri: uri.startswith(b"urn:oid:"),
        content,
        lambda stream, size: stream.readinto(size),
        lambda stream: None,
    )
    try:
        yield
    finally:
        xmlsec.cleanup_callbacks()
        xmlsec.register_default_callbacks()


def _verify(root: E, identifier: str) -> None:
    [signature] = root.iter(f"{{{DS}}}Signature")
    certificate = signature.findtext(f".//{{{DS}}}X509Certificate")
    assert certificate is not None
    context = xmlsec.SignatureContext()
    data = base64.b64decode(certificate)
    context.key = xmlsec.Key.from_memory(data, xmlsec.constants.KeyDataFormatCertDer)
    xmlsec.tree.add_ids(root, [identifier])
    context.verify(signature)
