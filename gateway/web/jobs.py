"""Long work of the pages (verifying a journal, proving an inclusion), one after another, beside the requests."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.clock import Clock

KEPT = 50
"""Finished jobs whose result can still be shown."""
_LOG = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Job:
    """One piece of work. `owner` is the token that asked; `subject` tells two jobs of a kind apart."""

    id: str
    kind: str
    subject: str
    owner: str
    asked_at: datetime
    done: int = 0
    total: int = 0
    ended_at: datetime | None = None
    result: Any = None
    fault: GatewayError | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100."""
        return 100 if self.ended_at else min(99, 100 * self.done // self.total) if self.total else 0

    def tell(self, done: int, total: int) -> None:
        """Note the progress."""
        self.done, self.total = done, total


class JobBoard:
    """The jobs of one process. They stop with it; nothing of them is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web-job")

    def ask(self, kind: str, subject: str, owner: str, work: Callable[[Job], Any]) -> Job:
        """Start a job, or give the one that the same person already waits for."""
        with self._lock:
            same = (one for one in self._jobs.values() if (one.kind, one.subject, one.owner) == (kind, subject, owner))
            running = next((one for one in same if one.ended_at is None), None)
            if running is not None:
                return running
            job = Job(secrets.token_hex(8), kind, subject, owner, self._clock.now())
            self._jobs[job.id] = job
            self._drop()
        self._pool.submit(self._run, job, work)
        return job

    def find(self, job_id: str, owner: str) -> Job | None:
        """A job that this person asked for."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.owner == owner else None

    def latest(self, kind: str, owner: str, subject: str | None = None) -> Job | None:
        """The last job of a kind (and a subject) that this person asked for."""
        mine = [one for one in list(self._jobs.values()) if (one.kind, one.owner) == (kind, owner)]
        return next((one for one in reversed(mine) if subject in {None, one.subject}), None)

    def close(self) -> None:
        """Let the running job go and start no other."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _drop(self) -> None:
        ended = [one.id for one in self._jobs.values() if one.ended_at is not None]
        for old in ended[: max(0, len(self._jobs) - KEPT)]:
            del self._jobs[old]

    def _run(self, job: Job, work: Callable[[Job], Any]) -> None:
        try:
            job.result = work(job)
        except GatewayError as fault:
            job.fault = fault
        except Exception as fault:  # noqa: BLE001 (a job that dies in silence would be waited for for ever)
            _LOG.error("job_failed", extra={"kind": job.kind, "error": type(fault).__name__})
            job.fault = GatewayError("WEB-500", "Erreur interne.", "Voir le journal d'activité du programme.")
        finally:
            job.ended_at = self._clock.now()
