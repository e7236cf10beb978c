"""`doctor`: is everything in place to send?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.common import ConfigOption, JsonOption
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, tell

if TYPE_CHECKING:
    from gateway.api.sessions import Access
    from gateway.audit.report import Report as Verification
    from gateway.findings import Finding
    from gateway.package.certificates import Held
    from gateway.settings import Settings
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


_SHUT = re.compile(r"STO-|CFG-(103|146|147)$")
"""Codes of what keeps the store from being opened: damaged, of another release, on a share, read-only, out of time."""


@dataclass
class _Look:
    """What was seen. `verification` None: the store does not open."""

    findings: list[Finding]
    accounts: list[AccountState] = field(default_factory=list)
    accesses: dict[str, Access] = field(default_factory=dict)
    verification: Verification | None = None

    @property
    def ok(self) -> bool:
        """Whether everything is in place to send."""
        from gateway.findings import has_errors

        return self.verification is not None and self.verification.ok and not has_errors(self.findings)


def _look(settings: Settings) -> _Look:
    from gateway.errors import GatewayError
    from gateway.findings import Severity, error
    from gateway.inspection import inspect_machine

    look = _Look(inspect_machine(settings))
    if any(one.severity is Severity.ERROR and _SHUT.match(one.code) for one in look.findings):
        return look  # opening it would say the same again, or change what a person must see first
    try:
        _look_inside(settings, look)
    except GatewayError as fault:
        found = error(fault.code, _place(fault.code), fault.message, fault.advice)
        if not any(
            one.code == found.code or (one.path, one.severity) == (found.path, found.severity) for one in look.findings
        ):
            look.findings.append(found)  # what is new: its cause may have been found before
    return look


def _place(code: str) -> str:
    return {"SEA": "/sealing/key_file", "JRN": "/journal/key_file"}.get(code[:3], "/store/url")


def _look_inside(settings: Settings, look: _Look) -> None:
    from gateway.api import Gateway
    from gateway.inspection import inspect_journal, inspect_pauses

    with Gateway.open(settings) as gateway:
        look.findings += inspect_journal(settings, gateway.store) + inspect_pauses(gateway.store)
        look.accounts = gateway.account_states()
        look.accesses = {access.account: access for access in gateway.sessions.accesses()}
        look.findings += gateway.sessions.inspect() + gateway.mail.inspect()
        look.findings += gateway.homes.inspect() + gateway.retention.inspect() + gateway.clocks.inspect()
        look.verification = gateway.verify_journal()


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Examine la configuration, les certificats, le stockage, les dossiers et les serveurs, sans rien envoyer."""
    from gateway.inspection import held_certificates
    from gateway.settings import load

    settings = load(config)
    look, held = _look(settings), _rows(held_certificates(settings))
    if as_json:
        states = [{**a.as_dict(), "access": look.accesses[a.account].as_dict()} for a in look.accounts]
        journal = None if look.verification is None else look.verification.as_dict()
        value = {"ok": look.ok, "findings": [f.as_dict() for f in look.findings], "accounts": states}
        print_json({**value, "certificates": held, "journal": journal})
    else:
        _print(look, held)
    raise typer.Exit(0 if look.ok else ATTENTION)


def _print(look: _Look, held: list[dict[str, Any]]) -> None:
    print_findings(f.as_dict() for f in look.findings)
    accesses = look.accesses
    print_table(
        ("compte", "boîte", "accès", "envoi sans personne", "en attente", "canaux en pause"),
        [
            (a.account, a.mailbox, accesses[a.account].means, _alone(a, accesses), a.waiting, ", ".join(a.paused))
            for a in look.accounts
        ],
    )
    print_table(
        ("compte", "certificat", "titulaire", "usage", "valable jusqu'au"),
        [(c["account"], c["purpose"], c["holder"], ", ".join(c["usages"]), c["ends"]) for c in held],
    )
    if look.verification is not None:
        tell(look.verification.summary)
    tell("Prêt à envoyer." if look.ok else "Quelque chose est à corriger.")
