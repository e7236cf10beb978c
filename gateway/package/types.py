"""Package: the frozen parts of one delivery and the typed context that its channel needs to send them.

Everything random or time-dependent is already inside the parts (DESIGN §4 rule 2): a retry sends the same
bytes. Only what a protocol wants fresh (VIHF, WS-Addressing MessageID) is made by the channel from the context.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Part:
    """One frozen byte string. `name` is unique in its package."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class MailContext:
    """What SMTP needs beside the message: one recipient per message, always.

    `document_id` is the identifier of the CDA inside; empty in contexts stored before it was kept.
    """

    envelope_from: str
    envelope_to: str
    message_id: str
    envid: str
    document_id: str = ""
    channel: Literal["mssante"] = "mssante"


@dataclass(frozen=True, slots=True)
class DmpContext:
    """What ITI-41 needs beside the parts: the identity that the VIHF asserts, the ids that answers name.

    `ins` and `ins_oid` are those of every patientId in the parts; `name_id` is the author's PS_IdNat in
    direct mode and Struct_IdNat/local id in indirect mode (spec dmp §1.4).
    """

    ins: str
    ins_oid: str
    mode: Literal["direct", "indirect"]
    author_id: str
    author_name: str
    role_code: str
    role_display: str
    structure_id: str
    sector: str
    name_id: str
    submission_set_id: str
    document_id: str
    document_entry: str
    signature_entry: str
    channel: Literal["dmp"] = "dmp"


SendContext = MailContext | DmpContext


@dataclass(frozen=True, slots=True)
class Package:
    """Frozen parts and typed context of one delivery."""

    parts: tuple[Part, ...]
    context: SendContext

    def part(self, name: str) -> Part:
        """The part of that name. Raises KeyError."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)


def context_to_json(context: SendContext) -> bytes:
    """A context as canonical JSON bytes, for the store."""
    return json.dumps(asdict(context), sort_keys=True, separators=(",", ":")).encode()


def context_from_json(data: bytes) -> SendContext:
    """The context that `context_to_json` wrote. Raises ValueError on anything else."""
    value: dict[str, Any] = json.loads(data)
    kinds: dict[str, type[SendContext]] = {"mssante": MailContext, "dmp": DmpContext}
    try:
        return kinds[value["channel"]](**value)
    except (KeyError, TypeError) as fault:
        raise ValueError(f"not a send context: {fault}") from fault


__all__ = [
    "DmpContext",
    "MailContext",
    "Package",
    "Part",
    "SendContext",
    "context_from_json",
    "context_to_json",
]
