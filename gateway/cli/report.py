"""`report`: the ARS indicators, the declarations, the cooperation protocols' table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway import platform
from gateway.cli.common import ByOption, ConfigOption, JsonOption, open_gateway, operator, read_input
from gateway.cli.output import ATTENTION, print_findings, print_json, print_table, say, tell
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.audit.indicators import Basis, Indicators
    from gateway.audit.period import Period

AtOption = Annotated[
    str | None,
    typer.Option("--at", help="Recalculer à un point de contrôle : sa taille, son fichier, ou le JSON d'un rapport."),
]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("report")(report)


def report(  # noqa: PLR0913, PLR0917 - one option for each file it can write
    period: Annotated[
        str, typer.Option("--period", help="2026, 2026-Q1, 2026-03 ou 2026-01-15..2026-02-14.", metavar="PÉRIODE")
    ],
    account: Annotated[str | None, typer.Option("--account", help="Un seul compte.")] = None,
    at: AtOption = None,
    protocols: Annotated[bool, typer.Option("--protocols", help="Tableau des protocoles de coopération.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Écrire le tableau en CSV (UTF-8, point-virgule).")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Écrire la page avec ses graphiques (PDF).")] = None,
    reorientations: Annotated[
        Path | None, typer.Option("--reorientations", help="Écrire les réorientations à déclarer (CSV, sans identité).")
    ] = None,
    adverse_events: Annotated[
        Path | None, typer.Option("--adverse-events", help="Écrire les événements indésirables à déclarer (CSV).")
    ] = None,
    with_identity: Annotated[
        bool, typer.Option("--with-identity", help="Ajouter les identités aux déclarations : écrit au journal.")
    ] = False,
    suppress_below: Annotated[
        int | None, typer.Option("--suppress-below", min=0, max=100, help="Masquer les effectifs inférieurs.")
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calcule les six indicateurs de l'ARS depuis le journal ; le point de contrôle permet de les recalculer."""
    from gateway.audit.period import parse

    if with_identity and reorientations is None and adverse_events is None:
        raise typer.BadParameter("--with-identity complète --reorientations ou --adverse-events.")
    wanted, when = parse(period), _at(at)
    with open_gateway(config) as gateway:
        basis = gateway.report.basis(account, when, progress())
        for kind, file in (("reorientations", reorientations), ("adverse_events", adverse_events)):
            if file is not None:
                named = operator(by) if with_identity else None
                _write(file, gateway.report.declarations_csv(kind, wanted, basis=basis, identified_by=named))
        if protocols:
            _protocols(gateway, basis, wanted, suppress_below, (csv, pdf), as_json)
        else:
            _figures(gateway, gateway.report.figures(basis, wanted, suppress_below=suppress_below), csv, pdf, as_json)
    raise typer.Exit(ATTENTION if basis.findings else 0)


def _figures(gateway: Gateway, found: Indicators, csv: Path | None, pdf: Path | None, as_json: bool) -> None:
    from gateway.audit import tables

    if csv is not None:
        _write(csv, tables.as_csv(found))
    if pdf is not None:
        _write(pdf, gateway.report.pdf(found))
    if as_json:
        print_json(tables.as_dict(found))
        return
    lines = [(number, *row[:3]) for number, row in enumerate(tables.rows(found), 1)]
    print_table(("n°", "indicateur", "valeur", "couverture"), lines, title=tables.title_of(found.period))
    motives = [(tables.motive_label(code), tables.shown(n)) for code, n in found.motives.items()]
    print_table(("motif", "épisodes"), motives)
    for note in (*tables.notes(found, gateway.clock.now().date()), tables.checkpoint_note(found)):
        tell(note)
    print_findings(one.as_dict() for one in found.findings)


def _protocols(
    gateway: Gateway,
    basis: Basis,
    period: Period,
    suppress_below: int | None,
    files: tuple[Path | None, Path | None],
    as_json: bool,
) -> None:
    from gateway.audit import protocols, tables

    csv, pdf = files

    rows = gateway.report.protocols(period, basis=basis, suppress_below=suppress_below)
    if csv is not None:
        _write(csv, protocols.as_csv(rows, basis.ledger.mark))
    if pdf is not None:
        _write(pdf, gateway.report.protocols_pdf(rows, basis, period))
    if as_json:
        print_json(protocols.told(rows, basis, period))
        return
    cells = [[tables.cell(value) for value in row.values()] for row in protocols.as_dict(rows)]
    print_table(protocols.headings(), cells)
    tell(protocols.view(rows, basis, period)["footer"])
    print_findings(one.as_dict() for one in basis.findings)


def _at(given: str | None) -> str | None:
    """A size as it is; else what the file holds."""
    if given is None or given.isdecimal():
        return given
    return read_input(Path(given)).decode("utf-8", "replace")


def _write(file: Path, content: str | bytes) -> None:
    """Readable by its owner only: a declaration may hold identities. Raises ConfigError (IND-006)."""
    try:
        platform.write_atomic(file, content if isinstance(content, bytes) else content.encode())
    except OSError as fault:
        raise ConfigError("IND-006", f"Fichier non écrit : {file}.", fault.strerror or "") from fault
    say(f"Écrit : {file}")


def progress() -> Callable[[int, int], None] | None:
    """On a terminal, how far the journal is read."""
    if not sys.stderr.isatty():
        return None

    def tell(done: int, total: int) -> None:
        print(f"\rJournal : {done}/{total}", end="" if done < total else "\n", file=sys.stderr)

    return tell
