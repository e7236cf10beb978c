"""INSi as a client meets it: SOAP over mutual TLS, with people who do not exist."""

from __future__ import annotations

from pathlib import Path

from gateway.clock import Clock
from gateway.sandbox.faults import Faults
from gateway.sandbox.insi.people import Matricule, People, Person
from gateway.sandbox.insi.server import InsiServer
from gateway.sandbox.insi.service import IDAM, PATH, InsiOptions, InsiService, Question
from gateway.sandbox.pki import Pki

__all__ = ["IDAM", "InsiOptions", "InsiSandbox", "Matricule", "Person", "Question"]


class InsiSandbox:
    """The service with its people, to configure and to look at. `people` may be changed while it runs."""

    def __init__(
        self, folder: Path, clock: Clock, faults: Faults, pki: Pki, options: InsiOptions | None = None
    ) -> None:
        self.people = People(folder / "insi-people.json")
        self._service = InsiService(self.people, faults, clock, options or InsiOptions())
        self._faults = faults
        self._pki = pki
        self._server: InsiServer | None = None

    def questions(self) -> list[Question]:
        """Every request since the start, oldest first, without the traits that it was about."""
        return self._service.questions()

    def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._server = InsiServer(host, port, self._service, self._faults, self._pki)
        self._server.start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening; `start` may be called again."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @staticmethod
    def url(host: str, port: int) -> str:
        """Address of the service."""
        return f"https://{host}:{port}{PATH}"
