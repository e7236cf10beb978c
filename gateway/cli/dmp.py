"""`dmp`: ask a patient's DMP, and change what was fed to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import dmp_changes
from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator, read_input
from gateway.cli.dmp_words import AccountOption, account_of, print_listing, print_refusal
from gateway.cli.output import ATTENTION, DATA_ERROR, UNAVAILABLE, print_json, say, tell

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.api.dmp import DmpOffice, Who
    from gateway.api.dmp_results import DmpFiles, DmpListing, Refusal
    from gateway.package.query import Criteria

app = typer.Typer(help="DMP : tester, chercher, lire, masquer, archiver, supprimer.", no_args_is_help=True)
dmp_changes.register(app)

PatientOption = Annotated[
    Path | None, typer.Option("--patient", help="Document JSON dont prendre patient et auteur (- : entrée standard).")
]
OfOption = Annotated[str | None, typer.Option("--of", help="Document de la passerelle dont prendre le patient.")]


@app.command("test")
def existence(
    patient: PatientOption = None,
    of: OfOption = None,
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Demande si le patient a un DMP que ce professionnel peut alimenter (TD0.2)."""
    with _asking(config, patient, of, account) as (office, who):
        found = office.test(who, by=operator(by))
    if as_json:
        print_json(found.as_dict())
    elif found.open:
        tell("DMP ouvert, alimentation permise.")
    _leave(found.refusal, as_json)


@app.command("find")
def find(
    patient: PatientOption = None,
    of: OfOption = None,
    account: AccountOption = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", help="approved (défaut), deprecated, archived ; répétable.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Créés depuis ce jour (AAAA-MM-JJ).")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cherche les documents du patient (TD3.1). En mode indirect : références seulement."""
    criteria = _criteria(status, since)
    with _asking(config, patient, of, account) as (office, who):
        found = office.find(who, by=operator(by), criteria=criteria)
    _show(found, as_json)


@app.command("sets")
def sets(
    patient: PatientOption = None,
    of: OfOption = None,
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les lots de soumission acceptés pour le patient (TD3.1)."""
    with _asking(config, patient, of, account) as (office, who):
        found = office.sets(who, by=operator(by))
    _show(found, as_json)


@app.command("links")
def links(
    uuids: Annotated[list[str], typer.Argument(metavar="ENTRYUUID...", help="urn:uuid:... d'un document ou d'un lot.")],
    patient: PatientOption = None,
    of: OfOption = None,
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Montre ce qui est lié à des documents ou à des lots : remplacement, signature (TD3.1)."""
    with _asking(config, patient, of, account) as (office, who):
        found = office.links(who, uuids, by=operator(by))
    _show(found, as_json)


@app.command("get")
def get(
    documents: Annotated[
        list[str], typer.Argument(metavar="DOCUMENT...", help="uniqueId, ou document de la passerelle.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Dossier où écrire.")],
    patient: PatientOption = None,
    of: OfOption = None,
    account: AccountOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lit des documents du DMP (TD3.2), contrôle leur empreinte et les écrit dans un dossier."""
    with open_gateway(config) as gateway:
        office, who = _whose(gateway, patient, of or (None if patient else documents[0]), account)
        found = office.retrieve(who, [_unique_id(gateway, one) for one in documents], by=operator(by))
    written = _write(found, out)
    if as_json:
        print_json(found.as_dict() | {"files": [str(one) for one in written]})
    else:
        _say_files(found, written)
    _leave(found.refusal, as_json)
    if not found.ok:
        raise typer.Exit(ATTENTION)


@contextlib.contextmanager
def _asking(
    config: Path | None, patient: Path | None, of: str | None, account: str | None
) -> Iterator[tuple[DmpOffice, Who]]:
    """For one question: the gateway of a configuration, closed afterwards."""
    with open_gateway(config) as gateway:
        yield _whose(gateway, patient, of, account)


def _whose(gateway: Gateway, patient: Path | None, of: str | None, account: str | None) -> tuple[DmpOffice, Who]:
    """The account's access and whose DMP; the command line is no place for an INS."""
    if (patient is None) == (of is None):
        raise typer.BadParameter("Donner --patient FICHIER ou --of DOCUMENT (l'un des deux).")
    return gateway.dmp(account_of(gateway, account)), read_input(patient) if patient is not None else of or ""


def _unique_id(gateway: Gateway, name: str) -> str:
    """What the DMP calls one of our documents; any other name is taken for its own."""
    from gateway.errors import NotFoundError

    try:
        return gateway.store.document(name).unique_id or name
    except NotFoundError:
        return name.removeprefix("urn:oid:")


def _criteria(status: list[str] | None, since: str | None) -> Criteria:
    from gateway.package.metadata_update import ARCHIVED, DEPRECATED
    from gateway.package.query import APPROVED, Criteria

    statuses = {"approved": APPROVED, "deprecated": DEPRECATED, "archived": ARCHIVED}
    wanted = status or ["approved"]
    if unknown := [one for one in wanted if one not in statuses]:
        raise typer.BadParameter(f"--status {unknown[0]} : approved, deprecated ou archived.")
    try:
        day = None if since is None else datetime.combine(date.fromisoformat(since), time()).astimezone()
    except ValueError as fault:
        raise typer.BadParameter("--since : AAAA-MM-JJ attendu.") from fault
    return Criteria(statuses=tuple(statuses[one] for one in dict.fromkeys(wanted)), created_from=day)


def _show(found: DmpListing, as_json: bool) -> None:
    if as_json:
        print_json(found.as_dict())
    elif found.refusal is None:
        print_listing(found)
    _leave(found.refusal, as_json)


def _write(found: DmpFiles, out: Path) -> list[Path]:
    """One file for each document, named by its uniqueId: no name of a person in a file name."""
    if not found.files:
        return []
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for one in found.files:
        safe = "".join(char if char.isascii() and (char.isalnum() or char in ".-_") else "_" for char in one.unique_id)
        path = out / f"{safe.lstrip('.') or 'document'}{one.suffix}"
        path.write_bytes(one.content)
        written.append(path)
    return written


def _say_files(found: DmpFiles, written: list[Path]) -> None:
    from gateway import wording

    for one, path in zip(found.files, written, strict=True):
        tell(f"{path}  {len(one.content)} octets, empreinte {'conforme' if one.checked else 'non fournie par le DMP'}")
        if one.description.hidden:
            say("attention : le patient ne voit pas ce document dans son DMP ; ne pas le lui montrer sans explication.")
    for absent in found.absent:
        advice = wording.advice("dead", "none", absent.code)
        say(f"{absent.unique_id} : non remis ({absent.code}) {absent.text} {advice}")


def _leave(refusal: Refusal | None, as_json: bool) -> None:
    """End with what a refusal means to a script."""
    if refusal is None:
        return
    if not as_json:
        print_refusal(refusal)
    if refusal.reason == "DMP-RIGHTS":
        raise typer.Exit(DATA_ERROR)
    raise typer.Exit(UNAVAILABLE if refusal.passing else ATTENTION)
