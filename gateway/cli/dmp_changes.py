"""`dmp mask|unmask|hide|show|archive|unarchive|delete`: changes of a document that the gateway fed, previewed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from gateway import wording
from gateway.cli.common import ByOption, ConfigOption, JsonOption, ReasonOption, open_gateway, operator
from gateway.cli.dmp_words import AccountOption, account_of
from gateway.cli.output import DATA_ERROR, print_findings, print_json, say, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.engine.changes import Proposal
    from gateway.package.types import Change

DocumentArgument = Annotated[str, typer.Argument(metavar="DOCUMENT", help="Document de la passerelle, ou uniqueId.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Montrer ce qui serait fait, sans rien faire.")]


_HELP: dict[str, tuple[Change, str]] = {
    "mask": ("mask", "Masque un document aux professionnels (TD3.3a)."),
    "unmask": ("unmask", "Montre de nouveau un document aux professionnels (TD3.3a)."),
    "hide": ("hide", "Cache un document au patient (TD3.3b)."),
    "show": ("show", "Montre un document au patient (TD3.3b)."),
    "hide-legal": ("hide_legal", "Cache un document aux représentants légaux (TD3.3b)."),
    "show-legal": ("show_legal", "Montre un document aux représentants légaux (TD3.3b)."),
    "archive": ("archive", "Archive un document (TD3.3d)."),
    "unarchive": ("unarchive", "Désarchive un document (TD3.3d)."),
    "delete": ("delete", "Supprime un document du DMP (TD3.3c) ; voir aussi withdraw."),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, (change, words) in _HELP.items():
        app.command(name, help=words)(_command(change))


@dataclass(frozen=True, slots=True)
class _Order:
    """What the command line asks for."""

    document: str
    reason: str
    account: str | None
    by: str | None
    yes: bool
    dry_run: bool


def _command(change: Change) -> Callable[..., None]:
    def command(
        document: DocumentArgument,
        reason: ReasonOption,
        account: AccountOption = None,
        by: ByOption = None,
        yes: YesOption = False,
        dry_run: DryOption = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        _change(change, _Order(document, reason, account, by, yes, dry_run), config, as_json)

    return command


def _change(change: Change, order: _Order, config: Path | None, as_json: bool) -> None:
    """Show what would be done, ask, plan it; the worker sends it like any delivery."""
    with open_gateway(config) as gateway:
        office = gateway.dmp(account_of(gateway, order.account))
        proposal = office.propose(order.document, change)
        if not as_json:
            _preview(proposal)
        if not proposal.ok or order.dry_run:
            if as_json:
                print_json(proposal.as_dict())
            raise typer.Exit(0 if proposal.ok else DATA_ERROR)
        if not order.yes:
            typer.confirm(f"{wording.change(change).capitalize()} ce document dans le DMP ?", abort=True, err=True)
        view = office.change(order.document, change, by=operator(order.by), reason=order.reason)
    if as_json:
        print_json(proposal.as_dict() | {"delivery": view.as_dict()})
    else:
        say(f"Envoi {view.id} : {wording.transport(view.transport)}. Le suivre : queue show {view.id}")


def _preview(proposal: Proposal) -> None:
    mode = "" if proposal.context is None else f", mode {proposal.context.mode}"
    tell(f"{wording.change(proposal.change)} : document {proposal.document} ({proposal.unique_id or '?'}){mode}")
    if proposal.pending is not None and proposal.ok:
        tell(f"  déjà demandé : envoi {proposal.pending}")
    if proposal.change == "delete" and proposal.ok:
        tell("  Suppression définitive dans le DMP ; qui l'a reçu par messagerie le garde (voir withdraw).")
    print_findings([finding.as_dict() for finding in proposal.findings])
