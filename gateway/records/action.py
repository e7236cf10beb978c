"""Action: an order about a document, as a person or a program writes it in the outbox folder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.records.base import Instant, Line, Record


class Action(Record):
    """One order. `destination` limits it to one delivery; `means` and `at` belong to `handed_over`.

    `called` and `seen` answer what a receipt asked; `not_my_patient` holds what goes from this patient to that
    recipient, `my_patient` lets it go.
    """

    format: Literal["kine-gateway/action/1"]
    action: Literal[
        "retry", "cancel", "hold", "release", "handed_over", "called", "seen", "not_my_patient", "my_patient"
    ]
    by: Line
    reason: Line
    document: Line | None = None
    delivery: Line | None = None
    destination: Line | None = Field(default=None, description="medecin_traitant, patient, dmp...")
    means: Literal["main_propre", "courrier", "sip", "autre"] | None = None
    at: Instant | None = None
