"""What every table of the configuration shares, and mutual TLS."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Table(BaseModel):
    """A table of the configuration: unknown keys refused, values fixed once read."""

    # Infinity and NaN are TOML; as a delay they would mean never.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Environment(StrEnum):
    """Which world an account lives in: a test INS never goes to production, nor the reverse."""

    TEST = "test"
    PRODUCTION = "production"


class TlsSettings(Table):
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
