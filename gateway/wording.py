"""Words about deliveries that people read, by stable code (mappings/faces.toml). French first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from gateway import resources


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
    return str(table["reason"].get(reason or "") or table["transport"][transport_code]["next"])


def needs_person(transport_code: str, receipt_code: str, reason: str | None) -> bool:
    """Whether nothing more happens until somebody acts."""
    table = words()
    if receipt_code in table["receipt_next"]:
        return True
    if transport_code == "impossible" and reason in table["closed"]["reasons"]:
        return False
    return bool(table["transport"][transport_code].get("person"))
