"""Evidence for homologation: every frame of a run, exact, of a synthetic patient, and of nobody else."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import resources
from gateway.api import Gateway
from gateway.errors import ConfigError, InputError
from gateway.settings import load
from tests.integration.practice import Practice, case, open_practice
from tests.integration.test_dmp_life import ACCOUNT, BILAN, direct

CODES = ["TD0.2", "TD2.1a", "TD2.1b", "TD3.1a", "TD3.1b", "TD3.1-SETS", "TD3.2", "TD3.3a", "TD3.3b", "TD3.3c", "TD3.3d"]


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    direct(made)
    yield made
    made.box.close()


def patient() -> bytes:
    return json.dumps(case(BILAN)).encode()


def body_of(frame: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Start line, header fields and body of a frame."""
    head, _, body = frame.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    pairs = (field.decode("latin-1").split(": ", 1) for field in fields.split(b"\r\n"))
    return line, {name.lower(): value for name, value in pairs}, body


def test_the_whole_life_is_kept_frame_by_frame(practice: Practice, tmp_path: Path) -> None:
    out = tmp_path / "preuves"
    with Gateway.open(practice.config) as gateway:
        plan = gateway.evidence.plan("LIFE", submission=patient(), account=ACCOUNT)
        run = gateway.evidence.run(plan, out, by="Anne Essai")
        assert run.ok, run.index["steps"]
        assert gateway.deliveries() == [], "a run leaves nothing in the practice's own store"
    index = json.loads((out / "index.json").read_bytes())
    assert [one["step"] for one in index["steps"]] == list(plan.test.steps)
    seen = [one["transaction"] for one in index["exchanges"]]
    assert set(seen) == {"TD0.2", "TD2.1", "TD3.1", "TD3.2", "TD3.3"}
    assert seen.count("TD2.1") == 2  # feed and replacement
    assert seen.count("TD3.3") == 5  # mask, unmask, archive, unarchive, delete
    for one in index["exchanges"]:
        line, fields, body = body_of((out / one["request"]["file"]).read_bytes())
        assert line.startswith(b"POST /si-dmp-server/v2/services/")
        assert len(body) == int(fields["content-length"])
        line, fields, body = body_of((out / one["response"]["file"]).read_bytes())
        assert line == b"HTTP/1.1 200 OK"
        assert one["tls"].startswith("TLSv1.2 ECDHE-RSA-")
    held = practice.box.dmp.documents()
    assert sorted(one.status for one in held) == ["Deleted", "Deprecated"]
    assert practice.box.mail.messages("helene.modele@medecin.mssante.example") == []


def test_the_frames_are_what_went_over_the_wire(practice: Practice, tmp_path: Path) -> None:
    """The sandbox keeps the bodies it received and sent: another witness."""
    with Gateway.open(practice.config) as gateway:
        plan = gateway.evidence.plan("TD2.1a", submission=patient(), account=ACCOUNT)
        run = gateway.evidence.run(plan, tmp_path / "preuves", by="Anne Essai")
    witnessed = [practice.box.dmp.exchange(one.id) for one in practice.box.dmp.exchanges()]
    assert len(witnessed) == len(run.index["exchanges"])
    for one, witness in zip(run.index["exchanges"], witnessed, strict=True):
        assert witness is not None
        _, fields, body = body_of((run.folder / one["request"]["file"]).read_bytes())
        assert (body, fields) == (witness.request, {name.lower(): value for name, value in witness.request_headers})
        _, fields, body = body_of((run.folder / one["response"]["file"]).read_bytes())
        assert body == witness.answer
        assert {(name.lower(), value) for name, value in witness.answer_headers} <= set(fields.items())


