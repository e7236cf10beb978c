"""The whole pure road on one page: records -> findings -> document -> renderings -> packages.

Nothing here touches a disk, a clock or a network: data files are loaded before, time and randomness come in
as arguments, and the same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from gateway import rules, succession
from gateway.document import build
from gateway.errors import InputError
from gateway.findings import Finding, has_errors
from gateway.records.level1 import Level1
from gateway.rules import trust_space

if TYPE_CHECKING:
    from gateway.clock import Randomness
    from gateway.document.lineage import Lineage
    from gateway.document.model import Addressee, ClinicalDocument, PatientIdentity
    from gateway.package.keys import SigningKeys
    from gateway.package.types import Package
    from gateway.records.history import EpisodeHistory
    from gateway.records.level1 import AnySubmission
    from gateway.rules.routes import Route
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings, FhirSettings, RulesSettings
    from gateway.terminology import Terminology
    from gateway.validate.kits import Kits

SOFTWARE = f"kine-gateway {version('kine-gateway')}"


@dataclass(frozen=True, slots=True)
class World:
    """What the road needs besides the submission, loaded once per process.

    No trust list: previews only. `kits`: official suites that every document must pass. `copy`: join the PDF.
    """

    terminology: Terminology
    trust: TrustList | None
    rules: RulesSettings
    fhir: FhirSettings
    kits: Kits | None = None
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """One destination: the package to send, or the reason why nothing is sent there by the gateway.

    `waits_for` is the delivery that took the version which this one replaces there.
    """

    route: Route
    package: Package | None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything fixed before the commit: a retry takes these bytes and makes none.

    `document` and the plainly named renderings are the main edition; where some places get another one, its renderings
    are numbered from 2 (`cda-2`). `replaces` and `supersedes` are ids of the store. `hold` is why nothing leaves before
    a person has looked.
    """

    submission: AnySubmission
    account: AccountSettings
    findings: tuple[Finding, ...]
    document: ClinicalDocument
    renderings: Mapping[str, bytes]
    deliveries: tuple[Planned, ...]
    replaces: str | None = None
    supersedes: tuple[str, ...] = ()
    hold: str | None = None


def examine(
    submission: AnySubmission,
    account: AccountSettings,
    world: World,
    *,
    now: datetime,
    ids: Randomness,
    history: EpisodeHistory | None = None,
    lineage: Lineage | None = None,
) -> tuple[list[Finding], tuple[Route, ...]]:
    """Every finding on the records and on the CDA they make, and where the document would go.

    The routes count the recipients of `succession.widened(submission, lineage)`.
    """
    from gateway.render import cda

    whole = succession.widened(submission, lineage)
    findings, destinations = _check(whole, account, world, now, history)
    findings += succession.check(whole, destinations, lineage)
    if not has_errors(findings):
        drawn = succession.identifiers(lineage, succession.main_edition(whole, destinations, lineage), ids)
        document = _build(whole, account, world, findings, drawn)
        findings += _judge(cda.render(document, world.terminology), world)
    return findings, destinations


def prepare(
    submission: AnySubmission,
    account: AccountSettings,
    world: World,
    *,
    now: datetime,
    ids: Randomness,
    keys: SigningKeys | None,
    history: EpisodeHistory | None = None,
    lineage: Lineage | None = None,
) -> Prepared:
    """Walk the whole road. `keys` None gives an unsigned preview of what would be signed.

    Everything random is drawn here, in a fixed order: document and set identifiers first, then each package.
    `lineage` is what a corrected version follows. Raises InputError when a finding stops the document.
    """
    whole = succession.widened(submission, lineage)
    findings, destinations = _check(whole, account, world, now, history)
    findings += succession.check(whole, destinations, lineage)
    if has_errors(findings):
        raise InputError(findings)
    press = _Press(whole, account, world, findings, now, ids, lineage)
    main = press.edition(succession.main_edition(whole, destinations, lineage))
    deliveries = tuple(press.plan(route, keys) for route in destinations)
    return Prepared(
        submission,
        account,
        tuple(findings),
        main.document,
        press.renderings(),
        deliveries,
        lineage.predecessor if lineage is not None else None,
        lineage.supersedes if lineage is not None else (),
        _doubt(submission),
    )


@dataclass(frozen=True, slots=True)
class _Edition:
    """One form of the document: what it replaces is written inside, so each has its own identifier."""

    document: ClinicalDocument
    renderings: dict[str, bytes]


