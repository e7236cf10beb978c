"""The billing compared with the store: `gateway.obligations.reconcile`. Nothing of the file is kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.audit import billing, reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.api.machinery import Machinery
    from gateway.audit.reconcile import Known, Missing, Totals
    from gateway.findings import Finding
    from gateway.records.people import Patient
    from gateway.store.facts import CareFacts

FORMAT = "kine-gateway/reconcile/1"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What is billed without document. `unread` documents could not be compared: erased, or of another release."""

    missing: tuple[Missing, ...]
    totals: Totals
    findings: tuple[Finding, ...]
    columns: Mapping[str, str]
    unread: int

    def as_dict(self, *, identity: bool = False) -> dict[str, Any]:
        """JSON-ready. The patients, as the file names them, only with `identity`; else the numbers of the lines."""
        return {
            "format": FORMAT,
            "totals": {**asdict(self.totals), "missing": len(self.missing), "documents_not_read": self.unread},
            "columns": dict(self.columns),
            "missing": [_line(one, identity=identity) for one in self.missing],
            "findings": [one.as_dict() for one in self.findings],
        }


def _line(one: Missing, *, identity: bool) -> dict[str, Any]:
    who = {"patient": one.patient, "name": one.name} if identity else {}
    return {
        **who,
        "gap": one.gap,
        "label": wording.reconcile(one.gap),
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
        "sessions": len(one.acts),
        "lines": [act.number for act in one.acts],
    }


def run(machinery: Machinery, data: bytes, columns: Mapping[str, str], account: str | None) -> Reconciled:
    """Read the file and compare. Raises InputError (REC-001 to REC-003), StoreError."""
    export = billing.read(data, columns)
    known, unread = _known(machinery, account)
    months, today = machinery.world.rules.episode_months, machinery.clock.now().date()
    missing, totals = reconcile.compare(export.acts, known, months=months, today=today)
    return Reconciled(tuple(missing), totals, export.findings, export.columns, unread)


def _known(machinery: Machinery, account: str | None) -> tuple[dict[str, list[Known]], int]:
    """The documents that stand, by each key that a billing file may name their patient by."""
    from gateway.engine import facts, stored

    store = machinery.store
    facts.complete(store)
    known: defaultdict[str, list[Known]] = defaultdict(list)
    unread = 0
    for one in store.facts(account):
        if not one.counts:
            continue
        submission = stored.submission(store, store.document(one.document_id))
        if submission is None:
            unread += 1
            continue
        for key in set(_keys(submission.patient)):
            known[key].append(_paper(one.document_id, one.care))
    return known, unread


def _keys(patient: Patient) -> Iterator[str]:
    if patient.ins is not None:
        yield billing.patient_key(patient.ins.matricule)
    for identifier in patient.identifiers:
        yield billing.patient_key(identifier.value)


def _paper(document_id: str, care: CareFacts) -> Known:
    return reconcile.Known(
        document_id,
        care.kind,
        care.mode,
        start=care.episode_start or care.period_start or care.day,
        last=care.period_end or care.day,
        closing=care.closes,
        days=frozenset(care.sessions),
    )
