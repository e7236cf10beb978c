"""`sandbox`: the other side on this machine, to try everything without a real operator or DMP."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import platform, resources
from gateway.cli.common import JsonOption
from gateway.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gateway.sandbox.service import Sandbox

Folder = Annotated[Path, typer.Option("--dir", help="Dossier du bac à sable : certificats, courriers, documents.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("sandbox")(sandbox)


def sandbox(  # noqa: PLR0913, PLR0917 (options of a command)
    folder: Folder = Path("sandbox"),
    smtp_port: Annotated[int, typer.Option("--smtp-port", help="Port de la messagerie.")] = 20465,
    dmp_port: Annotated[int, typer.Option("--dmp-port", help="Port du DMP.")] = 20443,
    insi_port: Annotated[int, typer.Option("--insi-port", help="Port d'INSi.")] = 20445,
    annuaire_port: Annotated[int, typer.Option("--annuaire-port", help="Port de l'annuaire.")] = 20444,
    page_port: Annotated[
        int, typer.Option("--page-port", help="Port de la page qui montre le DMP dans un navigateur.")
    ] = 20480,
    author: Annotated[
        list[Path] | None, typer.Option("--author", help="Document dont l'auteur doit avoir un compte, répétable.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="Panne : canal[/transaction]:sorte[:nombre[:secondes]], ainsi dmp/TD3.2:busy:2."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Montre ce qui a été reçu, sans rien démarrer.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Efface d'abord courriers, documents, échanges et pannes du dossier.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Démarre messagerie MSSanté, DMP et annuaire sur cette machine, et écrit une configuration prête à l'emploi."""
    from gateway.cli.practice import read_submissions, write_practice
    from gateway.clock import SystemClock
    from gateway.sandbox.service import Sandbox

    if reset:
        _reset(folder.absolute(), yes=yes)
    box = Sandbox(
        folder.absolute(),
        clock=SystemClock(),
        smtp_port=smtp_port,
        dmp_port=dmp_port,
        page_port=page_port,
        insi_port=insi_port,
        annuaire_port=annuaire_port,
    )
    if show:
        _show(box, as_json)
        return
    for text in fault or ():
        set_fault(box, text)
    _start(box)
    with closing(box):
        files = author or sorted(resources.data_path("fixtures", "demo").glob("*.json"))
        config = write_practice(folder.absolute(), box, read_submissions(files))
        described = {**box.describe(), "config": str(config)}
        if as_json:
            print_json(described)
        else:
            say(f"messagerie MSSanté : localhost:{box.smtp_port}")
            say(f"DMP                : {box.dmp_url}")
            say(f"page du DMP        : {box.page_url}")
            say(f"INSi               : {box.insi_url}")
            say(f"annuaire           : {box.annuaire_url}")
            say(f"configuration      : {config}")
            say("Ctrl-C pour arrêter.")
        asyncio.run(_until_stopped())


def _start(box: Sandbox) -> None:
    """Listen. Raises ConfigError SBX-007 when a port cannot be had."""
    from gateway.errors import ConfigError

    try:
        box.start()
    except OSError as error:
        box.close()
        advice = "Arrêter l'autre programme, ou choisir d'autres ports (--smtp-port, --dmp-port, --page-port, ...)."
        raise ConfigError("SBX-007", f"Un port du bac à sable est déjà pris ({error.strerror}).", advice) from error


def _reset(folder: Path, *, yes: bool) -> None:
    """Empty the sandbox, once what would be forgotten was shown and agreed to."""
    from gateway.clock import SystemClock
    from gateway.sandbox.reset import held, reset

    there = held(folder)
    what = f"{there.mails} courriers, {there.documents} documents, {there.exchanges} échanges"
    if there.anything and not yes:
        typer.confirm(f"Effacer du bac à sable {folder} : {what} ?", abort=True, err=True)
    reset(folder, SystemClock())
    say(f"bac à sable vidé : {what}")


async def _until_stopped() -> None:
    stop = asyncio.Event()
    platform.call_on_stop(asyncio.get_running_loop(), stop.set)
    await stop.wait()


def set_fault(box: Sandbox, text: str) -> None:
    """Switch on the fault written as `channel[/transaction]:kind[:count[:seconds]]`. Raises typer.BadParameter."""
    parts = text.split(":")
    channel, _, only = parts[0].partition("/")
    try:
        box.faults.set(
            channel,
            parts[1],
            count=int(parts[2]) if len(parts) > 2 else 1,
            seconds=float(parts[3]) if len(parts) > 3 else 0.0,
            only=only,
        )
    except (ValueError, IndexError) as error:
        wanted = "canal[/transaction]:sorte[:nombre[:secondes]]"
        raise typer.BadParameter(f"panne « {text} » inconnue ({wanted})") from error


def _show(box: Sandbox, as_json: bool) -> None:
    mails = [
        {
            "received_at": m.received_at.isoformat(),
            "to": m.rcpt,
            "findings": [p.code for p in m.findings],
            "file": str(m.path),
        }
        for m in box.mail.all_messages()
    ]
    documents: list[dict[str, Any]] = [
        {"unique_id": d.unique_id, "title": d.title, "type": d.type_code, "status": d.status, "patient": d.matricule}
        for d in box.dmp.documents()
    ]
    if as_json:
        print_json({"mails": mails, "documents": documents})
        return
    print_table(("reçu", "pour", "remarques", "fichier"), [tuple(m.values()) for m in mails], title="courriers")
    print_table(
        ("identifiant", "titre", "type", "état", "patient"), [tuple(d.values()) for d in documents], title="DMP"
    )
