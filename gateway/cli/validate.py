"""`validate`: the preflight and the official suites on any CDA."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import ConfigOption, JsonOption, read_input
from gateway.cli.output import DATA_ERROR, print_findings, print_json, tell
from gateway.errors import ConfigError
from gateway.findings import Finding, has_errors

if TYPE_CHECKING:
    from gateway.settings import KitSettings
    from gateway.terminology import Terminology
    from gateway.validate.kits import Kits
    from gateway.validate.sources import Source


@dataclass(frozen=True, slots=True)
class Judged:
    """A document and what each judge said: the preflight, then each kit."""

    source: Source
    verdicts: tuple[tuple[str, tuple[Finding, ...]], ...]

    @property
    def ok(self) -> bool:
        """Whether there was a document and no judge saw an error in it."""
        return self.source.cda is not None and not has_errors(self.every())

    def every(self) -> list[Finding]:
        """All findings, in the order of the judges."""
        return [*self.source.findings, *(f for _, findings in self.verdicts for f in findings)]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("validate")(validate)


def validate(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FICHIER...", help="CDA, IHE_XDM.ZIP, message ou dossier de rendu.")
    ] = None,
    kit: Annotated[list[Path] | None, typer.Option("--kit", help="Copie du kit ANS ; peut être répété.")] = None,
    pin: Annotated[Path | None, typer.Option("--pin", help="Affiche l'empreinte d'un kit, sans rien vérifier.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie des CDA : contrôle intégré, puis schémas et schématrons des kits de l'ANS (statut 0 ou 65).

    Sans --kit, les kits de la configuration sont employés s'il y en a.
    """
    if pin is not None:
        _pin(pin, as_json)
        return
    if not files:
        raise ConfigError("VAL-003", "Aucun fichier à vérifier.", "Donner au moins un FICHIER, ou --pin DOSSIER.")
    kits = _kits(kit or [], config)
    judged = _judge(files, kits)
    if as_json:
        print_json(_as_json(judged, kits))
    else:
        _show(judged, kits)
    raise typer.Exit(0 if judged and all(one.ok for one in judged) else DATA_ERROR)


def _pin(folder: Path, as_json: bool) -> None:
    from gateway.validate.kit import Kit
    from gateway.validate.kits import name_of
    from gateway.validate.pin import pin_of

    Kit(folder)  # refuses a folder that is no kit
    row = {"path": str(folder.resolve()), "name": name_of(folder), "sha256": pin_of(folder)}
    if as_json:
        print_json(row)
        return
    # A JSON string is a TOML basic string.
    tell("[[validation.kits]]", *(f"{key} = {json.dumps(value)}" for key, value in row.items()))


def _kits(folders: Sequence[Path], config: Path | None) -> Kits | None:
    from gateway.settings import load

    wanted: Sequence[KitSettings] = ()
    if folders:
        from gateway.validate.kits import named

        wanted = named(folders)
    elif config is not None:
        wanted = load(config).validation.kits
    if not wanted:
        return None
    from gateway.validate.kits import Kits

    return Kits(wanted)


def _judge(files: Sequence[Path], kits: Kits | None) -> list[Judged]:
    from gateway import terminology
    from gateway.validate.sources import files as inside
    from gateway.validate.sources import sources

    terms = terminology.load()
    found = [
        source for given in files for file in inside(given) for source in sources(str(file), read_input(file), terms)
    ]
    return [_judged(source, kits, terms) for source in found]


def _judged(source: Source, kits: Kits | None, terms: Terminology) -> Judged:
    from gateway.validate import preflight

    if source.cda is None:
        return Judged(source, ())
    verdicts = [("preflight", tuple(preflight.check(source.cda, terms)))]
    if kits is not None:
        verdicts += [(verdict.kit, verdict.findings) for verdict in kits.check(source.cda)]
    return Judged(source, tuple(verdicts))


def _as_json(judged: Sequence[Judged], kits: Kits | None) -> dict[str, Any]:
    return {
        "ok": bool(judged) and all(one.ok for one in judged),
        "documents": [
            {
                "file": one.source.file,
                "name": one.source.name,
                "ok": one.ok,
                "findings": [_row("", f) for f in one.source.findings],
                "judges": [
                    {"name": name, "ok": not has_errors(findings), "findings": [_row(name, f) for f in findings]}
                    for name, findings in one.verdicts
                ],
            }
            for one in judged
        ],
        "missing_in_kits": {} if kits is None else kits.missing(),
    }


def _row(judge: str, finding: Finding) -> dict[str, Any]:
    from gateway.validate.kits import line_of, suite_of

    suite = suite_of(finding) if judge else "file"
    return {**finding.as_dict(), "judge": judge, "suite": suite, "rule": finding.source, "line": line_of(finding)}


def _show(judged: Sequence[Judged], kits: Kits | None) -> None:
    for one in judged:
        name = f"{one.source.file} : {one.source.name}" if one.source.name else one.source.file
        tell(f"{name} : {'conforme' if one.ok else 'refusé'}")
        print_findings(f.as_dict() for f in one.source.findings)
        for judge, findings in one.verdicts:
            errors = sum(has_errors([f]) for f in findings)
            tell(f"  {judge} : {errors} erreur(s), {len(findings) - errors} autre(s) remarque(s)")
            print_findings(f.as_dict() for f in findings)
    for kit, absent in ({} if kits is None else kits.missing()).items():
        if absent:
            tell(f"Le kit {kit} n'a pas {len(absent)} fichier(s) que ses règles nomment : {', '.join(absent[:5])}.")
