"""`journal`: verify and export the delivery log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway
from gateway.cli.output import ATTENTION, print_json, say

app = typer.Typer(help="Vérifier et exporter le journal des envois.", no_args_is_help=True)


@app.command("verify")
def verify(
    export: Annotated[
        Path | None, typer.Argument(metavar="[EXPORT]", help="Fichier d'export ; sans lui, le stockage en place.")
    ] = None,
    public_key: Annotated[Path | None, typer.Option("--public-key", help="Clé publique tenue par l'auditeur.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Point de contrôle antérieur tenu par l'auditeur.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recalcule la chaîne, l'arbre et les signatures, et dit ce qui a pu être exclu."""
    if export is not None:
        from gateway.audit.verify import verify_export

        result = verify_export(export, public_key=public_key, checkpoint=checkpoint)
    else:
        with open_gateway(config) as gateway:
            result = gateway.verify_journal(public_key=public_key, checkpoint=checkpoint)
    if as_json:
        print_json(result.as_dict())
    else:
        print(result.summary)
    raise typer.Exit(0 if result.ok else ATTENTION)


@app.command("export")
def export(
    to: Annotated[Path | None, typer.Option("--to", help="Fichier à écrire (sortie standard sinon).")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exporte le journal en lignes JSON, avec la clé publique et les points de contrôle."""
    with open_gateway(config) as gateway:
        lines = gateway.export_journal()
        if to is None:
            sys.stdout.writelines(lines)
            return
        with to.open("w", encoding="utf-8", newline="\n") as file:
            number = sum(file.write(line) > 0 for line in lines)
    if as_json:
        print_json({"file": str(to), "lines": number})
    else:
        say(f"{number} lignes écrites dans {to}")