class _Press:
    """Makes the editions of one submission, each once, the main one first. Nearly always there is one."""

    def __init__(
        self,
        whole: AnySubmission,
        account: AccountSettings,
        world: World,
        findings: list[Finding],
        now: datetime,
        ids: Randomness,
        lineage: Lineage | None,
    ) -> None:
        self._whole = whole
        self._account = account
        self._world = world
        self._findings = findings
        self._now = now
        self._ids = ids
        self._lineage = lineage
        self._editions: dict[str | None, _Edition] = {}

    def edition(self, replaced: str | None) -> _Edition:
        """The edition for places that have `replaced` (None: no earlier version). Raises InputError."""
        if replaced not in self._editions:
            self._editions[replaced] = self._make(replaced)
        return self._editions[replaced]

    def _make(self, replaced: str | None) -> _Edition:
        from gateway.package import xdm

        drawn = succession.identifiers(self._lineage, replaced, self._ids)
        document = _build(self._whole, self._account, self._world, self._findings, drawn)
        renderings, faults = render(document, self._world)
        self._findings += [fault for fault in faults if fault not in self._findings]
        if has_errors(self._findings):
            raise InputError(self._findings)
        renderings["xdm"] = xdm.archive(
            document, renderings["cda"], account=self._account, now=self._now, ids=self._ids
        )
        return _Edition(document, renderings)

    def renderings(self) -> dict[str, bytes]:
        """Renderings of every edition by name."""
        first, *others = self._editions.values()
        numbered = {f"{k}-{n}": data for n, one in enumerate(others, 2) for k, data in one.renderings.items()}
        return {**first.renderings, **numbered}

    def plan(self, route: Route, keys: SigningKeys | None) -> Planned:
        """The package for a destination, of the edition that fits what it has."""
        if route.reason is not None or route.channel == "manual":
            return Planned(route, None)
        had = succession.had(self._whole, route, self._lineage)
        edition = self.edition(had.document if had is not None else None)
        package = _package(route, edition, self._account, self._world, keys, self._now, self._ids)
        return Planned(route, package, had.delivery if had is not None else None)


def _check(
    submission: AnySubmission, account: AccountSettings, world: World, now: datetime, history: EpisodeHistory | None
) -> tuple[list[Finding], tuple[Route, ...]]:
    findings = rules.check(
        submission, account, world.trust, world.terminology, world.rules, today=now.date(), history=history
    )
    findings += build.check(submission, world.terminology)
    findings += _check_pdf(submission)
    destinations = rules.routes(submission, account, world.trust)
    if world.trust is not None and any(route.channel == "mssante" and not route.reason for route in destinations):
        findings += trust_space.staleness(world.trust, now.date())
    return findings, destinations


def _check_pdf(submission: AnySubmission) -> list[Finding]:
    """A PDF is refused for what it is, and held for whose it seems to be."""
    from gateway.validate import pdf

    if not isinstance(submission, Level1):
        return []
    return pdf.check(submission.pdf) or pdf.held(_doubt(submission))


def _doubt(submission: AnySubmission) -> str | None:
    from gateway.validate import pdf

    return pdf.doubt(submission.pdf, submission.patient) if isinstance(submission, Level1) else None


def _build(
    submission: AnySubmission,
    account: AccountSettings,
    world: World,
    findings: list[Finding],
    drawn: build.DocumentIds,
) -> ClinicalDocument:
    mode = None if isinstance(submission, Level1) else rules.claimed_mode(submission, findings)
    return build.build(submission, account, world.terminology, ids=drawn, software=SOFTWARE, claimed_mode=mode)


def render(document: ClinicalDocument, world: World) -> tuple[dict[str, bytes], list[Finding]]:
    """CDA, FHIR and PDF of a document, and what the preflight and the required kits say of the CDA."""
    from gateway.render import cda, fhir, pdf

    wanted, page = world.fhir, pdf.render(document)
    rendered = {
        "cda": cda.render(document, world.terminology, pdf=page if world.copy else None),
        "fhir": fhir.render(
            document,
            world.terminology,
            wanted.fr_core,
            pdf=page if wanted.with_pdf else None,
            document_core=wanted.document_core,
        ),
        "pdf": page,
    }
    return rendered, _judge(rendered["cda"], world)


def _judge(rendered: bytes, world: World) -> list[Finding]:
    from gateway.validate import preflight

    findings = preflight.check(rendered, world.terminology)
    return findings if world.kits is None else findings + world.kits.findings(rendered)


def _package(
    route: Route,
    edition: _Edition,
    account: AccountSettings,
    world: World,
    keys: SigningKeys | None,
    now: datetime,
    ids: Randomness,
) -> Package:
    from gateway.package import mail
    from gateway.package.feed import feed_package

    document, renderings = edition.document, edition.renderings
    if route.channel == "dmp":
        fr_core = world.fhir.fr_core
        cda = renderings["cda"]
        return feed_package(document, cda, account=account, keys=keys, now=now, ids=ids, fr_core=fr_core)
    return mail.mail_package(
        document,
        recipient=_recipient(route, document),
        account=account,
        cda=renderings["cda"],
        pdf=renderings["pdf"],
        xdm=renderings["xdm"],
        now=now,
        ids=ids,
    )


def _recipient(route: Route, document: ClinicalDocument) -> Addressee | PatientIdentity:
    if route.destination == "patient":
        return document.header.patient
    return next(a for a in document.header.addressees if a.role == route.role)
