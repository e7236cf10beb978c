"""`annuaire`: whose MSSanté box is it? Search, import of the national list, and what the answers rest on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import ConfigOption, JsonOption, open_gateway
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.api.directory import DirectoryFace
    from gateway.channels.annuaire.model import Box, Choice, Found, Person

app = typer.Typer(help="Annuaire Santé : trouver la boîte MSSanté d'un professionnel.", no_args_is_help=True)


class Origin(StrEnum):
    """Which source to ask."""

    API = "api"
    LIST = "extraction"


@app.command("find")
def find(  # noqa: PLR0913, PLR0917 one option each
    rpps: Annotated[str | None, typer.Option("--rpps", help="Numéro RPPS, 11 chiffres.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Nom, ou nom et prénom.")] = None,
    town: Annotated[str | None, typer.Option("--town", help="Ville d'exercice.")] = None,
    profession: Annotated[
        str | None, typer.Option("--profession", help="Profession : libellé (médecin) ou code (10).")
    ] = None,
    structure: Annotated[
        str | None, typer.Option("--structure", help="Avec --rpps : structure où le patient est suivi (1 + FINESS...).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Nombre de personnes montrées.")] = 50,
    source: Annotated[Origin | None, typer.Option("--source", help="N'interroger que cette source.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Réinterroger l'API au lieu d'une réponse gardée.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cherche un professionnel et ses boîtes MSSanté publiées. Rien n'est envoyé."""
    if rpps is not None and not (len(rpps) == 11 and rpps.isascii() and rpps.isdigit()):
        raise typer.BadParameter("un numéro RPPS a 11 chiffres", param_hint="--rpps")
    if not any(text and text.strip() for text in (rpps, name, town)):
        raise typer.BadParameter("donner --rpps, --name ou --town")
    with open_gateway(config) as gateway:
        from gateway.channels.annuaire.model import Source

        directory = gateway.directory
        asked = Source(source.value) if source else None
        where = {"rpps": rpps, "name": name, "town": town, "profession": profession}
        found = directory.find(**where, limit=limit, source=asked, fresh=fresh)
        choice = directory.conclude(found, rpps, structure) if rpps else None
        if as_json:
            print_json(_found_as_dict(found, choice, directory))
        else:
            _show(found, choice, directory)
    decided = choice.box is not None if choice is not None else bool(found.people)
    raise typer.Exit(0 if decided else ATTENTION)


def _found_as_dict(found: Found, choice: Choice | None, directory: DirectoryFace) -> dict[str, Any]:
    from gateway.channels.annuaire.model import person_as_dict

    people = [person_as_dict(person) for person in found.people]
    for person in people:
        for box in person["boxes"]:
            box["trusted"] = directory.is_trusted(box["address"])
    value = {"source": found.source.value, "at": found.at.isoformat(), "more": found.more, "notes": list(found.notes)}
    return {**value, "people": people, "choice": None if choice is None else choice_as_dict(choice)}


def choice_as_dict(choice: Choice) -> dict[str, Any]:
    """JSON-ready."""
    from gateway.channels.annuaire.model import box_as_dict

    return {
        "verdict": choice.verdict.value,
        "code": choice.code,
        "why": choice.why,
        "advice": choice.advice,
        "source": choice.source.value if choice.source else None,
        "at": choice.at.isoformat() if choice.at else None,
        "boxes": [box_as_dict(box) for box in choice.boxes],
    }


def _show(found: Found, choice: Choice | None, directory: DirectoryFace) -> None:
    for note in found.notes:
        say(f"attention : {note}")
    rows = [row for person in found.people for row in _rows(person, directory)]
    if rows:
        print_table(("RPPS", "nom", "profession", "lieu", "boîte MSSanté", "type"), rows)
    tell(_summary(found))
    if choice is not None:
        tell(f"{_LABELS[choice.verdict.value]} {choice.box.address if choice.box else ''}".strip())
        tell(f"  {choice.why} [{choice.code}]" + (f"\n  -> {choice.advice}" if choice.box is None else ""))


_LABELS = {"one": "Boîte à employer :", "ask": "À choisir :", "none": "Pas de boîte.", "stale": "Pas de réponse."}


