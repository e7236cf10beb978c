"""`queue confirm-sent|pause|resume|pauses`: what a person knows of a doubt, and channels that send nothing for now."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gateway.cli.common import (
    ByOption,
    ConfigOption,
    DeliveryArgument,
    JsonOption,
    ReasonOption,
    open_gateway,
    operator,
)
from gateway.cli.output import print_json, print_table, say
from gateway.errors import ConfigError

AccountArgument = Annotated[str, typer.Argument(metavar="COMPTE", help="Compte de la configuration.")]
ChannelArgument = Annotated[
    Literal["mssante", "dmp", "*"], typer.Argument(metavar="[CANAL]", help="mssante, dmp, ou *.")
]
WordOption = Annotated[
    str, typer.Option("--reason", help="Pourquoi, en un mot écrit au journal (sans nom de patient) : panne, congés…")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `queue`."""
    app.command("confirm-sent")(confirm_sent)
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("pauses")(pauses)


def confirm_sent(
    delivery: DeliveryArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Déclare qu'un envoi en doute est bien arrivé : le destinataire l'a confirmé à une personne."""
    with open_gateway(config) as gateway:
        view = gateway.confirm_sent(delivery, by=operator(by), reason=reason)
    if as_json:
        print_json(view.as_dict())
    else:
        say(f"L'envoi {view.id} est tenu pour parti, sur la foi de {operator(by)}.")


def pause(
    account: AccountArgument,
    reason: WordOption,
    channel: ChannelArgument = "*",
    by: ByOption = None,
    config: ConfigOption = None,
) -> None:
    """N'envoie plus rien sur un canal d'un compte (tous sans CANAL), jusqu'à `queue resume`. Rien n'est perdu."""
    with open_gateway(config) as gateway:
        if gateway.settings.find_account(account) is None:
            raise ConfigError("CFG-012", f"Aucun compte {account} dans la configuration.")
        gateway.pause(account, channel, by=operator(by), reason=reason)
    say(f"{account} {channel} : en pause.")


def resume(
    account: AccountArgument, channel: ChannelArgument = "*", by: ByOption = None, config: ConfigOption = None
) -> None:
    """Reprend les envois d'un canal en pause."""
    with open_gateway(config) as gateway:
        ended = gateway.resume(account, channel, by=operator(by))
    say(f"{account} {channel} : " + ("reprend." if ended else "n'était pas en pause (voir queue pauses)."))


def pauses(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les canaux en pause : pourquoi, par qui, depuis quand."""
    with open_gateway(config) as gateway:
        found = gateway.pauses()
    rows = [(one.account, one.channel, one.reason, one.actor, one.since.isoformat()) for one in found]
    columns = ("account", "channel", "reason", "actor", "since")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(("compte", "canal", "motif", "qui", "depuis"), rows)
