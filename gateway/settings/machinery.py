"""How the gateway itself works: store, sealing, journal, schedule, folder, documents and their checks."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from gateway.settings.base import Table


class TrustSpace(Table):
    """File that lists the MSSanté domains: a mail to any other domain is refused before connecting."""

    file: Path


class StoreSettings(Table):
    """Where deliveries live: `sqlite:///path` (never a network share), or `postgresql://...` (docs/scale.md)."""

    url: Annotated[str, StringConstraints(pattern=r"^(sqlite:///.+|postgres(ql)?://.+)$")]


class SealingSettings(Table):
    """Master key file (32 bytes, base64) that wraps each document's key."""

    key_file: Path


class TimestampSettings(Table):
    """A time-stamping authority (RFC 3161) that anchors checkpoints: it receives a hash, nothing else.

    `roots_file` holds the certificates (PEM) that its stamps are verified against, `ca_file` those of its web server.
    """

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s#]*)?$")]
    roots_file: Path
    ca_file: Path | None = None
    every_hours: float = Field(default=24.0, gt=0)
    timeout: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _https_has_an_anchor(self) -> Self:
        if self.url.startswith("https:") and self.ca_file is None:
            raise ValueError("une adresse https demande ca_file")
        return self


class JournalSettings(Table):
    """Where signed checkpoints go, outside the database, and the Ed25519 key that signs them.

    A checkpoint is signed every `every_records` records, every `every_minutes` minutes while a worker runs, and at
    each stop; `timestamp` anchors them with a third party. `shards`: chains of a store on PostgreSQL, fixed when it is
    founded; SQLite has one.
    """

    checkpoint_dir: Path
    key_file: Path
    origin: str = "kine-gateway.local/journal"
    every_records: int = Field(default=1000, gt=0)
    every_minutes: float = Field(default=15.0, gt=0)
    shards: int = Field(default=4, ge=1, le=64)
    timestamp: TimestampSettings | None = None


class RetrySettings(Table):
    """Durable schedule, in seconds (DESIGN §4 rule 6): the last delay repeats until `give_up_after`."""

    delays: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(30, 120, 600, 3600, 21600), min_length=1)
    give_up_after: float = Field(default=5 * 86400, gt=0)
    jitter: bool = True
    lease: float = Field(default=60.0, gt=0)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_pause: float = Field(default=60.0, gt=0)


class TraceSettings(Table):
    """One line for each exchange with a server, never content (ANS FAQ 10217): where (beside the checkpoints unless
    given), and for how many days. Six months is what the ANS recommends.
    """

    dir: Path | None = None
    keep_days: int = Field(default=184, ge=1)


class ReceiptSettings(Table):
    """When a missing receipt is overdue, in seconds after sending; nothing is ever sent again because of it.

    `delivered`: no receipt of any kind (an operator tries for up to five days, and says so within hours). `soon` and
    `urgent` are for letters of those priorities; an urgent one has to be read by then, not only delivered. `processed`:
    no proof of reading for any other letter; 0, the default: not asked for, since recipients need not give one (RFC
    8098 §2.1). `reporters` are domains beside the trust space that the operator's delivery reports come from.
    """

    delivered: float = Field(default=2 * 86400, gt=0)
    soon: float = Field(default=86400, gt=0)
    urgent: float = Field(default=4 * 3600, gt=0)
    processed: float = Field(default=0, ge=0)
    reporters: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")], ...] = ()


class SidecarSettings(Table):
    """Folder watch. `scan_every` in seconds; `keep` leaves accepted files beside their status.

    `obligations_every`: seconds between two looks for obligations that became late.
    """

    scan_every: float = Field(default=2.0, gt=0)
    obligations_every: float = Field(default=3600.0, gt=0)
    keep: bool = False
    workers: int = Field(default=4, ge=1, le=64)


class CdaSettings(Table):
    """`with_pdf` joins the PDF to the CDA as a copy of the document, which then weighs about three times as much."""

    with_pdf: bool = False


class FhirSettings(Table):
    """FR Core version whose identity status codes are written (spec fhir §1), and what a FHIR document holds besides.

    `with_pdf` puts the PDF into the FHIR document, which then weighs twice as much; `document_core` claims the draft
    ANS profiles of a document (spec fhir §2).
    """

    fr_core: Literal["2.1", "2.2-ballot", "2.2"] = "2.2-ballot"
    with_pdf: bool = False
    document_core: bool = False


