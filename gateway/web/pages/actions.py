"""What a practice does to a delivery from its page: shown first, then confirmed by name and reason."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast, get_args

from starlette.responses import RedirectResponse, Response

from gateway.errors import InputError, NotFoundError
from gateway.findings import error
from gateway.store.base import Action, DeliveryRow
from gateway.store.operating import REFUSED_OR_SILENT
from gateway.store.states import TRANSITIONS, Event, Transport
from gateway.web.pages.view import Ask, View
from gateway.web.pages.words import ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS: tuple[Action, ...] = ("retry", "release", "hold", "handed", "confirm_sent", "cancel")
"""In the order in which they are offered."""
MEANS: tuple[str, ...] = ("main_propre", "courrier", "telephone", "sip", "autre")
_EVENTS: Mapping[Action, tuple[Event, ...]] = {
    "retry": (Event.RETRY, Event.RESEND_DECIDED),
    "release": (Event.RELEASE,),
    "hold": (Event.HOLD,),
    "handed": (Event.HANDED,),
    "confirm_sent": (Event.CONFIRM_SENT,),
    "cancel": (Event.CANCEL,),
}
AFTER: Mapping[Action, Transport] = {
    "retry": Transport.RETRY,
    "release": Transport.PREPARED,
    "hold": Transport.HELD,
    "handed": Transport.HANDED_OVER,
    "confirm_sent": Transport.SENT,
    "cancel": Transport.CANCELLED,
}
"""The state that each one leads to."""


def possible(row: DeliveryRow) -> tuple[Action, ...]:
    """What the state of a delivery allows; the store has the last word (a withdrawn document, a stopped patient)."""
    return tuple(action for action in ACTIONS if _allowed(action, row))


def _allowed(action: Action, row: DeliveryRow) -> bool:
    if action == "handed" and row.state is Transport.SENT:
        return row.receipt in REFUSED_OR_SILENT
    if action == "retry" and row.state is Transport.RETRY and row.due_at is None:
        return False
    return any(row.state in TRANSITIONS[event][0] for event in _EVENTS[action])


def act(ask: Ask) -> View | Response:
    """Show what an action does, or do it. Raises NotFoundError, StateError, InputError."""
    action, identity = ask.path["action"], ask.path["delivery"]
    if action not in get_args(Action):
        raise NotFoundError("WEB-404", ask.words("fault.missing"))
    if not ask.session.may_act:
        return View("fault.html", {"message": ask.words("fault.forbidden"), "code": "", "advice": ""}, status=403)
    row = ask.gateway.browse.delivery(identity).row
    ask.check_account(row.account, "DLV-404", f"Aucun envoi {identity}.")
    wanted = cast("Action", action)
    if not ask.posted:
        return _form(ask, wanted, row, [])
    try:
        _do(ask, wanted, row)
    except InputError as fault:
        return _form(ask, wanted, row, [finding.message for finding in fault.findings])
    return RedirectResponse(f"/deliveries/{row.id}?done={action}", 303)


def _form(ask: Ask, action: Action, row: DeliveryRow, wrong: list[str]) -> View:
    values = {
        "action": action,
        "row": row,
        "after": AFTER[action].value,
        "allowed": action in possible(row),
        "means": MEANS,
        "filled": {"by": ask.session.token.name} | dict(ask.form),
        "wrong": wrong,
    }
    return View("act.html", values, status=422 if wrong else 200)


def _do(ask: Ask, action: Action, row: DeliveryRow) -> None:
    gateway, form = ask.gateway, ask.form
    by, reason = form.get("by", ""), form.get("reason", "")
    if action == "handed":
        gateway.handed(row.id, by=by, reason=reason, means=form.get("means", ""), at=_when(ask))
    elif action == "confirm_sent":
        gateway.store.act(row.id, "confirm_sent", by=by, reason=reason)
    else:
        {"retry": gateway.retry, "hold": gateway.hold, "release": gateway.release, "cancel": gateway.cancel}[action](
            row.id, by=by, reason=reason
        )


def _when(ask: Ask) -> datetime | None:
    """When it was handed over, as typed in legal time. Raises InputError (WEB-010)."""
    text = ask.form.get("at", "").strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZONE)
    except ValueError:
        raise InputError([error("WEB-010", "/at", ask.words("acting.bad_at"))]) from None
