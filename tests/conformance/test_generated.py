"""Documents drawn from records over the whole of the input pass the official kit, the preflight and the FHIR checks.

By default a dozen of each; `KINE_EXAMPLES=500 pytest -m slow tests/conformance/test_generated.py` is the long form
(five hundred documents, about four minutes of one core).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gateway.document.model import ClinicalDocument
from gateway.findings import Severity
from gateway.render.cda import render as cda_render
from gateway.render.fhir import render as fhir_render
from gateway.validate import preflight
from gateway.validate.kit import Kit
from tests.conftest import NODE_DIR
from tests.property.strategies import TERMS, documents, examples

SHORT = 12
EXPLAINED = (
    # FR Core names its own type for the INS, outside HL7's list, which R4 binds as extensible: the profile asks for it.
    '"INS-NIR-TEST"]] is not in http://hl7.org/fhir/ValueSet/identifier-type (extensible)',
    '"INS-NIR-DEMO"]] is not in http://hl7.org/fhir/ValueSet/identifier-type (extensible)',
)
# A practice may well have quotes in its name: the rule says « probably ».
QUOTED = (
    "Use of quotes at the beginning of a name are probably not correct",
    "Use of quotes at the end of a name are probably not correct",
)
PREFLIGHT = {"CDA-011", "CDA-013", "CDA-024"}  # test INS whose key warns; no INS; no médecin traitant


@pytest.fixture(scope="module")
def kit(shared: Path) -> Kit:
    return Kit(shared / "kit")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@examples(SHORT)
@given(document=documents())
def test_the_kit_finds_no_error_and_no_unexplained_warning(kit: Kit, document: ClinicalDocument) -> None:
    found = kit.check(cda_render(document, TERMS))
    assert [f for f in found if f.severity is Severity.ERROR or not any(text in f.message for text in QUOTED)] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@examples(SHORT)
@given(document=documents())
def test_the_reference_checker_finds_no_error(
    kitcheck: Callable[[bytes], list[Any]], document: ClinicalDocument
) -> None:
    assert kitcheck(cda_render(document, TERMS)) == []


@examples(SHORT * 3)
@given(document=documents())
def test_the_preflight_finds_nothing_to_stop(document: ClinicalDocument) -> None:
    found = preflight.check(cda_render(document, TERMS), TERMS)
    assert [f for f in found if f.severity is Severity.ERROR or f.code not in PREFLIGHT] == []


# ---------------------------------------------------------------- FHIR: one Node process for all of them


def drawn(count: int) -> list[ClinicalDocument]:
    """So many documents, the same every time."""
    found: list[ClinicalDocument] = []
    quiet = list(HealthCheck)

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=quiet,
    )
    @given(documents())
    def collect(document: ClinicalDocument) -> None:
        found.append(document)

    collect()
    return found


def many(checker: str) -> str:
    """The checker's own source, its last part in a loop over files: it loads half a second of definitions once."""
    head, mark, tail = checker.partition("const doc = rd(file);")
    body, _, _ = tail.partition("if (asJson) console.log")
    assert mark
    assert body
    loop = "for (const one of args.filter(a => !a.startsWith('--'))) {"
    said = "console.log(JSON.stringify({ file: one, issues })); issues.length = 0; }"
    return f"{head}{loop} const doc = rd(one);{body}{said}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_fhir_checker_finds_nothing(shared: Path, needs: Callable[..., None], tmp_path: Path) -> None:
    needs("node", "npm-packages")
    count = int(os.environ.get("KINE_EXAMPLES", "0")) or SHORT
    found = check_all(shared, tmp_path, [fhir_render(document, TERMS) for document in drawn(count)])
    assert len(found) >= count * 9 // 10
    unexplained = [
        (file, issue["rule"], issue["path"], issue["message"])
        for file, issues in found.items()
        for issue in issues
        if issue["severity"] != "information" and not any(text in issue["message"] for text in EXPLAINED)
    ]
    assert unexplained == []


@pytest.mark.slow
def test_the_fhir_checker_in_a_loop_still_sees_faults(shared: Path, needs: Callable[..., None], tmp_path: Path) -> None:
    needs("node", "npm-packages")
    sound = [fhir_render(document, TERMS) for document in drawn(2)]
    broken = json.loads(sound[0])
    del broken["identifier"]
    found = list(check_all(shared, tmp_path, [sound[0], json.dumps(broken).encode(), sound[1]]).values())
    faults = [[issue for issue in issues if issue["severity"] == "error"] for issues in found]
    assert [bool(one) for one in faults] == [False, True, False]


def check_all(shared: Path, folder: Path, bundles: list[bytes]) -> dict[str, list[dict[str, Any]]]:
    """Issues by file, of every Bundle."""
    script = folder / "many.mjs"
    script.write_text(many((shared / "tools" / "fhircheck.mjs").read_text(encoding="utf-8")), encoding="utf-8")
    names = []
    for place, data in enumerate(bundles):
        name = folder / f"{place:04d}.json"
        name.write_bytes(data)
        names.append(str(name))
    command = ["node", str(script), *names, "--ans-strict"]
    run = subprocess.run(
        command,
        cwd=NODE_DIR,
        env={**os.environ, "FRCORE_DIR": f"{shared / 'fr-core'}/"},
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert run.returncode == 0, f"the checker did not run: {run.stderr[-2000:]}"
    lines = map(json.loads, run.stdout.splitlines())
    found = {line["file"]: line["issues"] for line in lines}
    assert len(found) == len(bundles)
    return found
