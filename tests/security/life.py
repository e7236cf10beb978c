"""A practice that has lived through everything, for a search of what it wrote: good and bad days, every face."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.sidecar.health import Health
from gateway.sidecar.metrics import Metrics
from gateway.store.states import FINAL
from gateway.web.app import create_app
from gateway.web.tokens import Role, TokenFile
from tests.integration.practice import CASES, Practice, case
from tests.unit.read.report_samples import Sent, dsn, mdn

NAMED = "LE GOFF-ESSAI Maëlys 14-03-2001"
"""The file name of one fixture: its patient's name and birth date."""
NAMED_CASE, LEFT = "01_entorse_cheville_bilan", "depot-en-attente"
BY = "Secrétariat"
PAGES = ("/", "/deliveries", "/journal", "/obligations", "/indicators?period=2026", "/configuration")
OTHER_SIDE = ("mail.log", "mail.debug", "gateway.sandbox", "sandbox", "signxml")
"""Loggers of the servers that the sandbox runs in this process, and of what only they use."""
FORMS = ("csv", "jsonl", "fhir", "atna")


def live(practice: Practice, told: Path) -> None:
    """Live. What is said on standard output, standard error and in logs at DEBUG goes to files in `told`."""
    told.mkdir()
    _configure(practice)
    with (
        (told / "console.txt").open("w", encoding="utf-8") as console,
        redirect_stdout(console),
        redirect_stderr(console),
        _everything_logged(told / "debug.log"),
    ):
        _days(practice, told)


