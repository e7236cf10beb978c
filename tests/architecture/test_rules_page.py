"""docs/rules.md, config/access_rules.toml, the findings of the code and the tests say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import resources
from gateway.errors import ConfigError
from gateway.rules import duties, table
from gateway.settings import RulesSettings
from tests.tools import findings_page, rules_page
from tests.unit.rules.test_rows import SIDES


def test_the_page_is_what_the_table_and_the_tests_say(root: Path) -> None:
    assert (root / "docs" / "rules.md").read_text(encoding="utf-8") == rules_page.page()


def test_the_thirty_rows_are_there_in_order() -> None:
    numbers = [one.number for one in table.load().row]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 30


def test_every_finding_of_access_is_in_a_row_and_every_code_of_a_row_exists(root: Path) -> None:
    used = set(findings_page.rows(root / "gateway"))
    named = {code for one in table.load().row for code in one.codes}
    assert {code for code in used if code.startswith("ACC-")} == {code for code in named if code.startswith("ACC-")}
    assert named - used == set()


def test_every_row_that_does_something_is_tested() -> None:
    tested = {side.row for side in SIDES} | rules_page.OTHERS.keys()
    assert {one.number for one in table.load().row if one.levels != ("info",)} - tested == set()
    assert rules_page.missing_tests() == []


def test_every_access_code_has_both_sides_of_a_boundary() -> None:
    codes = {code for one in table.load().row for code in one.codes if code.startswith("ACC-")}
    # A second episode is seen by the history alone, which test_row_7_a_second_episode brings.
    assert codes - {side.code for side in SIDES} == {"ACC-018"}


def test_duties_name_rows_of_the_table() -> None:
    numbers = {one.number for one in table.load().row}
    assert {row for one in duties.load().duty for row in one.rows} <= numbers


def test_every_disputed_setting_is_cited_with_its_value() -> None:
    settings = RulesSettings(episode_months=4, cpts_proof="once", reorient_at_cap=False)
    loaded = table.load()
    assert "réglage episode_months = 4" in loaded.citation("ACC-017", settings)
    assert "réglage cpts_proof = once" in loaded.citation("ACC-011", settings)
    assert "réglage reorient_at_cap = non" in loaded.citation("ACC-016", settings)
    assert "réglage experiment_start = 2025-06-08" in loaded.citation("ACC-006", settings)
    assert loaded.citation("ACC-003", settings) == "ARS Nouvelle-Aquitaine (règle 30)"


@pytest.mark.parametrize(
    "change",
    [
        ("", "["),
        ('sources = ["S1"]', 'sources = ["S9"]'),
        ("number = 2\n", "number = 1\n"),
        ('claims = ["ACC-003"]', 'claims = ["ACC-004"]'),
        ('setting = "cpts_proof"', 'setting = "unknown"'),
        ('blocks = "sending"\n', ""),
    ],
)
def test_a_damaged_table_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    shipped = resources.read_text("config", "access_rules.toml")
    assert change[0] in shipped
    path = tmp_path / "access_rules.toml"
    path.write_text(shipped.replace(*change, 1) if change[0] else change[1], encoding="utf-8")
    monkeypatch.setattr(table, "data_path", lambda *_: path)
    with pytest.raises(ConfigError) as caught:
        table.load.__wrapped__()
    assert caught.value.code == "RUL-001"
