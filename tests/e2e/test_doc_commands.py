"""Every command that a page of docs/ types is run, in a practice that sent a document, page by page in their order.

Capital words stand for what the reader has: DELIVERY or ENVOI, DOCUMENT, FILE. The guides and READMEs, whose blocks run
as they stand, are tests/architecture/test_readme.py's.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.errors import GatewayError
from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import CASES, ROOT, Practice, open_practice

LINE = re.compile(r"^(?: {4}|\$ |)(?:\$ )?kine-gateway (.+)$", re.MULTILINE)
RUN = re.compile(r"<!-- run -->\n+```.*?^```$", re.DOTALL | re.MULTILINE)
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in {"findings.md", "commands.md"})
ELSEWHERE = {
    "audit serve": "runs until stopped: tests/e2e/test_audit_serve.py",
    "sandbox --dir sandbox": "runs until stopped: tests/e2e/test_sandbox_command.py",
}
REFUSED = {
    # What the page shows needs something that this practice has not; the command says so instead of failing.
    "dmp get 2.25.123456": "no such document in the DMP",
    "dmp mask DOCUMENT": "asks for confirmation, and nobody is there to give it",
    "evidence --test TD3.3a": "this practice is in indirect mode, and that test in direct mode",
    "ins prove": "no account of that name",
    "ins resume": "no patient is stopped",
    "store adopt": "the store of this practice is no copy",
    "session ready cabinet-essai": "no account of that name",
    "annuaire import Extraction": "the file is not there",
    "queue": "the delivery is not in the state that the order is for",
    "patient unoppose": "an opposition that was not recorded is not lifted",
    "keys backup": "the passphrase is typed at a keyboard",
    "keys restore": "the file is not there",
    "keys retire KEY": "KEY stands for a key of the reader's",
    "mapping": "NAME and OTHER stand for mappings of the reader's",
    "validate --pin": "no kit lies there",
    "reconcile FACTURATION.csv --column": "the file has other columns",
    "receipts poll": "no mailbox is read in this practice",
}


def lines(page: Path) -> Iterator[str]:
    for found in LINE.findall(RUN.sub("", page.read_text(encoding="utf-8"))):
        command = re.sub(r"\s{2,}\S.*$|\s#.*$", "", found)  # an explanation stands after it
        yield re.sub(r"\s*\[[^\]]*\](\.\.\.)?|\.\.\.", "", command).partition(" > ")[0].strip()


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path_factory.mktemp("docs") / "practice", certificates=certificates)
    # One account, as in most practices: the pages name none.
    text = made.config.read_text(encoding="utf-8")
    first, *others = re.findall(
        r"^\[\[account\]\]\n.*?(?=^\[\[account\]\]|^\[(?!\[?account)|\Z)", text, re.MULTILINE | re.DOTALL
    )
    for other in others:
        text = text.replace(other, "")
    assert 'id = "cabinet-01"' in first
    made.config.write_text(text, encoding="utf-8")
    yield made
    made.box.close()


@pytest.fixture(scope="module")
def words(practice: Practice) -> dict[str, str]:
    """What the capital words stand for; the files that the pages name lie beside the configuration."""
    case, config, folder = next(CASES.glob("01_*bilan.json")), practice.config, practice.folder
    document = as_json(gateway("submit", case, "--json", config=config))
    assert gateway("run", "--once", config=config).returncode == 0
    delivery = next(d["id"] for d in document["deliveries"] if d["role"] == "medecin_traitant")
    for name in ("bilan.json", "fictif.json"):
        shutil.copyfile(case, folder / name)
    assert gateway("render", case, "--to", folder / "preview").returncode == 0
    shutil.copyfile(folder / "preview" / "document.cda.xml", folder / "FILE")
    shutil.copyfile(next(CASES.glob("01_*compte_rendu.json")), folder / "essai.json")
    gateway("journal", "export", "--to", folder / "export.jsonl", config=config)
    key = next(folder.rglob("journal.pub"))
    shutil.copyfile(key, folder / "journal.pub")
    shutil.copyfile(max(key.parent.glob("checkpoint-*.txt")), folder / "kept.txt")
    gateway("journal", "prove", delivery, "--to", folder / "proof.json", config=config)
    report = as_json(gateway("report", "--period", "2026", "--json", config=config))
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    patient = json.loads(case.read_bytes())["patient"]["ins"]["matricule"]
    (folder / "matricule.txt").write_text(f"{patient}\n", encoding="ascii")
    (folder / "FACTURATION.csv").write_text(f"matricule;date\n{patient};2025-10-06\n", encoding="utf-8")
    return {"DELIVERY": delivery, "ENVOI": delivery, "DOCUMENT": document["document_id"]}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(
    page: Path, practice: Practice, words: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(practice.folder)
    monkeypatch.setenv("KINE_GATEWAY_CONFIG", str(practice.config))
    for line in lines(page):
        if line in ELSEWHERE:
            continue
        arguments = [words.get(word, word) for word in shlex.split(line)]
        result = CliRunner().invoke(app, arguments, input="")
        fault = result.exception
        known = isinstance(fault, GatewayError | SystemExit | None)
        assert known, f"{line}: {fault!r}"
        assert result.exit_code != 2, f"{line}\n{result.output}"
        done = not isinstance(fault, GatewayError) and result.exit_code in {0, 1}
        excused = any(line.startswith(start) for start in REFUSED)
        assert done or excused, f"{line}: {result.exit_code} {fault}\n{result.output}"


def test_nothing_is_excused_that_no_page_types() -> None:
    typed = [line for page in PAGES for line in lines(page)]
    assert [start for start in (*REFUSED, *ELSEWHERE) if not any(line.startswith(start) for line in typed)] == []
