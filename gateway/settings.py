"""Settings: one TOML file, unknown keys refused, secrets by file path only."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from gateway.errors import ConfigError

ENV_CONFIG = "KINE_GATEWAY_CONFIG"
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class _Table(BaseModel):
    # Infinity and NaN are TOML; as a delay they would mean never.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Environment(StrEnum):
    """Which world an account lives in: a test INS never goes to production, nor the reverse."""

    TEST = "test"
    PRODUCTION = "production"


class TlsSettings(_Table):
    """Mutual TLS: trust anchor only from here, never from the system (spec mssante §4)."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None
    crl_file: Path | None = None

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file et key_file vont ensemble")
        return self


class SmtpSettings(_Table):
    """The MSSanté operator that takes this account's mail. Times in seconds."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: int = Field(default=465, ge=1, le=65535)
    security: Literal["tls", "starttls"] = "tls"
    tls: TlsSettings
    answer_timeout: float = Field(
        default=600.0, gt=0, description="Wait for the answer to a whole message (RFC 5321 §4.5.3.2.6)."
    )
    timeout: float = Field(default=60.0, gt=0)
    max_bytes: int = Field(default=25_000_000, gt=0, description="Limit on the encoded message, in bytes.")


class DmpSettings(_Table):
    """The DMP (or its sandbox). `profile` selects the signature algorithms (spec dmp §2.1)."""

    url: Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$")] = Field(
        description="Base of the services (https only), without trailing slash."
    )
    mode: Literal["direct", "indirect"] = "indirect"
    tls: TlsSettings
    sign_cert_file: Path
    sign_key_file: Path
    profile: Literal["legacy", "modern"] = "modern"
    vihf_version: Literal["3.0", "4.0"] = "3.0"
    homologation: str = "NON-HOMOLOGUE"
    local_id: str = Field(default="kine-gateway", description="Internal id of the sender in indirect mode.")
    in_doubt: Literal["query", "resend", "human"] = "query"
    timeout: float = Field(default=60.0, gt=0)


class AccountSettings(_Table):
    """One author (RPPS) in one practice."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    rpps: Annotated[str, StringConstraints(pattern=r"^[0-9]{11}$")]
    environment: Environment = Environment.TEST
    mailbox: str
    display_name: str = Field(description="`<Titre>_<Prénom>_<NOM>_<Entité>`, ECO.2.2.7.")
    outbox: Path | None = None
    oid_root: Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$")] = Field(
        description="OID under which the practice's own identifiers live."
    )
    nil: str = Field(description="Product reference number for X-MSS-NIL (ECO.2.4.3).")
    patient_replies: bool = Field(
        default=True, description="Whether a patient may answer; false adds `X-MSS-MES: FIN` (ECO.2.2.8)."
    )
    smtp: SmtpSettings | None = None
    dmp: DmpSettings | None = None


class TrustSpace(_Table):
    """File that lists the MSSanté domains: a mail to any other domain is refused before connecting."""

    file: Path


class StoreSettings(_Table):
    """Where deliveries live: `sqlite:///path`. Never a network share."""

    url: Annotated[str, StringConstraints(pattern=r"^(sqlite:///.+|postgres(ql)?://.+)$")]


class SealingSettings(_Table):
    """Master key file (32 bytes, base64) that wraps each document's key."""

    key_file: Path


class JournalSettings(_Table):
    """Where signed checkpoints go, outside the database, and the Ed25519 key that signs them."""

    checkpoint_dir: Path
    key_file: Path
    origin: str = "kine-gateway.local/journal"
    every_records: int = Field(default=1000, gt=0)


class RetrySettings(_Table):
    """Durable schedule, in seconds (DESIGN §4 rule 6): the last delay repeats until `give_up_after`."""

    delays: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(30, 120, 600, 3600, 21600), min_length=1)
    give_up_after: float = Field(default=5 * 86400, gt=0)
    jitter: bool = True
    lease: float = Field(default=60.0, gt=0)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_pause: float = Field(default=60.0, gt=0)


class SidecarSettings(_Table):
    """Folder watch. `scan_every` in seconds; `keep` leaves accepted files beside their status."""

    scan_every: float = Field(default=2.0, gt=0)
    keep: bool = False
    workers: int = Field(default=4, ge=1, le=64)


