"""Words about deliveries that people read, by stable code (mappings/faces.toml). French first."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from gateway import resources

_UNDER_WAY = frozenset({"prepared", "sending", "transmitting", "retry", "held"})
_CLOSED = frozenset({"handed_over", "superseded", "cancelled"})
"""States in which a person has decided already: what a receipt says there is shown, and asks for nothing."""
_STATUS = re.compile(r"((?:MSS|DMP-HTTP)-)(\d{3})(?:-|$)")


@cache
def words() -> Mapping[str, Any]:
    """The whole table."""
    return tomllib.loads(resources.read_text("mappings", "faces.toml"))


def destination(code: str) -> str:
    """Name of a kind of destination."""
    return str(words()["destination"][code])


def change(code: str) -> str:
    """Name of a change of a document in the DMP."""
    return str(words()["change"][code])


def copied(how: str) -> str:
    """How a copy of the store was told."""
    return str(words()["store"]["copied"][how])


def delivery(destination_code: str, role: str) -> str:
    """Name of what a delivery does: its destination, or the change that it makes in the DMP."""
    name = role.removeprefix("dmp_")
    if role.startswith("dmp_") and name in words()["change"]:
        return f"{destination(destination_code)} : {change(name)}"
    return destination(destination_code)


def transport(code: str) -> str:
    """Name of a transport state."""
    return str(words()["transport"][code]["label"])


def master_key(role: str) -> str:
    """What a master key is there for."""
    return str(words()["master_key"]["role"][role])


def rotation(kind: str) -> str:
    """What a rotation of the master key would do; `{key}` and `{rows}` are left to fill."""
    return str(words()["master_key"]["rotation"][kind])


def receipt(code: str) -> str:
    """Name of a receipt state."""
    return str(words()["receipt"][code])


def advice(transport_code: str, receipt_code: str, reason: str | None) -> str:
    """What the practice has to do; empty when nothing."""
    table = words()
    if receipt_code in table["receipt_next"] and transport_code not in _CLOSED:
        return str(table["receipt_next"][receipt_code])
    if transport_code in {"sent", "handed_over", "superseded", "cancelled"}:
        return ""
    key = _reason_key(table["reason"], reason)
    if not key and (said := receipt_next(reason)):
        return said
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


def returned(reason: str | None) -> bool:
    """Whether a receipt says that the mail came back: nobody has it."""
    code = (reason or "").upper().replace(".", "-")
    table = words()["returned"]
    return code in table["reasons"] or any(code.startswith(f"{head}-") for head in table["families"])


@cache
def _receipts() -> Mapping[str, Any]:
    table = tomllib.loads(resources.read_text("mappings", "receipts.toml"))["reason"]
    return {str(code): row for code, row in table.items()}


_REPORTED = re.compile(r"MSS-RCPT-(?:([45])-\d+-\d+|[12]\d\d)")


def _receipt_row(reason: str | None) -> Mapping[str, Any]:
    """The row of a receipt's code: itself, else the class of its status (`5`), else the family of its number."""
    code, table = (reason or "").upper(), _receipts()
    if code in table:
        return dict(table[code])
    match = _REPORTED.fullmatch(code)
    general = (f"MSS-RCPT-{match[1]}" if match[1] else "MSS-RCPT-HL7") if match else "MSS-RCPT-ERROR"
    return dict(table[general]) if code.startswith("MSS-RCPT-") else {}


def receipt_meaning(reason: str | None) -> str:
    """What a receipt says, in French; empty when it says nothing."""
    return str(_receipt_row(reason).get("meaning", ""))


def receipt_next(reason: str | None, destination_code: str = "") -> str:
    """What the practice has to do about a receipt; empty when nothing."""
    row = _receipt_row(reason)
    return str((row.get("patient_next") if destination_code == "patient" else None) or row.get("next", ""))


def receipt_step(reason: str | None, destination_code: str = "") -> str:
    """The kind of thing to do: call, readdress, hand, correct, lighten, read, or nothing."""
    row = _receipt_row(reason)
    return str((row.get("patient_step") if destination_code == "patient" else None) or row.get("step", ""))


def receipt_says_not_patient(reason: str | None) -> bool:
    """Whether a receipt says that the patient is not the recipient's."""
    return bool(_receipt_row(reason).get("not_patient"))


def about_address(reason: str | None) -> bool:
    """Whether a refusal is about the address: the directory may know another one."""
    return (reason or "").upper().replace(".", "-") in words()["address"]["reasons"]


def mailbox(reason: str) -> str:
    """What is wrong with the sender's own mailbox, and what to do; empty for an unknown code."""
    return str(words()["mailbox"].get(reason, ""))


def asks(reason: str | None) -> bool:
    """Whether a reason asks for a person although the delivery is not at an end."""
    return reason in words()["asking"]["reasons"]


def needs_person(transport_code: str, receipt_code: str, reason: str | None) -> bool:
    """Whether nothing more happens until somebody acts."""
    table = words()
    if (receipt_code in table["receipt_next"] and transport_code not in _CLOSED) or asks(reason):
        return True
    if transport_code == "impossible" and reason in table["closed"]["reasons"]:
        return False
    return bool(table["transport"][transport_code].get("person"))


def obligation(table: str, code: str) -> str:
    """Words of an obligation: its `document`, `reader` or `state`."""
    return str(words()["obligation"][table][code])


def obligation_proof(how: str) -> str:
    """How an obligation was met; a person's own means stays as written."""
    return str(words()["obligation"]["proof"].get(how, how))


def reconcile(gap: str) -> str:
    """What a billed episode lacks."""
    return str(words()["reconcile"]["gap"][gap])


def obligation_step(code: str | None) -> str:
    """What the practice has to do about an obligation that is late."""
    steps = words()["obligation"]["step"]
    return str(steps.get(code or "", steps["other"]))


def obligation_reason(code: str | None) -> str:
    """Why an obligation stands as it does, in French; empty without a code."""
    if code is None:
        return ""
    key = _reason_key(words()["obligation"]["reason"], code)
    return str(words()["obligation"]["reason"][key]) if key else receipt_meaning(code) or advice("dead", "none", code)
