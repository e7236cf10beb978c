"""`patient held`, `patient export` and `patient erase`: what is held about a patient, for him, and gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator, read_input
from gateway.cli.ins_input import MatriculeFileOption, StdinOption, given_matricule
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, say

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.api.patients import Erased
    from gateway.identity.matricule import Matricule
    from gateway.records.level1 import AnySubmission
    from gateway.views_rights import PlanView

DocumentOption = Annotated[str | None, typer.Option("--document", help="Un document du patient (son identifiant).")]
SubmissionOption = Annotated[
    Path | None, typer.Option("--submission", help="Document JSON dont prendre le patient (- : entrée).")
]
AccountOption = Annotated[
    str | None, typer.Option("--account", help="Avec un matricule : compte (inutile s'il n'y en a qu'un).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("held")(held)
    app.command("export")(export)
    app.command("erase")(erase)


def held(
    document: DocumentOption = None,
    submission: SubmissionOption = None,
    matricule_from_stdin: StdinOption = False,
    matricule_from_file: MatriculeFileOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Montre ce qui est conservé d'un patient, ce qui reste par obligation, ce qui est hors de portée."""
    of = _patient(document, submission, matricule_from_stdin, matricule_from_file)
    with open_gateway(config) as gateway:
        found = gateway.patients.held(of, account=account).as_dict()
    if as_json:
        print_json(found)
    else:
        _documents(found)
        _said("gardé par obligation", found["kept"])
        _said("hors de portée", found["beyond_reach"])


def export(  # noqa: PLR0913, PLR0917 (options of a command, all named)
    out: Annotated[Path, typer.Option("--out", help="Archive ZIP à écrire, lisible par vous seul.")],
    document: DocumentOption = None,
    submission: SubmissionOption = None,
    matricule_from_stdin: StdinOption = False,
    matricule_from_file: MatriculeFileOption = None,
    account: AccountOption = None,
    include_hidden: Annotated[
        bool,
        typer.Option("--include-hidden", help="Joindre aussi les documents cachés au patient : les annoncer avant."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Écraser un fichier existant.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Écrit une copie de tout ce qui est conservé d'un patient, à lui remettre (RGPD art. 15). Écrit au journal."""
    of = _patient(document, submission, matricule_from_stdin, matricule_from_file)
    with open_gateway(config) as gateway:
        made = gateway.patients.export(
            of, out, by=operator(by), account=account, include_hidden=include_hidden, force=force
        )
    if as_json:
        print_json(made.as_dict())
        return
    say(f"{made.file} : {made.documents} document(s), {made.size} octets. À remettre en main propre, puis à effacer.")
    if made.hidden:
        say(f"{made.hidden} document(s) cachés au patient ne sont pas joints (--include-hidden).")


def erase(  # noqa: PLR0913, PLR0917 (options of a command, all named)
    reason: Annotated[
        str, typer.Option("--reason", help="patient_request, retention_over, wrong_patient ou error.")
    ] = "",
    document: DocumentOption = None,
    submission: SubmissionOption = None,
    matricule_from_stdin: StdinOption = False,
    matricule_from_file: MatriculeFileOption = None,
    account: AccountOption = None,
    by: ByOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Montrer ce qui serait fait, sans rien faire.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Efface le contenu des documents d'un patient (RGPD art. 17), dans les limites de la loi ; aperçu d'abord."""
    from gateway.api.patients import check_reason

    of = _patient(document, submission, matricule_from_stdin, matricule_from_file)
    with open_gateway(config) as gateway:
        plan = gateway.patients.plan_erasure(of, account=account)
        if dry_run or not yes:
            _planned(plan, as_json and dry_run)
        if dry_run:
            raise typer.Exit(0 if plan.ok else ATTENTION)
        check_reason(reason)
        if not yes:
            typer.confirm("Effacer ? Le contenu ne pourra plus être retrouvé.", abort=True, err=True)
        done = gateway.patients.erase(of, by=operator(by), reason=reason, account=account, progress=_progress)
        files = _sweep(gateway, done)
    _told(done, files, as_json)
    raise typer.Exit(ATTENTION if done.refused else 0)


def _patient(
    document: str | None, submission: Path | None, from_stdin: bool, file: Path | None
) -> str | Matricule | AnySubmission:
    """How the patient was named. A matricule is never an argument: other users see those of a running program."""
    from gateway.api.patients import matricule
    from gateway.errors import InputError
    from gateway.records.level1 import parse_any

    if sum((document is not None, submission is not None, from_stdin, file is not None)) != 1:
        names = "--document, --submission, --matricule-from-stdin ou --matricule-from-file"
        raise typer.BadParameter(f"Donner un seul de : {names}.")
    if document is not None:
        return document
    if submission is None:
        return matricule(given_matricule(from_stdin, file) or "")
    parsed, findings = parse_any(read_input(submission))
    if parsed is None:
        raise InputError(findings)
    return parsed


def _documents(found: dict[str, Any]) -> None:
    rows = [
        (
            one["document_id"],
            one["kind"],
            one["date"],
            "effacé" if one["erased_at"] else "caché au patient" if one["hidden"] else "conservé",
            " | ".join(f"{d['label']} : {d['transport_label']}" for d in one["deliveries"]),
        )
        for one in found["documents"]
    ]
    print_table(("document", "type", "date", "contenu", "envois"), rows, title=f"patient {found['patient']}")
    counts = [(name, len(found[name])) for name in ("oppositions", "stops", "held_recipients", "same_traits")]
    print_table(("", "nombre"), [*counts, ("facts", found["facts"])])


def _said(title: str, lines: list[dict[str, str]]) -> None:
    print_table(("quoi", "pourquoi"), [(one["what"], one["why"]) for one in lines], title=title)


def _planned(plan: PlanView, as_json: bool) -> None:
    value = plan.as_dict()
    if as_json:
        print_json(value)
        return
    _documents(value)
    rows = [
        ("à effacer", len(value["erasable"])),
        ("déjà effacés", len(value["gone"])),
        ("retenus", len(value["blocked"])),
    ]
    print_table(("documents", "nombre"), rows)
    for title, part in (("effacé", "erases"), ("gardé par obligation", "kept"), ("hors de portée", "beyond_reach")):
        _said(title, value[part])
    print_findings(value["findings"])


def _progress(done: int, of: int) -> None:
    if of > 1:
        say(f"{done}/{of}")


def _sweep(gateway: Gateway, done: Erased) -> int:
    """Remove what the erased documents leave in the account's outbox; the sidecar does the same for what it meets."""
    from gateway.sidecar.folder import Folder
    from gateway.sidecar.leavings import sweep

    held = done.plan.plan.held
    account = gateway.settings.find_account(held.holding.account)
    if account is None or account.outbox is None or not account.outbox.is_dir():
        return 0
    folder = Folder(account.outbox)
    return sum(sweep(folder, gateway.store.document(one)) for one in (*done.erased, *done.plan.plan.gone))


def _told(done: Erased, files: int, as_json: bool) -> None:
    if as_json:
        print_json({**done.as_dict(), "files": files})
        return
    say(f"{len(done.erased)} document(s) effacé(s), {files} fichier(s) retirés du dossier outbox.")
    if done.refused:
        say(f"{len(done.refused)} document(s) retenus : un envoi n'est pas terminé (--dry-run les montre).")
    if not done.scrubbed:
        say("La clé est détruite ; la base n'a pas pu vider ses fichiers tout de suite : docs/patient-rights.md.")
