"""`validation.required`: nothing leaves the folder that a pinned official kit refuses, and what is good goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from gateway.errors import ConfigError, InputError
from gateway.render import cda
from gateway.sidecar.daemon import Sidecar
from gateway.validate.pin import pin_of
from tests.integration.practice import Practice, case, open_practice

CASE = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path, shared: Path) -> Iterator[Practice]:
    practice = open_practice(tmp_path, certificates=certificates)
    kit = shared / "kit"
    rows = f'[validation]\nrequired = true\nkits = [{{ path = "{kit}", name = "ans", sha256 = "{pin_of(kit)}" }}]\n'
    practice.config.write_text(practice.config.read_text(encoding="utf-8") + "\n" + rows, encoding="utf-8")
    yield practice
    practice.box.close()


def fault_only_the_suites_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observations without id."""
    sound = cda.render
    name = {"c": "urn:hl7-org:v3"}

    def broken(*arguments: Any, **named: Any) -> bytes:
        root = etree.fromstring(sound(*arguments, **named))
        for item in root.findall(".//c:observation/c:id", name):
            parent = item.getparent()
            assert parent is not None
            parent.remove(item)
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)

    monkeypatch.setattr(cda, "render", broken)


def test_the_sidecar_sends_what_the_kit_accepts(practice: Practice) -> None:
    practice.drop(case(CASE), "bilan", ACCOUNT)
    practice.run()
    assert [d["transport"] for d in practice.status(ACCOUNT, "bilan")["deliveries"]] == ["sent"] * 3


def test_the_sidecar_refuses_what_only_the_kit_sees(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    fault_only_the_suites_see(monkeypatch)
    practice.drop(case(CASE), "bilan", ACCOUNT)
    practice.run()
    rejected = practice.outbox(ACCOUNT) / "rejected"
    report = json.loads((rejected / "bilan.report.json").read_bytes())
    errors = [f for f in report["findings"] if f["severity"] == "error"]
    assert errors
    assert {f["code"][:4] for f in errors} == {"KIT-"}
    assert all(f["source"].startswith("ans : ") for f in errors)
    with Gateway.open(practice.config) as gateway:
        assert gateway.deliveries() == []
        with pytest.raises(InputError):
            gateway.submit(json.dumps(case(CASE)).encode())
        assert gateway.deliveries() == []


def test_a_kit_that_changed_stops_the_start_and_every_submission_but_no_question(practice: Practice) -> None:
    text = practice.config.read_text(encoding="utf-8")
    digest = text.rpartition('sha256 = "')[2][:64]
    practice.config.write_text(text.replace(digest, "0" * 64), encoding="utf-8")
    practice.drop(case(CASE), "bilan", ACCOUNT)
    with Gateway.open(practice.config) as gateway, pytest.raises(ConfigError) as refused:
        asyncio.run(Sidecar(gateway).run(asyncio.Event()))
    assert refused.value.code == "KIT-006"
    said = CliRunner().invoke(app, ["run", "--once", "--config", str(practice.config)])
    assert isinstance(said.exception, ConfigError)
    assert (practice.outbox(ACCOUNT) / "new" / "bilan.json").is_file()
    with Gateway.open(practice.config) as gateway:
        assert gateway.deliveries() == []
        with pytest.raises(ConfigError):
            gateway.submit(json.dumps(case(CASE)).encode())
        assert gateway.deliveries() == []
