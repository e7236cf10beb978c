"""Rules of access to care: experiment of direct access, convention (avenant 7), renewal, protocols.

The numbers `row N` are those of the table in spec/kine.md §1 and of config/access_rules.toml, where each rule has its
sources. A breach is never an error (DESIGN §1): the care has happened and the doctor must be told. What it changes is
the access mode that the document may claim, see `claimed_mode`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.findings import Finding
from gateway.records.access import DIRECT_MODES, AccessMode
from gateway.records.history import EpisodeHistory
from gateway.records.level1 import AnySubmission, Level1Metadata
from gateway.records.submission import Submission
from gateway.rules import experiment, other_modes, table
from gateway.rules.case import Case, Rule
from gateway.rules.departments import Departments, load
from gateway.settings import RulesSettings

NOT_ESTABLISHED = "non_etabli"
"""What a document claims when the conditions of the declared direct access are not all met."""

_DIRECT_CARE: tuple[Rule, ...] = (
    experiment.sessions,
    experiment.episode,
    experiment.proof,
    other_modes.red_flags,
    other_modes.letters,
)
_RULES: dict[AccessMode, tuple[Rule, ...]] = {
    AccessMode.DIRECT_CPTS: (
        experiment.declared,
        experiment.practitioner,
        experiment.department,
        experiment.cpts,
        *_DIRECT_CARE,
        experiment.to_declare,
    ),
    # Row 23: no department, no CPTS, no indicators of the ARS.
    AccessMode.DIRECT_STRUCTURE: (other_modes.replacement, *_DIRECT_CARE),
    AccessMode.PRESCRIPTION: (other_modes.prescription, other_modes.summary_due, other_modes.letters),
    AccessMode.RENEWAL: (other_modes.renewal, other_modes.summary_due, other_modes.letters),
    AccessMode.URGENCE: (other_modes.urgent, other_modes.unbilled, other_modes.red_flags),
    AccessMode.PROTOCOLE: (other_modes.replacement, other_modes.protocol, other_modes.letters),
    AccessMode.HORS_NOMENCLATURE: (other_modes.unbilled,),
}
"""Which rules look at which mode; rows 11, 28 and 29 are those of destinations and identity."""


def check_access(
    submission: AnySubmission,
    settings: RulesSettings,
    *,
    history: EpisodeHistory | None = None,
    departments: Departments | None = None,
) -> list[Finding]:
    """Findings on the access mode, never errors, each with its sources. `departments` replaces the shipped table.

    Of a PDF what its metadata declare is checked; nothing where they declare no access.
    """
    if submission.access is None:
        return []
    case = Case(submission, settings, departments or load(), history or EpisodeHistory())
    sources = table.load()
    found = [finding for rule in _RULES[submission.access.mode] for finding in rule(case)]
    return [replace(finding, source=sources.citation(finding.code, settings)) for finding in found]


def claimed_mode(submission: Submission | Level1Metadata, findings: Iterable[Finding]) -> str | None:
    """The access mode that the document may claim: the declared one, or `NOT_ESTABLISHED`; None where none is declared.

    A direct access whose conditions are not met is still carried, as not established: saying nothing would hide
    how the patient came, saying "direct access" would claim a right that was not there.
    """
    if submission.access is None:
        return None
    declared, annul = submission.access.mode, table.load().claims
    broken = declared in DIRECT_MODES and any(finding.code in annul for finding in findings)
    return NOT_ESTABLISHED if broken else declared.value
