"""`evidence`: run a test on a synthetic patient and keep the exact frames, for homologation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, open_or_preview, operator, read_input
from gateway.cli.dmp_words import AccountOption
from gateway.cli.output import ATTENTION, print_json, print_table, say

if TYPE_CHECKING:
    from gateway.api.evidence import EvidencePlan, EvidenceRun


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("evidence")(evidence)


def evidence(  # noqa: PLR0913, PLR0917 - each is an option
    test: Annotated[str | None, typer.Option("--test", help="Code du test (voir --list).")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Dossier à créer, ou vide.")] = None,
    patient: Annotated[
        Path | None, typer.Option("--patient", help="Document JSON d'un patient fictif (- : entrée standard).")
    ] = None,
    account: AccountOption = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="Fichier TOML de tests à ajouter.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Liste les tests.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Montrer ce qui serait fait, sans rien envoyer.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Joue un test du DMP avec un patient fictif et garde les trames exactes, pour l'homologation."""
    if show:
        _list(config, tests, as_json)
        return
    if test is None or (out is None and not dry_run):
        raise typer.BadParameter("Donner --test CODE et --out DOSSIER, ou --list.")
    with open_gateway(config) as gateway:
        data = None if patient is None else read_input(patient)
        plan = gateway.evidence.plan(test, submission=data, account=account, own=tests)
        if not as_json:
            _preview(plan)
        if dry_run or out is None:
            _print(plan.as_dict(), as_json)
            return
        if not yes:
            typer.confirm("Jouer ce test ?", abort=True, err=True)
        run = gateway.evidence.run(plan, out, by=operator(by))
    _print(run.index, as_json)
    if not as_json:
        _told(run)
    raise typer.Exit(0 if run.ok else ATTENTION)


def _print(value: object, as_json: bool) -> None:
    if as_json:
        print_json(value)


def _list(config: Path | None, tests: Path | None, as_json: bool) -> None:
    found = open_or_preview(config).evidence.tests(tests)
    if as_json:
        print_json([one.as_dict() for one in found])
    else:
        print_table(("code", "test", "étapes"), [(one.code, one.title, ", ".join(one.steps)) for one in found])


def _preview(plan: EvidencePlan) -> None:
    dmp = plan.dmp
    say(f"{plan.test.code} : {plan.test.title}")
    say(f"  étapes : {', '.join(plan.test.steps)}")
    say(f"  compte {plan.account.id}, {dmp.url}, mode {dmp.mode}, homologation {dmp.homologation}")
    say("  Le document versé reste dans le DMP du patient fictif, sauf si le test le supprime.")


def _told(run: EvidenceRun) -> None:
    rows = [
        (one["step"], {True: "réussi", False: "échoué", None: "non joué"}[one["ok"]], one["reason"])
        for one in run.index["steps"]
    ]
    print_table(("étape", "résultat", "motif"), rows)
    say(f"{len(run.index['exchanges'])} échanges gardés dans {run.folder} (LISEZMOI.txt, index.json, SHA256SUMS).")
