"""`audit export`: the journal for an auditor's own tools, with what proves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator
from gateway.cli.output import print_json, say
from gateway.cli.report import progress

Form = Literal["csv", "jsonl", "fhir", "atna"]


def register(app: typer.Typer) -> None:
    """Add the command of this module to `audit`."""
    app.command("export")(export)


def export(
    form: Annotated[
        Form, typer.Option("--format", help="csv, jsonl, fhir (AuditEvent BALP) ou atna (messages DICOM).")
    ],
    out: Annotated[Path, typer.Option("--out", help="Dossier neuf où écrire.")],
    period: Annotated[
        str | None, typer.Option("--period", help="2026, 2026-Q1, 2026-03 ou deux dates ; sans elle, tout le journal.")
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exporte le journal dans un dossier qui se vérifie seul, sans la passerelle (docs/verify_export.py)."""
    with open_gateway(config) as gateway:
        made = gateway.exports.write(out, form, by=operator(by), period=period, progress=progress())
    if as_json:
        print_json({"folder": str(out), "lines": made.lines, "manifest": made.manifest})
    else:
        say(f"{made.lines} lignes écrites dans {out}, point de contrôle {made.manifest['checkpoint']['size']}.")
