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
    once: Annotated[
        bool, typer.Option("--once", help="S'arrête dès que plus rien n'est à faire avant --wait.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Avec --once : secondes pendant lesquelles attendre un nouvel essai.")
    ] = 30.0,
) -> None:
    """Surveille les dossiers d'envoi et livre les documents, jusqu'à l'arrêt (Ctrl-C)."""
    from gateway.cli.logs import on_stderr
    from gateway.sidecar.daemon import Sidecar

    with on_stderr(as_json=as_json), open_gateway(config) as gateway:
        gateway.warm()  # a required kit that cannot be used is said in one line, before anything starts
        sidecar = Sidecar(gateway)
        for desk in sidecar.desks:
            say(f"surveille {desk.folder.new}")
        asyncio.run(_run(sidecar, wait if once else None))
        left = sidecar.waiting()
        if as_json:
            print_json({"stopped": True, "waiting": len(left)})
        elif left:
            due = min((one.due_at for one in left if one.due_at is not None), default=None)
            when = f", le prochain le {due.astimezone():%d/%m à %H:%M}" if due else ""
            say(f"{len(left)} envoi(s) attendent un essai{when} : relancer alors, ou laisser tourner sans --once.")


async def _run(sidecar: Sidecar, wait: float | None) -> None:
    stop = asyncio.Event()
    platform.call_on_stop(asyncio.get_running_loop(), lambda: _stop(sidecar, stop))
    if wait is not None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sidecar.run(stop))
            group.create_task(_stop_when_settled(sidecar, stop, wait))
    else:
        await sidecar.run(stop)


def _stop(sidecar: Sidecar, stop: asyncio.Event) -> None:
    """Asked once: finish what is being transmitted. Asked again: do not wait for it."""
    if stop.is_set():
        say("arrêt immédiat : un envoi interrompu reste incertain jusqu'à preuve")
        sidecar.gateway.hurry()
    else:
        say("arrêt : les transmissions en cours se terminent (encore Ctrl-C : sans attendre)")
        stop.set()


async def _stop_when_settled(sidecar: Sidecar, stop: asyncio.Event, wait: float) -> None:
    from gateway.sidecar.daemon import pause

    while not stop.is_set() and not sidecar.settled(wait):
        await pause(stop, 0.1)
    stop.set()
