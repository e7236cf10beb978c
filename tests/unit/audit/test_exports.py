"""Exports in every form: what they say, and that the script of docs/ alone verifies them, and sees every change."""

from __future__ import annotations

import base64
import csv
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lxml import etree

from gateway.audit import exports
from gateway.audit.export import export
from gateway.audit.exports import Export, Form
from gateway.audit.period import parse
from gateway.errors import StateError
from gateway.store.base import Progress, Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

ROOT = Path(__file__).resolve().parents[3]
FORMS: tuple[Form, ...] = ("csv", "jsonl", "fhir", "atna")
TAKEN = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 2.0.0 reçu\u2028=ok", reference="Q1")
RESULTS = {
    "taken": replace(TAKEN, host="smtp.example.org", receipt=Receipt.AWAITED),
    "failed": Result(Event.FAILED, Transport.RETRY, "transient", "MSS-451", text="-451 plus tard", due_in=0.0),
    "refused": Result(Event.REFUSED, Transport.DEAD, "permanent", "MSS-550"),
    "doubt": Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-LOST", progress=Progress()),
}


@pytest.fixture(scope="module")
def verifier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_export", ROOT / "docs" / "verify_export.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def attempt(store: Outbox, how: str, *, transmit: bool = True) -> None:
    [claim] = store.claim(kit.wanted(limit=1))
    if transmit:
        store.mark_transmitting(claim)
    store.record(claim, RESULTS[how])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Outbox]:
    """Seven attempts on five deliveries in March (one worker dies), one more in April."""
    clock = kit.clock()
    opened = kit.open_store(folder, clock)
    for name in "abcde":
        opened.accept(kit.request(name, kit.mail()))
    attempt(opened, "failed", transmit=False)
    for how in ("taken", "failed", "refused", "doubt", "taken"):
        attempt(opened, how)
    assert opened.claim(kit.wanted(limit=1))  # its worker dies
    opened.recover(owner_gone=True)
    opened.checkpoint()
    clock.advance(31 * 86400)
    attempt(opened, "taken")
    yield opened
    opened.close()


Make = Callable[..., Export]


@pytest.fixture
def make(store: Outbox, tmp_path: Path) -> Make:
    def made(form: Form, period: str | None = None) -> Export:
        return exports.write(store, tmp_path / "out", form, None if period is None else parse(period))

    return made


