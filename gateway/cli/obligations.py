"""`obligations`: what was due for each episode, and what proves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway, read_input
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, tell

if TYPE_CHECKING:
    from gateway.api.obligations import ObligationView, Standing
    from gateway.api.reconcile import Reconciled

_HEAD = ("compte", "épisode", "document", "destinataire", "état", "pour le", "par", "pourquoi", "à voir")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("obligations")(show)
    app.command("reconcile")(reconcile)


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
    tell(
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


def reconcile(
    file: Annotated[Path, typer.Argument(metavar="FACTURATION.csv", help="Export CSV du logiciel (`-` : entrée).")],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Titre d'une colonne : patient=TITRE, date=TITRE... (répétable)."),
    ] = None,
    account: Annotated[str | None, typer.Option("--account", help="Documents de ce compte seulement.")] = None,
    identity: Annotated[
        bool, typer.Option("--identity", help="Montrer les patients, tels que le fichier les nomme.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les séances en accès direct facturées sans document. Rien du fichier n'est conservé.

    Colonnes : patient (matricule ou numéro local) et date ; facultatives : mode, act, line, name.
    Sort avec le statut 1 quand il en manque.
    """
    columns = dict(_pair(one) for one in column or [])
    with open_gateway(config) as gateway:
        found = gateway.obligations.reconcile(read_input(file), columns=columns, account=account)
    if as_json:
        print_json(found.as_dict(identity=identity))
    else:
        _print_reconciled(found, identity=identity)
    raise typer.Exit(ATTENTION if found.missing else 0)


def _pair(text: str) -> tuple[str, str]:
    from gateway.audit.billing import FIELDS

    name, sign, title = text.partition("=")
    if not sign or name not in FIELDS:
        raise typer.BadParameter(f"attendu : champ=TITRE, champ parmi {', '.join(FIELDS)}", param_hint="--column")
    return name, title


def _print_reconciled(found: Reconciled, *, identity: bool) -> None:
    value = found.as_dict(identity=identity)
    who = ("patient", "nom") if identity else ()
    rows = []
    for one in value["missing"]:
        named = (one["patient"], one["name"]) if identity else ()
        rows.append((*named, one["label"], one["since"], one["until"], one["sessions"], _numbers(one["lines"])))
    print_table((*who, "il manque", "du", "au", "séances", "lignes du fichier"), rows)
    print_findings(value["findings"])
    totals = value["totals"]
    tell(
        f"{totals['lines']} ligne(s) lue(s), {totals['patients']} patient(s) ; {totals['direct']} séance(s) en accès "
        f"direct, {totals['episodes']} épisode(s) dont {totals['covered']} complet(s), {totals['missing']} manque(s)."
    )
    if totals["unknown_mode"]:
        tell(f"{totals['unknown_mode']} ligne(s) sans mode d'accès ni document : non comparées (colonne mode).")
    if totals["documents_not_read"]:
        tell(f"{totals['documents_not_read']} document(s) effacé(s) : non comparés.")


def _numbers(lines: list[int]) -> str:
    shown = ", ".join(str(one) for one in lines[:8])
    return f"{shown}, ..." if len(lines) > 8 else shown
