"""The first page: what needs somebody, what is under way, and how far the journal is signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway import views
from gateway.store.browsing_types import PageFilter
from gateway.web.pages import deliveries
from gateway.web.pages.view import Ask, Sheet, View

SHOWN = 10


def show(ask: Ask) -> View:
    """Everything at a glance."""
    mine = {account.id for account in ask.accounts}
    store = ask.gateway.store
    counts = [one for one in store.counts() if one.account in mine]
    states = views.account_states(ask.settings, counts, store.pauses())
    bounds = (ask.session.account,) if ask.session.account else ()
    wanted = PageFilter(accounts=bounds, attention=True, closed=deliveries.closed(), limit=SHOWN)
    values = {
        "attention": [deliveries.line(one) for one in ask.gateway.browse.page(wanted)],
        "counts": counts,
        "accounts": [one for one in states if one.account in mine],
        "journal": ask.gateway.journal.state(),
    }
    columns = ("account", "channel", "transport", "number", "oldest")
    return View("overview.html", values, lambda: Sheet("overview", columns, _rows(counts)), ask.consulted("overview"))


def _rows(counts: list[Any]) -> Iterator[Mapping[str, Any]]:
    for one in counts:
        found = {"account": one.account, "channel": one.channel, "transport": one.state.value}
        yield found | {"number": one.number, "oldest": one.oldest}
