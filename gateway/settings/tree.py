"""The whole configuration, and an account in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.settings.base import Environment, Table, TlsSettings
from gateway.settings.indicators import IndicatorSettings
from gateway.settings.insi import InsiSettings
from gateway.settings.machinery import (
    AlertSettings,
    CdaSettings,
    FhirSettings,
    HealthSettings,
    JournalSettings,
    ReceiptSettings,
    RetrySettings,
    RulesSettings,
    SealingSettings,
    SidecarSettings,
    StoreSettings,
    TraceSettings,
    TrustSpace,
    ValidationSettings,
    WebSettings,
)
from gateway.settings.pace import ClockSettings, RateSettings
from gateway.settings.retention import RetentionSettings
from gateway.settings.ways import AnnuaireSettings, DmpSettings, ImapSettings, SmtpSettings

_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class AccountSettings(Table):
    """One author (RPPS) in one practice."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    rpps: Annotated[str, StringConstraints(pattern=r"^[0-9]{11}$")]
    replacements: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{11}$")], ...] = Field(
        default=(), description="RPPS of those who write in this practice in the owner's place, from his mailbox."
    )
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
    token_command: tuple[str, ...] = Field(
        default=(),
        description="Program and arguments, run without shell, that print an access token (XOAUTH2). Status 75 or "
        "empty output: a person has to log in again.",
    )
    token_timeout: float = Field(default=20.0, gt=0, description="Seconds that the program may take.")
    token_probe: float = Field(
        default=60.0, ge=1, description="While deliveries wait for a person: seconds between two looks for a token."
    )
    smtp: SmtpSettings | None = None
    imap: ImapSettings | None = None
    dmp: DmpSettings | None = None
    insi: InsiSettings | None = None


class Settings(Table):
    """The whole configuration. Relative paths are taken from the folder of the file."""

    store: StoreSettings
    sealing: SealingSettings
    journal: JournalSettings
    trust_space: TrustSpace
    account: tuple[AccountSettings, ...] = Field(min_length=1)
    retry: RetrySettings = RetrySettings()
    rate: RateSettings = RateSettings()
    clock: ClockSettings = ClockSettings()
    receipts: ReceiptSettings = ReceiptSettings()
    sidecar: SidecarSettings = SidecarSettings()
    cda: CdaSettings = CdaSettings()
    fhir: FhirSettings = FhirSettings()
    rules: RulesSettings = RulesSettings()
    validation: ValidationSettings = ValidationSettings()
    annuaire: AnnuaireSettings | None = None
    traces: TraceSettings = TraceSettings()
    retention: RetentionSettings = RetentionSettings()
    web: WebSettings = WebSettings()
    health: HealthSettings | None = None
    alerts: AlertSettings | None = None
    indicators: IndicatorSettings = IndicatorSettings()

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

    @model_validator(mode="after")
    def _webhooks_have_an_account(self) -> Self:
        for place, webhook in enumerate(self.web.webhook):
            if self.find_account(webhook.account) is None:
                raise ValueError(f"web.webhook[{place}].account n'est pas un compte de cette configuration")
        return self

    @property
    def traces_folder(self) -> Path:
        """Where traces are written: `traces.dir`, or beside the checkpoints."""
        return self.traces.dir or self.journal.checkpoint_dir.parent / "traces"

    @property
    def tokens_file(self) -> Path:
        """Who may use the pages and the API: `web.tokens_file`, or beside the master key."""
        return self.web.tokens_file or self.sealing.key_file.parent / "tokens.json"

    @property
    def webhooks_file(self) -> Path:
        """How far the receivers of webhooks have been told: beside the checkpoints."""
        return self.journal.checkpoint_dir.parent / "webhooks.json"

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