ProofName = Literal[
    "ald",
    "cr_operatoire",
    "cr_hospitalisation",
    "cr_medical",
    "cr_urgences",
    "information_medecin",
    "prescription_anterieure",
    "dui",
    "other",
]


class RulesSettings(Table):
    """What the sources disagree on, so configuration decides (spec kine §1); findings cite the value that holds.

    `cpts_proof`: proof of the CPTS renewed `yearly`, or given `once`. `accepted_proofs`: kinds of a prior diagnosis'
    proof. `reorient_at_cap`: no improvement at the last session allowed asks for a reorientation.
    """

    experiment_start: date = Field(default=date(2025, 6, 8), strict=True)
    experiment_end: date = Field(default=date(2030, 6, 8), strict=True)
    enrolment_until: date = Field(default=date(2029, 12, 31), strict=True)
    episode_months: int = Field(default=3, ge=1, le=24)
    cpts_proof: Literal["yearly", "once"] = "yearly"
    accepted_proofs: tuple[ProofName, ...] = tuple(name for name in get_args(ProofName) if name != "other")
    reorient_at_cap: bool = True


class KitSettings(Table):
    """One copy of the ANS test kit. `sha256` is its pin (`kine-gateway validate --pin FOLDER`)."""

    path: Path
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "ans"
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class ValidationSettings(Table):
    """Official kits; `required` makes every submission pass them without error before anything is sent."""

    required: bool = False
    kits: tuple[KitSettings, ...] = ()

    @model_validator(mode="after")
    def _kits_are_told_apart(self) -> Self:
        names = [kit.name for kit in self.kits]
        if len(set(names)) != len(names):
            raise ValueError("deux kits ont le même name")
        if self.required and not self.kits:
            raise ValueError("required demande au moins un kit")
        if self.required and any(kit.sha256 is None for kit in self.kits):
            raise ValueError("required demande un kit épinglé (sha256, donné par kine-gateway validate --pin)")
        return self


class WebhookSettings(Table):
    """Who is told when deliveries of an account move: a signed POST. `secret_file`: base64 of 24 to 64 random bytes."""

    account: str
    url: Annotated[
        str,
        StringConstraints(
            pattern=r"^(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?)(/[^\s#]*)?$"
        ),
    ]
    secret_file: Path
    ca_file: Path | None = None
    timeout: float = Field(default=15.0, gt=0)


_ADDRESS = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Served(Table):
    """Something that listens."""

    listen: Annotated[str, StringConstraints(pattern=_ADDRESS)]

    @property
    def host(self) -> str:
        """Address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Port to listen on; 0: any."""
        return int(self.listen.rpartition(":")[2])


class HealthSettings(_Served):
    """Where /healthz, /readyz and /metrics are served, in clear: on this machine only."""

    @model_validator(mode="after")
    def _stays_here(self) -> Self:
        if self.host not in _LOOPBACK:
            raise ValueError("une adresse de ce poste est attendue (127.0.0.1)")
        return self


class AlertSettings(Table):
    """Program that is run, without shell, when a state changes that a person should know of (JSON on its input)."""

    command: tuple[str, ...] = Field(min_length=1)
    timeout: float = Field(default=20.0, gt=0)


class WebSettings(_Served):
    """Where the audit pages and the API are served. Without a certificate of its own, on this machine only.

    `base_url` is what the outside calls this place, where a proxy stands before it.
    """

    listen: Annotated[str, StringConstraints(pattern=_ADDRESS)] = "127.0.0.1:8787"
    tokens_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    base_url: str | None = None
    max_bytes: int = Field(default=30_000_000, gt=0, description="Size limit of a request, in bytes.")
    requests_per_minute: int = Field(default=600, ge=1, description="For each token of the API.")
    webhook: tuple[WebhookSettings, ...] = ()

    @property
    def scheme(self) -> str:
        """How this place is spoken to: `https` with a certificate of its own."""
        return "http" if self.cert_file is None else "https"

    @model_validator(mode="after")
    def _others_need_tls(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file et key_file vont ensemble")
        if self.cert_file is None and self.host not in _LOOPBACK:
            raise ValueError("une autre adresse que celle de ce poste demande cert_file et key_file")
        return self
