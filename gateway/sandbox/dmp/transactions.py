"""What a transaction of the DMP is, and what every one of them is given.

Another transaction (ITI-43, ITI-57) is one more object with these attributes, added to the table
in `service.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    """What a transaction answers: the response action and the writer of the body."""

    action: str
    fill: Callable[[Element], None]


class Transaction(Protocol):
    """One request action of one service."""

    path: str
    action: str
    stores: bool
    """Whether the request stores something: the faults that need data strike only these."""

    def answer(self, call: Call) -> Answer:
        """Check, act, answer; raises SoapFault when the message itself is refused."""
        ...

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:
        """Answer these problems without storing anything."""
        ...
