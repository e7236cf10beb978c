"""`demo`: the whole road on this machine, against the sandbox, with a fault that a retry overcomes."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import platform, resources
from gateway.cli.common import JsonOption
from gateway.cli.output import ATTENTION, print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.sandbox.service import Sandbox
    from gateway.sidecar.daemon import Sidecar
    from gateway.views import DocumentView

FAULTS = (("mssante", "refuse"), ("dmp", "busy"))
"""One transient refusal on each channel: the first mail and the first feed are tried twice."""

PATIENTS = "@patient.mssante.fr"
"""Mon espace santé gives no reading report."""
RETRY = "delays = [0.5, 1, 2]\njitter = false\n"
LIMIT_SECONDS = 60.0


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Dossier de travail, vidé au début (par défaut : un dossier temporaire)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Livre les cas d'exemple à une messagerie et à un DMP de bac à sable, et montre ce qui s'est passé."""
    root = _fresh(folder)
    started = time.monotonic()
    result = _play(root)
    result["seconds"] = round(time.monotonic() - started, 1)
    if as_json:
        print_json(result)
    else:
        _tell(result)
    raise typer.Exit(0 if result["ok"] else ATTENTION)


def _fresh(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="kine-gateway-demo-"))
    if folder.exists() and not (folder / "gateway.toml").exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} contient autre chose qu'une démonstration : choisir un dossier vide.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.absolute()


def _play(root: Path) -> dict[str, Any]:
    from gateway.api import Gateway
    from gateway.cli.practice import read_submissions, write_practice
    from gateway.clock import SystemClock
    from gateway.sandbox.service import Sandbox
    from gateway.sidecar.daemon import Sidecar

    cases = sorted(resources.data_path("fixtures", "demo").glob("*.json"))
    with Sandbox(root / "sandbox", clock=SystemClock()) as box:
        config = write_practice(root, box, read_submissions(cases), retry=RETRY)
        for channel, kind in FAULTS:
            box.faults.set(channel, kind)
        with Gateway.open(config) as gateway:
            sidecar = Sidecar(gateway)
            _drop(sidecar, cases)
            asyncio.run(_deliver(sidecar))
            _answer(gateway, box)
            sidecar.refresh()
            outcome = Outcome(gateway, sidecar, box, root)
            return outcome.as_dict()


def _drop(sidecar: Sidecar, cases: list[Path]) -> None:
    """What a billing software does: write beside, then rename into place."""
    for desk in sidecar.desks:
        desk.folder.ensure()
    desks = {desk.intake.account: desk for desk in sidecar.desks}
    for case in cases:
        new = desks[json.loads(case.read_bytes())["account"]].folder.new
        part = new / f"{case.stem}.part"
        part.write_bytes(case.read_bytes())
        platform.durable_rename(part, new / case.name)


async def _deliver(sidecar: Sidecar) -> None:
    from gateway.sidecar.daemon import pause

    stop = asyncio.Event()
    deadline = time.monotonic() + LIMIT_SECONDS
    async with asyncio.TaskGroup() as group:
        group.create_task(sidecar.run(stop))
        while not sidecar.idle and time.monotonic() < deadline:
            await pause(stop, 0.1)
        stop.set()


def _answer(gateway: Gateway, box: Sandbox) -> None:
    """The doctors' software takes the mails in, and its reading reports come home."""
    from gateway.sandbox.mail_answer import reading_report

    accounts = {account.mailbox: account.id for account in gateway.settings.account}
    for mail in box.mail.all_messages():
        report = reading_report(mail.bytes, mail.rcpt)
        if report is not None and not mail.rcpt.endswith(PATIENTS):
            gateway.receipts.take_in(accounts[mail.envelope_from], report)


@dataclass(slots=True)
class Outcome:
    """What the demo did, checked against what the other side really received."""

    gateway: Gateway
    sidecar: Sidecar
    box: Sandbox
    root: Path

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `ok` only if all that was to be delivered was, and was received exactly once."""
        documents = {name: view for desk in self.sidecar.desks for name, view in sorted(desk.views.items())}
        rows = [self._row(name, d.id, view) for name, view in documents.items() for d in view.deliveries]
        due = [row for row in rows if row["transport"] not in {"impossible", "held", "handed_over"}]
        verification = self.gateway.verify_journal()
        received = self._received()
        retried = [row for row in due if row["attempts"] > 1]
        read = [row for row in due if row["receipt"] == "processed"]
        return {
            "ok": bool(due)
            and all(row["transport"] == "sent" for row in due)
            and received["mails"] + received["dmp_documents"] == len(due)
            and bool(retried)
            and bool(read)
            and verification.ok
            and not any(desk.folder.rejected_files() for desk in self.sidecar.desks),
            "folder": str(self.root),
            "deliveries": rows,
            "received": received,
            "files": self._files(documents),
            "journal": {**verification.as_dict(), "summary": verification.summary},
        }

    def _row(self, name: str, delivery_id: str, view: DocumentView) -> dict[str, Any]:
        delivery = next(d for d in view.deliveries if d.id == delivery_id)
        return {**delivery.as_dict(), "document": name, "label": delivery.label}

    def _received(self) -> dict[str, Any]:
        """What arrived, as the sandbox counted it; a mail or a document received twice counts twice."""
        mails = self.box.mail.all_messages()
        documents = self.box.dmp.documents()
        remarks = sorted({problem.code for mail in mails for problem in mail.findings})
        return {"mails": len(mails), "dmp_documents": len(documents), "remarks": remarks}

    def _files(self, documents: dict[str, DocumentView]) -> dict[str, str]:
        """The PDF and CDA of the last document, and the mail that carried it, where a person can open them."""
        folder = self.root / "delivered"
        folder.mkdir(exist_ok=True)
        files = {}
        name, view = list(documents.items())[-1]
        for kind, suffix in (("pdf", "pdf"), ("cda", "cda.xml"), ("fhir", "fhir.json")):
            path = folder / f"{name}.{suffix}"
            path.write_bytes(self.gateway.rendering(view.id, kind))
            files[kind] = str(path)
        sent = {part.data for d in view.deliveries for part in self.gateway.store.parts(d.id) if part.name == "message"}
        for mail in self.box.mail.all_messages():
            if any(mail.bytes.endswith(data) for data in sent):
                path = folder / f"{name}.eml"
                path.write_bytes(mail.bytes)
                files["mail"] = str(path)
        return files


def _tell(result: dict[str, Any]) -> None:
    from gateway import wording

    print_table(
        ("document", "destination", "essais", "transport", "accusé", "référence"),
        [
            (
                row["document"],
                row["label"],
                row["attempts"],
                wording.transport(row["transport"]),
                wording.receipt(row["receipt"]),
                row["reference"] or row["reason"],
            )
            for row in result["deliveries"]
        ],
    )
    received = result["received"]
    tell(f"Reçu en face : {received['mails']} courrier(s) MSSanté, {received['dmp_documents']} document(s) au DMP.")
    for kind, path in result["files"].items():
        tell(f"{kind.upper():<5} {path}")
    tell(result["journal"]["summary"])
    say(f"{result['seconds']} s ; tout est dans {result['folder']}")
    tell("Tout ce qui devait être livré l'a été." if result["ok"] else "Tout n'a pas été livré.")