def _rows(person: Person, directory: DirectoryFace) -> Iterator[tuple[str, ...]]:
    who = (
        person.rpps,
        person.name,
        " ".join(filter(None, (person.profession_label or person.profession, person.skill))),
    )
    if not person.boxes:
        yield (*who, ", ".join(person.towns), "aucune boîte publiée", "")
    for box in person.boxes:
        kind = box.kind.value if directory.is_trusted(box.address) else f"{box.kind.value}, hors espace de confiance"
        yield (*who, _place(box) or ", ".join(person.towns), box.address, kind)


def _place(box: Box) -> str:
    place = box.structure
    return ", ".join(part for part in (place.name, place.town) if part) if place is not None else ""


def _summary(found: Found) -> str:
    names = {"api": "Annuaire Santé (API)", "extraction": "liste importée"}
    count = f"{len(found.people)} réponse(s)" if found.people else "Aucune réponse"
    more = " ; il y en a d'autres : préciser la recherche" if found.more else ""
    return f"{count}{more} — {names[found.source.value]}, {found.at.astimezone():%d/%m/%Y %H:%M}."


@app.command("import")
def import_list(
    file: Annotated[Path | None, typer.Argument(help="Extraction_Correspondance_MSSante_....zip ou .txt.")] = None,
    fetch: Annotated[bool, typer.Option("--download", help="Télécharger la liste du jour.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Accepter une liste plus petite ou plus ancienne.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Importe la liste nationale des boîtes MSSanté. La liste en place reste employée si la nouvelle est mauvaise."""
    if (file is None) is not fetch:
        raise typer.BadParameter("donner un fichier, ou --download")
    with open_gateway(config) as gateway, _progress(quiet=as_json) as progress:
        done = gateway.directory.refresh(file, force=force, progress=progress)
    value = {
        "boxes": done.about.boxes,
        "lines": done.lines,
        "left_out": done.about.left_out,
        "generated_at": done.about.generated_at.isoformat(),
        "source": done.about.source,
        "sha256": done.about.sha256,
        "seconds": round(done.seconds, 1),
        "findings": [finding.as_dict() for finding in done.findings],
    }
    if as_json:
        print_json(value)
        return
    print_findings(finding.as_dict() for finding in done.findings)
    tell(
        f"{done.about.boxes} boîtes importées en {done.seconds:.1f} s, liste du "
        f"{done.about.generated_at.astimezone():%d/%m/%Y %H:%M}, {done.about.left_out} ligne(s) laissée(s) de côté."
    )


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], object] | None]:
    """A bar on a terminal, one line for each step elsewhere."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield _Steps()


_STEPS = {"download": "téléchargement", "import": "lecture", "index": "index"}


class _Steps:
    """Says each step once."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, step: str, _done: int, _total: int) -> None:
        if step != self._said:
            self._said = step
            say(f"{_STEPS[step]}...")


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, int, int], object]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(step: str, done: int, total: int) -> None:
            bar.update(task, description=_STEPS[step], completed=done, total=total or None)

        yield tell


@app.command("status")
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Montre sur quoi reposent les réponses : liste importée, son âge, API."""
    with open_gateway(config) as gateway:
        found = gateway.directory.status()
    about = found.list
    listed = None
    if about is not None:
        listed = {
            "source": about.source,
            "generated_at": about.generated_at.isoformat(),
            "imported_at": about.imported_at.isoformat(),
            "age_days": found.age_days,
            "boxes": about.boxes,
            "left_out": about.left_out,
            "sha256": about.sha256,
        }
    value = {"usable": found.usable, "list": listed, "api": found.api, "cached": found.cached}
    if as_json:
        print_json({**value, "findings": [finding.as_dict() for finding in found.findings]})
    else:
        rows = [(name, text) for name, text in _status_rows(value) if text]
        print_table(("", ""), rows)
        print_findings(finding.as_dict() for finding in found.findings)
    raise typer.Exit(0 if found.usable else ATTENTION)


def _status_rows(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    listed = value["list"]
    if listed is not None:
        yield "liste importée", f"{listed['boxes']} boîtes, {listed['age_days']} jour(s), {listed['source']}"
        for label, name in (("faite par l'ANS le", "generated_at"), ("importée le", "imported_at")):
            yield label, f"{datetime.fromisoformat(listed[name]).astimezone():%d/%m/%Y %H:%M}"
    yield "API", value["api"] or ""
    yield "réponses gardées", str(value["cached"] or "")
