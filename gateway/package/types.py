"""Package: the frozen parts of one delivery and the typed context that its channel needs to send them.

Everything random or time-dependent is already inside the parts (DESIGN §4 rule 2): a retry sends the same
bytes. Only what a protocol wants fresh (VIHF, WS-Addressing MessageID) is made by the channel from the context.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
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
class DmpIdentity:
    """Who acts for which patient: all that a VIHF asserts beside the software.

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

    @property
    def patient_cx(self) -> str:
        """The patient as XDS writes it."""
        return f"{self.ins}^^^&{self.ins_oid}&ISO^NH"

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that say who acts for whom, without what a subclass adds."""
        return {one.name: getattr(self, one.name) for one in fields(DmpIdentity)}


Door = Literal["soap", "iti65", "iti105"]
"""By which transaction a feed was frozen: ITI-41, or one of the FHIR door (MHD)."""


@dataclass(frozen=True, slots=True)
class DmpContext(DmpIdentity):
    """What ITI-41 needs beside the parts: the identity that the VIHF asserts, the ids that answers name.

    `replaces_document` and `replaces_entry` are the uniqueId and the entryUUID that an RPLC association in the parts
    names; empty without one, and in contexts stored before they were kept. A feed by the FHIR door has one part,
    `request`, and no signature.
    """

    submission_set_id: str
    document_id: str
    document_entry: str
    signature_entry: str
    replaces_document: str = ""
    replaces_entry: str = ""
    door: Door = "soap"
    channel: Literal["dmp"] = "dmp"


Change = Literal["mask", "unmask", "hide", "show", "hide_legal", "show_legal", "archive", "unarchive", "delete"]
"""A change of a document that is in the DMP (TD3.3): masked to professionals, hidden from the patient or from legal
representatives, archived, deleted, and what undoes the first four."""


@dataclass(frozen=True, slots=True)
class DmpUpdateContext(DmpIdentity):
    """What ITI-57 needs beside the frozen part: what changes on which document.

    `document_id` is the uniqueId of the document to change, `known_entry` its entryUUID as far as we know: the
    registry gives it another one with each version of its metadata, so it is asked again at send time (TD3.1b).
    `new_entry` is the frozen id of the version that a change of visibility makes. A change goes by the door that
    brought the document; by the FHIR door it has neither set nor new entry of its own.
    """

    change: Change
    submission_set_id: str
    document_id: str
    known_entry: str
    new_entry: str
    door: Door = "soap"
    channel: Literal["dmp"] = "dmp"
    kind: Literal["update"] = "update"


SendContext = MailContext | DmpContext | DmpUpdateContext


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


def feed_context(package: Package) -> DmpContext:
    """The context of a feed. Raises TypeError on any other package."""
    if not isinstance(package.context, DmpContext):
        raise TypeError("not a DMP feed")
    return package.context


def context_to_json(context: SendContext) -> bytes:
    """A context as canonical JSON bytes, for the store."""
    return json.dumps(asdict(context), sort_keys=True, separators=(",", ":")).encode()


def context_from_json(data: bytes) -> SendContext:
    """The context that `context_to_json` wrote. Raises ValueError on anything else."""
    value: dict[str, Any] = json.loads(data)
    kinds: dict[str, type[SendContext]] = {"mssante": MailContext, "dmp": DmpContext, "update": DmpUpdateContext}
    try:
        return kinds[value.get("kind") or value["channel"]](**value)
    except (KeyError, TypeError) as fault:
        raise ValueError(f"not a send context: {fault}") from fault


__all__ = [
    "Change",
    "DmpContext",
    "DmpIdentity",
    "DmpUpdateContext",
    "Door",
    "MailContext",
    "Package",
    "Part",
    "SendContext",
    "context_from_json",
    "context_to_json",
    "feed_context",
]
