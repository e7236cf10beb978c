"""This machine's clock: what was measured of it, and whether it is fit to send by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gateway import platform
from gateway.findings import Finding, error, warning

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.skew import Offset, Skew

_SOURCE = "DESIGN §4, Journal"


@dataclass(frozen=True, slots=True)
class Measured:
    """One server: seconds to add to this machine's time to have its own, give or take `error`; `age` in seconds."""

    source: str
    offset: float
    error: float
    samples: int
    age: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}


class Clocks:
    """What `gateway.clocks` offers."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def measured(self) -> list[Measured]:
        """What each server said, to this process or to another one of this machine since it started. By name.

        Raises StoreError.
        """
        skew, now = self._skew(), self._machinery.clock.elapsed()
        found = ((reading, skew.of(reading)) for reading in skew.readings())
        return [Measured(one.source, of.seconds, of.error, one.samples, now - one.at) for one, of in found]

    def agreed(self) -> Offset | None:
        """What most servers agree on; None when nothing was measured, or they contradict each other."""
        return self._skew().agreed()

    def inspect(self) -> list[Finding]:
        """CLK-001: the clock is off, CLK-002: the servers contradict each other. Nothing where nothing is known."""
        limit, readings, agreed = self._machinery.settings.clock.max_skew, self.measured(), self.agreed()
        if agreed is None:
            return [_contradiction(readings)] if readings else []
        if not limit or agreed.least <= limit:
            return []
        way = "retarde" if agreed.seconds > 0 else "avance"
        message = f"L'horloge de ce poste {way} de {abs(agreed.seconds):.0f} s ({', '.join(agreed.sources)})."
        advice = "Régler l'heure du poste (synchronisation NTP) : le DMP est en pause et repart ensuite de lui-même."
        return [error("CLK-001", "/clock", message, advice, _SOURCE)]

    async def ask_time_servers(self) -> None:
        """Ask those of the settings now and then, until cancelled."""
        from gateway.engine.clockwatch import ask_time_servers

        machinery = self._machinery
        await ask_time_servers(machinery.settings.clock, machinery.skew, machinery.randomness)

    def _skew(self) -> Skew:
        """The measurements of this process, with those that others left."""
        boot = platform.boot_id()
        if boot:
            self._machinery.skew.known(self._machinery.store.clock_readings(boot))
        return self._machinery.skew


def _contradiction(readings: list[Measured]) -> Finding:
    said = ", ".join(f"{one.source} {one.offset:+.0f} s" for one in readings)
    message = f"Les serveurs ne donnent pas la même heure : {said}."
    advice = "Vérifier l'heure du poste ; un serveur de temps de plus (clock.sntp) les départagerait."
    return warning("CLK-002", "/clock", message, advice, _SOURCE)
