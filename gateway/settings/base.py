"""What every table of the configuration shares, and mutual TLS."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$")]
"""Base of a service: https only, nobody's name or password in it, no query."""


class Table(BaseModel):
    """A table of the configuration: unknown keys refused, values fixed once read."""

    # Infinity and NaN are TOML; as a delay they would mean never.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Environment(StrEnum):
    """Which world an account lives in: a test INS never goes to production, nor the reverse."""

    TEST = "test"
    PRODUCTION = "production"


class TlsSettings(Table):
    """Mutual TLS: trust anchor only from here, never from the system (spec mssante §4).

    The client's certificate comes as PEM (`cert_file`, `key_file`) or as PKCS#12 with a file that holds its password.
    """

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None
    pkcs12_file: Path | None = None
    pkcs12_password_file: Path | None = None
    crl_file: Path | None = None

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        pairs(self, ("cert_file", "key_file"), ("pkcs12_file", "pkcs12_password_file"))
        return self

    @property
    def with_certificate(self) -> bool:
        """Whether we have a certificate of our own to show."""
        return self.cert_file is not None or self.pkcs12_file is not None


def pairs(table: Table, *names: tuple[str, str]) -> int:
    """How many of these pairs of keys are given: each whole, at most one. Raises ValueError (French) otherwise."""
    given = 0
    for one, other in names:
        if (getattr(table, one) is None) != (getattr(table, other) is None):
            raise ValueError(f"{one} et {other} vont ensemble")
        given += getattr(table, one) is not None
    if given > 1:
        raise ValueError(" ou ".join(one for one, _ in names) + " : un seul des deux")
    return given
