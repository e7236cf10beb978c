"""Pages whose content takes seconds to compute: started when they are asked for, shown when it is ready.

While it is computed the page says how far it is and asks again by itself (htmx, or the browser's refresh). A result
is shown again for some minutes, so that its exports and its print are of the same computation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from gateway.web.pages.view import Ask, View

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.web.jobs import Job

FRESH = timedelta(minutes=5)
"""How long a result is shown before it is computed again."""


def another(ask: Ask) -> Gateway:
    """A gateway of its own for a job: no page waits for its connection, and what it reads comes from the file."""
    return type(ask.gateway).open(ask.settings, clock=ask.clock)


def computed(
    ask: Ask, path: str, kind: str, subject: str, work: Callable[[Gateway, Job], Any]
) -> Job | View | Response:
    """The job with its result, or what to show meanwhile. `subject` is what the result depends on."""
    job = ask.jobs.latest(kind, ask.session.token.id, subject)
    asked = "fresh" in ask.query
    old = job is not None and job.ended_at is not None and ask.clock.now() - job.ended_at > FRESH
    if job is None or old or (asked and job.ended_at is not None):

        def run(job: Job) -> Any:
            with another(ask) as gateway:
                return work(gateway, job)

        job = ask.jobs.ask(kind, subject, ask.session.token.id, run)
    if asked:
        kept = [(name, value) for name, value in ask.query.multi_items() if name != "fresh"]
        return RedirectResponse(f"{path}?{urlencode(kept)}" if kept else path, 303)
    if job.ended_at is None and ask.wanted != "html":
        return RedirectResponse(path, 303)
    return job if job.ended_at is not None and job.fault is None else waiting(job, f"site.{kind}")


def waiting(job: Job, title: str) -> View:
    """How far a job is, or why it failed."""
    return View("working.html", {"job": job, "title": title})


def once(ask: Ask, job: Job) -> bool:
    """Whether this form of a result is asked for the first time: an open page asks again and again."""
    first = ask.wanted not in job.values
    job.values[ask.wanted] = True
    return first
