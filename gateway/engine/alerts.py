"""Tells somebody when a state changes that a person should know of: runs the configured program, once for each change.

The program gets the event as one JSON object on its standard input: codes and ids, no identity. It runs in a thread of
its own, one at a time; what it prints is thrown away, and its failure is logged and changes nothing else.
"""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from gateway.engine.events import ALARMS

if TYPE_CHECKING:
    from gateway.engine.events import DeliveryEvent
    from gateway.settings import AlertSettings

_LOG = logging.getLogger("gateway.engine")
STATES = frozenset({"dead", "in_doubt", "impossible", "waiting_for_session"})
_ENDS = frozenset({"resumed", "mailbox_back", "session_open", "breaker_closed", "store_within_cap", "store_back"})
EVENTS = ALARMS | _ENDS | {"breaker_opened"}
_WAITING = 1000
"""Alerts that may wait for the program; beyond that the newest are dropped and counted in the log."""


class Alerts:
    """A subscriber of delivery events."""

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings
        self._queue: queue.Queue[DeliveryEvent | None] = queue.Queue(_WAITING)
        self._last: dict[tuple[str, str, str], str] = {}
        self._teller = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._teller.start()

    def close(self) -> None:
        """Let what still waits be told, for as long as the program may take once; then stop."""
        with suppress(queue.Full):
            self._queue.put_nowait(None)
        self._teller.join(self._settings.timeout)

    def __call__(self, event: DeliveryEvent) -> None:
        """Queue the event when it is a change that matters."""
        if not self._changed(event):
            return
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            _LOG.error("alert_dropped", extra={"reason": event.event})

    def _changed(self, event: DeliveryEvent) -> bool:
        """Whether this was not the case before: the same doubt found again, the same pause set twice, say nothing."""
        if event.event not in EVENTS and event.state not in STATES:
            if event.delivery:
                self._last.pop((event.account, event.channel, event.delivery), None)
            return False
        place = (event.account, event.channel, event.delivery or event.host or "")
        now = event.event if event.event in EVENTS else event.state
        if self._last.get(place) == now:
            return False
        self._last[place] = now
        return True

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            self._run(event)

    def _run(self, event: DeliveryEvent) -> None:
        fields = {key: value for key, value in asdict(event).items() if value not in {None, "", 0}}
        text = json.dumps(fields, default=str, ensure_ascii=False).encode() + b"\n"
        try:
            run = subprocess.run(  # noqa: S603 (the configuration's own program, without shell)
                self._settings.command,
                input=text,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._settings.timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            _LOG.error("alert_not_told", extra={"reason": event.event, "error": type(fault).__name__})
            return
        if run.returncode != 0:
            _LOG.error("alert_not_told", extra={"reason": event.event, "status": run.returncode})
