"""What a running gateway counts, in the Prometheus format: depths and ages from the store, the rest from events.

Labels are accounts, channels, states and codes; nothing that names a patient, a document or a delivery.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from gateway.errors import GatewayError
from gateway.inspection import held_certificates
from gateway.store import checkpoint

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.engine.events import DeliveryEvent

_ENDS = frozenset(
    {"taken", "failed", "gave_up", "refused", "misconfigured", "session_needed", "no_destination", "doubt"}
)
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """A registry of its own, so that several gateways in one process do not mix."""

    def __init__(self, gateway: Gateway) -> None:
        self._registry = CollectorRegistry()
        self._attempts = Counter(
            "kine_attempts", "Attempts by how they ended.", ("account", "channel", "outcome"), registry=self._registry
        )
        self._seconds = Histogram(
            "kine_attempt_seconds", "Duration of attempts.", ("channel",), buckets=_SECONDS, registry=self._registry
        )
        self._receipts = Counter(
            "kine_receipts",
            "Received mails that were about a delivery.",
            ("account", "reason"),
            registry=self._registry,
        )
        self._breaker = Gauge(
            "kine_breaker_open", "1 while a host is left alone after failures.", ("host",), registry=self._registry
        )
        self._registry.register(_Standing(gateway))
        gateway.subscribe(self.note)

    def note(self, event: DeliveryEvent) -> None:
        """Count an event."""
        if event.event in _ENDS:
            self._attempts.labels(event.account, event.channel, event.event).inc()
            self._seconds.labels(event.channel).observe(event.elapsed)
        elif event.event == "receipt":
            self._receipts.labels(event.account, event.reason or "none").inc()
        elif event.event in {"breaker_opened", "breaker_closed"}:
            self._breaker.labels(event.host or "").set(event.event == "breaker_opened")

    def text(self) -> bytes:
        """The exposition (text format 0.0.4)."""
        return generate_latest(self._registry)


class _Standing:
    """What the store says at the moment it is asked."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("kine_store_up", "1 when the store answers.")
        try:
            families = [*self._queue(), self._paused(), *self._journal(), self._clock()]
            up.add_metric([], 1)
        except (GatewayError, OSError):
            families = []
            up.add_metric([], 0)
        yield up
        yield from families
        yield self._certificates()

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        now = self._gateway.clock.now()
        names = ("account", "channel", "state")
        depth = GaugeMetricFamily("kine_deliveries", "Deliveries that are not at an end.", labels=names)
        age = GaugeMetricFamily("kine_oldest_seconds", "Age of the oldest of them.", labels=names)
        for count in self._gateway.store.counts():
            labels = (count.account, count.channel, count.state.value)
            depth.add_metric(labels, count.number)
            age.add_metric(labels, max(0.0, (now - count.oldest).total_seconds()))
        yield depth
        yield age

    def _paused(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "kine_paused", "1 for a channel that is paused.", labels=("account", "channel", "reason")
        )
        for pause in self._gateway.pauses():
            family.add_metric((pause.account, pause.channel, pause.reason), 1)
        return family

    def _journal(self) -> Iterator[GaugeMetricFamily]:
        signed, stamped = checkpoint.newest(self._gateway.settings.journal.checkpoint_dir)
        for name, text, at in (
            ("kine_checkpoint_timestamp_seconds", "When the journal was last signed.", signed),
            ("kine_anchor_timestamp_seconds", "When a checkpoint was last time-stamped.", stamped),
        ):
            family = GaugeMetricFamily(name, text)
            if at is not None:
                family.add_metric([], at)
            yield family

    def _clock(self) -> GaugeMetricFamily:
        text = "Seconds to add to this machine's clock to have that of a server."
        family = GaugeMetricFamily("kine_clock_offset_seconds", text, labels=("source",))
        for one in self._gateway.clocks.measured():
            family.add_metric((one.source,), one.offset)
        return family

    def _certificates(self) -> GaugeMetricFamily:
        names = ("account", "purpose")
        family = GaugeMetricFamily(
            "kine_certificate_end_timestamp_seconds", "When a certificate expires.", labels=names
        )
        for account, purpose, held in held_certificates(self._gateway.settings):
            family.add_metric((account, purpose), held.ends.timestamp())
        return family
