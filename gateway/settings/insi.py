"""INSi, the service that gives the INS: how an account asks it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.settings.base import HttpsUrl, Table, TlsSettings


class InsiSettings(Table):
    """INSi (or its sandbox), by the organisation's certificate. What is configured is what the CNDA registered."""

    url: HttpsUrl = Field(description="Address of the service (https only).")
    tls: TlsSettings
    idam: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")] = Field(
        description="Authorisation number of the software (IDAM), given by the CNDA."
    )
    emitter: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")] = Field(
        description="Billing number of the structure or person that asks (Emetteur)."
    )
    name: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,64}$")] = "urn:lps:kine-gateway"
    version: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,32}$")] = "1"
    instance: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")] = Field(
        default="1", description="Which installation of the software asks."
    )
    timeout: float = Field(default=15.0, gt=0, description="Seconds for one call; somebody is waiting.")
    retries: int = Field(default=2, ge=0, le=5, description="Further tries at once when the service is only away.")
