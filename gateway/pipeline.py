"""The whole pure road on one page: records -> findings -> document -> renderings -> packages.

Nothing here touches a disk, a clock or a network: data files are loaded before, time and randomness come in
as arguments, and the same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from gateway.clock import Randomness
from gateway.document import build
from gateway.document.model import Addressee, ClinicalDocument
from gateway.findings import Finding, has_errors
from gateway.package.types import Package
from gateway.records.history import EpisodeHistory
from gateway.records.submission import Submission
from gateway.rules import Route, check, routes
from gateway.rules.trust_space import TrustList
from gateway.settings import AccountSettings, FhirSettings, RulesSettings
from gateway.terminology import Terminology

if TYPE_CHECKING:
    from gateway.package.signature import SigningKeys

SOFTWARE = f"kine-gateway {version('kine-gateway')}"


@dataclass(frozen=True, slots=True)
class World:
    """What the road needs besides the submission, loaded once per process."""

    terminology: Terminology
    trust: TrustList | None
    rules: RulesSettings = RulesSettings()
    fhir: FhirSettings = FhirSettings()


@dataclass(frozen=True, slots=True)
class Planned:
    """One destination: the package to send, or the reason why nothing can be sent there."""

    route: Route
    package: Package | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything fixed before the commit: a retry takes these bytes and makes none."""

    submission: Submission
    findings: tuple[Finding, ...]
    document: ClinicalDocument
    renderings: Mapping[str, bytes]
    deliveries: tuple[Planned, ...]

    @property
    def sendable(self) -> bool:
        """Whether no finding stops the document."""
        return not has_errors(self.findings)
