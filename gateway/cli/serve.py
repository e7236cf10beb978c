"""`serve`: the audit pages and the HTTP API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import platform
from gateway.cli.audit import serving_settings
from gateway.cli.common import ConfigOption
from gateway.cli.output import print_json, say

if TYPE_CHECKING:
    from gateway.api import Gateway


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("serve")(serve)


def serve(
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="ADRESSE:PORT", help="Où écouter (par défaut : [web] listen).")
    ] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver/--no-deliver", help="Envoyer aussi ce qui attend, comme `run`.")
    ] = True,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Journal d'activité en lignes JSON.")] = False,
) -> None:
    """Sert les pages d'audit et l'API HTTP (/v1), et livre les documents, jusqu'à l'arrêt (Ctrl-C)."""
    from gateway.api import Gateway
    from gateway.cli.logs import on_stderr

    settings = serving_settings(config, listen)
    from gateway.web.app import create_app

    with on_stderr(as_json=as_json), Gateway.open(settings) as gateway:
        gateway.warm()
        app = create_app(gateway, settings, clock=gateway.clock)
        asyncio.run(_run(gateway, app, deliver=deliver))
        if as_json:
            print_json({"stopped": True})


async def _run(gateway: Gateway, app: Any, *, deliver: bool) -> None:
    from gateway.web import serving

    stop = asyncio.Event()
    platform.call_on_stop(asyncio.get_running_loop(), stop.set)
    web = gateway.settings.web

    def started(port: int) -> None:
        place = f"{web.scheme}://{web.host}:{port}/"
        say(f"Pages : {place}   API : {place}v1   (Ctrl-C pour arrêter)")
        platform.notify_service("READY=1")

    await serving.run(gateway, app, stop, deliver=deliver, started=started)
    platform.notify_service("STOPPING=1")