def run(out: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As an auditor runs it: no path of ours, isolated from the product."""
    script, key = ROOT / "docs" / "verify_export.py", folder / "checkpoints" / "journal.pub"
    command = [sys.executable, "-I", str(script), str(out), "--public-key", str(key), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=out)


def judge(verifier: ModuleType, out: Path, folder: Path, held: str | None = None) -> str:
    key = verifier.Key((folder / "checkpoints" / "journal.pub").read_text())
    try:
        return str(verifier.verify(out, key, held))
    except verifier.WrongError as fault:
        return f"WRONG {fault}"


@pytest.mark.parametrize("period", [None, "2026-03", "2026-04", "2024"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_verifies_alone(
    make: Make, form: Form, period: str | None, folder: Path, verifier: ModuleType
) -> None:
    made = make(form, period)
    said = judge(verifier, made.folder, folder)
    assert not said.startswith("WRONG"), said
    if form != "jsonl":
        assert f": {made.lines} lines" in said


def test_the_script_runs_on_its_own(make: Make, folder: Path) -> None:
    made = make("fhir")
    good = run(made.folder, folder)
    assert (good.returncode, good.stdout[:3]) == (0, "OK:")
    kept = min((folder / "checkpoints").glob("checkpoint-*.txt"))
    assert run(made.folder, folder, "--checkpoint", str(kept)).returncode == 0
    (made.folder / "journal.jsonl").write_text("nothing")
    bad = run(made.folder, folder)
    assert (bad.returncode, bad.stdout[:6]) == (1, "WRONG:")


def test_the_file_of_journal_export_verifies_too(
    store: Outbox, folder: Path, verifier: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text("".join(export(store)), encoding="utf-8", newline="\n")
    assert not judge(verifier, file, folder).startswith("WRONG")
    edit(file, "MSS-550", "MSS-250")
    assert judge(verifier, file, folder).startswith("WRONG record")
    lines = list(export(store))
    cut = [line for line in lines if not line.startswith('{"delivery"')][:-1]
    file.write_text("".join(cut), encoding="utf-8", newline="\n")
    assert judge(verifier, file, folder).startswith("WRONG")


def test_it_imports_nothing_of_the_product() -> None:
    text = (ROOT / "docs" / "verify_export.py").read_text()
    found = {line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert found <= {*sys.stdlib_module_names, "cryptography"}


# ------------------------------------------------------------------------------------------- what is changed


def resign(store: Outbox, out: Path) -> None:
    """A forger who holds the signing key makes the manifest fit what he changed: the records still do not."""
    from hashlib import sha256

    manifest = json.loads((out / exports.MANIFEST).read_text())
    for name in manifest["files"]:
        manifest["files"][name]["sha256"] = sha256((out / name).read_bytes()).hexdigest()
    text = json.dumps(manifest)
    (out / exports.MANIFEST).write_text(text)
    note = store.attest(exports.FORMAT, f"manifest {sha256(text.encode()).hexdigest()}")
    (out / exports.SIGNATURE).write_text(note)


def edit(path: Path, old: str, new: str) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    assert old in text
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text.replace(old, new, 1))


CHANGES: tuple[tuple[Form, str | None, str, str, str], ...] = (
    ("csv", None, "journal.csv", "MSS-550", "MSS-250"),
    ("csv", "2026-03", "journal.csv", ";dead;", ";sent;"),
    ("csv", "2026-03", "journal.jsonl", "MSS-550", "MSS-250"),
    ("jsonl", None, "journal.jsonl", "MSS-550", "MSS-250"),
    ("fhir", None, "auditevents.ndjson", '"outcome":"8"', '"outcome":"0"'),
    ("fhir", "2026-03", "auditevents.ndjson", '"recorded":"2026-03', '"recorded":"2026-04'),
    ("atna", None, "audit-messages.xml.txt", 'EventOutcomeIndicator="8"', 'EventOutcomeIndicator="0"'),
    ("atna", "2026-03", "journal.jsonl", '"proof":["', '"proof":["00'),
    ("fhir", None, "journal.jsonl", '"state":"in_doubt"}', '"state":"sent"}'),
)


@pytest.mark.parametrize(("form", "period", "name", "old", "new"), CHANGES)
def test_changes_are_seen(
    make: Make,
    store: Outbox,
    verifier: ModuleType,
    folder: Path,
    form: Form,
    period: str | None,
    name: str,
    old: str,
    new: str,
) -> None:
    out = make(form, period).folder
    edit(out / name, old, new)
    assert judge(verifier, out, folder) == f"WRONG {name} was changed"
    resign(store, out)
    said = judge(verifier, out, folder)
    assert said.startswith("WRONG"), said
    assert "was changed" not in said or "record" in said


def test_other_keys_and_missing_files_are_seen(make: Make, verifier: ModuleType, folder: Path, tmp_path: Path) -> None:
    out = make("csv").folder
    other = kit.open_store(tmp_path / "other", seed="other")
    other.checkpoint()
    other.close()
    assert judge(verifier, out, tmp_path / "other").startswith("WRONG a note is not signed")
    (out / "journal.csv").unlink()
    assert judge(verifier, out, folder).startswith("WRONG files are missing")


def test_a_kept_checkpoint_excludes_a_rewriting(make: Make, store: Outbox, verifier: ModuleType, folder: Path) -> None:
    out = make("csv").folder
    kept = min((folder / "checkpoints").glob("checkpoint-*.txt")).read_text()
    assert not judge(verifier, out, folder, kept).startswith("WRONG")
    size = int(kept.split("\n")[1])
    other = store.core.folder._signer.sign(size, bytes(32))  # another history, signed with the same key
    assert "not those that a checkpoint signed" in judge(verifier, out, folder, other)
    ahead = store.core.folder._signer.sign(10_000, bytes(32))
    assert "records are missing" in judge(verifier, out, folder, ahead)


# -------------------------------------------------------------------------------------------- what is said


def test_csv_has_every_record_and_field(make: Make, store: Outbox) -> None:
    made = make("csv")
    with (made.folder / "journal.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    records = [json.loads(entry.record) for entry in store.snapshot().records()]
    assert [int(row["seq"]) for row in rows] == [record["seq"] for record in records]
    assert next(row for row in rows if row["verdict"] == "transient")["text"] == "'-451 plus tard"
    assert made.manifest["checkpoint"]["size"] == len(records)


def test_one_event_for_each_attempt(make: Make) -> None:
    made = make("fhir")
    events = [json.loads(line) for line in (made.folder / "auditevents.ndjson").read_text().split("\n") if line]
    assert made.lines == len(events) == 8
    assert sorted(one["outcome"] for one in events) == ["0", "0", "0", "4", "4", "4", "4", "8"]
    assert len({one["id"] for one in events}) == 8
    sent = [
        detail["valueString"] for one in events for detail in one["entity"][1]["detail"] if "trans" in detail["type"]
    ]
    assert sorted(sent) == ["false", "false", "true", "true", "true", "true", "true", "true"]


def test_a_period_has_its_own_attempts_and_no_other_records(make: Make) -> None:
    made = make("fhir", "2026-04")
    assert made.lines == 1
    lines = [json.loads(line) for line in (made.folder / "journal.jsonl").read_text().split("\n") if line]
    records = [json.loads(line["record"]) for line in lines if "record" in line]
    assert {record["event"] for record in records} == {"document_accepted", "accepted", "claimed", "transmit", "taken"}
    assert len({record["document"] for record in records}) == 1


def balp(event: dict[str, Any]) -> None:
    """Profile PrivacyDisclosure.Source of IHE BALP, rule by rule (spec fhir §6)."""
    dicom, role = "http://dicom.nema.org/resources/ontology/DCM", "http://terminology.hl7.org/CodeSystem/object-role"
    assert event["meta"]["profile"][0].endswith("/IHE.BasicAudit.PrivacyDisclosure.Source")
    assert "modifierExtension" not in event
    assert (event["type"]["system"], event["type"]["code"], event["action"]) == (dicom, "110106", "R")
    disclose = [one for one in event["subtype"] if one["code"] == "disclose"]
    assert [one["system"] for one in disclose] == ["http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"]
    assert event["recorded"]
    assert event["outcome"] in {"0", "4", "8", "12"}
    agents: dict[str, list[dict[str, Any]]] = {}
    for agent in event["agent"]:
        [coding] = agent["type"]["coding"]
        assert coding["system"] == dicom
        agents.setdefault(coding["code"], []).append(agent)
        assert agent["who"]
        assert agent["network"]["type"] in {"1", "2", "5"}
        assert agent["network"]["address"]
    assert [len(agents[code]) for code in ("110153", "110152")] == [1, 1]
    assert agents["110153"][0]["who"] == event["source"]["observer"]  # val-audit-source
    patients = [one for one in event["entity"] if (one["role"]["system"], one["role"]["code"]) == (role, "1")]
    assert len(patients) == 1
    assert patients[0]["type"]["code"] == "1"
    assert patients[0]["what"]["type"] == "Patient"
    assert len(event["entity"]) >= 2


def test_events_keep_the_profile(make: Make, fhircheck: Callable[..., list[dict[str, Any]]]) -> None:
    lines = (make("fhir").folder / "auditevents.ndjson").read_text(encoding="utf-8").split("\n")
    events = [json.loads(line) for line in lines if line]
    for event in events:
        balp(event)
    entries = [{"fullUrl": f"https://journal.example/AuditEvent/{one['id']}", "resource": one} for one in events]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert fhircheck(json.dumps(bundle).encode()) == []
    assert fhircheck(json.dumps(events[0]).encode()) == []
    del events[0]["recorded"]
    assert fhircheck(json.dumps(events[0]).encode())


# A grammar of our own, from the tables of DICOM PS3.15 §A.5.2: no package ships the standard's schema.
CODED = '<ref name="coded"/>'
GRAMMAR = f"""<grammar xmlns="http://relaxng.org/ns/structure/1.0"
 datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
<define name="coded"><attribute name="csd-code"><data type="token"/></attribute><attribute name="codeSystemName"/>
 <attribute name="originalText"/><optional><attribute name="displayName"/></optional></define>
<start><element name="AuditMessage">
 <element name="EventIdentification">
  <attribute name="EventActionCode"><choice><value>C</value><value>R</value><value>U</value><value>D</value>
   <value>E</value></choice></attribute>
  <attribute name="EventDateTime"><data type="dateTime"/></attribute>
  <attribute name="EventOutcomeIndicator"><choice><value>0</value><value>4</value><value>8</value><value>12</value>
   </choice></attribute>
  <element name="EventID">{CODED}</element>
  <zeroOrMore><element name="EventTypeCode">{CODED}</element></zeroOrMore>
  <optional><element name="EventOutcomeDescription"><text/></element></optional>
 </element>
 <oneOrMore><element name="ActiveParticipant">
  <attribute name="UserID"/><optional><attribute name="AlternativeUserID"/></optional>
  <optional><attribute name="UserName"/></optional>
  <attribute name="UserIsRequestor"><data type="boolean"/></attribute>
  <attribute name="NetworkAccessPointID"/>
  <attribute name="NetworkAccessPointTypeCode"><data type="integer"><param name="minInclusive">1</param>
   <param name="maxInclusive">5</param></data></attribute>
  <element name="RoleIDCode">{CODED}</element>
 </element></oneOrMore>
 <element name="AuditSourceIdentification"><attribute name="AuditSourceID"/>
  <optional><attribute name="AuditEnterpriseSiteID"/></optional>
  <zeroOrMore><element name="AuditSourceTypeCode">{CODED}</element></zeroOrMore></element>
 <zeroOrMore><element name="ParticipantObjectIdentification">
  <attribute name="ParticipantObjectID"><data type="token"><param name="minLength">1</param></data></attribute>
  <attribute name="ParticipantObjectTypeCode"><choice><value>1</value><value>2</value></choice></attribute>
  <attribute name="ParticipantObjectTypeCodeRole"><data type="positiveInteger"/></attribute>
  <element name="ParticipantObjectIDTypeCode">{CODED}</element>
  <zeroOrMore><element name="ParticipantObjectDetail"><attribute name="type"/>
   <attribute name="value"><data type="base64Binary"/></attribute></element></zeroOrMore>
 </element></zeroOrMore>
</element></start></grammar>"""


def test_audit_messages_keep_the_grammar(make: Make) -> None:
    grammar = etree.RelaxNG(etree.fromstring(GRAMMAR))
    lines = (make("atna").folder / "audit-messages.xml.txt").read_text(encoding="utf-8").split("\n")
    messages = [etree.fromstring(line) for line in lines if line]
    assert len(messages) == 8
    for message in messages:
        assert grammar.validate(message), grammar.error_log
        roles = [one.get("csd-code") for one in message.iter("RoleIDCode")]
        assert roles == ["110153", "110152"]
        assert message[0][0].get("csd-code") == "110106"
    broken = messages[0]
    del broken[0].attrib["EventActionCode"]
    assert not grammar.validate(broken)


def test_both_kinds_of_messages_say_the_same(store: Outbox, tmp_path: Path) -> None:
    fhir = exports.write(store, tmp_path / "fhir", "fhir", None).folder / "auditevents.ndjson"
    xml = exports.write(store, tmp_path / "atna", "atna", None).folder / "audit-messages.xml.txt"
    events = [json.loads(line) for line in fhir.read_text(encoding="utf-8").split("\n") if line]
    messages = [etree.fromstring(line) for line in xml.read_text(encoding="utf-8").split("\n") if line]
    for event, message in zip(events, messages, strict=True):
        found = message[0].attrib
        assert (event["recorded"], event["outcome"]) == (found["EventDateTime"], found["EventOutcomeIndicator"])
        assert event["outcomeDesc"] == message.findtext("EventIdentification/EventOutcomeDescription")
        details = [base64.b64decode(one.attrib["value"]).decode() for one in message.iter("ParticipantObjectDetail")]
        assert details == [one["valueString"] for one in event["entity"][1]["detail"]]


@pytest.mark.parametrize("form", FORMS)
def test_no_identity(make: Make, form: Form) -> None:
    out = make(form).folder
    written = b"".join(path.read_bytes() for path in out.iterdir())
    assert kit.SECRET.encode() not in written
    assert b"@example" not in written


def test_a_folder_that_holds_something_is_refused(store: Outbox, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(StateError) as refused:
        exports.write(store, tmp_path / "out", "csv", None)
    assert refused.value.code == "IND-005"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
