"""`queue readdress`, `queue reprepare`, `queue print`, and `withdraw`: another way, on paper, or back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    ByOption,
    ConfigOption,
    DeliveryArgument,
    JsonOption,
    ReasonOption,
    open_gateway,
    operator,
)
from gateway.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gateway.api.linked import Linking, Suggestion
    from gateway.api.withdrawals import WithdrawalView
    from gateway.engine.withdraw import Plan
    from gateway.findings import Finding

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Montrer ce qui serait fait, sans rien faire.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")]
REFUSED = 1
"""Exit status of a preview that says no; like that of the refusal itself."""


def register(queue: typer.Typer, app: typer.Typer) -> None:
    """Add the commands."""
    queue.command("readdress")(readdress)
    queue.command("reprepare")(reprepare)
    queue.command("print")(print_)
    app.command("withdraw")(withdraw)


def readdress(
    delivery: DeliveryArgument,
    to: Annotated[str, typer.Option("--to", help="Autre adresse MSSanté du même professionnel.")],
    reason: ReasonOption,
    name: Annotated[
        str | None, typer.Option("--name", help="À qui est cette boîte, si l'annuaire ne le dit pas.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Envoie le même document à une autre boîte du même professionnel, s'il est prouvé que personne ne l'a reçu."""
    with open_gateway(config) as gateway:
        found = gateway.linked.readdress(delivery, to=to, name=name, by=operator(by), reason=reason, dry_run=dry_run)
    _linked(found, as_json)


def reprepare(
    delivery: DeliveryArgument,
    reason: ReasonOption,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prépare et signe de nouveau un envoi refusé : même document, nouvelle enveloppe."""
    with open_gateway(config) as gateway:
        found = gateway.linked.reprepare(delivery, by=operator(by), reason=reason, dry_run=dry_run)
    _linked(found, as_json)


def _linked(found: Linking, as_json: bool) -> None:
    proposal = found.proposal
    if as_json:
        print_json(found.as_dict())
    else:
        rows = [
            ("envoi", proposal.delivery),
            ("document", proposal.document),
            ("destinataire", proposal.role),
            *(
                [("adresse", f"{proposal.before or '(aucune)'} -> {proposal.after}")]
                if proposal.action == "readdress"
                else []
            ),
            ("taille", f"{proposal.size} octets" if proposal.size else ""),
            ("nouvel envoi", found.delivery.id if found.delivery else "(aperçu : rien n'est fait)"),
        ]
        print_table(("", ""), rows)
        _findings(proposal.findings)
    if proposal.link is None:
        raise typer.Exit(REFUSED)


def _findings(found: tuple[Finding, ...]) -> None:
    for one in found:
        say(f"[{one.code}] {one.message} {one.advice}".strip())


def print_(
    delivery: DeliveryArgument,
    out: Annotated[Path, typer.Option("--out", help="Fichier PDF à écrire.")],
    force: Annotated[bool, typer.Option("--force", help="Écraser un fichier existant.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Écrit le document à remettre en main propre : une page de remise à signer, puis le document (PDF/A)."""
    from gateway import platform
    from gateway.errors import ConfigError

    if out.exists() and not force:
        raise ConfigError("PRT-005", f"Le fichier {out} existe déjà.", "Choisir un autre nom, ou ajouter --force.")
    with open_gateway(config) as gateway:
        data = gateway.linked.handout(delivery)
    platform.write_atomic(out, data)
    if as_json:
        print_json({"delivery": delivery, "file": str(out), "size": len(data)})
    else:
        say(f"{out} : {len(data)} octets. Après la remise : kine-gateway queue handed {delivery} --means main_propre")


def suggested(found: Suggestion | None) -> None:
    """What the directory says of a refused address, under a delivery."""
    if found is None:
        return
    say(f"Annuaire : {found.why}")
    for address in found.addresses:
        say(f"  {address}")
    if found.command:
        say(f"  {found.command}")


# ----------------------------------------------------------------------------------------------- withdrawals


def withdraw(  # noqa: PLR0913, PLR0917 (options of a command, all named)
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Identifiant du document (queue list).")],
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="wrong_patient, wrong_recipient, error, duplicate ou patient_request."),
    ] = None,
    note: Annotated[
        str, typer.Option("--note", help="En quelques mots, sans nom de patient, pour le journal (scellé).")
    ] = "",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    status: Annotated[bool, typer.Option("--status", help="Montrer où en est une annulation.")] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Annule un document, toutes ses versions : ce qui n'est pas parti, le DMP, un message à chaque destinataire."""
    with open_gateway(config) as gateway:
        if status:
            _withdrawn(gateway.linked.withdrawal(document), as_json)
            return
        if reason is None:
            raise typer.BadParameter("donner --reason (ou --status)")
        who, words = operator(by), note or reason
        plan = gateway.linked.plan_withdrawal(document, reason=reason, by=who, note=words)
        if dry_run or not yes:
            _planned(plan, as_json and dry_run)
        if dry_run:
            raise typer.Exit(0 if plan.withdrawal is not None else REFUSED)
        if plan.withdrawal is not None and not yes:
            typer.confirm("Annuler ce document ? Ce qui part ne se rattrape pas.", abort=True, err=True)
        _withdrawn(gateway.withdraw(document, reason=reason, by=who, note=words), as_json)


def _planned(plan: Plan, as_json: bool) -> None:
    from gateway import wording

    if as_json:
        print_json(plan.as_dict())
        return
    words = wording.words()["withdrawal"]["what"]
    rows = [
        (one.delivery, one.role, wording.transport(one.transport), wording.receipt(one.receipt), words[one.what])
        for one in plan.steps
    ]
    print_table(("envoi", "destination", "transport", "accusé", "ce qui sera fait"), rows, title="annulation")
    _findings(plan.findings)


def _withdrawn(view: WithdrawalView, as_json: bool) -> None:
    from gateway import wording

    if as_json:
        print_json(view.as_dict())
        return
    words = wording.words()["withdrawal"]["purpose"]
    rows = [
        (
            one.delivery,
            words[one.purpose],
            one.role,
            wording.transport(one.transport),
            wording.receipt(one.receipt),
            "oui" if one.confirmed else "non",
            one.next_step,
        )
        for one in view.lines
    ]
    columns = ("envoi", "quoi", "destination", "transport", "accusé", "confirmé", "que faire")
    print_table(columns, rows, title="annulation")
    say("Annulation terminée." if view.ended else "Annulation en cours : chaque ligne doit être confirmée.")
