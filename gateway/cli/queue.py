"""`queue`: see and steer deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli import linked
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
from gateway.cli.queue_receipts import show_received

if TYPE_CHECKING:
    from gateway.views import DeliveryView

app = typer.Typer(help="Voir et piloter les envois.", no_args_is_help=True)
Means = Literal["main_propre", "courrier", "telephone", "sip", "autre"]
AtOption = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d"], help="Quand (heure locale) ; par défaut maintenant."),
]


@app.command("list")
def list_(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    state: Annotated[list[str] | None, typer.Option("--state", help="État de transport, répétable.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Compte.")] = None,
    destination: Annotated[str | None, typer.Option("--destination", help="medecin_traitant, patient, dmp...")] = None,
    limit: Annotated[int, typer.Option("--limit", help="Nombre de lignes.")] = 200,
) -> None:
    """Liste les envois, du plus récent au plus ancien."""
    with open_gateway(config) as gateway:
        found = gateway.deliveries(account=account, states=state or (), destination=destination, limit=limit)
    if as_json:
        print_json([d.as_dict() for d in found])
    else:
        _table(found)


@app.command("show")
def show(
    delivery: DeliveryArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    with_trace: Annotated[bool, typer.Option("--trace", help="Montrer aussi chaque échange avec le serveur.")] = False,
) -> None:
    """Montre un envoi : ses essais, les réponses du serveur, ce que des personnes ont décidé."""
    with open_gateway(config) as gateway:
        detail = gateway.delivery(delivery)
        suggestion = gateway.linked.suggestion(delivery)
        exchanges = gateway.traces.of_delivery(delivery) if with_trace else []
    if as_json:
        shown = {**detail.as_dict(), "suggestion": None if suggestion is None else suggestion.as_dict()}
        print_json({**shown, "traces": exchanges} if with_trace else shown)
        return
    _table([detail.view])
    if detail.view.succeeded_by or detail.view.succeeds:
        say(f"remplacé par : {detail.view.succeeded_by or '-'} ; remplace : {detail.view.succeeds or '-'}")
    linked.suggested(suggestion)
    print_table(
        ("essai", "début", "données parties", "fin", "verdict", "motif", "réponse", "référence"),
        [
            (
                a["number"],
                a["started_at"],
                a["transmitting_at"],
                a["ended_at"],
                a["verdict"],
                a["reason"],
                a["text"],
                a["reference"],
            )
            for a in detail.attempts
        ],
        title="essais",
    )
    if detail.notes:
        rows = [(n["at"], n["action"], n["actor"], n["text"]) for n in detail.notes]
        print_table(("quand", "action", "qui", "pourquoi"), rows, title="décisions")
    show_received(detail)
    if with_trace:
        from gateway.cli.traces import show as show_traces

        show_traces(exchanges)


@app.command("retry")
def retry(
    delivery: DeliveryArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Essaie à nouveau maintenant."""
    with open_gateway(config) as gateway:
        _done(gateway.retry(delivery, by=operator(by), reason=reason), as_json)


@app.command("hold")
def hold(
    delivery: DeliveryArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retient un envoi jusqu'à ce qu'il soit libéré."""
    with open_gateway(config) as gateway:
        _done(gateway.hold(delivery, by=operator(by), reason=reason), as_json)


@app.command("release")
def release(
    delivery: DeliveryArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Libère un envoi retenu."""
    with open_gateway(config) as gateway:
        _done(gateway.release(delivery, by=operator(by), reason=reason), as_json)


@app.command("cancel")
def cancel(
    delivery: DeliveryArgument,
    reason: ReasonOption,
    by: ByOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Abandonne un envoi pour de bon."""
    if not yes:
        typer.confirm(f"Abandonner l'envoi {delivery} ? Il ne partira plus.", abort=True, err=True)
    with open_gateway(config) as gateway:
        _done(gateway.cancel(delivery, by=operator(by), reason=reason), as_json)


@app.command("handed")
def handed(
    delivery: DeliveryArgument,
    means: Annotated[Means, typer.Option("--means", help="Comment le document a été remis.")],
    reason: ReasonOption,
    at: AtOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Déclare qu'une personne a remis le document autrement (ou prévenu le destinataire)."""
    when = None if at is None else at.astimezone()
    with open_gateway(config) as gateway:
        _done(gateway.handed(delivery, by=operator(by), reason=reason, means=means, at=when), as_json)


def _receipt(delivery: DeliveryView) -> str:
    """The receipt axis in a cell: what came back, and whether somebody is waited for."""
    from gateway import wording

    asked = [
        *(["à traiter"] if delivery.alerted_at is not None else []),
        *([f"{delivery.replies} réponse(s)"] if delivery.replies else []),
    ]
    return wording.receipt(delivery.receipt) + (f" ({', '.join(asked)})" if asked else "")


def _done(view: DeliveryView, as_json: bool) -> None:
    if as_json:
        print_json(view.as_dict())
    else:
        _table([view])


def _table(found: list[DeliveryView]) -> None:
    from gateway import wording

    print_table(
        (
            "envoi",
            "document",
            "compte",
            "destination",
            "essais",
            "transport",
            "accusé",
            "motif",
            "référence",
            "prochain essai",
        ),
        [
            (
                d.id,
                d.document_id,
                d.account,
                d.label,
                d.attempts,
                wording.transport(d.transport),
                _receipt(d),
                d.receipt_reason if d.alerted_at else d.reason,
                d.reference,
                f"{d.due_at:%d/%m %H:%M:%S}" if d.due_at else None,
            )
            for d in found
        ],
    )
