"""`check`, `render`, `submit`: one submission file at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway, open_or_preview, read_input
from gateway.cli.output import DATA_ERROR, print_findings, print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.views import Report

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FICHIER", help="Fichier JSON, ou archive ZIP d'un PDF et de ses métadonnées (- : entrée standard)."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("check")(check)
    app.command("render")(render)
    app.command("submit")(submit)


def check(file: FileArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Vérifie un fichier et montre où il partirait, sans rien envoyer."""
    gateway = open_or_preview(config)
    report = gateway.check(read_input(file))
    _show_report(report, as_json)
    raise typer.Exit(0 if report.ok else DATA_ERROR)


def render(
    file: FileArgument,
    to: Annotated[Path, typer.Option("--to", help="Dossier où écrire les documents.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Produit le CDA, le FHIR, le PDF, l'archive XDM et les messages dans un dossier, sans clé ni envoi."""
    gateway = open_or_preview(config)
    rendered = gateway.render(read_input(file))
    to.mkdir(parents=True, exist_ok=True)
    for name, data in rendered.files.items():
        (to / name).write_bytes(data)
    files = {name: len(data) for name, data in rendered.files.items()}
    if as_json:
        print_json({**rendered.report.as_dict(), "folder": str(to), "files": files})
    else:
        print_findings(f.as_dict() for f in rendered.report.findings)
        print_table(("fichier", "octets"), files.items(), title=str(to))
    raise typer.Exit(0 if rendered.report.ok else DATA_ERROR)


def submit(
    file: FileArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Montre ce qui partirait, sans rien enregistrer.")] = False,
) -> None:
    """Confie un document à la passerelle : au retour, il est enregistré et ne peut plus être perdu."""
    if dry_run:
        check(file, config, as_json)
    gateway = open_gateway(config)
    data = read_input(file)
    report = gateway.check(data)
    if not report.ok:
        _show_report(report, as_json)
        raise typer.Exit(DATA_ERROR)
    accepted = gateway.submit(data)
    status = gateway.status(accepted.document_id)
    if as_json:
        print_json(
            {**status.as_dict(), "created": accepted.created, "findings": [f.as_dict() for f in report.findings]}
        )
        return
    print_findings(f.as_dict() for f in report.findings)
    if not accepted.created:
        say("Déjà confié : le même document a été reconnu, rien n'est ajouté.")
    tell(f"document {accepted.document_id}")
    print_table(
        ("envoi", "destination", "état", "raison"), [(d.id, d.label, d.transport, d.reason) for d in status.deliveries]
    )


def _show_report(report: Report, as_json: bool) -> None:
    value: dict[str, Any] = report.as_dict()
    if as_json:
        print_json(value)
        return
    print_findings(value["findings"])
    if report.plan:
        print_table(
            ("destination", "canal", "adresse", "possible", "raison"),
            [
                (p["label"], p["channel"], p["address"], "oui" if not p["reason"] else "non", p["reason"])
                for p in value["plan"]
            ],
        )
    tell("Le document peut partir." if report.ok else "Le document ne peut pas partir.")
