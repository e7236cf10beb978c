"""`queue called`, `seen`, `not-my-patient`, `my-patient`: what people answer to what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import ByOption, ConfigOption, DeliveryArgument, JsonOption, open_gateway, operator
from gateway.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gateway.views import DeliveryHistory, DeliveryView

WordsOption = Annotated[
    str, typer.Option("--reason", "--note", help="Ce qui a été dit ou décidé, en quelques mots, sans nom de patient.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `queue`."""
    app.command("called")(called)
    app.command("seen")(seen)
    app.command("not-my-patient")(not_my_patient)
    app.command("my-patient")(my_patient)


def called(
    delivery: DeliveryArgument,
    reason: WordsOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note que le destinataire a été appelé : l'alerte d'accusé est levée, l'appel est au journal."""
    with open_gateway(config) as gateway:
        _show([gateway.receipts.called(delivery, by=operator(by), reason=reason)], as_json)


def seen(
    delivery: DeliveryArgument,
    reason: WordsOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note que les réponses reçues dans la boîte ont été lues."""
    with open_gateway(config) as gateway:
        _show([gateway.receipts.seen(delivery, by=operator(by), reason=reason)], as_json)


def not_my_patient(
    delivery: DeliveryArgument,
    reason: WordsOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Le destinataire dit que ce n'est pas son patient : retient tout ce qui va de ce patient à lui."""
    with open_gateway(config) as gateway:
        found = gateway.receipts.not_my_patient(delivery, by=operator(by), reason=reason)
    _show(found, as_json)
    if not as_json:
        say(f"{len(found)} envoi(s) retenu(s) ; les suivants le seront aussi, jusqu'à queue my-patient {delivery}.")


def my_patient(
    delivery: DeliveryArgument,
    reason: WordsOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """C'est bien son patient : libère ce qui était retenu entre les deux."""
    with open_gateway(config) as gateway:
        found = gateway.receipts.my_patient(delivery, by=operator(by), reason=reason)
    _show(found, as_json)
    if not as_json:
        say(f"{len(found)} envoi(s) libéré(s).")


def show_received(detail: DeliveryHistory) -> None:
    """What the receipt says and the mails that came back: codes, time and place, never content."""
    view = detail.view
    if view.receipt_meaning:
        print_table(("accusé", "motif", "à faire"), [(view.receipt_meaning, view.receipt_reason, view.receipt_next)])
    if view.awaited_until is not None:
        say(f"Accusé attendu jusqu'au {view.awaited_until:%d/%m/%Y %H:%M} UTC.")
    if detail.received:
        rows = [
            (r["at"], r["kind"], r["verdict"], r["reason"], r["meaning"], r["folder"], r["uid"])
            for r in detail.received
        ]
        head = ("quand", "nature", "suite", "motif", "ce qu'il dit", "dossier", "UID")
        print_table(head, rows, title="messages reçus")


def _show(found: list[DeliveryView], as_json: bool) -> None:
    from gateway import wording

    if as_json:
        print_json([one.as_dict() for one in found])
        return
    rows = [
        (
            d.id,
            d.label,
            wording.transport(d.transport),
            wording.receipt(d.receipt),
            d.receipt_reason or d.reason,
            d.replies,
        )
        for d in found
    ]
    print_table(("envoi", "destination", "transport", "accusé", "motif", "réponses à lire"), rows)
