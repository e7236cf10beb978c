"""The six figures of the ARS with their plots, computed from the journal at a checkpoint that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.errors import NotFoundError
from gateway.web.pages import work
from gateway.web.pages.obligations import chosen
from gateway.web.pages.view import Ask, Sheet, View

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.audit.indicators import Indicators
    from gateway.audit.period import Period
    from gateway.web.jobs import Job

WIDE, HIGH, LABEL, ROW, TICK = 640, 160, 250, 26, 34
"""Pixels of a plot: its width and height, the room for a label, the height of a row, the room below upright bars."""


def show(ask: Ask) -> View | Response:
    """The figures of a period: the present year unless another is asked for."""
    from gateway.audit.page import view

    account, period = chosen(ask), _period(ask)

    def compute(gateway: Gateway, job: Job) -> Indicators:
        return gateway.report(period, account=account, progress=job.tell)

    job = work.computed(ask, "/indicators", "indicators", f"{period.name}|{account or ''}", compute)
    if isinstance(job, View | Response):
        return job
    found: Indicators = job.result
    shown = view(found, ask.clock.now())
    values = {
        "job": job,
        "shown": shown,
        "plots": [one | {"marks": _marks(one)} for one in shown["plots"]],
        "definitions": _definitions(found),
        "period": period.name,
        "account": account,
        "accounts": [one.id for one in ask.accounts],
        "findings": found.findings,
    }
    about = ask.consulted("indicators", account=account) if work.once(ask, job) else None
    return View("indicators.html", values, lambda: _sheet(found), about)


def _period(ask: Ask) -> Period:
    """The period of the address, else the present year. Raises InputError (IND-001)."""
    from gateway.audit.period import parse

    return parse(ask.query.get("period", "").strip() or str(ask.clock.now().year))


def _definitions(found: Indicators) -> list[tuple[str, str]]:
    from gateway.audit.tables import rows

    return [(label, definition) for label, _, _, definition in rows(found)]


def _marks(plot: Mapping[str, Any]) -> dict[str, Any]:
    """Where the bars of a plot stand; the numbers themselves are in the table beside it."""
    bars = plot["bars"]
    top = max((one["value"] for one in bars), default=0) or 1
    if not plot["upright"]:
        room = WIDE - LABEL - 60
        found = [one | {"y": ROW * place, "length": room * one["value"] / top} for place, one in enumerate(bars)]
        return {"width": WIDE, "height": ROW * len(bars) + 4, "bars": found}
    step = WIDE / max(1, len(bars))
    found = [
        one | {"x": round(step * place, 1), "length": round((HIGH - 20) * one["value"] / top, 1)}
        for place, one in enumerate(bars)
    ]
    return {"width": WIDE, "height": HIGH + TICK, "base": HIGH, "step": round(step, 1), "bars": found}


def _sheet(found: Indicators) -> Sheet:
    from gateway.audit.tables import as_dict

    whole = as_dict(found)
    columns = ("figure", "detail", "value")
    return Sheet("indicators", columns, _rows(whole["figures"]), {key: whole[key] for key in whole if key != "format"})


def _rows(figures: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, list):
            yield from ({"figure": name, "detail": one["code"], "value": one["count"]} for one in value)
        else:
            yield {"figure": name, "detail": "", "value": value}


def pdf(ask: Ask) -> Response:
    """The one page with its plots (PDF/A), of the result that is shown. Raises NotFoundError: not computed yet."""
    account, name = chosen(ask), _period(ask).name
    job = ask.jobs.latest("indicators", ask.session.token.id, f"{name}|{account or ''}")
    if job is None or job.result is None:
        raise NotFoundError("WEB-404", ask.words("journal.gone"))
    from dataclasses import replace

    ask.gateway.browse.note(replace(ask.consulted("indicators", account=account), event="exported"))
    headers = {"content-disposition": f'attachment; filename="indicators-{name}.pdf"'}
    return Response(ask.gateway.report.pdf(job.result), media_type="application/pdf", headers=headers)