def test_digests_and_journal_are_checked_by_other_programs(practice: Practice, tmp_path: Path) -> None:
    from gateway.audit.verify import verify_export

    out = tmp_path / "preuves"
    with Gateway.open(practice.config) as gateway:
        gateway.evidence.run(
            gateway.evidence.plan("TD2.1a", submission=patient(), account=ACCOUNT), out, by="Anne Essai"
        )
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len([one for one in out.rglob("*") if one.is_file()]) - 1
    assert verify_export(out / "journal.jsonl").ok
    for one in json.loads((out / "index.json").read_bytes())["exchanges"]:
        data = (out / one["request"]["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == one["request"]["sha256"]
    assert "TD2.1a" in (out / "LISEZMOI.txt").read_text(encoding="utf-8")
    assert all((one.stat().st_mode & 0o077) == 0 for one in (out / "frames").iterdir())


def test_every_test_runs(practice: Practice, tmp_path: Path) -> None:
    with Gateway.open(practice.config) as gateway:
        for code in CODES:
            plan = gateway.evidence.plan(code, submission=patient(), account=ACCOUNT)
            run = gateway.evidence.run(plan, tmp_path / code, by="Anne Essai")
            assert run.ok, (code, run.index["steps"])
            assert any(one["transaction"] == code[:5] for one in run.index["exchanges"]), code


def test_the_catalogue_names_every_transaction_of_the_issue(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        assert [one.code for one in gateway.evidence.tests()] == [*CODES, "LIFE"]


def test_a_failing_step_ends_the_run_and_is_told(practice: Practice, tmp_path: Path) -> None:
    practice.box.faults.set("dmp", "reject", only="TD3.3")
    with Gateway.open(practice.config) as gateway:
        run = gateway.evidence.run(
            gateway.evidence.plan("TD3.3a", submission=patient(), account=ACCOUNT), tmp_path / "out", by="Anne Essai"
        )
    assert [one["ok"] for one in run.index["steps"]] == [True, False, None]
    assert not run.ok
    assert "échoué" in (run.folder / "LISEZMOI.txt").read_text(encoding="utf-8")
    last = run.index["exchanges"][-1]
    assert last["transaction"] == "TD3.3"
    assert b"RegistryError" in (run.folder / last["response"]["file"]).read_bytes()


def test_the_fhir_door_too(practice: Practice, tmp_path: Path) -> None:
    """What the door does not have is a failed step, and what was kept before it has its index."""
    text = practice.config.read_text(encoding="utf-8")
    door = f'mode = "direct"\ndoor = "fhir"\nfhir_url = "{practice.box.fhir_url}"'
    practice.config.write_text(text.replace('mode = "direct"', door), encoding="utf-8")
    with Gateway.open(practice.config) as gateway:
        plan = gateway.evidence.plan("LIFE", submission=patient(), account=ACCOUNT)
        run = gateway.evidence.run(plan, tmp_path / "life", by="Anne Essai")
        assert run.ok, run.index["steps"]
        seen = {one["transaction"] for one in run.index["exchanges"]}
        assert seen == {"TD0.2-FHIR", "ITI-65", "ITI-67", "ITI-68", "PATCH"}
        plan = gateway.evidence.plan("TD3.1-SETS", submission=patient(), account=ACCOUNT)
        run = gateway.evidence.run(plan, tmp_path / "sets", by="Anne Essai")
    assert [(one["ok"], one["reason"]) for one in run.index["steps"]][-1] == (False, "DMP-FHIR-DOOR")
    assert (tmp_path / "sets" / "index.json").exists()


def test_a_lost_answer_leaves_its_request(practice: Practice, tmp_path: Path) -> None:
    practice.box.faults.set("dmp", "drop_after_data", only="TD2.1")
    with Gateway.open(practice.config) as gateway:
        run = gateway.evidence.run(
            gateway.evidence.plan("TD2.1a", submission=patient(), account=ACCOUNT), tmp_path / "out", by="Anne Essai"
        )
    [lost] = [one for one in run.index["exchanges"] if one["response"] is None]
    assert lost["transaction"] == "TD2.1"
    assert lost["fault"]
    assert run.ok, "the query found the document: the feed succeeded"


# -------------------------------------------------------------------------------------------------- refusals


def test_an_account_of_production_is_refused(practice: Practice) -> None:
    settings = load(practice.config)
    for update, code in (
        ({"environment": "production"}, "EVD-001"),
        ({"url": "https://lps2.dmp.gouv.fr/si-dmp-server/v2/services"}, "EVD-006"),
    ):
        account = settings.find_account(ACCOUNT)
        assert account is not None
        assert account.dmp is not None
        if "url" in update:
            account = account.model_copy(update={"dmp": account.dmp.model_copy(update=update)})
        else:
            account = account.model_validate(account.model_dump() | update)
        others = tuple(one for one in settings.account if one.id != ACCOUNT)
        with Gateway(settings.model_copy(update={"account": (account, *others)})) as gateway:
            with pytest.raises(ConfigError) as refused:
                gateway.evidence.plan("TD2.1a", submission=patient(), account=ACCOUNT)
            assert refused.value.code == code
    assert practice.box.dmp.exchanges() == []


@pytest.mark.parametrize("oid", ["1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", None])
def test_only_a_synthetic_patient(practice: Practice, oid: str | None) -> None:
    value = case(BILAN)
    if oid is None:
        del value["patient"]["ins"]
    else:
        value["patient"]["ins"]["oid"] = oid
    with Gateway.open(practice.config) as gateway, pytest.raises(InputError) as refused:
        gateway.evidence.plan("TD2.1a", submission=json.dumps(value).encode(), account=ACCOUNT)
    assert "EVD-002" in [one.code for one in refused.value.findings]


def test_what_the_mode_forbids_is_said_before_anything_is_asked(tmp_path: Path, certificates: Path) -> None:
    practice = open_practice(tmp_path, certificates=certificates)  # a structure's certificate
    try:
        with Gateway.open(practice.config) as gateway:
            for code in ("TD3.2", "TD3.3a", "TD3.3b", "TD3.3d", "LIFE"):
                with pytest.raises(ConfigError) as refused:
                    gateway.evidence.plan(code, submission=patient(), account=ACCOUNT)
                assert refused.value.code == "EVD-004"
            assert gateway.evidence.plan("TD3.3c", submission=patient(), account=ACCOUNT).test.steps == (
                "feed",
                "delete",
            )
        assert practice.box.dmp.exchanges() == []
    finally:
        practice.box.close()


def test_evidence_is_never_overwritten_nor_mixed(practice: Practice, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("kept")
    with Gateway.open(practice.config) as gateway:
        plan = gateway.evidence.plan("TD0.2", submission=patient(), account=ACCOUNT)
        with pytest.raises(ConfigError) as refused:
            gateway.evidence.run(plan, tmp_path / "out", by="Anne Essai")
        assert refused.value.code == "EVD-005"
    assert (tmp_path / "out" / "x").read_text() == "kept"


@pytest.mark.parametrize(
    "text",
    [
        '[[test]]\ncode = "X"\nsteps = ["mask"]',
        '[[test]]\ncode = "X"\nsteps = ["feed", "burn"]',
        "[[test]]\ncode = 'X'",
        "?",
    ],
)
def test_tests_of_ones_own_are_checked(practice: Practice, tmp_path: Path, text: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with Gateway.open(practice.config) as gateway, pytest.raises(ConfigError) as refused:
        gateway.evidence.tests(own)
    assert refused.value.code == "EVD-009"


def test_tests_of_ones_own_are_added(practice: Practice, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[test]]\ncode = "CNDA-1"\ntitle = "Le mien"\nsteps = ["feed", "locate", "delete"]')
    with Gateway.open(practice.config) as gateway:
        plan = gateway.evidence.plan("CNDA-1", submission=patient(), account=ACCOUNT, own=own)
        assert gateway.evidence.run(plan, tmp_path / "out", by="Anne Essai").ok
        with pytest.raises(ConfigError) as refused:
            gateway.evidence.plan("CNDA-2", submission=patient(), account=ACCOUNT, own=own)
    assert refused.value.code == "EVD-003"


def test_nothing_is_recorded_unless_asked(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        assert gateway.recorder is None
        assert gateway.wiring.recorder is None
    assert "frames" not in resources.read_text("config", "gateway.example.toml")
