"""What a patient's rights look like to people and programs: what is held, and what an erasure would do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.views import history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.engine.rights import ErasurePlan, Held, HeldDelivery, HeldDocument

FORMAT = "kine-gateway/patient/1"


@dataclass(frozen=True, slots=True)
class HeldView:
    """What is held about one patient. `patient` is his pseudonym in the account."""

    held: Held

    @property
    def account(self) -> str:
        """The account that holds it."""
        return self.held.holding.account

    @property
    def patient(self) -> str:
        """The patient's pseudonym."""
        return self.held.holding.patient

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, with the words of what is kept by duty and what is beyond reach."""
        holding = self.held.holding
        return {
            "format": FORMAT,
            "account": holding.account,
            "patient": holding.patient,
            "documents": [document(one) for one in self.held.documents],
            "same_traits": list(holding.alike),
            "stops": [_plain(asdict(one)) for one in holding.stops],
            "oppositions": [_plain(asdict(one)) for one in holding.oppositions],
            "held_recipients": [_plain(asdict(one)) for one in holding.pairs],
            "facts": holding.facts,
            "kept": _said("kept"),
            "beyond_reach": _said("beyond"),
        }


@dataclass(frozen=True, slots=True)
class PlanView:
    """What an erasure would do."""

    plan: ErasurePlan

    @property
    def ok(self) -> bool:
        """Whether every document can be erased now."""
        return not self.plan.blocked

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        lists = {name: list(getattr(self.plan, name)) for name in ("erasable", "gone", "blocked")}
        findings = [one.as_dict() for one in self.plan.findings]
        return {**HeldView(self.plan.held).as_dict(), **lists, "erases": _said("erases"), "findings": findings}


def document(one: HeldDocument) -> dict[str, Any]:
    """A held document, JSON-ready."""
    row = one.row
    return {
        "document_id": row.id,
        "unique_id": row.unique_id,
        "kind": row.kind,
        "document_type": row.document_type,
        "date": row.document_date.isoformat(),
        "accepted_at": row.accepted_at.isoformat(),
        "erased_at": _when(row.erased_at),
        "withdrawn_at": None if row.withdrawn is None else row.withdrawn.at.isoformat(),
        "replaces": row.replaces,
        "replaced_by": row.replaced_by,
        "hidden": one.hidden,
        "deliveries": [_delivery(delivery) for delivery in one.deliveries],
    }


def _delivery(one: HeldDelivery) -> dict[str, Any]:
    view = history(one.detail, one.received)
    labels = {"label": view.view.label, "address": one.address, "open": one.open}
    labels["transport_label"] = wording.transport(view.view.transport)
    labels["receipt_label"] = wording.receipt(view.view.receipt)
    return {**view.as_dict(), **labels}


def _said(part: str) -> list[dict[str, str]]:
    found: Iterable[dict[str, str]] = wording.words()["rights"][part]
    return [dict(one) for one in found]


def _when(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {key: inner.isoformat() if hasattr(inner, "isoformat") else inner for key, inner in value.items()}
