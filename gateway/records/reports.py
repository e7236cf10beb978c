"""Shapes of the files that the gateway writes for programs: report of a check, status of a dropped file.

The objects themselves are made elsewhere, from live state; these models exist to publish their schema and to let
tests hold the two together. A field is only ever added: readers in other languages live longer than releases.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TransportName = Literal[
    "prepared",
    "sending",
    "transmitting",
    "sent",
    "retry",
    "in_doubt",
    "held",
    "waiting_for_session",
    "impossible",
    "handed_over",
    "superseded",
    "dead",
    "cancelled",
]
ReceiptName = Literal["none", "awaited", "delivered", "processed", "integrated", "refused", "overdue"]
DestinationName = Literal["medecin_traitant", "professional", "patient", "dmp", "hand", "post", "sip"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FindingShape(_Shape):
    """One observation of a check."""

    code: str = Field(pattern=r"^[A-Z]{3}-[A-Z0-9-]+$", description="Stable code, listed in docs/findings.md.")
    severity: Literal["error", "warning", "info"] = Field(description="Only `error` stops a sending.")
    path: str = Field(description="JSON Pointer into the submission (RFC 6901), or XPath into a document.")
    message: str = Field(description="What was seen, in French.")
    advice: str = Field(description="What to do about it, in French; may be empty.")
    source: str = Field(description="The rule behind it; may be empty.")


class PlanLineShape(_Shape):
    """One destination of a submission, before anything is sent."""

    destination: DestinationName
    role: str
    label: str = Field(description="French name of the destination.")
    channel: Literal["mssante", "dmp", "manual"]
    address: str | None
    reason: str | None = Field(description="Code of what makes this destination impossible, null when it can be tried.")


class ReportShape(_Shape):
    """Answer of `check`: findings, and where the document would go."""

    format: Literal["kine-gateway/report/1"]
    ok: bool = Field(description="True when no finding stops the sending.")
    findings: tuple[FindingShape, ...]
    plan: tuple[PlanLineShape, ...]


class RejectionShape(_Shape):
    """`rejected/NAME.report.json`: why a dropped file was refused."""

    format: Literal["kine-gateway/rejection/1"]
    file: str
    findings: tuple[FindingShape, ...] = Field(min_length=1)


class StatusDeliveryShape(_Shape):
    """One delivery: `transport` says what the gateway did, `receipt` what the other side confirmed."""

    delivery_id: str
    destination: DestinationName
    role: str
    label: str
    transport: TransportName
    transport_label: str
    receipt: ReceiptName
    receipt_label: str
    receipt_reason: str | None = Field(description="Code of what the receipt says (mappings/receipts.toml).")
    receipt_meaning: str = Field(description="What the receipt says, in French; may be empty.")
    replies: int = Field(ge=0, description="Answers in the mailbox that nobody noted as read.")
    attempts: int = Field(ge=0)
    due_at: dt.datetime | None
    reason: str | None
    reference: str | None = Field(description="Reference given by the other side, where there is one.")
    purpose: Literal["document", "retraction", "deletion", "recall"] = Field(
        default="document", description="Other than `document`: what the withdrawal of a document sends or asks."
    )
    succeeds: str | None = Field(default=None, description="Delivery whose place this one took.")
    succeeded_by: str | None = Field(default=None, description="Delivery that took the place of this one.")
    next_step: str = Field(description="What the practice has to do, in French; empty when nothing.")


class StatusShape(_Shape):
    """`status/NAME.json`: where a document that was taken over stands."""

    format: Literal["kine-gateway/status/1"]
    document_id: str
    account: str
    kind: str
    accepted_at: dt.datetime
    replaces: str | None = Field(default=None, description="Document that this one corrects.")
    replaced_by: str | None = Field(default=None, description="Document that corrects this one.")
    withdrawn_at: dt.datetime | None = Field(default=None, description="When the document was withdrawn.")
    done: bool = Field(description="True once the gateway has nothing left to do by itself.")
    needs_person: bool
    deliveries: tuple[StatusDeliveryShape, ...]
    findings: tuple[FindingShape, ...]
