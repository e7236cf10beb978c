"""Documents a second on one core, beside two peers that turn FHIR into C-CDA; which outputs are valid in France.

The peers get the same clinical content as FHIR, adapted to what they can read: references by id instead of `urn:uuid`,
flat sections with codes they know (medplum), resources parsed beforehand (healthchain). CPU time, so that what else
the machine does stays out of it; best of many rounds.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from lxml import etree

from gateway import terminology
from gateway.document.model import ClinicalDocument, MeasureEntry
from gateway.read import fhir as from_fhir
from gateway.render import cda, fhir
from tests.unit.fixture_cases import NAMES, prepared

HERE = Path(__file__).resolve().parent / "peers"
CASE = "01_entorse_cheville_compte_rendu"
ROUNDS = 60
V3 = "{urn:hl7-org:v3}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
KNOWN_SECTIONS = frozenset((HERE / "medplum_sections.txt").read_text(encoding="utf-8").split())
"""Sections that @medplum/ccda 5.1.10 knows; it stops at any other."""

Json = dict[str, Any]


def prepare(folder: Path, stamp: Path, steps: Callable[[], None]) -> bool:
    """Install a peer once for each version of its list; False where it cannot be had."""
    wanted = stamp.read_bytes()
    done = folder / ".installed"
    if done.is_file() and done.read_bytes() == wanted:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        steps()
    except (OSError, subprocess.SubprocessError) as fault:
        print(f"peer not installed: {fault}")
        return False
    done.write_bytes(wanted)
    return True


def medplum(root: Path) -> Path:
    """Folder with @medplum/ccda, or a visible skip."""
    folder = root / "build" / "peers" / "node"

    def steps() -> None:
        shutil.copy(HERE / "package.json", folder)
        command = ["npm", "install", "--silent", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, timeout=100)

    if not prepare(folder, HERE / "package.json", steps):
        pytest.skip("needs npm and its registry for @medplum/ccda")
    return folder


def healthchain(root: Path) -> Path:
    """Python of an environment that holds healthchain, or a visible skip."""
    folder = root / "build" / "peers" / "venv"

    def steps() -> None:
        venv.create(folder, with_pip=True)
        command = [folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*command, "--require-hashes", "-r", HERE / "requirements.txt"], check=True, timeout=200)

    if not prepare(folder, HERE / "requirements.txt", steps):
        pytest.skip("needs PyPI for healthchain")
    return folder / "bin" / "python"


def run(command: list[object], folder: Path) -> dict[str, float]:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    timed: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return timed


def adapted(bundle: Json) -> Json:
    """The same content where medplum finds it: `Type/id` references, no sub-sections, section codes it knows."""
    names = {one["fullUrl"]: f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in bundle["entry"]}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: names.get(held, held) if key == "reference" else plain(held) for key, held in value.items()}
        return [plain(held) for held in value] if isinstance(value, list) else value

    result: Json = plain(bundle)
    composition = result["entry"][0]["resource"]
    flat = [part for section in composition["section"] for part in (section, *section.pop("section", []))]
    for section in flat:
        coding = section["code"]["coding"][0]
        coding["code"] = coding["code"] if coding["code"] in KNOWN_SECTIONS else "47420-5"
    composition["section"] = flat
    return result


def best(work: Callable[[], object]) -> float:
    """Milliseconds of CPU, best of the rounds."""
    work()
    gc.collect()
    spent = []
    for _ in range(ROUNDS):
        start = process_time()
        work()
        spent.append((process_time() - start) * 1000)
    return min(spent)


def kept(document: ClinicalDocument, output: bytes) -> tuple[int, int]:
    """How many of the measured values stand in the output as a number, and how many there were."""
    entries = [entry for part in document.walk() for entry in part.entries if isinstance(entry, MeasureEntry)]
    wanted = Counter(entry.value.normalize() for entry in entries if entry.value is not None)
    values = (
        value for value in etree.fromstring(output).iter(f"{V3}value") if value.get(TYPE) in {"PQ", "INT", "REAL"}
    )
    found = Counter(Decimal(value.get("value", "NaN")).normalize() for value in values)
    return (wanted & found).total(), wanted.total()


def figures(milliseconds: float, document: ClinicalDocument, output: bytes, schema: etree.XMLSchema) -> Json:
    held, all_values = kept(document, output)
    valid = schema.validate(etree.fromstring(output))
    return {
        "ms": round(milliseconds, 3),
        "documents_per_second": round(1000 / milliseconds),
        "bytes": len(output),
        "kilobytes_per_second": round(len(output) / milliseconds),
        "measured_values": f"{held}/{all_values}",
        "french_schema": "valid" if valid else f"refused ({len(schema.error_log)} errors)",
    }


@pytest.mark.bench
@pytest.mark.timeout(400)
def test_beside_two_peers(root: Path, shared: Path, tmp_path: Path, kitcheck: Callable[[bytes], list[Any]]) -> None:
    schema = etree.XMLSchema(etree.parse(next((shared / "kit").rglob("CDA_extended.xsd"))))
    terms, document = terminology.load(), prepared(CASE).document
    bundle = fhir.render(document, terms)
    ours = cda.render(document, terms)
    read = from_fhir.read(bundle, terms).document
    assert read is not None

    (tmp_path / "bundle.json").write_bytes(bundle)
    (tmp_path / "adapted.json").write_text(json.dumps(adapted(json.loads(bundle))), encoding="utf-8")
    node, python = medplum(root), healthchain(root)
    rows = {
        "kine-gateway, document to CDA": figures(best(lambda: cda.render(document, terms)), document, ours, schema),
        "kine-gateway, FHIR to CDA": figures(
            best(lambda: cda.render(from_fhir.read(bundle, terms).document, terms)),  # type: ignore[arg-type]
            document,
            cda.render(read, terms),
            schema,
        ),
    }
    script = ["node", HERE / "run_medplum.mjs", tmp_path / "adapted.json", tmp_path / "medplum.xml", ROUNDS]
    timed = run(script, node)
    rows["@medplum/ccda 5.1.10, FHIR to C-CDA"] = figures(
        timed["best_ms"], document, (tmp_path / "medplum.xml").read_bytes(), schema
    )
    timed = run([python, HERE / "run_healthchain.py", tmp_path / "bundle.json", tmp_path / "hc.xml", ROUNDS], tmp_path)
    rows["healthchain 0.16.1, FHIR to C-CDA"] = figures(
        timed["best_ms"], document, (tmp_path / "hc.xml").read_bytes(), schema
    )
    write(root, "peers", {"case": CASE, "fhir_bytes": len(bundle), "tools": rows})

    first, second, *peers = rows.values()
    assert kitcheck(ours) == []
    assert kitcheck(cda.render(read, terms)) == []
    assert first["french_schema"] == second["french_schema"] == "valid"
    assert all(peer["french_schema"].startswith("refused") for peer in peers)
    assert len(set(first["measured_values"].split("/"))) == 1, "we lose none"


RSS_LIMIT = 250
"""Megabytes."""

MEASURE = """
import sys
from gateway import terminology
from gateway.render import cda, fhir, pdf
from tests.unit.fixture_cases import NAMES, prepared
terms = terminology.load()
for name in NAMES:
    made = prepared(name).document
    cda.render(made, terms), fhir.render(made, terms), pdf.render(made, terms)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024)
"""


@pytest.mark.bench
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process the Linux way")
def test_a_warm_renderer_stays_small(root: Path) -> None:
    """Every fixture as CDA, FHIR and PDF in one fresh process, without a kit."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    resident, peak = (round(float(number), 1) for number in done.stdout.split())
    write(root, "memory", {"documents": len(NAMES), "rss_mb": resident, "peak_mb": peak, "limit_mb": RSS_LIMIT})
    assert peak < RSS_LIMIT


def write(root: Path, name: str, result: Json) -> None:
    folder = root / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(name, json.dumps(result, indent=1))
