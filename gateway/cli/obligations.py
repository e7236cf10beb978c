"""`obligations`: what was due for each episode, and what proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway
from gateway.cli.output import ATTENTION, print_json, print_table

if TYPE_CHECKING:
    from gateway.api.obligations import ObligationView, Standing

_HEAD = ("compte", "épisode", "document", "destinataire", "état", "pour le", "par", "pourquoi", "à voir")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("obligations")(show)


def show(
    account: Annotated[str | None, typer.Option("--account", help="Ce compte seulement.")] = None,
    episode: Annotated[
        str | None, typer.Option("--episode", help="Cet épisode : votre numéro, ou le pseudonyme affiché ici.")
    ] = None,
    document: Annotated[str | None, typer.Option("--document", help="L'épisode de ce document.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Seulement ce qui reste à faire.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dit ce qui était dû pour chaque épisode, à qui, pour quand, et ce qui le prouve.

    Sort avec le statut 1 quand une obligation est en retard.
    """
    from gateway.api.obligations import Standing

    with open_gateway(config) as gateway:
        found = gateway.obligations.standing(account=account, episode=episode, document=document)
    shown = Standing(found.missing) if missing else found
    if as_json:
        print_json(shown.as_dict())
    else:
        _print(shown)
    raise typer.Exit(ATTENTION if found.counts["late"] else 0)


def _print(shown: Standing) -> None:
    print_table(_HEAD, [_row(one) for one in shown.lines])
    counts = shown.counts
    print(
        f"{counts['late']} en retard, {counts['due']} à venir, {counts['impossible']} impossible(s), "
        f"{counts['not_due']} sans obligation ; {counts['met']} remplie(s), dont {counts['met_electronic']} avec "
        f"preuve électronique, {counts['met_person']} par une personne, {counts['met_operator']} sans accusé possible."
    )


def _row(line: ObligationView) -> tuple[str | None, ...]:
    one = line.obligation
    due = one.due_by.astimezone().strftime("%d/%m/%Y %H:%M") if one.due_by else None
    by = one.evidence.by if one.evidence is not None else None
    why = f"{line.why} [{one.reason}]" if one.reason else None
    where = one.delivery_id or one.near
    episode = one.episode[:12] if one.episode else None
    return one.account, episode, line.document_label, line.reader_label, line.state_label, due, by, why, where
