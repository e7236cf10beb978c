"""`doctor` and `config check`: tables that changed and required kits that are not there are said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway import resources
from gateway.findings import Finding
from gateway.inspection import inspect_settings
from gateway.settings import KitSettings, ValidationSettings, load


def findings(validation: ValidationSettings | None = None) -> list[Finding]:
    settings = load(resources.data_path("config", "gateway.example.toml"))
    if validation is not None:
        settings = settings.model_copy(update={"validation": validation})
    return inspect_settings(settings)


def test_the_shipped_tables_are_those_of_the_pack() -> None:
    assert [f for f in findings() if f.code == "CFG-112"] == []


def test_a_changed_and_a_missing_table_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(resources.data_path("mappings"), pack)
    (pack / "units.csv").write_bytes((pack / "units.csv").read_bytes() + b"\n")
    (pack / "vendors" / "kinexemple-csv-3.toml").unlink()
    monkeypatch.setenv(resources.MAPPINGS_VARIABLE, str(pack))
    found = [(f.path, f.severity.value) for f in findings() if f.code == "CFG-112"]
    assert found == [("/mappings/units.csv", "warning"), ("/mappings/vendors/kinexemple-csv-3.toml", "warning")]


def test_a_required_kit_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    absent = KitSettings(path=tmp_path / "absent", name="ans", sha256="0" * 64)
    found = findings(ValidationSettings(required=True, kits=(absent,)))
    assert [(f.code, f.path) for f in found if f.code.startswith("KIT")] == [("KIT-005", "/validation")]
    assert [f for f in findings(ValidationSettings(kits=(absent,))) if f.code.startswith("KIT")] == []


@pytest.mark.parametrize(
    ("imap", "code"),
    [(None, "CFG-117"), ("autre@kine.mssante.example", "CFG-118"), ("nom-du-certificat", None), ("", None)],
)
def test_who_reads_the_answers_is_asked(imap: str | None, code: str | None) -> None:
    settings = load(resources.data_path("config", "gateway.example.toml"))
    [account] = settings.account
    assert account.imap is not None
    read = None if imap is None else account.imap.model_copy(update={"user": imap or account.mailbox.upper()})
    changed = settings.model_copy(update={"account": (account.model_copy(update={"imap": read}),)})
    found = [f.code for f in inspect_settings(changed) if f.code in {"CFG-117", "CFG-118"}]
    assert found == ([code] if code else [])
