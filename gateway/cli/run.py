"""`run`: the sidecar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from gateway import platform
from gateway.cli.common import ConfigOption, open_gateway
from gateway.cli.output import print_json, say

if TYPE_CHECKING:
    from gateway.sidecar.daemon import Sidecar


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("run")(run)


def run(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Journal d'activité en lignes JSON.")] = False,
    once: Annotated[bool, typer.Option("--once", help="S'arrête dès que plus rien n'attend.")] = False,
) -> None:
    """Surveille les dossiers d'envoi et livre les documents, jusqu'à l'arrêt (Ctrl-C)."""
    from gateway.cli.logs import to_stderr
    from gateway.sidecar.daemon import Sidecar

    to_stderr(as_json=as_json)
    with open_gateway(config) as gateway:
        gateway.warm()  # a required kit that cannot be used is said in one line, before anything starts
        sidecar = Sidecar(gateway)
        for desk in sidecar.desks:
            say(f"surveille {desk.folder.new}")
        asyncio.run(_run(sidecar, once))
        if as_json:
            print_json({"stopped": True})


async def _run(sidecar: Sidecar, once: bool) -> None:
    stop = asyncio.Event()
    platform.call_on_stop(asyncio.get_running_loop(), stop.set)
    if once:
        async with asyncio.TaskGroup() as group:
            group.create_task(sidecar.run(stop))
            group.create_task(_stop_when_idle(sidecar, stop))
    else:
        await sidecar.run(stop)


async def _stop_when_idle(sidecar: Sidecar, stop: asyncio.Event) -> None:
    from gateway.sidecar.daemon import pause

    while not stop.is_set() and not sidecar.idle:
        await pause(stop, 0.1)
    stop.set()
