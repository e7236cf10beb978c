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
from uuid import UUID

from gateway import rules
from gateway.document import build
from gateway.errors import InputError
from gateway.findings import Finding, has_errors

if TYPE_CHECKING:
    from gateway.clock import Randomness
    from gateway.document.model import Addressee, ClinicalDocument, PatientIdentity
    from gateway.package.keys import SigningKeys
    from gateway.package.types import Package
    from gateway.records.history import EpisodeHistory
    from gateway.records.submission import Submission
    from gateway.rules.routes import Route
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings, FhirSettings, RulesSettings
    from gateway.terminology import Terminology

SOFTWARE = f"kine-gateway {version('kine-gateway')}"


@dataclass(frozen=True, slots=True)
class World:
    """What the road needs besides the submission, loaded once per process. No trust list: previews only."""

    terminology: Terminology
    trust: TrustList | None
    rules: RulesSettings
    fhir: FhirSettings


@dataclass(frozen=True, slots=True)
class Planned:
    """One destination: the package to send, or the reason why nothing is sent there by the gateway."""

    route: Route
    package: Package | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything fixed before the commit: a retry takes these bytes and makes none."""

    submission: Submission
    account: AccountSettings
    findings: tuple[Finding, ...]
    document: ClinicalDocument
    renderings: Mapping[str, bytes]
    deliveries: tuple[Planned, ...]


def examine(
    submission: Submission,
    account: AccountSettings,
    world: World,
    *,
    now: datetime,
    ids: Randomness,
    history: EpisodeHistory | None = None,
) -> tuple[list[Finding], tuple[Route, ...]]:
    """Every finding on the records and on the CDA they make, and where the document would go."""
    from gateway.render import cda
    from gateway.validate import preflight

    findings, destinations = _check(submission, account, world, now, history)
    if not has_errors(findings):
        document = _build(submission, account, world, findings, ids)
        findings += preflight.check(cda.render(document, world.terminology), world.terminology)
    return findings, destinations


def prepare(
    submission: Submission,
    account: AccountSettings,
    world: World,
    *,
    now: datetime,
    ids: Randomness,
    keys: SigningKeys | None,
    history: EpisodeHistory | None = None,
) -> Prepared:
    """Walk the whole road. `keys` None gives an unsigned preview of what would be signed.

    Everything random is drawn here, in a fixed order: document and set identifiers first, then each package.
    Raises InputError when a finding stops the document.
    """
    from gateway.package import xdm

    findings, destinations = _check(submission, account, world, now, history)
    if has_errors(findings):
        raise InputError(findings)
    document = _build(submission, account, world, findings, ids)
    renderings, faults = render(document, world)
    findings += faults
    if has_errors(findings):
        raise InputError(findings)
    renderings["xdm"] = xdm.archive(document, renderings["cda"], account=account, now=now, ids=ids)
    deliveries = tuple(_plan(route, document, renderings, account, keys, now, ids) for route in destinations)
    return Prepared(submission, account, tuple(findings), document, renderings, deliveries)


def _check(
    submission: Submission, account: AccountSettings, world: World, now: datetime, history: EpisodeHistory | None
) -> tuple[list[Finding], tuple[Route, ...]]:
    findings = rules.check(
        submission, account, world.trust, world.terminology, world.rules, today=now.date(), history=history
    )
    findings += build.check(submission, world.terminology)
    return findings, rules.routes(submission, account, world.trust)


def _build(
    submission: Submission, account: AccountSettings, world: World, findings: list[Finding], ids: Randomness
) -> ClinicalDocument:
    drawn = build.DocumentIds(id=oid_of(ids.uuid()), set_id=oid_of(ids.uuid()))
    mode = rules.claimed_mode(submission, findings)
    return build.build(submission, account, world.terminology, ids=drawn, software=SOFTWARE, claimed_mode=mode)


def render(document: ClinicalDocument, world: World) -> tuple[dict[str, bytes], list[Finding]]:
    """CDA, FHIR and PDF of a document, and what the preflight says of the CDA."""
    from gateway.render import cda, fhir, pdf
    from gateway.validate import preflight

    rendered = {
        "cda": cda.render(document, world.terminology),
        "fhir": fhir.render(document, world.terminology, world.fhir.fr_core),
        "pdf": pdf.render(document),
    }
    return rendered, preflight.check(rendered["cda"], world.terminology)


def _plan(
    route: Route,
    document: ClinicalDocument,
    renderings: Mapping[str, bytes],
    account: AccountSettings,
    keys: SigningKeys | None,
    now: datetime,
    ids: Randomness,
) -> Planned:
    from gateway.package import dmp, mail

    if route.reason is not None or route.channel == "manual":
        return Planned(route, None)
    if route.channel == "dmp":
        package = dmp.dmp_package(document, renderings["cda"], account=account, keys=keys, now=now, ids=ids)
        return Planned(route, package)
    package = mail.mail_package(
        document,
        recipient=_recipient(route, document),
        account=account,
        cda=renderings["cda"],
        pdf=renderings["pdf"],
        xdm=renderings["xdm"],
        now=now,
        ids=ids,
    )
    return Planned(route, package)


def _recipient(route: Route, document: ClinicalDocument) -> Addressee | PatientIdentity:
    if route.destination == "patient":
        return document.header.patient
    return next(a for a in document.header.addressees if a.role == route.role)


def oid_of(uuid: UUID) -> str:
    """The OID that X.667 gives every UUID: 2.25 and its integer."""
    return f"2.25.{uuid.int}"
