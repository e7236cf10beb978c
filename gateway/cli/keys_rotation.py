"""`keys list|rotate|retire`: the master keys of the store, changed while everything works."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import wording
from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator
from gateway.cli.output import ATTENTION, print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.api.keys import RotationPlan
    from gateway.store.masters import MasterState

WhyOption = Annotated[
    str, typer.Option("--reason", help="Pourquoi, en un mot écrit au journal (sans nom de patient) : annuel, départ…")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Montrer ce qui serait fait, sans rien faire.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `keys`."""
    app.command("list")(keys_list)
    app.command("rotate")(rotate)
    app.command("retire")(retire)


def keys_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Les clés maîtresses : depuis quand, laquelle sert, combien de documents chacune protège."""
    with open_gateway(config) as gateway:
        found = gateway.keys.listing()
    if as_json:
        print_json([_as_dict(key) for key in found])
        return
    rows = [
        (key.id, _date(key), wording.master_key(role(key)), key.documents, key.facts, "oui" if key.here else "non")
        for key in found
    ]
    print_table(("clé", "faite le", "rôle", "documents", "faits", "au trousseau"), rows)


def rotate(
    reason: WhyOption,
    by: ByOption = None,
    stage: Annotated[
        bool,
        typer.Option(
            "--stage", help="Préparer seulement la clé : le trousseau se copie sur chaque poste avant l'usage."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fait une nouvelle clé maîtresse et met tous les documents sous elle, sans arrêter les envois.

    Interrompue, la même commande reprend où elle en était.
    """
    with open_gateway(config) as gateway:
        plan = gateway.keys.plan()
        if dry_run:
            _tell_plan(plan, as_json=as_json)
        elif stage:
            _stage(gateway, operator(by), reason, as_json=as_json)
        else:
            _confirm_machines(gateway, plan, yes=yes)
            _rotate(gateway, operator(by), reason, as_json=as_json)


def _tell_plan(plan: RotationPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan.as_dict())
    else:
        say(wording.rotation(plan.kind).format(key=plan.key_id or "", rows=plan.rows))


def _stage(gateway: Gateway, by: str, reason: str, *, as_json: bool) -> None:
    key_id = gateway.keys.stage(by=by, reason=reason)
    if as_json:
        print_json({"key_id": key_id, "file": str(gateway.settings.sealing.key_file)})
    else:
        say(f"Clé {key_id} prête. Copier {gateway.settings.sealing.key_file} sur chaque poste, puis keys rotate.")


def _confirm_machines(gateway: Gateway, plan: RotationPlan, *, yes: bool) -> None:
    """A machine without the key could send nothing: with a server there may be several."""
    from gateway.store import on_postgres

    if plan.kind == "new" and on_postgres(gateway.settings) and not yes:
        say("Plusieurs postes sur cette base ? Alors d'abord keys rotate --stage, et copier le trousseau sur chacun.")
        typer.confirm("Ce poste est le seul : continuer ?", abort=True, err=True)


def _rotate(gateway: Gateway, by: str, reason: str, *, as_json: bool) -> None:
    done = gateway.keys.rotate(by=by, reason=reason, progress=None if as_json else _progress())
    if as_json:
        print_json(done.as_dict())
    else:
        say(f"Clé {done.key_id} en usage : {done.moved} documents et faits passés sous elle.")
        say("Sauvegarder maintenant le trousseau : kine-gateway keys backup --to FICHIER.")
        for key_id in done.idle:
            say(f"Plus rien n'a besoin de la clé {key_id} : kine-gateway keys retire {key_id}.")
        for document in done.unreadable:
            tell(f"{document} : clé abîmée, laissée telle quelle. Restaurer une sauvegarde.")
    if done.unreadable:
        raise typer.Exit(ATTENTION)


def retire(
    key_id: Annotated[str, typer.Argument(metavar="CLÉ", help="Identifiant de la clé (keys list).")],
    reason: WhyOption,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Détruit une ancienne clé maîtresse de ce poste. Refusé tant qu'un document en a besoin."""
    with open_gateway(config) as gateway:
        found = gateway.keys.look(key_id)
        if not dry_run:
            _confirm_end(yes=yes)
            gateway.keys.retire(key_id, by=operator(by), reason=reason)
    if as_json:
        print_json({**_as_dict(found), "retired": not dry_run})
    else:
        say(f"La clé {key_id} " + ("peut être détruite : rien n'en a besoin." if dry_run else "est détruite ici."))


def _confirm_end(*, yes: bool) -> None:
    if not yes:
        say("Une sauvegarde du stockage d'avant la rotation ne s'ouvre qu'avec cette clé (keys backup de ce temps).")
        typer.confirm("La détruire ?", abort=True, err=True)


def role(key: MasterState) -> str:
    """What a key is there for, as a word that programs read."""
    if key.current:
        return "current"
    if key.retired_at is not None:
        return "retired"
    if key.turn is None:
        return "waiting"
    return "older"


def _as_dict(key: MasterState) -> dict[str, Any]:
    times = {"made_at": key.made_at, "retired_at": key.retired_at}
    shown = {name: None if at is None else at.isoformat() for name, at in times.items()}
    return {**asdict(key), **shown, "role": role(key)}


def _date(key: MasterState) -> str:
    return "" if key.made_at is None else f"{key.made_at:%d/%m/%Y}"


def _progress() -> Callable[[int, int], None]:
    """A line that counts on a terminal; elsewhere one line for each tenth."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        if sys.stderr.isatty():
            print(f"\rDocuments et faits : {done}/{total}", end="" if done < total else "\n", file=sys.stderr)
        elif total and (tenth := 10 * done // total) > told:
            told = tenth
            say(f"Documents et faits : {done}/{total}")

    return tell
