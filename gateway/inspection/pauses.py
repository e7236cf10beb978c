"""What sends nothing for now: by a person's word, or because the gateway stopped it itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway import wording
from gateway.findings import Finding, error, warning
from gateway.store.journal import EVERY
from gateway.store.states import GATEWAY

if TYPE_CHECKING:
    from gateway.store.base import Pause

_SOURCE = "DESIGN §4"


def inspect(pauses: list[Pause]) -> Iterator[Finding]:
    """CFG-154, a warning, for what somebody paused; CFG-155, an error, for what the gateway stopped."""
    for one in pauses:
        yield _stopped(one) if one.actor == GATEWAY else _paused(one)


def _paused(one: Pause) -> Finding:
    message = f"Mis en pause le {_since(one)} par {one.actor} ({one.reason}) : rien ne part."
    return warning("CFG-154", _place(one), message, f"Quand c'est fini : {_resume(one)}", _SOURCE)


def _stopped(one: Pause) -> Finding:
    words = wording.words()["store"]["stopped"]
    if one.reason in words:
        message = f"Envois {words[one.reason]} (le {_since(one)})."
        return error("CFG-155", _place(one), message, words[f"{one.reason}-STEP"], _SOURCE)
    message = f"Envois arrêtés par la passerelle le {_since(one)} ({one.reason})."
    return error("CFG-155", _place(one), message, f"Corriger la cause, puis : {_resume(one)}", _SOURCE)


def _place(one: Pause) -> str:
    return "/".join(["/account", *(part for part in (one.account, one.channel) if part != EVERY)])


def _since(one: Pause) -> str:
    return f"{one.since.astimezone():%d/%m/%Y %H:%M}"


def _resume(one: Pause) -> str:
    """The command that ends it, as a shell takes it."""
    return " ".join(["kine-gateway queue resume", *(f"'{p}'" if p == EVERY else p for p in (one.account, one.channel))])
