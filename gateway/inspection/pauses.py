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
        what = " ".join(_name(part) for part in (one.account, one.channel))
        resume = f"kine-gateway queue resume {what}"
        place = "/account" if one.account == EVERY else f"/account/{one.account}"
        place += "" if one.channel == EVERY else f"/{one.channel}"
        since = f"{one.since.astimezone():%d/%m/%Y %H:%M}"
        if one.actor == GATEWAY:
            message, advice = _stopped(one.reason, since, resume)
            yield error("CFG-155", place, message, advice, _SOURCE)
        else:
            message = f"Mis en pause le {since} par {one.actor} ({one.reason}) : rien ne part."
            yield warning("CFG-154", place, message, f"Quand c'est fini : {resume}", _SOURCE)


def _stopped(reason: str, since: str, resume: str) -> tuple[str, str]:
    words = wording.words()["store"]["stopped"]
    if reason in words:
        return f"{words['what'].capitalize()} {words[reason]} (depuis le {since}).", words[f"{reason}-STEP"]
    return f"Arrêté par la passerelle le {since} ({reason}) : rien ne part.", f"Corriger la cause, puis : {resume}"


def _name(part: str) -> str:
    """As a shell takes it."""
    return f"'{part}'" if part == EVERY else part
