"""Pinned kits, several of them, and what they add: names, lines, advice; on a small kit of our own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings import KitSettings, ValidationSettings
from gateway.validate import kits as module
from gateway.validate.kit import SUITES, XSD
from gateway.validate.kits import Kits, line_of, named, suite_of
from gateway.validate.pin import pin_of
from tests.unit.validate.test_kit import EMPTY, HEAD, NS

STRICT = f"""{HEAD.format(phase="")}{NS}<pattern><rule context="h:a" id="wants">
<assert test="h:legalAuthenticator">element hl7:legalAuthenticator is required</assert></rule></pattern></schema>"""
SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:hl7-org:v3"
  elementFormDefault="qualified"><xs:element name="a"><xs:complexType><xs:sequence>
  <xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="ClinicalDocument"/></xs:schema>"""
SOUND = b'<a xmlns="urn:hl7-org:v3">\n<legalAuthenticator/></a>'
FAULTY = b'<?xml version="1.0"?>\n<a xmlns="urn:hl7-org:v3"/>'


def make(folder: Path, structmin: str) -> Path:
    for name, text in {XSD: SCHEMA, **dict.fromkeys(SUITES.values(), EMPTY), SUITES["structmin"]: structmin}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("kits")
    return make(root / "2025" / "Test ContenuCDA", EMPTY), make(root / "2026" / "Test ContenuCDA", STRICT)


def test_each_kit_speaks_for_itself(folders: tuple[Path, Path]) -> None:
    kits = Kits(named(folders))
    assert [(v.kit, len(v.findings)) for v in kits.check(FAULTY)] == [
        ("Test-ContenuCDA", 0),
        ("Test-ContenuCDA-2", 1),
    ]
    [finding] = kits.findings(FAULTY)
    assert finding.source == "Test-ContenuCDA-2 : wants#1"
    assert (suite_of(finding), line_of(finding)) == ("structmin", 2)
    assert "signatureCode" in finding.advice
    assert finding.message.startswith("element hl7:legalAuthenticator is required")
    assert kits.findings(SOUND) == []
    assert kits.missing() == {"Test-ContenuCDA": [], "Test-ContenuCDA-2": []}
    kits.close()


def test_a_message_that_no_row_knows_has_no_advice(folders: tuple[Path, Path], tmp_path: Path) -> None:
    kits = Kits(named([make(tmp_path / "k", STRICT.replace("element hl7:legalAuthenticator", "tout autre chose"))]))
    assert [finding.advice for finding in kits.findings(FAULTY)] == [""]


def test_many_threads_may_ask(folders: tuple[Path, Path]) -> None:
    kits = Kits(named(folders))
    kits.warm()
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda cda: len(kits.findings(cda)), [SOUND, FAULTY] * 8))
    assert counts == [0, 1] * 8


def test_a_pin_is_what_sha256sum_gives(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.sch").write_bytes(b"2")
    (tmp_path / "a.xsd").write_bytes(b"1")
    listed = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("a.xsd", b"1"), ("b/c.sch", b"2"))
    )
    assert pin_of(tmp_path) == hashlib.sha256(listed.encode()).hexdigest()


@pytest.mark.parametrize("change", ["content", "name", "added", "removed"])
def test_a_kit_that_changed_since_its_pin_is_refused(folders: tuple[Path, Path], tmp_path: Path, change: str) -> None:
    folder = tmp_path / "kit"
    shutil.copytree(folders[0], folder)
    pinned = KitSettings(path=folder, name="ans", sha256=pin_of(folder))
    Kits([pinned]).close()
    target = folder / SUITES["ihe"]
    if change == "content":
        target.write_text(target.read_text() + " ", encoding="utf-8")
    elif change == "name":
        target.rename(target.with_suffix(".old"))
    elif change == "added":
        (folder / "more.sch").write_text("")
    else:
        target.unlink()
    with pytest.raises(ConfigError) as refused:
        Kits([pinned])
    assert refused.value.code == "KIT-006"


def test_an_empty_or_absent_folder_has_no_pin(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError) as refused:
            pin_of(folder)
        assert refused.value.code == "KIT-005"


def test_kits_are_asked_for_only_where_they_are_required(folders: tuple[Path, Path]) -> None:
    pinned = KitSettings(path=folders[0], name="ans", sha256=pin_of(folders[0]))
    assert module.required(ValidationSettings(kits=(pinned,))) is None
    wanted = module.required(ValidationSettings(required=True, kits=(pinned,)))
    assert wanted is not None
    assert wanted.findings(SOUND) == []


@pytest.mark.parametrize(
    "table",
    [
        {"required": True},
        {"required": True, "kits": [{"path": "x"}]},
        {"kits": [{"path": "x", "name": "a"}, {"path": "y", "name": "a"}]},
        {"kits": [{"path": "x", "sha256": "abc"}]},
    ],
    ids=["no-kit", "not-pinned", "same-name", "no-digest"],
)
def test_settings_that_promise_nothing_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="ValidationSettings"):
        ValidationSettings.model_validate(table)


def test_an_absent_engine_is_said_at_once(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    pinned = KitSettings(path=folders[0], name="ans", sha256=pin_of(folders[0]))
    with pytest.raises(ConfigError) as refused:
        module.required(ValidationSettings(required=True, kits=(pinned,)))
    assert refused.value.code == "KIT-002"
    assert "kine-gateway[kit]" in refused.value.advice


def test_every_row_of_advice_can_be_read() -> None:
    rows = module._advice()
    assert len(rows) >= 20
    assert {row.suite for row in rows} <= {"xsd", *SUITES}


def run(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "validate", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


def test_the_command_judges_by_each_kit(folders: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "document.xml"
    file.write_bytes(SOUND)
    status, said = run(str(file), "--kit", str(folders[0]), "--kit", str(folders[1]))
    assert status == 65  # not a CDA at all for the preflight, though the small kits accept it
    assert "CDA-005" in said
    assert "Test-ContenuCDA : 0 erreur(s)" in said
    assert "Test-ContenuCDA-2 : 0 erreur(s)" in said


def test_the_command_prints_a_pin(folders: tuple[Path, Path]) -> None:
    import tomllib

    status, said = run("--pin", str(folders[1]))
    [row] = tomllib.loads(said)["validation"]["kits"]
    assert status == 0
    assert row["sha256"] == pin_of(folders[1])
    KitSettings.model_validate(row)


def test_the_command_refuses_a_folder_that_is_no_kit(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(SOUND)
    assert run(str(file), "--kit", str(tmp_path))[0] == 78
    assert run("--pin", str(tmp_path / "absent"))[0] == 78
    assert run()[0] == 78
