"""`doctor`: is everything in place to send?"""

from __future__ import annotations

import typer

from gateway.cli.common import ConfigOption, JsonOption
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("doctor")(doctor)


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Examine la configuration, les certificats, le stockage, les dossiers et les serveurs, sans rien envoyer."""
    from gateway.api import Gateway
    from gateway.findings import has_errors
    from gateway.inspection import inspect_machine
    from gateway.settings import load

    settings = load(config)
    findings = inspect_machine(settings)
    with Gateway.open(settings) as gateway:
        verification = gateway.verify_journal()
        accounts = gateway.account_states()
    ok = verification.ok and not has_errors(findings)
    if as_json:
        value = {"ok": ok, "findings": [f.as_dict() for f in findings], "accounts": [a.as_dict() for a in accounts]}
        print_json({**value, "journal": verification.as_dict()})
    else:
        print_findings(f.as_dict() for f in findings)
        rows = [
            (a.account, a.mailbox, "oui" if a.unattended else "non", a.waiting, ", ".join(a.paused)) for a in accounts
        ]
        print_table(("compte", "boîte", "envoi sans personne", "en attente", "canaux en pause"), rows)
        print(verification.summary)
        print("Prêt à envoyer." if ok else "Quelque chose est à corriger.")
    raise typer.Exit(0 if ok else ATTENTION)
