"""What the official suites do not notice (spec cda §8): the kit passes each of these, the preflight does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.errors import ConfigError
from gateway.render.cda import render
from gateway.validate import preflight
from gateway.validate.kit import Kit
from tests.unit.render_cda import samples
from tests.unit.validate.mutations import MISSED, MUTATIONS, Mutation, level_1, mutate

GAPS = [mutation for mutation in MUTATIONS if mutation.gap]
SEEN = [mutation for mutation in MUTATIONS if not mutation.gap]
KitCheck = Callable[[bytes], list[Any]]


def test_the_sound_documents_pass(kitcheck: KitCheck) -> None:
    assert kitcheck(render(samples.full(), samples.TERMS)) == []
    assert kitcheck(etree.tostring(level_1())) == []


@pytest.mark.parametrize("mutation", GAPS, ids=lambda mutation: mutation.name)
def test_the_kit_misses_it_and_the_preflight_does_not(kitcheck: KitCheck, mutation: Mutation) -> None:
    cda = mutate(mutation)
    assert kitcheck(cda) == []
    assert mutation.code in [finding.code for finding in preflight.check(cda, samples.TERMS)]


@pytest.mark.parametrize("mutation", MISSED, ids=lambda mutation: mutation.name)
def test_the_kit_sees_what_the_preflight_misses(kitcheck: KitCheck, mutation: Mutation) -> None:
    assert kitcheck(mutate(mutation)) != []


def test_table_of_caught_and_missed(kitcheck: KitCheck) -> None:
    """Shown with `pytest -s`; what it counts stands in docs/validation.md."""
    rows = [(m, m.code in [f.code for f in preflight.check(mutate(m), samples.TERMS)]) for m in MUTATIONS + MISSED]
    for mutation, caught in rows:
        suites = "kit" if kitcheck(mutate(mutation)) else "-"
        print(f"{mutation.name:32} {mutation.code if caught else 'missed':8} {suites}")
    assert sum(caught for _, caught in rows) == len(MUTATIONS)


@pytest.fixture(scope="module")
def kit(shared: Path) -> Kit:
    return Kit(shared / "kit")


def test_our_kit_runner_agrees_with_the_reference_one(kit: Kit, kitcheck: KitCheck) -> None:
    """Same errors at the same places, over sound and faulty documents; the faulty ones are not all passed."""
    seen = 0
    for cda in (*map(mutate, MUTATIONS), render(samples.full(), samples.TERMS)):
        ours = sorted(f.path for f in kit.check(cda) if f.severity == "error")
        theirs = sorted(f.location for f in kitcheck(cda))
        assert ours == theirs
        seen += len(ours)
    assert seen >= len(SEEN) // 2


def test_a_warm_kit_takes_less_than_a_second(kit: Kit) -> None:
    """Processor time, so that a busy machine changes nothing; about a tenth of it where nothing else runs."""
    cda = render(samples.full(), samples.TERMS)
    kit.check(cda)
    start = time.process_time()
    kit.check(cda)
    assert time.process_time() - start < 1.0


def test_our_kit_runner_names_suite_and_rule_and_hides_values(kit: Kit) -> None:
    no_county = mutate(next(m for m in MUTATIONS if m.name == "no-birthplace"))
    [finding] = [f for f in kit.check(no_county) if f.severity == "error"]
    assert finding.code == "KIT-STRUCTMIN"
    assert finding.source
    assert "traits de l'INS" in finding.message
    iso = mutate(next(m for m in MUTATIONS if m.name == "iso-date"))
    assert {f.code for f in kit.check(iso)} == {"KIT-XSD"}
    assert not any("2026-01-05" in f.message for f in kit.check(iso))


def test_a_kit_that_lacks_value_sets_says_so(shared: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "kit"
    shutil.copytree(shared / "kit", folder, copy_function=shutil.copyfile)
    for item in [folder, *folder.rglob("*")]:
        item.chmod(0o755)
    for item in (folder / "jeuxDeValeurs").glob("JDV_SignesVitaux*"):
        item.unlink()
    findings = Kit(folder, ["modeles"]).check(render(samples.full(), samples.TERMS))
    assert findings
    assert all(f.source.endswith("#not-run") for f in findings if f.severity == "error")


def test_a_folder_that_is_no_kit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Kit(tmp_path)
    assert refused.value.code == "KIT-001"
