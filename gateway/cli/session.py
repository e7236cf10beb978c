"""`session`: who can send without a person, and the word that one has logged in again."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator
from gateway.cli.output import ATTENTION, print_json, print_table, say

app = typer.Typer(help="Sessions avec l'opérateur MSSanté (jeton, certificat).", no_args_is_help=True)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Dit quels comptes peuvent envoyer sans personne, et pourquoi les autres ne le peuvent pas."""
    with open_gateway(config) as gateway:
        found = gateway.sessions.accesses()
    if as_json:
        print_json([access.as_dict() for access in found])
    else:
        rows = [(a.account, a.means, "oui" if a.unattended else "non", a.waiting, a.reason, a.advice) for a in found]
        print_table(("compte", "accès", "sans personne", "en attente d'une session", "motif", "que faire"), rows)
    raise typer.Exit(0 if all(a.unattended or a.means == "none" for a in found) else ATTENTION)


@app.command("ready")
def ready(
    account: Annotated[str, typer.Argument(metavar="COMPTE", help="Compte dont la session est rouverte.")],
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Déclare qu'une personne s'est reconnectée : ce qui attendait repart."""
    with open_gateway(config) as gateway:
        count = gateway.sessions.ready(account, by=operator(by))
    if as_json:
        print_json({"account": account, "woken": count})
    else:
        say(f"{count} envoi(s) reprennent." if count else "Aucun envoi n'attendait cette session.")
