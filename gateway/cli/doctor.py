"""`doctor`: is everything in place to send?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.common import ConfigOption, JsonOption
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table

if TYPE_CHECKING:
    from gateway.api.sessions import Access
    from gateway.package.certificates import Held
    from gateway.views import AccountState


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("doctor")(doctor)


def _alone(state: AccountState, accesses: dict[str, Access]) -> str:
    """Whether this account sends without a person: its DMP mode and its access to the MSSanté box both count."""
    access = accesses[state.account]
    alone = state.unattended and (access.unattended or access.means == "none")
    return "oui" if alone else f"non ({access.reason})" if access.reason else "non"


def _rows(held: list[tuple[str, str, Held]]) -> list[dict[str, Any]]:
    return [_certificate(*row) for row in held]


def _certificate(account: str, purpose: str, held: Held) -> dict[str, Any]:
    usages = list(held.usages) or ["tout usage"]
    ends = held.ends.date().isoformat()
    return {"account": account, "purpose": purpose, "holder": held.holder, "usages": usages, "ends": ends}


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Examine la configuration, les certificats, le stockage, les dossiers et les serveurs, sans rien envoyer."""
    from gateway.api import Gateway
    from gateway.findings import has_errors
    from gateway.inspection import held_certificates, inspect_machine
    from gateway.settings import load

    settings = load(config)
    findings = inspect_machine(settings)
    with Gateway.open(settings) as gateway:
        verification = gateway.verify_journal()
        accounts = gateway.account_states()
        accesses = {access.account: access for access in gateway.sessions.accesses()}
        findings += gateway.sessions.inspect()
        findings += gateway.mail.inspect()
        findings += gateway.homes.inspect() + gateway.retention.inspect()
    held = held_certificates(settings)
    ok = verification.ok and not has_errors(findings)
    if as_json:
        states = [{**a.as_dict(), "access": accesses[a.account].as_dict()} for a in accounts]
        value = {"ok": ok, "findings": [f.as_dict() for f in findings], "accounts": states}
        print_json({**value, "certificates": _rows(held), "journal": verification.as_dict()})
    else:
        print_findings(f.as_dict() for f in findings)
        print_table(
            ("compte", "boîte", "accès", "envoi sans personne", "en attente", "canaux en pause"),
            [
                (a.account, a.mailbox, accesses[a.account].means, _alone(a, accesses), a.waiting, ", ".join(a.paused))
                for a in accounts
            ],
        )
        print_table(
            ("compte", "certificat", "titulaire", "usage", "valable jusqu'au"),
            [(c["account"], c["purpose"], c["holder"], ", ".join(c["usages"]), c["ends"]) for c in _rows(held)],
        )
        print(verification.summary)
        print("Prêt à envoyer." if ok else "Quelque chose est à corriger.")
    raise typer.Exit(0 if ok else ATTENTION)
