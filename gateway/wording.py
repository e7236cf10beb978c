"""Words about deliveries that people read, by stable code (mappings/faces.toml). French first."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from gateway import resources

_UNDER_WAY = frozenset({"prepared", "sending", "transmitting", "retry", "held"})
_STATUS = re.compile(r"((?:MSS|DMP-HTTP)-)(\d{3})(?:-|$)")


@cache
def words() -> Mapping[str, Any]:
    """The whole table."""
    return tomllib.loads(resources.read_text("mappings", "faces.toml"))


def destination(code: str) -> str:
    """Name of a kind of destination."""
    return str(words()["destination"][code])


def transport(code: str) -> str:
    """Name of a transport state."""
    return str(words()["transport"][code]["label"])


def receipt(code: str) -> str:
    """Name of a receipt state."""
    return str(words()["receipt"][code])


def advice(transport_code: str, receipt_code: str, reason: str | None) -> str:
    """What the practice has to do; empty when nothing."""
    table = words()
    if receipt_code in table["receipt_next"]:
        return str(table["receipt_next"][receipt_code])
    if transport_code in {"sent", "handed_over", "superseded", "cancelled"}:
        return ""
    key = _reason_key(table["reason"], reason)
    if key in table["passing"]["reasons"] and transport_code not in _UNDER_WAY:
        key = ""
    return str(table["reason"][key] if key else table["transport"][transport_code]["next"])


def _reason_key(advices: Mapping[str, str], reason: str | None) -> str:
    """The row for a reason, from precise to general: `MSS-550-5.1.1`, then MSS-550, then MSS-500 for all of 5xx."""
    code = (reason or "").upper().replace(".", "-")
    status = _STATUS.match(code)
    general = [f"{status[1]}{status[2]}", f"{status[1]}{status[2][0]}00"] if status else []
    family = ["DMP-XDS"] if code.startswith("DMP-XDS") else []
    return next((key for key in (code, *general, *family) if key in advices), "")


def asks(reason: str | None) -> bool:
    """Whether a reason asks for a person although the delivery is not at an end."""
    return reason in words()["asking"]["reasons"]


def needs_person(transport_code: str, receipt_code: str, reason: str | None) -> bool:
    """Whether nothing more happens until somebody acts."""
    table = words()
    if receipt_code in table["receipt_next"] or asks(reason):
        return True
    if transport_code == "impossible" and reason in table["closed"]["reasons"]:
        return False
    return bool(table["transport"][transport_code].get("person"))
