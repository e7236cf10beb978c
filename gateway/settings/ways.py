"""The other sides that an account talks to: the MSSanté operator and the DMP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.settings.base import Table, TlsSettings


class SmtpSettings(Table):
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


class DmpSettings(Table):
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
