"""What the engine holds itself to: how often a server is asked, and how far this machine's clock may be off."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.settings.base import Table

_HOST = r"^[A-Za-z0-9.:-]{1,253}$"


class HostRate(Table):
    """The limit of one server, by the name that the account's configuration gives it."""

    host: Annotated[str, StringConstraints(pattern=_HOST)]
    per_minute: float = Field(gt=0, le=60_000)
    burst: int = Field(default=1, ge=1, le=10_000)


class RateSettings(Table):
    """Deliveries a minute that a server is given by this process, all accounts and channels together.

    `per_minute` holds for every server that `host` does not name; 0, the default: no limit. `burst` may go at once
    after a rest. Where several processes work, each has its own count: divide the server's limit between them.
    """

    per_minute: float = Field(default=0, ge=0, le=60_000)
    burst: int = Field(default=10, ge=1, le=10_000)
    host: tuple[HostRate, ...] = ()

    @model_validator(mode="after")
    def _each_host_once(self) -> Self:
        names = [one.host.lower() for one in self.host]
        if len(set(names)) != len(names):
            raise ValueError("un serveur a deux limites (rate.host)")
        return self

    def of(self, host: str) -> tuple[float, int]:
        """Deliveries a minute (0: no limit) and burst of a server."""
        for one in self.host:
            if one.host.lower() == host.lower():
                return one.per_minute, one.burst
        return self.per_minute, self.burst


class ClockSettings(Table):
    """This machine's clock against those of the servers: measured with each answer, never set.

    Beyond `max_skew` seconds the DMP is paused until it is right again; 0: never. `sntp` names time servers
    (`host` or `host:port`) that are asked besides, every `every` seconds; none by default.
    """

    max_skew: float = Field(default=60.0, ge=0)
    sntp: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$")], ...] = ()
    every: float = Field(default=900.0, ge=60)
    timeout: float = Field(default=5.0, gt=0)
