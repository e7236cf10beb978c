"""Action files: `NAME.action.json` lets a person or a program act on a document without a command line.

    {"format": "kine-gateway/action/1", "action": "retry", "by": "Mme Martin", "reason": "adresse corrigée"}

`document` names the document by its id; without it the action is for the document that `NAME` stands for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.errors import InputError, NotFoundError, StateError
from gateway.findings import Finding, error
from gateway.records.action import Action
from gateway.records.faults import MAX_FINDINGS, pointer

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.views import DeliveryView


RECEIPT_ACTIONS = frozenset({"called", "seen", "not_my_patient", "my_patient"})
"""Actions about what came back: methods of `Gateway.receipts`."""


def parse(data: bytes) -> tuple[Action | None, list[Finding]]:
    """Read an action file. Never raises: a file that cannot be read is a finding."""
    try:
        action = Action.model_validate(json.loads(data, object_pairs_hook=_once_each))
    except ValidationError as fault:
        return None, [
            error(
                "ACT-002",
                pointer(detail["loc"]),
                "Action refusée : champ absent, inconnu ou mal rempli.",
                "Voir docs/folder.md et docs/schemas/action.json.",
            )
            for detail in fault.errors(include_url=False, include_input=False)[:MAX_FINDINGS]
        ]
    except (ValueError, RecursionError):
        return None, [error("ACT-001", "", "Le fichier d'action n'est pas un JSON lisible.", "Le réécrire en UTF-8.")]
    if action.action == "handed_over" and action.means is None:
        return None, [
            error(
                "ACT-003", "/means", "Une remise doit dire par quel moyen.", "Ajouter means : main_propre, courrier..."
            )
        ]
    return (None, missing) if (missing := _missing(action)) else (action, [])


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object in which no key stands twice: nobody could say which order was meant (RFC 8259 §4)."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _missing(action: Action) -> list[Finding]:
    """What an order must say besides: where to, which delivery, why."""
    if action.action == "readdress" and action.to is None:
        return [
            error("ACT-005", "/to", "Un réadressage doit dire où.", "Ajouter to : l'autre adresse du professionnel.")
        ]
    if action.action == "readdress" and action.destination is None and action.delivery is None:
        advice = "Ajouter destination (medecin_traitant...) ou delivery."
        return [error("ACT-006", "/destination", "Un réadressage doit dire de quel envoi.", advice)]
    if action.action == "withdraw" and action.why is None:
        advice = "Ajouter why : wrong_patient, wrong_recipient, error, duplicate ou patient_request."
        return [error("ACT-007", "/why", "Une annulation doit dire pourquoi.", advice)]
    return []


def apply(gateway: Gateway, document_id: str, action: Action) -> None:
    """Do what the action asks, for one delivery, one destination, or every delivery it can apply to.

    Raises NotFoundError when nothing is named that way, StateError or InputError when no delivery is in a state for it.
    """
    if action.action == "withdraw":
        gateway.withdraw(document_id, reason=action.why or "error", by=action.by, note=action.reason)
        return
    chosen = [d for d in gateway.status(document_id).deliveries if _named(d, action)]
    if not chosen:
        raise NotFoundError("ACT-004", "Aucun envoi de ce document ne correspond.", "Vérifier destination et delivery.")
    refused: StateError | InputError | None = None
    done = 0
    for delivery in chosen:
        try:
            _act(gateway, delivery.id, action)
            done += 1
        except (StateError, InputError) as fault:
            refused = fault
    if not done and refused is not None:
        raise refused


def to_print(gateway: Gateway, document_id: str, action: Action) -> dict[str, bytes]:
    """The sheets that a `print` order asks for, by delivery. Raises NotFoundError, InputError when there is none."""
    chosen = [d for d in gateway.status(document_id).deliveries if _named(d, action) and d.purpose == "document"]
    found: dict[str, bytes] = {}
    refused: InputError | None = None
    for delivery in chosen:
        try:
            found[delivery.id] = gateway.linked.handout(delivery.id)
        except InputError as fault:
            refused = fault
    if not found:
        raise refused or NotFoundError("ACT-004", "Aucun envoi de ce document ne correspond.", "Vérifier destination.")
    return found


def _named(delivery: DeliveryView, action: Action) -> bool:
    by_id = action.delivery is None or delivery.id == action.delivery
    return by_id and (action.destination is None or action.destination in {delivery.destination, delivery.role})


def _act(gateway: Gateway, delivery_id: str, action: Action) -> None:
    if action.action == "handed_over":
        gateway.handed(delivery_id, by=action.by, reason=action.reason, means=action.means or "autre", at=action.at)
    elif action.action in RECEIPT_ACTIONS:
        getattr(gateway.receipts, action.action)(delivery_id, by=action.by, reason=action.reason)
    elif action.action == "readdress":
        gateway.readdress(delivery_id, to=action.to or "", by=action.by, reason=action.reason, name=action.name)
    elif action.action == "reprepare":
        gateway.linked.reprepare(delivery_id, by=action.by, reason=action.reason)
    else:
        verb = {"retry": gateway.retry, "cancel": gateway.cancel, "hold": gateway.hold, "release": gateway.release}
        verb[action.action](delivery_id, by=action.by, reason=action.reason)
