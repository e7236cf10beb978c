"""`token`: who may use the audit pages and the API."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.common import ConfigOption, JsonOption
from gateway.cli.output import print_json, print_table, say, tell

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.web.tokens import TokenFile

app = typer.Typer(help="Donner et retirer l'accès aux pages d'audit et à l'API.", no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Option("--name", help="À qui le jeton est donné.")],
    role: Annotated[Literal["auditor", "practice", "vendor"], typer.Option("--role", help="Ce qu'il ouvre.")],
    account: Annotated[str | None, typer.Option("--account", help="Son compte (sauf auditor).")] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Durée de validité, en jours.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fait un jeton et le montre une seule fois : seule son empreinte est gardée."""
    from gateway.clock import SystemClock
    from gateway.errors import ConfigError
    from gateway.web.tokens import Role

    settings, tokens = _open(config)
    if account is not None and settings.find_account(account) is None:
        raise ConfigError("CFG-012", f"Aucun compte {account} dans la configuration.")
    now = SystemClock().now()
    expires = None if days is None else now + timedelta(days=days)
    secret, token = tokens.add(name, Role(role), account, now=now, expires=expires)
    if as_json:
        print_json({**token.as_dict(), "secret": secret})
    else:
        say(f"Jeton {token.id} ({role}) pour {token.name}. Il ne sera plus montré :")
        tell(secret)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les jetons, sans leur secret."""
    _, tokens = _open(config)
    rows = [token.as_dict() for token in tokens.all()]
    if as_json:
        print_json(rows)
    else:
        columns = ("id", "name", "role", "account", "created", "expires", "revoked")
        print_table(columns, [[row[column] for column in columns] for row in rows])


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="JETON", help="Identifiant du jeton (token list).")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retire un jeton : il n'ouvre plus rien dès la requête suivante."""
    from gateway.clock import SystemClock

    _, tokens = _open(config)
    ended = tokens.revoke(token, SystemClock().now())
    if as_json:
        print_json(ended.as_dict())
    else:
        say(f"Le jeton {ended.id} de {ended.name} est retiré.")


def _open(config: Path | None) -> tuple[Settings, TokenFile]:
    from gateway.settings import load
    from gateway.web.tokens import TokenFile

    settings = load(config)
    return settings, TokenFile(settings.tokens_file)
