"""What a transaction of the DMP is, and what every one of them is given.

Another transaction is one more object with these attributes, added to the table in `service.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.sandbox.dmp.mtom import Mtom
from gateway.sandbox.dmp.soap import Request
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.problems import Problem
from gateway.sandbox.xml import Element


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose envelope, addressing and VIHF hold."""

    request: Request
    mtom: Mtom
    vihf: Vihf
    sha256: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a transaction answers: the response action and the writer of the body.

    `codes`: the errors answered; `subjects`: the identifiers that it was about, both for the log of exchanges.
    `attachments`: Content-ID to MIME type and bytes of the MTOM parts.
    """

    action: str
    fill: Callable[[Element], None]
    codes: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    attachments: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)


class Transaction(Protocol):
    """One request action of one service."""

    name: str
    """Name in the DMP's own list (`TD2.1`)."""
    path: str
    action: str
    stores: bool
    """Whether the request stores something: faults that name no transaction strike only these."""
    multipart: bool
    """Whether answers, faults included, are always multipart (ITI-43)."""

    def answer(self, call: Call) -> Answer:
        """Check, act, answer; raises SoapFault when the message itself is refused."""
        ...

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:
        """Answer these problems without storing anything."""
        ...


def codes_of(problems: Sequence[Problem]) -> tuple[str, ...]:
    """The codes of some problems, in order."""
    return tuple(problem.code for problem in problems)
