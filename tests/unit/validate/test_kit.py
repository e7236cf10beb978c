"""The schematron compiler and its runner on a small kit of our own: tested without the official one too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.findings import Severity
from gateway.validate.kit import SUITES, XSD, Kit

HEAD = '<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"{phase}>'
NS = '<ns prefix="h" uri="urn:hl7-org:v3"/>'
SCHEMA = f"""{HEAD.format(phase=' defaultPhase="used"')}{NS}
<phase id="used"><active pattern="first"/><active pattern="second"/><active pattern="third"/>
  <active pattern="broken"/><active pattern="gone"/></phase>
<let name="wanted" value="'N'"/>
<include href="INCLUDED.sch"/>
<include href="nowhere.sch"/>
<pattern id="first">
  <let name="limit" value="2"/>
  <rule id="base" abstract="true">
    <assert test="@code">[<name/>] sans code : <value-of select="@secret"/>.</assert>
  </rule>
  <rule context="h:code"><extends rule="base"/></rule>
  <rule context="h:code"><assert test="false()">never: the first rule of a pattern takes the node</assert></rule>
  <rule context="h:list"><report role="warning" test="count(h:item) &gt; $limit">trop long</report></rule>
</pattern>
<pattern id="second" is-a="generic">
  <param name="where" value="h:status"/><param name="wherever" value="$wanted"/>
</pattern>
<pattern id="generic" abstract="true">
  <rule context="$where"><assert id="fixed" role="info" test="@code = $wherever">statut</assert></rule>
</pattern>
<pattern id="broken">
  <rule context="h:list"><assert test="doc('absent.xml')/x">jamais</assert></rule>
</pattern>
<pattern id="unused"><rule context="h:code"><assert test="false()">not in the phase</assert></rule></pattern>
</schema>"""
INCLUDED = """<pattern xmlns="http://purl.oclc.org/dsdl/schematron" id="third">
  <let name="limit" value="9"/>
  <rule context="h:list"><assert test="$limit = 9">alias</assert></rule></pattern>"""
EMPTY = f"{HEAD.format(phase='')}{NS}</schema>"
CIRCLE = """<pattern><rule id="r" abstract="true"><extends rule="r"/></rule>
<rule context="*"><extends rule="r"/></rule></pattern>"""
SCHEMA_XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:hl7-org:v3"
  elementFormDefault="qualified"><xs:element name="a"><xs:complexType><xs:sequence>
  <xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/></xs:sequence>
  <xs:attribute name="n" type="xs:integer"/></xs:complexType></xs:element></xs:schema>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kit")
    for name, text in {XSD: SCHEMA_XSD, **dict.fromkeys(SUITES.values(), EMPTY), SUITES["ihe"]: SCHEMA}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / SUITES["ihe"]).with_name("included.SCH").write_text(INCLUDED, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def kit(folder: Path) -> Kit:
    return Kit(folder)


def found(kit: Kit, inside: str, attributes: str = "") -> list[tuple[str, str, str, str]]:
    cda = f'<a xmlns="urn:hl7-org:v3"{attributes}>{inside}</a>'.encode()
    return [(f.code, f.severity.value, f.path, f.source) for f in kit.check(cda)]


def test_a_sound_document(kit: Kit) -> None:
    assert found(kit, '<code code="x"/><status code="N"/>', ' n="1"') == []


def test_an_abstract_rule_called_by_a_concrete_one_which_alone_takes_the_node(kit: Kit) -> None:
    assert found(kit, '<code code="x"/><code/>') == [("KIT-IHE", "error", "/a[1]/code[2]", "base#1")]


def test_an_abstract_pattern_with_parameters_and_roles(kit: Kit) -> None:
    assert found(kit, '<status code="R"/>') == [("KIT-IHE", "info", "/a[1]/status[1]", "fixed")]


def test_the_rule_that_cannot_run_is_an_error_and_the_others_still_run(kit: Kit) -> None:
    items = "<item/>" * 3
    assert found(kit, f"<list>{items}</list>") == [
        ("KIT-IHE", "warning", "/a[1]/list[1]", "first#1"),
        ("KIT-IHE", "error", "/a[1]/list[1]", "broken#not-run"),
    ]


def test_messages_name_the_element_and_repeat_no_value(kit: Kit) -> None:
    [finding] = kit.check(b'<a xmlns="urn:hl7-org:v3">\n<code secret="279035121518989"/></a>')
    assert finding.message == "[code] sans code : …. (ligne 2)"


def test_schema_errors_repeat_no_value(kit: Kit) -> None:
    [finding] = kit.check(b'<a xmlns="urn:hl7-org:v3" n="DUPONT"/>')
    assert (finding.code, finding.severity) == ("KIT-XSD", Severity.ERROR)
    assert "DUPONT" not in finding.message
    assert "xs:integer" in finding.message


def test_what_the_schema_names_and_the_kit_lacks_is_said(kit: Kit) -> None:
    found(kit, "")
    assert kit.missing() == ["nowhere.sch", "pattern gone"]


def test_hostile_bytes_are_findings(kit: Kit) -> None:
    assert [f.code for f in kit.check(b"<a>")] == ["CDA-001"]
    assert [f.code for f in kit.check(b'<!DOCTYPE a SYSTEM "x"><a/>')] == ["CDA-003"]


def test_a_suite_asked_for_by_name(folder: Path) -> None:
    assert found(Kit(folder, ["xsd"]), "<code/>") == []
    with pytest.raises(ConfigError) as refused:
        Kit(folder, ["xsd", "everything"])
    assert refused.value.code == "KIT-004"


def test_a_folder_that_is_no_kit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Kit(tmp_path)
    assert refused.value.code == "KIT-001"


def test_without_saxon_the_advice_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "saxonche", None)
    with pytest.raises(ConfigError) as refused:
        Kit(folder).check(b"<a/>")
    assert refused.value.code == "KIT-002"
    assert "saxonche" in refused.value.advice


@pytest.mark.parametrize(
    "fault",
    [
        '<pattern id="p" is-a="nobody"/>',
        '<pattern id="p"><rule context="h:a"><extends rule="nobody"/></rule></pattern>',
        CIRCLE,
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(folder: Path, tmp_path: Path, fault: str) -> None:
    kit = Kit(folder, ["ihe"])
    kit.folder = tmp_path
    path = tmp_path / SUITES["ihe"]
    path.parent.mkdir(parents=True)
    path.write_text(EMPTY.replace("</schema>", f"{fault}</schema>"), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        kit.check(b"<a/>")
    assert refused.value.code == "KIT-003"


def test_saxon_is_loaded_only_when_a_kit_checks() -> None:
    code = "import sys, gateway.validate.kit, gateway.validate.preflight; print('saxonche' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "False"