class CdaSettings(_Table):
    """`with_pdf` joins the PDF to the CDA as a copy of the document, which then weighs about three times as much."""

    with_pdf: bool = False


class FhirSettings(_Table):
    """FR Core version whose identity status codes are written (spec fhir §1), and what a FHIR document holds besides.

    `with_pdf` puts the PDF into the FHIR document, which then weighs twice as much; `document_core` claims the draft
    ANS profiles of a document (spec fhir §2).
    """

    fr_core: Literal["2.1", "2.2-ballot", "2.2"] = "2.2-ballot"
    with_pdf: bool = False
    document_core: bool = False


class RulesSettings(_Table):
    """Dates that the sources disagree on, so configuration decides (spec kine §1)."""

    experiment_start: date = Field(default=date(2025, 6, 8), strict=True)
    episode_months: int = Field(default=3, ge=1, le=24)


class KitSettings(_Table):
    """One copy of the ANS test kit. `sha256` is its pin (`kine-gateway validate --pin FOLDER`)."""

    path: Path
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "ans"
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class ValidationSettings(_Table):
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


class Settings(_Table):
    """The whole configuration. Relative paths are taken from the folder of the file."""

    store: StoreSettings
    sealing: SealingSettings
    journal: JournalSettings
    trust_space: TrustSpace
    account: tuple[AccountSettings, ...] = Field(min_length=1)
    retry: RetrySettings = RetrySettings()
    sidecar: SidecarSettings = SidecarSettings()
    cda: CdaSettings = CdaSettings()
    fhir: FhirSettings = FhirSettings()
    rules: RulesSettings = RulesSettings()
    validation: ValidationSettings = ValidationSettings()

    @model_validator(mode="after")
    def _accounts_differ(self) -> Self:
        ids = [account.id for account in self.account]
        # `a/../b` and `b` are one folder, and so are `A` and `a` where the system says so.
        folders = [os.path.normcase(os.path.normpath(a.outbox)) for a in self.account if a.outbox is not None]
        for name, values in (("id", ids), ("outbox", folders)):
            if len(set(values)) != len(values):
                raise ValueError(f"deux comptes ont le même {name}")
        return self

    @model_validator(mode="after")
    def _headers_are_one_line(self) -> Self:
        for place, account in enumerate(self.account):
            if not _MAILBOX.fullmatch(account.mailbox):
                raise ValueError(f"account[{place}].mailbox n'est pas une adresse de messagerie")
            for name in ("display_name", "nil"):
                if not _ONE_LINE.fullmatch(getattr(account, name)):
                    raise ValueError(f"account[{place}].{name} est vide ou contient un caractère de contrôle")
        return self

    def find_account(self, account_id: str) -> AccountSettings | None:
        """The account of that id, or None."""
        return next((a for a in self.account if a.id == account_id), None)


def preview_account(account_id: str, rpps: str, environment: Environment = Environment.TEST) -> AccountSettings:
    """An account made up so that a document can be previewed without configuration: nothing can be sent from it."""
    nowhere = Path("sans-configuration")
    tls = TlsSettings(ca_file=nowhere)
    return AccountSettings(
        id=account_id,
        rpps=rpps,
        environment=environment,
        mailbox="apercu@apercu.invalid",
        display_name="APERCU",
        oid_root="2.25.0",
        nil="APERCU",
        smtp=SmtpSettings(host="apercu.invalid", tls=tls),
        dmp=DmpSettings(url="https://apercu.invalid", tls=tls, sign_cert_file=nowhere, sign_key_file=nowhere),
    )


def load(path: Path | None = None) -> Settings:
    """Read settings from `path`, else from the file that `KINE_GATEWAY_CONFIG` names.

    Raises ConfigError (CFG-001 no file, CFG-002 not TOML, CFG-003 refused values, each by its key, no value repeated).
    """
    file = path or _from_environment()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as fault:
        raise _unreadable(file, fault) from fault
    try:
        return Settings.model_validate(_absolute(table, file.resolve().parent))
    except ValidationError as fault:
        lines = [f"{key_of(detail['loc'])} : {_said(detail)}" for detail in fault.errors(include_url=False)]
        raise ConfigError("CFG-003", f"{file} : " + " ; ".join(lines) + ".", _MODEL) from fault


_MODEL = "Modèle commenté : config/gateway.example.toml."


