"""What was due for each episode, to whom, by when, and what proves it; by pseudonym."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.web.pages import work
from gateway.web.pages.view import Ask, Sheet, View
from gateway.web.pages.words import utc

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.api.obligations import ObligationView, Standing
    from gateway.web.jobs import Job

SHOWN = 200
"""Lines on the page; an export has them all."""
COLUMNS = (
    "account", "patient", "episode", "mode", "document", "document_id", "to", "state", "due_by", "reason", "evidence",
    "evidence_at", "evidence_by", "delivery_id", "near", "source",
)  # fmt: skip
STATES = ("late", "due", "impossible", "met", "not_due")
COUNTED = ("late", "due", "impossible", "met_electronic", "met_person", "met_operator", "not_due")


def show(ask: Ask) -> View | Response:
    """What is left to do, or everything (`state`), of one account or all that may be seen."""
    account = chosen(ask)

    def compute(gateway: Gateway, _: Job) -> Standing:
        return gateway.obligations.standing(account=account)

    job = work.computed(ask, "/obligations", "obligations", account or "", compute)
    if isinstance(job, View | Response):
        return job
    state = ask.query.get("state", "")
    standing: Standing = job.result
    lines = [
        one for one in standing.lines if (one.obligation.state == state if state in STATES else one.obligation.open)
    ]
    lines.sort(key=lambda one: STATES.index(one.obligation.state))
    values = {
        "job": job,
        "counts": [(code, standing.counts[code]) for code in COUNTED],
        "lines": lines[:SHOWN],
        "total": len(lines),
        "states": STATES,
        "state": state,
        "account": account,
        "accounts": [one.id for one in ask.accounts],
    }
    about = ask.consulted("obligations", account=account, size=len(lines)) if work.once(ask, job) else None
    sheet = Sheet("obligations", COLUMNS, [_row(one) for one in lines], {"counts": standing.counts})
    return View("obligations.html", values, lambda: sheet, about)


def chosen(ask: Ask) -> str | None:
    """The account of the address, where it may be seen; else the session's own, None: all."""
    wanted = ask.query.get("account", "")
    return wanted if wanted in {one.id for one in ask.accounts} else ask.session.account


def _row(line: ObligationView) -> Mapping[str, Any]:
    one = line.obligation
    found = {name: getattr(one, name, None) for name in COLUMNS}
    proof = one.evidence
    if proof is not None:
        found |= {"evidence": proof.how, "evidence_at": utc(proof.at), "evidence_by": proof.by}
    return found
