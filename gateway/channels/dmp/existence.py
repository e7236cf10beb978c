"""TD0.2: does this patient have a DMP, and may this author feed it (spec dmp §1.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.channels.dmp import answers, classify
from gateway.channels.dmp.link import DmpLink
from gateway.channels.outcome import Outcome
from gateway.package import mtom
from gateway.package.types import DmpIdentity

LASTS = 900.0
"""Seconds during which a positive answer holds for a patient: a batch asks once."""


Ask = Callable[[DmpIdentity], Awaitable[Outcome | None]]
"""Asks whether a patient's DMP may be fed: None when it may."""


class Remembered:
    """Remembers who has an open DMP, so that a batch asks once. `elapsed`: seconds of a clock that never goes back."""

    def __init__(self, ask: Ask, elapsed: Callable[[], float]) -> None:
        self._asked = ask
        self._elapsed = elapsed
        self._known: dict[tuple[str, str], float] = {}

    async def known(self, identity: DmpIdentity) -> Outcome | None:
        """None when this patient's DMP may be fed, by an answer that is at most LASTS seconds old."""
        patient = (identity.ins, identity.ins_oid)
        if self._known.get(patient, 0.0) > self._elapsed():
            return None
        outcome = await self._asked(identity)
        if outcome is None:
            self._known[patient] = self._elapsed() + LASTS
        return outcome

    def forget(self, identity: DmpIdentity) -> None:
        """Ask again next time: the DMP may have been closed since."""
        self._known.pop((identity.ins, identity.ins_oid), None)


class ExistenceTest(Remembered):
    """Asks for an account by SOAP. `device` is the OID of this system as sender."""

    def __init__(self, link: DmpLink, device: str) -> None:
        super().__init__(self.ask, link.clock.elapsed)
        self._link = link
        self._device = device

    async def ask(self, identity: DmpIdentity) -> Outcome | None:
        """None when this patient's DMP may be fed; otherwise why not. The traits in the answer are never read."""
        answer = await self._link.ask(
            "patients",
            identity,
            lambda head: mtom.existence(
                identity,
                to=head.to,
                message_id=head.message_id,
                assertion=head.assertion,
                sender=self._device,
                now=head.now,
                ids=self._link.ids,
            ),
        )
        if isinstance(answer, Outcome):
            return answer
        try:
            return classify.from_existence(answers.read_existence(answer[0]), identity, self._link.host)
        except answers.AnswerError as fault:
            return classify.unreadable(fault, self._link.host, fed=False)
