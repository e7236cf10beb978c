"""Settings: one TOML file, unknown keys refused, secrets by file path only."""

from __future__ import annotations

from gateway.settings.base import (
    Environment,
    TlsSettings,
)
from gateway.settings.indicators import IndicatorSettings
from gateway.settings.insi import InsiSettings
from gateway.settings.loading import (
    ENV_CONFIG,
    key_of,
    load,
    redacted,
)
from gateway.settings.machinery import (
    AlertSettings,
    CdaSettings,
    FhirSettings,
    HealthSettings,
    JournalSettings,
    KitSettings,
    ReceiptSettings,
    RetrySettings,
    RulesSettings,
    SealingSettings,
    SidecarSettings,
    StoreSettings,
    TimestampSettings,
    TraceSettings,
    TrustSpace,
    ValidationSettings,
    WebhookSettings,
    WebSettings,
)
from gateway.settings.pace import (
    ClockSettings,
    HostRate,
    RateSettings,
)
from gateway.settings.retention import RetentionSettings
from gateway.settings.tree import (
    AccountSettings,
    Settings,
    preview_account,
)
from gateway.settings.ways import (
    AnnuaireApiSettings,
    AnnuaireSettings,
    DmpSettings,
    ExtractionSettings,
    ImapSettings,
    SmtpSettings,
)

__all__ = [
    "ENV_CONFIG",
    "AccountSettings",
    "AlertSettings",
    "AnnuaireApiSettings",
    "AnnuaireSettings",
    "CdaSettings",
    "ClockSettings",
    "DmpSettings",
    "Environment",
    "ExtractionSettings",
    "FhirSettings",
    "HealthSettings",
    "HostRate",
    "ImapSettings",
    "IndicatorSettings",
    "InsiSettings",
    "JournalSettings",
    "KitSettings",
    "RateSettings",
    "ReceiptSettings",
    "RetentionSettings",
    "RetrySettings",
    "RulesSettings",
    "SealingSettings",
    "Settings",
    "SidecarSettings",
    "SmtpSettings",
    "StoreSettings",
    "TimestampSettings",
    "TlsSettings",
    "TraceSettings",
    "TrustSpace",
    "ValidationSettings",
    "WebSettings",
    "WebhookSettings",
    "key_of",
    "load",
    "preview_account",
    "redacted",
]