def _unreadable(file: Path, fault: Exception) -> ConfigError:
    if isinstance(fault, OSError):
        return ConfigError("CFG-001", f"Configuration illisible : {file}.", "Vérifier le chemin et les droits.")
    if isinstance(fault, tomllib.TOMLDecodeError):
        where = re.search(r"line (\d+), column (\d+)", str(fault))  # the place alone: the text may hold a value
        line = f"ligne {where[1]}, colonne {where[2]}" if where else "fin du fichier"
        return ConfigError("CFG-002", f"{file} n'est pas un TOML valable ({line}).", _MODEL)
    return ConfigError("CFG-002", f"{file} n'est pas un TOML valable en UTF-8.", _MODEL)


_SAID: Mapping[str, str] = {
    "extra_forbidden": "clé inconnue",
    "missing": "clé obligatoire absente",
    "string_pattern_mismatch": "forme inattendue",
    "string_type": "un texte entre guillemets est attendu",
    "path_type": "un chemin entre guillemets est attendu",
    "literal_error": "valeurs permises : {expected}",
    "enum": "valeurs permises : {expected}",
    "greater_than": "doit dépasser {gt}",
    "greater_than_equal": "au moins {ge}",
    "less_than_equal": "au plus {le}",
    "finite_number": "un nombre fini est attendu",
    "int_parsing": "un nombre entier est attendu",
    "int_type": "un nombre entier est attendu",
    "int_from_float": "un nombre entier est attendu",
    "float_parsing": "un nombre est attendu",
    "float_type": "un nombre est attendu",
    "bool_parsing": "true ou false est attendu",
    "bool_type": "true ou false est attendu",
    "date_type": "une date sans guillemets est attendue, par exemple 2025-06-08",
    "tuple_type": "une liste est attendue",
    "too_short": "au moins {min_length} élément",
    "model_type": "une table est attendue",
    "model_attributes_type": "une table est attendue",
    "value_error": "{error}",
}


def _said(detail: ErrorDetails) -> str:
    return _SAID.get(detail["type"], "valeur refusée").format_map(detail.get("ctx", {}))


def key_of(steps: tuple[int | str, ...]) -> str:
    """The key as it is spoken of: `account[0].smtp.port`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".") or "configuration"


def redacted(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every value in force by key, with its origin (`fichier` or `défaut`). A password in a URL is masked."""
    return {key_of(steps): {"value": _masked(value), "origin": origin} for steps, value, origin in _walk(settings, ())}


def _walk(value: Any, steps: tuple[int | str, ...], origin: str = "fichier") -> Iterator[tuple[Any, Any, str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            given = "fichier" if name in value.model_fields_set and origin == "fichier" else "défaut"
            yield from _walk(getattr(value, name), (*steps, name), given)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for place, inner in enumerate(value):
            yield from _walk(inner, (*steps, place), origin)
    else:
        yield steps, value, origin


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"(?<=://)([^/@\s]*):[^/@\s]*@", r"\1:***@", value)
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | int | float | None) else str(value)


def _from_environment() -> Path:
    name = os.environ.get(ENV_CONFIG)
    if not name:
        raise ConfigError(
            "CFG-001",
            "Aucune configuration.",
            f"Donner --config FICHIER ou la variable {ENV_CONFIG} (modèle : config/gateway.example.toml).",
        )
    return Path(name)


_PATH_KEYS = {
    "ca_file",
    "cert_file",
    "key_file",
    "crl_file",
    "sign_cert_file",
    "sign_key_file",
    "file",
    "checkpoint_dir",
    "outbox",
    "path",
}


def _absolute(value: Any, base: Path) -> Any:
    """Relative paths (and the path in `store.url`) made absolute from the configuration's folder."""
    if isinstance(value, dict):
        return {key: _path(key, inner, base) for key, inner in value.items()}
    if isinstance(value, list):
        return [_absolute(inner, base) for inner in value]
    return value


def _path(key: str, value: Any, base: Path) -> Any:
    if key in _PATH_KEYS and isinstance(value, str):
        return str(base / _home(value))
    if key == "url" and isinstance(value, str) and value.startswith("sqlite:///"):
        return f"sqlite:///{base / value.removeprefix('sqlite:///')}"
    return _absolute(value, base)


def _home(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # `~stranger`: no such user, so a folder of that name
        return Path(value)
