"""Rules over records: pure functions from what was written to findings."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from gateway.findings import Finding
from gateway.identity.ins import check_patient
from gateway.records.history import EpisodeHistory
from gateway.records.level1 import AnySubmission, Level1
from gateway.rules import table
from gateway.rules.access import NOT_ESTABLISHED, check_access, claimed_mode
from gateway.rules.calendar import check_dates
from gateway.rules.completeness import check_completeness
from gateway.rules.destinations import check_account, check_author, check_destinations, other_account
from gateway.rules.measures import Catalogue, check_measures
from gateway.rules.routes import Route, routes
from gateway.rules.trust_space import TrustList
from gateway.settings import AccountSettings, RulesSettings

__all__ = [
    "NOT_ESTABLISHED",
    "Catalogue",
    "Route",
    "check",
    "check_access",
    "check_account",
    "check_author",
    "check_completeness",
    "check_dates",
    "check_destinations",
    "check_measures",
    "claimed_mode",
    "other_account",
    "routes",
]


def check(
    submission: AnySubmission,
    account: AccountSettings,
    trust: TrustList | None,
    catalogue: Catalogue,
    settings: RulesSettings,
    *,
    today: dt.date,
    history: EpisodeHistory | None = None,
) -> list[Finding]:
    """Every finding on a submission: identity, author, destinations, dates, content, measures, access.

    A PDF has neither content nor measures to check; of its access, what its metadata declare.

    What stops comes from identity, destination or document only (DESIGN §1). Pure: `today` and `history` are given.
    """
    found = [
        *check_author(submission, account),
        *check_patient(submission.patient, account.environment),
        *check_dates(submission, today),
        *check_destinations(submission, account, trust),
    ]
    if not isinstance(submission, Level1):
        found += [*check_completeness(submission), *check_measures(submission, catalogue)]
    return _cited([*found, *check_access(submission, settings, history=history)], settings)


def _cited(found: list[Finding], settings: RulesSettings) -> list[Finding]:
    """The same, those without a source of their own citing the rows of access that they speak of."""
    rules = table.load()
    return [
        replace(one, source=rules.citation(one.code, settings)) if not one.source and rules.rows_of(one.code) else one
        for one in found
    ]
