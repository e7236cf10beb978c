"""`audit`: the pages that an auditor and the practice read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import ConfigOption
from gateway.cli.output import say

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings import Settings

app = typer.Typer(help="Les pages d'audit : envois, preuves, journal, configuration.", no_args_is_help=True)


@app.command("serve")
def serve(
    listen: Annotated[
        str | None, typer.Option("--listen", help="Adresse et port, à la place de web.listen (127.0.0.1:8787).")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Sert les pages d'audit jusqu'à Ctrl-C. On s'y connecte avec un jeton (token add)."""
    from gateway.api import Gateway
    from gateway.clock import SystemClock

    settings = serving_settings(config, listen)
    from gateway.web.app import serve as serve_pages
    from gateway.web.tokens import TokenFile

    web = settings.web
    if not any(token.role.value != "vendor" for token in TokenFile(settings.tokens_file).all()):
        say("Aucun jeton n'ouvre ces pages : en faire un avec kine-gateway token add --name NOM --role auditor.")
    say(f"Pages d'audit : {web.base_url or f'{web.scheme}://{web.listen}'}/ (Ctrl-C pour arrêter)")
    with Gateway.open(settings) as gateway:
        serve_pages(gateway, settings, clock=SystemClock())


def serving_settings(config: Path | None, listen: str | None) -> Settings:
    """The settings of who serves pages or API, on the address of `--listen` where it is given.

    Raises ConfigError: the configuration, that address (WEB-005), libraries that are not installed (WEB-004).
    """
    from gateway.settings import load

    settings = load(config)
    if listen is not None:
        settings = _listening(settings, listen)
    _check_installed()
    return settings


def _listening(settings: Settings, listen: str) -> Settings:
    """The same settings on another address. Raises ConfigError (WEB-005)."""
    from pydantic import ValidationError

    from gateway.errors import ConfigError
    from gateway.settings import WebSettings

    try:
        web = WebSettings.model_validate({**settings.web.model_dump(), "listen": listen})
    except ValidationError as fault:
        reason = fault.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(
            "WEB-005", f"Adresse d'écoute refusée : {listen} ({reason}).", "Exemple : 127.0.0.1:8787."
        ) from None
    return settings.model_copy(update={"web": web})


def _check_installed() -> None:
    """Raise ConfigError (WEB-004) where the libraries of the pages and the API are not installed."""
    from importlib.util import find_spec

    from gateway.errors import ConfigError

    if any(find_spec(name) is None for name in ("fastapi", "jinja2", "starlette", "uvicorn")):
        raise ConfigError(
            "WEB-004", "Les pages d'audit et l'API ne sont pas installées.", "pip install kine-gateway[web]"
        )
