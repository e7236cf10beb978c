"""`store where|adopt`: whether the store is where it works, and which of two copies goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.common import ByOption, ConfigOption, JsonOption, ReasonOption, open_gateway, operator
from gateway.cli.output import ATTENTION, print_findings, print_json, say

app = typer.Typer(help="La base : est-elle à sa place, ou une copie ?", no_args_is_help=True)


@app.command("where")
def where(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Dit si cette base est à sa place, ou une copie qui n'envoie rien (statut 1)."""
    with open_gateway(config) as gateway:
        verdict, findings = gateway.homes.verdict(), gateway.homes.inspect()
    if as_json:
        print_json({"verdict": verdict, "copied": verdict.copied, "findings": [one.as_dict() for one in findings]})
    elif findings:
        print_findings(one.as_dict() for one in findings)
    else:
        say("La base est à sa place.")
    raise typer.Exit(ATTENTION if findings else 0)


@app.command("adopt")
def adopt(
    reason: ReasonOption,
    original_stopped: Annotated[
        bool,
        typer.Option("--original-stopped", help="L'original était arrêté avant la copie et n'a plus jamais servi."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Déclare que cette copie est la base qui continue. Sans --original-stopped, ce qui attend passe « en doute »."""
    with open_gateway(config) as gateway:
        waiting = sum(state.waiting for state in gateway.account_states())
        if not yes:
            then = "partiront d'ici" if original_stopped else "passent en doute, sans rien renvoyer"
            typer.confirm(
                f"L'original ne doit plus servir. {waiting} envoi(s) {then}. Continuer ?", abort=True, err=True
            )
        doubtful = gateway.homes.adopt(by=operator(by), reason=reason, original_stopped=original_stopped)
    if as_json:
        print_json({"adopted": True, "in_doubt": doubtful})
        return
    say("Cette base est désormais la bonne : les envois reprennent.")
    if doubtful:
        say(f"{doubtful} envoi(s) en doute : le DMP sera interrogé, les autres se règlent un à un (queue list).")
