"""Options that commands share, and how they open the gateway."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
    from gateway.api import Gateway

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="KINE_GATEWAY_CONFIG", help="Fichier de configuration TOML."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Sortie JSON.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Qui décide (par défaut : l'utilisateur du système).")]
DeliveryArgument = Annotated[str, typer.Argument(metavar="ENVOI", help="Identifiant de l'envoi (queue list).")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Pourquoi, sans nom de patient : écrit au journal.")]


_OPENED: list[Gateway] = []


def open_gateway(config: Path | None) -> Gateway:
    """The gateway of a configuration, closed when the command ends. Raises ConfigError when there is none."""
    from gateway.api import Gateway

    _OPENED.append(Gateway.open(config))
    return _OPENED[-1]


def close_opened() -> None:
    """Close what the command opened: what it added to the journal is signed, and other machines are told.

    Everything is committed by then: a store that went away meanwhile makes no failure of what was done.
    """
    while _OPENED:
        with suppress(GatewayError):
            _OPENED.pop().close()


def open_or_preview(config: Path | None) -> Gateway:
    """The configured gateway, or one without store and keys that can only check and render."""
    from gateway.api import Gateway

    return open_gateway(config) if config is not None else Gateway.preview()


def operator(by: str | None) -> str:
    """Name of the person who acts, for the journal."""
    return by or os.environ.get("SUDO_USER") or getpass.getuser()


def read_input(file: Path) -> bytes:
    """Bytes of a file, or of standard input for `-`. Raises ConfigError when it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as fault:
        raise ConfigError("INP-000", f"Fichier illisible : {file}.", fault.strerror or "") from fault
