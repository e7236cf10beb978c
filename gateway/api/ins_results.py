"""What questions about an INS give: plain immutable data, JSON-ready. Shown to whoever asked, stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.findings import Finding, has_errors
from gateway.records.people import IdentityStatus, Patient

FORMAT = "kine-gateway/ins/1"


@dataclass(frozen=True, slots=True)
class InsCheck:
    """What can be said of an INS or an identity without asking anybody."""

    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]
    may_leave: bool

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not has_errors(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "may_leave": self.may_leave,
            **self.facts,
            "findings": [f.as_dict() for f in self.findings],
        }


@dataclass(frozen=True, slots=True)
class InsFound:
    """What a search gave. `outcome` is a CodeCR (00, 01, 02), the reason of a failure, or `not_asked`.

    `patient` is what the records may take over, None unless one person was found whose strict traits agree;
    `status` is the identity's state before and after. `history`: matricules that the person had before.
    """

    outcome: str
    findings: tuple[Finding, ...] = ()
    asked: tuple[Mapping[str, str], ...] = ()
    text: str = ""
    ins: Mapping[str, str] | None = None
    history: tuple[Mapping[str, str], ...] = ()
    traits: Mapping[str, str] | None = None
    differing: tuple[str, ...] = ()
    patient: Patient | None = None
    before: IdentityStatus = IdentityStatus.PROVISOIRE
    after: IdentityStatus = IdentityStatus.PROVISOIRE

    @property
    def ok(self) -> bool:
        """Whether an INS was found that the records may take over, and that this account may use."""
        return self.patient is not None and not has_errors(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "outcome": self.outcome,
            "text": self.text,
            "asked": [dict(one) for one in self.asked],
            "ins": dict(self.ins) if self.ins else None,
            "history": [dict(one) for one in self.history],
            "traits": dict(self.traits) if self.traits else None,
            "differing": list(self.differing),
            "status": {"before": str(self.before), "after": str(self.after)},
            "patient": self.patient.model_dump(mode="json", exclude_defaults=True) if self.patient else None,
            "findings": [f.as_dict() for f in self.findings],
        }


@dataclass(frozen=True, slots=True)
class InsVerified:
    """What a verification gave, and what it stopped.

    `verdict` is one of `confirmed`, `none`, `several`, `changed`, `other_traits`, `unknown` (the service did not
    answer: nothing was stopped), `not_asked`. `held`: deliveries kept back; `gone`: those that left under this INS.
    """

    verdict: str
    found: InsFound
    stopped: bool = False
    held: tuple[str, ...] = ()
    gone: tuple[Mapping[str, str], ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the service confirms the INS."""
        return self.verdict == "confirmed"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        found = self.found.as_dict()
        return {
            **found,
            "ok": self.ok,
            "verdict": self.verdict,
            "stopped": self.stopped,
            "held": list(self.held),
            "gone": [dict(one) for one in self.gone],
            "findings": [*found["findings"], *(f.as_dict() for f in self.findings)],
        }


@dataclass(frozen=True, slots=True)
class StopView:
    """A stop in force, as faces show it. `patient` is the pseudonym that the journal uses."""

    account: str
    patient: str
    reason: str
    by: str
    since: str
    advice: str

    def as_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Proven:
    """The state of an identity after a person saw a document."""

    before: IdentityStatus
    after: IdentityStatus
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "format": FORMAT,
            "ok": not self.findings,
            "status": {"before": str(self.before), "after": str(self.after)},
            "findings": [f.as_dict() for f in self.findings],
        }
