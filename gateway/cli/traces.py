"""`traces`: what was said with the servers, for an auditor or an operator's support."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import ConfigOption, open_gateway
from gateway.cli.output import print_table, say
from gateway.errors import ConfigError

app = typer.Typer(help="Traces des échanges avec les serveurs (codes seulement, jamais de contenu).")
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="À partir de cette date (AAAA-MM-JJ ou date et heure).")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Avant cette date.")]


@app.callback()
def _group() -> None:
    """Traces des échanges avec les serveurs (codes seulement, jamais de contenu)."""


@app.command("export")
def export(
    since: SinceOption = None,
    until: UntilOption = None,
    to: Annotated[Path | None, typer.Option("--to", help="Fichier à écrire (par défaut : la sortie).")] = None,
    config: ConfigOption = None,
) -> None:
    """Écrit les traces, une ligne JSON par action sur un serveur, de la plus ancienne à la plus récente."""
    first, last = _instant(since, "--since"), _instant(until, "--until")
    with open_gateway(config) as gateway:
        lines = (json.dumps(trace, ensure_ascii=False) for trace in gateway.traces.read(since=first, until=last))
        if to is None:
            for line in lines:
                sys.stdout.write(line + "\n")
            return
        count = _write(to, lines)
    say(f"{count} trace(s) écrite(s) dans {to}.")


def _write(path: Path, lines: Iterable[str]) -> int:
    count = 0
    try:
        with path.open("x", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    except OSError as fault:
        advice = "Choisir un autre nom." if isinstance(fault, FileExistsError) else "Vérifier le chemin et les droits."
        raise ConfigError("TRC-002", f"Fichier impossible à écrire : {path}.", advice) from fault
    return count


def _instant(text: str | None, option: str) -> datetime | None:
    """An aware instant; a date or a time without zone is that of this machine."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as fault:
        advice = "Écrire AAAA-MM-JJ, ou AAAA-MM-JJTHH:MM."
        raise ConfigError("TRC-001", f"{option} n'est pas une date lisible.", advice) from fault


def show(traces: list[dict[str, Any]]) -> None:
    """A delivery's traces as a table: one line for each request."""
    rows = [
        (trace["at"], trace["channel"], trace["host"], trace["action"], request, reply, f"{ms:g}")
        for trace in traces
        for request, reply, ms in trace["steps"]
    ]
    print_table(("quand", "canal", "serveur", "action", "demande", "réponse", "ms"), rows, title="échanges")
