"""`retention`: what is finished and old enough to go, shown first, then erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator
from gateway.cli.output import print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.api.retention import Standing

_WHAT = (("mails", "messages transmis"), ("documents", "documents entiers (clé détruite)"))


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("retention")(retention)


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Montrer ce qui partirait, sans rien effacer.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Efface le contenu dont la durée de conservation est passée ; journal, états et indicateurs restent."""
    with open_gateway(config) as gateway:
        standing = gateway.retention.preview()
        if not as_json:
            _show(standing)
        if dry_run or not (standing.plan.due or standing.traces):
            if as_json:
                print_json({**standing.as_dict(), "erased": None})
            return
        if not yes:
            typer.confirm("Effacer ? Ce contenu ne se retrouve pas.", abort=True, err=True)
        done = gateway.retention.apply(standing, by=operator(by), progress=None if as_json else _progress)
    if as_json:
        erased = {"mails": done.mails, "documents": done.documents, "bytes": done.size, "kept": done.kept}
        print_json({**standing.as_dict(), "erased": erased})
        return
    say(f"Effacé : messages de {done.mails} document(s), {done.documents} document(s) entier(s), {_size(done.size)}.")
    if done.kept:
        say(f"{done.kept} document(s) gardé(s) : il s'y est passé quelque chose entre-temps.")


def _show(standing: Standing) -> None:
    plan = standing.plan
    rows = [
        (label, standing.number(kind), _size(standing.size(kind)), _oldest(standing, kind)) for kind, label in _WHAT
    ]
    days = standing.traces
    rows.append(("traces des échanges (jours)", len(days), "", days[0].isoformat() if days else ""))
    print_table(("à effacer", "nombre", "taille", "terminé le plus tôt"), rows)
    cap = f" sur {_size(plan.cap)} voulus" if plan.cap else ""
    tell(f"Stockage : {_size(plan.used)}{cap}. Gardés : {plan.open} non terminé(s), {plan.owed} d'obligation ouverte.")
    if plan.over:
        tell(f"Il restera {_size(plan.over)} de trop : rien d'autre ne peut être effacé d'après [retention].")


def _oldest(standing: Standing, kind: str) -> str:
    ended = [one.ended_at for one in standing.plan.due if one.kind == kind]
    return f"{min(ended).astimezone():%d/%m/%Y}" if ended else ""


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} Mo"


def _progress(done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        say(f"{done} / {total}")
