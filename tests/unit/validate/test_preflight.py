"""The preflight sees each fault of spec cda §8, and nothing in a sound document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from gateway.findings import Severity
from gateway.render.cda import render
from gateway.validate import parsing, preflight
from gateway.validate.view import place
from tests.unit.render_cda import samples
from tests.unit.validate.mutations import MISSED, MUTATIONS, Mutation, get, level_1, level_3, mutate


def codes(cda: bytes) -> list[str]:
    return [finding.code for finding in preflight.check(cda, samples.TERMS)]


def test_a_sound_document_has_no_finding() -> None:
    assert preflight.check(render(samples.full(), samples.TERMS), samples.TERMS) == []


def test_a_sound_level_1_document_has_no_finding() -> None:
    assert preflight.check(etree.tostring(level_1()), samples.TERMS) == []


def test_a_bare_document_has_only_its_two_warnings() -> None:
    findings = preflight.check(render(samples.bare(), samples.TERMS), samples.TERMS)
    assert [(f.code, f.severity) for f in findings] == [("CDA-013", Severity.WARNING), ("CDA-024", Severity.WARNING)]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_fault_is_seen(mutation: Mutation) -> None:
    assert mutation.code in codes(mutate(mutation))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_finding_tells_where_and_what_to_do(mutation: Mutation) -> None:
    cda = mutate(mutation)
    root = etree.fromstring(cda)
    for finding in preflight.check(cda, samples.TERMS):
        assert root.xpath(prefixed(finding.path), namespaces={"c": "urn:hl7-org:v3"}), finding.path
        assert re.search(r"\(ligne \d+\)\.$", finding.message)
        assert finding.advice
        for trait in ("PAT-TROIS", "DOMINIQUE", "2790351215189"):
            assert trait not in finding.message + finding.path + finding.advice


RULES_OF_SPEC = range(1, 26)
"""The 25 rules of spec cda §7."""


def test_the_table_is_wide_enough() -> None:
    """Sixty ways to break a document, fifty of them seen by the preflight alone, every rule of §7 among them."""
    assert len({mutation.name for mutation in MUTATIONS + MISSED}) >= 60
    caught = [m for m in MUTATIONS if m.code in codes(mutate(m))]
    assert len(caught) >= 50
    assert {m.rule for m in caught} - {0} == set(RULES_OF_SPEC)


@pytest.mark.parametrize("mutation", MISSED, ids=lambda mutation: mutation.name)
def test_what_is_said_to_be_missed_is_missed(mutation: Mutation) -> None:
    assert codes(mutate(mutation)) == []


def test_the_page_lists_what_is_missed(root: Path) -> None:
    page = (root / "docs" / "validation.md").read_text(encoding="utf-8")
    assert [m.name for m in MISSED if f"`{m.name}`" not in page] == []
    assert f"{len(MUTATIONS)} ways" in page


def prefixed(path: str) -> str:
    return re.sub(r"/(?=\w)", "/c:", path)


def test_a_test_matricule_with_a_wrong_key_only_warns_and_a_production_one_stops() -> None:
    cda = mutate(next(m for m in MUTATIONS if m.name == "ins-key"))
    [finding] = [f for f in preflight.check(cda, samples.TERMS) if f.code == "CDA-011"]
    assert finding.severity is Severity.WARNING
    produced = cda.replace(b"1.2.250.1.213.1.4.10", b"1.2.250.1.213.1.4.8")
    [finding] = [f for f in preflight.check(produced, samples.TERMS) if f.code == "CDA-011"]
    assert finding.severity is Severity.ERROR


HOSTILE = (
    ("empty", b"", "CDA-001"),
    ("not-xml", b"%PDF-1.4", "CDA-001"),
    ("cut", b"<ClinicalDocument><realmCode", "CDA-001"),
    ("bom", b"\xef\xbb\xbf<a/>", "CDA-002"),
    ("utf-16", "<a/>".encode("utf-16"), "CDA-002"),
    ("latin-1-declared", b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "CDA-002"),
    ("latin-1-bytes", b"<a>\xe9</a>", "CDA-002"),
    ("doctype", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "CDA-003"),
    (
        "doctype-after-comment",
        b'<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE a SYSTEM "http://x.test/a.dtd"><a/>',
        "CDA-003",
    ),
    ("bomb", b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>', "CDA-003"),
    ("other-xml", b"<html/>", "CDA-005"),
    ("other-namespace", b"<ClinicalDocument/>", "CDA-005"),
    ("no-type-id", b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', "CDA-005"),
    ("undeclared-entity", b'<ClinicalDocument xmlns="urn:hl7-org:v3">&x;</ClinicalDocument>', "CDA-001"),
    ("deep", b"<a>" * 5000 + b"</a>" * 5000, "CDA-001"),
)


@pytest.mark.parametrize(("name", "cda", "code"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_hostile_bytes_are_one_finding(name: str, cda: bytes, code: str) -> None:
    assert codes(cda) == [code]


def test_oversize_is_refused_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_BYTES", 10)
    assert codes(b"<not even xml") == ["CDA-004"]


def test_an_empty_clinical_document_raises_nothing() -> None:
    cda = (
        b'<ClinicalDocument xmlns="urn:hl7-org:v3">'
        b'<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/></ClinicalDocument>'
    )
    assert {"CDA-024", "CDA-025", "CDA-070", "CDA-081", "CDA-088"} <= set(codes(cda))


def test_a_stylesheet_from_the_network_is_seen_and_a_local_one_is_not() -> None:
    cda = render(samples.full(), samples.TERMS)
    head, _, rest = cda.partition(b"?>")
    remote = head + b"?><?xml-stylesheet type='text/xsl' href='https://exemple.test/cda.xsl'?>" + rest
    local = head + b"?><?xml-stylesheet type='text/xsl' href='cda.xsl'?>" + rest
    assert codes(remote) == ["CDA-062"]
    assert codes(local) == []


@pytest.mark.parametrize("name", ["kine_bilan_n1.xml", "kine_bilan_n3.xml"])
def test_the_published_examples_have_only_the_fault_they_have(shared: Path, name: str) -> None:
    # Their PDF is the single word "%PDF-1.4 stub": no end of file. Their local codes and OIDs are no fault.
    assert codes((shared / "examples" / name).read_bytes()) == ["CDA-059"]


def test_errors_come_first() -> None:
    root = etree.fromstring(mutate(next(m for m in MUTATIONS if m.name == "no-ins")))
    version = root.find("{urn:hl7-org:v3}versionNumber")
    assert version is not None
    version.set("value", "0")
    assert codes(etree.tostring(root)) == ["CDA-025", "CDA-013"]


def test_places_count_sisters_only_where_there_are_some() -> None:
    root = etree.fromstring("<a><b/><c/><b/></a>")
    assert [place(item) for item in root] == ["/a/b[1]", "/a/c", "/a/b[2]"]


@pytest.mark.parametrize(
    ("low", "high", "early"),
    [
        ("20260105", "20260105", False),
        ("20260105", "20260104", True),
        ("20260105", "20260105093000+0100", False),
        ("20260105093000+0100", "20260105", False),
        ("20260105093000+0100", "20260105092959+0100", True),
        ("20260105093000+0100", "20260105090000+0000", False),  # 10:00 in the zone of the start
        ("20260105093000+0000", "20260105100000+0100", True),
        ("202601", "2025", True),
        ("20260105250000+0100", "20260105093000+0100", False),  # no such hour: another rule's matter
    ],
)
def test_an_end_before_its_start(low: str, high: str, *, early: bool) -> None:
    root = level_3()
    for name, value in (("low", low), ("high", high)):
        get(root, f"//c:observation[@moodCode='GOL']/c:effectiveTime/c:{name}").set("value", value)
    assert ("CDA-028" in codes(etree.tostring(root))) is early


def test_a_period_upside_down_stops_in_the_header_and_warns_in_the_body() -> None:
    root = level_3()
    for path in ("//c:serviceEvent", "//c:observation[@moodCode='GOL']"):
        get(root, f"{path}/c:effectiveTime/c:high").set("value", "20250101")
    findings = preflight.check(etree.tostring(root), samples.TERMS)
    assert [f.severity for f in findings if f.code == "CDA-028"] == [Severity.ERROR, Severity.WARNING]
