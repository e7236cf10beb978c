"""`config`: check and show the configuration."""

from __future__ import annotations

import typer

from gateway.cli.common import ConfigOption, JsonOption
from gateway.cli.output import BAD_CONFIG, print_findings, print_json, tell

app = typer.Typer(help="Vérifier et montrer la configuration.", no_args_is_help=True)


@app.command("check")
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Vérifie la configuration et les fichiers qu'elle nomme, sans rien envoyer."""
    from gateway.findings import has_errors
    from gateway.inspection import inspect_settings
    from gateway.settings import load

    findings = inspect_settings(load(config))
    if as_json:
        print_json({"ok": not has_errors(findings), "findings": [f.as_dict() for f in findings]})
    else:
        print_findings(f.as_dict() for f in findings)
        tell("Configuration refusée." if has_errors(findings) else "Configuration utilisable.")
    raise typer.Exit(BAD_CONFIG if has_errors(findings) else 0)


@app.command("show")
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Montre chaque valeur en vigueur et d'où elle vient : fichier ou défaut. Aucun secret n'y figure."""
    from gateway.settings import load, redacted

    values = redacted(load(config))
    if as_json:
        print_json(values)
        return
    for key, row in values.items():
        tell(f"{key} = {row['value']}  ({row['origin']})")
