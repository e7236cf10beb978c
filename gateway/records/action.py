"""Action: an order about a document, as a person or a program writes it in the outbox folder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.records.base import Instant, Line, MailAddress, Record


class Action(Record):
    """One order. `destination` limits it to one delivery; `means` and `at` belong to `handed_over`.

    `called` and `seen` answer what a receipt asked; `not_my_patient` holds what goes from this patient to that
    recipient, `my_patient` lets it go.
    """

    format: Literal["kine-gateway/action/1"]
    action: Literal[
        "retry",
        "cancel",
        "hold",
        "release",
        "handed_over",
        "called",
        "seen",
        "not_my_patient",
        "my_patient",
        "readdress",
        "reprepare",
        "print",
        "withdraw",
    ]
    by: Line
    reason: Line
    document: Line | None = None
    delivery: Line | None = None
    destination: Line | None = Field(default=None, description="medecin_traitant, patient, dmp...")
    means: Literal["main_propre", "courrier", "telephone", "sip", "autre"] | None = None
    at: Instant | None = None
    to: MailAddress | None = Field(default=None, description="readdress: another box of the same professional.")
    name: Line | None = Field(default=None, description="readdress: whose box it is, where no directory says.")
    why: Literal["wrong_patient", "wrong_recipient", "error", "duplicate", "patient_request"] | None = Field(
        default=None, description="withdraw: why, as the recipients are told."
    )
