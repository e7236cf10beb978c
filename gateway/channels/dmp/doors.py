"""The two doors of a DMP behind one face: SOAP, and FHIR (experimental).

A package goes by the door it was frozen for, whatever the account's setting says by now: what waits in the outbox is
never made anew. Questions go by the door of the setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gateway.channels.dmp.channel import DmpChannel
from gateway.channels.dmp.existence import ExistenceTest
from gateway.channels.dmp.fhir import FhirDoor
from gateway.channels.dmp.fhir_link import FhirLink
from gateway.channels.dmp.fhir_reader import MISSING, FhirReader
from gateway.channels.dmp.link import DmpLink
from gateway.channels.dmp.reader import DmpReader, Listing
from gateway.package.types import DmpContext, DmpUpdateContext

if TYPE_CHECKING:
    from gateway.channels.dmp.entries import Entry, LinkEntry, SetEntry
    from gateway.channels.dmp.retrieval import Retrieval
    from gateway.channels.outcome import BeforeCommit, Outcome
    from gateway.channels.recording import Recorder
    from gateway.channels.trace import Tracer
    from gateway.clock import Clock, Randomness
    from gateway.package.query import Criteria
    from gateway.package.types import DmpIdentity, Package
    from gateway.settings import DmpSettings


class DmpDoors:
    """The channel of an account: takes the arguments of `DmpChannel`, and its place."""

    def __init__(
        self,
        settings: DmpSettings,
        *,
        device: str,
        clock: Clock,
        ids: Randomness,
        software: str = "kine-gateway 0",
        tracer: Tracer | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        names = {"device": device, "software": software}
        self._soap = DmpChannel(settings, clock=clock, ids=ids, tracer=tracer, recorder=recorder, **names)
        self._fhir = FhirDoor(FhirLink(settings, clock=clock, tracer=tracer, recorder=recorder))

    def _way(self, package: Package) -> DmpChannel | FhirDoor:
        context = package.context
        by_soap = not isinstance(context, DmpContext | DmpUpdateContext) or context.door == "soap"
        return self._soap if by_soap else self._fhir

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """See Channel."""
        return await self._way(package).send(package, before_commit)

    async def resolve(self, package: Package) -> Outcome:
        """See Channel."""
        return await self._way(package).resolve(package)

    async def aclose(self) -> None:
        """Close the connections of both."""
        await self._soap.aclose()
        await self._fhir.aclose()


class Questions(Protocol):
    """What may be asked of a DMP. Failures are Outcomes, never ACCEPTED; `missing` names what this door cannot ask."""

    host: str
    missing: frozenset[str]

    async def test(self, identity: DmpIdentity) -> Outcome | None:
        """TD0.2: None when the patient's DMP may be fed."""
        ...

    async def find(self, identity: DmpIdentity, criteria: Criteria) -> Listing[Entry] | Outcome:
        """TD3.1a."""
        ...

    async def documents(self, identity: DmpIdentity, unique_ids: Sequence[str]) -> Listing[Entry] | Outcome:
        """TD3.1b."""
        ...

    async def sets(self, identity: DmpIdentity) -> Listing[SetEntry] | Outcome:
        """Submission sets."""
        ...

    async def links(self, identity: DmpIdentity, uuids: Sequence[str]) -> Listing[LinkEntry] | Outcome:
        """Associations."""
        ...

    async def retrieve(self, identity: DmpIdentity, entries: Sequence[Entry]) -> Retrieval | Outcome:
        """TD3.2."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class _BySoap(DmpReader):
    """Questions by SOAP."""

    missing: frozenset[str] = frozenset()

    def __init__(self, link: DmpLink, device: str) -> None:
        super().__init__(link)
        self.host = link.host
        self._existence = ExistenceTest(link, device)

    async def test(self, identity: DmpIdentity) -> Outcome | None:
        return await self._existence.ask(identity)

    async def aclose(self) -> None:
        await self._link.aclose()


class _ByFhir(FhirReader):
    """Questions by the FHIR door."""

    missing = MISSING

    def __init__(self, link: FhirLink) -> None:
        super().__init__(link)
        self.host = link.host

    async def aclose(self) -> None:
        await self._link.aclose()


def questions(
    settings: DmpSettings,
    *,
    device: str,
    clock: Clock,
    ids: Randomness,
    software: str,
    recorder: Recorder | None = None,
) -> Questions:
    """Who answers questions by the account's door. `device`: OID of this system as sender of TD0.2."""
    if settings.door == "fhir":
        return _ByFhir(FhirLink(settings, clock=clock, recorder=recorder))
    return _BySoap(DmpLink(settings, clock=clock, ids=ids, software=software, recorder=recorder), device)