def _configure(practice: Practice) -> None:
    text = practice.config.read_text(encoding="utf-8").replace("scan_every = 0.1", "scan_every = 0.1\nkeep = true")
    practice.config.write_text(text + '\n[health]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")


class _Whole(logging.Formatter):
    """All that a record carries, whatever a face would leave out."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.name} {record.getMessage()} {vars(record)}"


@contextmanager
def _everything_logged(path: Path) -> Iterator[None]:
    """Every logger of the process at DEBUG, libraries included, with all that the records carry."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Whole())
    handler.addFilter(lambda record: not record.name.startswith(OTHER_SIDE))
    root, ours = logging.getLogger(), logging.getLogger("gateway")
    before = root.level, ours.level, ours.propagate
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    ours.propagate = True
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(before[0])
        ours.setLevel(before[1])
        ours.propagate = before[2]


def _days(practice: Practice, told: Path) -> None:
    _drop_all(practice)
    practice.box.faults.set("mssante", "refuse", count=2)
    practice.box.faults.set("mssante", "drop_after_data", count=1)
    practice.box.faults.set("dmp", "server_error", count=1)
    served: list[Health] = []
    practice.run(until=lambda sidecar, gateway: _scraped(served, gateway, told) and sidecar.idle, seconds=400)
    practice.box.faults.set("mssante", "reject", count=2)
    practice.box.faults.set("dmp", "reject", count=1)
    with Gateway.open(practice.config) as gateway:
        by_library(gateway)
        gateway.deliver_due()
        receipts(practice, gateway)
        people(gateway)
        _look(gateway, told)
    practice.run(seconds=400)
    _commands(practice, told)
    practice.drop(case(NAMED_CASE), LEFT, case(NAMED_CASE)["account"])  # nobody takes it any more


def _drop_all(practice: Practice) -> None:
    """Every fixture, the invalid ones too, in the folder of its account."""
    for path in sorted(CASES.glob("*.json")):
        value = json.loads(path.read_bytes())
        practice.drop(value, NAMED if path.stem == NAMED_CASE else path.stem, value["account"])
    account = case(NAMED_CASE)["account"]
    for path in sorted((CASES / "invalid").glob("*.json")):
        practice.drop(path.read_bytes(), path.stem, account)


def _scraped(served: list[Health], gateway: Gateway, told: Path) -> bool:
    """Metrics and health as they are served, while the practice works; the counters count from the start."""
    if not served:
        served.append(Health(gateway, Metrics(gateway)))
    for path in ("/metrics", "/healthz", "/readyz"):
        (told / f"health{path.replace('/', '_')}.txt").write_bytes(served[0].answer(path)[2])
    return True


def by_library(gateway: Gateway) -> None:
    """Every fixture once more, as another document: held as a likely repeat, or sent."""
    for number, path in enumerate(sorted(CASES.glob("*.json"))):
        value: dict[str, Any] = json.loads(path.read_bytes())
        value["key"] = f"bibliotheque-{path.stem}"
        value["document"]["id"] = f"{value['document']['id']}-B"
        submitted = gateway.submit(json.dumps(value).encode())
        for delivery in submitted.delivery_ids if number % 3 == 0 else ():
            _tried(gateway.release, delivery, by=BY, reason=f"vu avec {value['patient']['used_family']}")
    for path in sorted((CASES / "invalid").glob("*.json")):
        gateway.check(path.read_bytes())
        _tried(gateway.submit, path.read_bytes())


def _tried(action: Callable[..., object], *words: object, **more: object) -> None:
    """Do it, and say on the console what it says when it refuses."""
    try:
        action(*words, **more)
    except GatewayError as fault:
        print(fault, fault.advice if hasattr(fault, "advice") else "")


def receipts(practice: Practice, gateway: Gateway) -> None:
    """Reports and answers of recipients: good, bad, forged, and of nobody's mail; all of them say names."""
    from email import message_from_bytes, policy

    account = case(NAMED_CASE)["account"]
    for number, stored in enumerate(practice.box.mail.all_messages()[::2]):
        mail = message_from_bytes(stored.bytes, policy=policy.default)
        sent = Sent(str(mail["Message-ID"]), f"kine-{number}", str(mail["From"]), stored.rcpt)
        name = f"<recu-{number}@example.mssante.fr>"
        for raw in (
            dsn("failed", "5.1.1", sent=sent, report_id=name),
            mdn(sent=sent, subject=f"Lu : {mail['Subject']}", report_id=name.replace("recu", "lu")),
        ):
            _tried(gateway.receipts.take_in, sent.sender.rpartition("<")[2].partition("@")[0], raw)
    _tried(gateway.receipts.take_in, account, b"From: x@y.fr\r\nSubject: MAELYS LE GOFF-ESSAI\r\n\r\nBonjour")


def people(gateway: Gateway) -> None:
    """What people do, and the words in which they do it."""
    found = gateway.deliveries()
    words = "demande de Mme Le Goff-Essai (0600000001), née le 14/03/2001"
    for view in found[::2]:  # the others still wait for somebody
        if view.transport not in FINAL:
            _tried(gateway.hold, view.id, by=BY, reason=words)
            _tried(gateway.cancel, view.id, by=BY, reason=words)
        elif view.transport in {"dead", "impossible"}:
            _tried(gateway.handed, view.id, by=BY, reason=words, means="main_propre")
    documents = sorted({view.document_id for view in found})
    _tried(gateway.oppositions.oppose, documents[0], "dmp", by=BY)
    _tried(gateway.withdraw, documents[1], reason="wrong_patient", by=BY, note=words)
    # Not the one whose file is named after its patient: the sidecar takes the files of erased documents away.
    others = sorted({view.document_id for view in found if view.account != case(NAMED_CASE)["account"]})
    _tried(gateway.store.erase, others[-1], by=BY)
    gateway.deliver_due()


def _look(gateway: Gateway, told: Path) -> None:
    """The audit pages, as an auditor reads them."""
    token = TokenFile(gateway.settings.tokens_file).add("Auditrice", Role.AUDITOR, None, now=SystemClock().now())[0]
    pages = create_app(gateway, gateway.settings, clock=SystemClock())
    with TestClient(pages, base_url="http://127.0.0.1:8787") as client:
        client.post("/login", data={"token": token, "next": "/"})
        for number, path in enumerate((*PAGES, *(f"/deliveries/{one.id}" for one in gateway.deliveries(limit=5)))):
            answer = client.get(path)
            assert answer.status_code == http.client.OK, path
            (told / f"page-{number}.html").write_bytes(answer.content)


def _commands(practice: Practice, told: Path) -> None:
    """Every command that shows or writes something about what was sent."""
    with Gateway.open(practice.config) as gateway:
        views = gateway.deliveries(limit=2000)
    document, shown = views[0].document_id, {one.transport: one.id for one in views}
    lists = ("queue list", "queue pauses", "receipts loose", "obligations", "report --period 2026", "doctor")
    lines = [f"{line} --json" for line in lists[:-1]] + [*lists, "patient list", "session list", "annuaire status"]
    lines += [f"queue show {one} --trace" for one in shown.values()] + [f"queue show {shown['sent']} --json"]
    lines += [f"journal export --to {told}/journal.jsonl", f"journal prove {shown['sent']}", "journal verify --json"]
    lines += [f"journal disclose {document}", "traces export", f"backup --to {told}/backup", "config show"]
    lines += [f"audit export --format {form} --out {told}/audit-{form}" for form in FORMS]
    for number, line in enumerate(lines):
        run = CliRunner().invoke(app, [*line.split(), "--config", str(practice.config)])
        assert run.exception is None or isinstance(run.exception, SystemExit), (line, run.exception)
        name = "show" if line.startswith("queue show") else "command"
        (told / f"{name}-{number}.txt").write_text(f"$ {line}\n{run.output}{run.stderr}", encoding="utf-8")
