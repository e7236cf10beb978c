"""The sandbox as one object: certificates, mail operator, DMP, directory, faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.clock import Clock, Randomness, SystemRandomness
from gateway.sandbox.annuaire import KEY, AnnuaireServer, AnnuaireService
from gateway.sandbox.annuaire.server import API, EXTRACTION
from gateway.sandbox.dmp.fhir.service import ROOT as FHIR_ROOT
from gateway.sandbox.dmp.fhir.service import FhirService
from gateway.sandbox.dmp.page.server import PageServer
from gateway.sandbox.dmp.records import (
    VALID,
    DmpAssociation,
    DmpDocument,
    DmpPatient,
    DmpSubmission,
    Exchange,
    Question,
    Reception,
)
from gateway.sandbox.dmp.server import DmpServer
from gateway.sandbox.dmp.service import ROOT, DmpOptions, DmpService
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.faults import Faults
from gateway.sandbox.insi import InsiSandbox
from gateway.sandbox.mail_store import MailStore
from gateway.sandbox.mailboxes import PATIENT_DOMAIN, Mailboxes
from gateway.sandbox.mssante import MailOptions, MailService
from gateway.sandbox.pki import KeyPair, Kind, create_pki, issue_client

DEFAULT_TRUST_SPACE = (
    "medecin.mssante.example",
    "kine.mssante.example",
    "cabinet.mssante.example",
    PATIENT_DOMAIN,
)


class DmpView:
    """What the DMP holds, for tests, the demo and the command line; and its patients, to configure."""

    def __init__(self, store: DmpStore) -> None:
        self._store = store

    def documents(self, ins: str | None = None, *, signatures: bool = False) -> list[DmpDocument]:
        """Documents of a patient (matricule) or of all, oldest first."""
        return self._store.documents(ins, signatures=signatures)

    def submissions(self, ins: str | None = None) -> list[DmpSubmission]:
        """Accepted submission sets, oldest first."""
        return self._store.submissions(ins)

    def receptions(self, set_unique_id: str | None = None) -> list[Reception]:
        """Every physical arrival of a set (or of all), accepted, refused or struck by a fault."""
        return self._store.receptions(set_unique_id)

    def questions(self) -> list[Question]:
        """Every stored query (TD3.1), oldest first."""
        return self._store.questions()

    def versions(self, unique_id: str) -> list[DmpDocument]:
        """Every metadata version of a document by its uniqueId, oldest first."""
        return [one for found in self._store.by_unique_id(unique_id) for one in self._store.versions(found.logical_id)]

    def associations(self, *entry_uuids: str) -> list[DmpAssociation]:
        """Links that leave from or arrive at these entryUUIDs, oldest first."""
        return self._store.associations(entry_uuids)

    def exchanges(self, transaction: str = "", *, about: str = "") -> list[Exchange]:
        """Every request of a transaction (`TD3.3`) or about a uniqueId or entryUUID, oldest first, without bodies."""
        return self._store.exchanges.all(transaction=transaction, about=about)

    def exchange(self, number: int) -> Exchange | None:
        """One exchange with the bytes of its request and of its answer, while they are kept."""
        return self._store.exchanges.get(number)

    def count(self, transaction: str = "", *, about: str = "", outcome: str = "") -> int:
        """How many requests came: of a transaction, about an identifier, with an outcome (`accepted`, `lost`)."""
        return self._store.exchanges.count(transaction, about=about, outcome=outcome)

    def refuse_structure(self, structure: str, person: str = "", *, refused: bool = True) -> None:
        """Make TD0.2 say that a structure is unknown or, with `person`, that they are not linked."""
        self._store.refuse_structure(structure, person, refused=refused)

    def set_patient(self, matricule: str, oid: str, *, status: str = "active", authorisation: str = VALID) -> None:
        """Say what the DMP of a patient is: `status` active, closed or absent; `authorisation` VALIDE or not."""
        self._store.set_patient(DmpPatient(matricule, oid, status, authorisation))


class Sandbox:
    """An MSSanté operator, a DMP and the directory on loopback, with a private CA kept in `folder`.

    `trust_space`: domains that the operator serves; `mailboxes`: for a domain, its only local parts.
    Ports 0 mean any free port; the real ones are in `smtp_port`, `dmp_port` and `annuaire_port` after `start()`.
    `page_port`: also serve the DMP's browser page there (plain HTTP on the loopback, see `page_url`); None for none.
    Servers run in threads: `start` and `stop` may be called from any code, asyncio included.
    Raises ConfigError (SBX-...) when the certificates kept in the folder cannot serve.
    """

    def __init__(  # noqa: PLR0913 every one has a default but two
        self,
        folder: Path,
        *,
        clock: Clock,
        randomness: Randomness | None = None,
        host: str = "127.0.0.1",
        smtp_port: int = 0,
        dmp_port: int = 0,
        insi_port: int = 0,
        annuaire_port: int = 0,
        page_port: int | None = None,
        trust_space: Sequence[str] = DEFAULT_TRUST_SPACE,
        mailboxes: Mapping[str, Sequence[str]] | None = None,
        mail_options: MailOptions | None = None,
        dmp_options: DmpOptions | None = None,
    ) -> None:
        self.folder = folder
        self.host = host
        self.smtp_port = smtp_port
        self.dmp_port = dmp_port
        self.insi_port = insi_port
        self.annuaire_port = annuaire_port
        self.trust_space = tuple(trust_space)
        self._clock = clock
        self._randomness = randomness or SystemRandomness()
        self._mailboxes = Mailboxes(self.trust_space, mailboxes or {})
        self._mail_options = mail_options or MailOptions()
        self._dmp_options = dmp_options or DmpOptions()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._pki = create_pki(folder / "pki", clock)
        self.faults = Faults(folder / "faults.json")
        self._mail_store = MailStore(folder / "mail", clock, self._randomness)
        self._dmp_store = DmpStore(folder / "dmp.sqlite", clock)
        self.mail = self._new_mail()
        self.dmp = DmpView(self._dmp_store)
        self.insi = InsiSandbox(folder, clock, self.faults, self._pki)
        self.annuaire = AnnuaireService(clock, self._randomness)
        self._server: DmpServer | None = None
        self._page_port = page_port
        self._page: PageServer | None = None
        self._directory: AnnuaireServer | None = None

    def _new_mail(self) -> MailService:
        return MailService(self._mail_store, self._mailboxes, self.faults, self._pki, self._mail_options)

    @property
    def ca_path(self) -> Path:
        """PEM file of the only authority that clients must trust."""
        return self._pki.ca_path

    @property
    def dmp_url(self) -> str:
        """Base of the DMP services, without trailing slash."""
        return f"https://{self.host}:{self.dmp_port}{ROOT}".rstrip("/")

    @property
    def fhir_url(self) -> str:
        """Base of the DMP's FHIR door (experimental), without trailing slash: same port, same certificates."""
        return f"https://{self.host}:{self.dmp_port}{FHIR_ROOT}"

    @property
    def page_url(self) -> str:
        """Where a browser sees what the DMP holds; empty when the page was not asked for."""
        return self._page.url if self._page is not None else ""

    @property
    def annuaire_url(self) -> str:
        """Base of the directory's FHIR API, without trailing slash."""
        return f"https://{self.host}:{self.annuaire_port}{API}"

    @property
    def extraction_url(self) -> str:
        """Address of the directory's daily file."""
        return f"https://{self.host}:{self.annuaire_port}{EXTRACTION}"

    @property
    def insi_url(self) -> str:
        """Address of the INSi service."""
        return self.insi.url(self.host, self.insi_port)

    def issue_client(
        self,
        name: str,
        *,
        kind: Kind,
        structure_id: str,
        rpps: str | None = None,
        mailboxes: Sequence[str] = (),
        common_name: str | None = None,
    ) -> KeyPair:
        """A client certificate signed by the sandbox CA (see `pki.issue_client`)."""
        return issue_client(
            self._pki.folder,
            name,
            clock=self._clock,
            kind=kind,
            structure_id=structure_id,
            rpps=rpps,
            mailboxes=mailboxes,
            common_name=common_name,
        )

    def start(self) -> None:
        """Listen on the three ports. Raises OSError when one is taken."""
        service = DmpService(
            self._dmp_store,
            self._pki.authority.certificate(),
            self.faults,
            self._clock,
            self._randomness,
            self._dmp_options,
        )
        fhir = FhirService(self._dmp_store, self.faults, self._clock, self._randomness, self._dmp_options)
        self._server = DmpServer(self.host, self.dmp_port, service, fhir, self.faults, self._pki)
        self.dmp_port = int(self._server.server_address[1])
        self._server.start()
        try:
            self._directory = AnnuaireServer(self.host, self.annuaire_port, self.annuaire, self.faults, self._pki)
            self.annuaire_port = int(self._directory.server_address[1])
            self._directory.start()
            if self._page_port is not None:
                self._page = PageServer(self._page_port, self._dmp_store)
                self._page_port = int(self._page.server_address[1])
                self._page.start()
            self.insi_port = self.insi.start(self.host, self.insi_port)
            self.smtp_port = self.mail.start(self.host, self.smtp_port)
        except OSError:
            self._stop_web()
            raise

    def stop(self) -> None:
        """Stop the servers; what they stored stays readable, and `start` may be called again."""
        if self._server is None:
            return
        self._stop_web()
        self.mail.stop()
        self.mail = self._new_mail()

    def _stop_web(self) -> None:
        for server in (self._page, self._directory, self._server):
            if server is not None:
                server.stop()
        self._page = self._directory = self._server = None
        self.insi.stop()

    def close(self) -> None:
        """Stop and let go of the files."""
        self.stop()
        self._dmp_store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self) -> dict[str, Any]:
        """What somebody needs to point a client at this sandbox, as JSON-ready data."""
        clients = sorted((self._pki.folder / "clients").glob("*.pem"))
        return {
            "smtp": {"host": self.host, "port": self.smtp_port, "security": "tls"},
            "dmp": {"url": self.dmp_url, "fhir": self.fhir_url, "page": self.page_url},
            "insi": {"url": self.insi_url},
            "annuaire": {"url": self.annuaire_url, "extraction": self.extraction_url, "key": KEY},
            "ca_file": str(self.ca_path),
            "clients": [{"cert_file": str(p), "key_file": str(p.with_suffix(".key"))} for p in clients],
            "trust_space": list(self.trust_space),
            "control_file": str(self.folder / "faults.json"),
            "faults": self.faults.pending(),
        }

    def write_trust_space(self, path: Path) -> None:
        """Write the list of domains that `[trust_space] file` names: one a line, after source and date."""
        today = self._clock.now().date().isoformat()
        domains = [domain.lower() for domain in self.trust_space]
        lines = ["# source: bac à sable kine-gateway", f"# date: {today}", *domains]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
