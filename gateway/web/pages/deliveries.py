"""The list of deliveries: filters that work with and without JavaScript, page after page by keyset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

from gateway import wording
from gateway.store.browsing import cursor_text, parse_cursor
from gateway.store.browsing_types import Listed, PageFilter
from gateway.store.requests import Destination
from gateway.store.states import Receipt, Transport
from gateway.web.pages.view import Ask, Sheet, View
from gateway.web.pages.words import end_of, start_of

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

ROWS = 50
DESTINATIONS: tuple[str, ...] = get_args(Destination)
COLUMNS = (
    "id", "document_id", "account", "patient", "destination", "role", "channel", "purpose", "transport", "receipt",
    "reason", "receipt_reason", "reference", "attempts", "created_at", "changed_at", "due_at", "awaited_until",
    "handed_at", "means", "by", "succeeds", "succeeded_by",
)  # fmt: skip
"""Columns of the export."""


def show(ask: Ask) -> View:
    """Deliveries that match the filters, newest first."""
    wanted = filter_of(ask)
    if ask.wanted != "html":
        return View("", {}, lambda: _sheet(ask, wanted), ask.consulted("deliveries"))
    rows = ask.gateway.browse.page(wanted)
    older = cursor_text(rows[-1].cursor) if len(rows) == wanted.limit else None
    values = {
        "rows": [line(one) for one in rows],
        "older": _address(ask.query, after=older) if older else None,
        "newest": _address(ask.query) if wanted.after else None,
        "filters": ask.query,
        "bad": [ask.query[name] for name in ("since", "until") if not _day_fine(ask.query.get(name, ""))],
        "states": [state.value for state in Transport],
        "receipts": [receipt.value for receipt in Receipt],
        "destinations": DESTINATIONS,
        "accounts": [account.id for account in ask.accounts],
    }
    # A pseudonym is journalled once it has found something: before, it may be anything that somebody typed.
    about = ask.consulted("deliveries", size=len(rows), patient=wanted.patient if rows else None)
    return View("deliveries.html", values, lambda: _sheet(ask, wanted), about)


def filter_of(ask: Ask) -> PageFilter:
    """The filter of an address; what cannot be understood filters nothing, but the account is never widened."""
    query = ask.query
    mine = [account.id for account in ask.accounts]
    chosen = tuple(one for one in query.getlist("account") if one in mine)
    destination = query.get("destination", "")
    return PageFilter(
        accounts=chosen or ((ask.session.account,) if ask.session.account else ()),
        states=tuple(state for state in Transport if state.value in query.getlist("state")),
        receipts=tuple(receipt for receipt in Receipt if receipt.value in query.getlist("receipt")),
        destination=cast("Destination", destination) if destination in DESTINATIONS else None,
        reference=query.get("reference", "").strip() or None,
        patient=query.get("patient", "").strip() or None,
        since=start_of(query.get("since", "")),
        until=end_of(query.get("until", "")),
        attention="attention" in query,
        closed=closed(),
        after=parse_cursor(query.get("after", "")),
        limit=ROWS,
    )


def closed() -> tuple[str, ...]:
    """Reasons of what is impossible and asks for nobody."""
    return tuple(wording.words()["closed"]["reasons"])


def _day_fine(text: str) -> bool:
    return not text.strip() or start_of(text) is not None


def _address(query: QueryParams, after: str | None = None) -> str:
    """The same filters, from another row on."""
    from urllib.parse import urlencode

    kept = [(name, value) for name, value in query.multi_items() if name != "after" and value]
    return "/deliveries?" + urlencode([*kept, *([("after", after)] if after else [])])


def line(listed: Listed) -> dict[str, Any]:
    """A row of the table."""
    row = listed.row
    needs = wording.needs_person(row.state.value, row.receipt.value, row.reason)
    return {"row": row, "patient": listed.patient, "needs": needs}


def _sheet(ask: Ask, wanted: PageFilter) -> Sheet:
    from dataclasses import replace

    about = {"filters": {name: value for name, value in ask.query.multi_items() if value and name != "after"}}
    return Sheet("deliveries", COLUMNS, _exported(ask, replace(wanted, after=None)), about)


def _exported(ask: Ask, wanted: PageFilter) -> Iterator[Mapping[str, Any]]:
    for listed in ask.gateway.browse.walk(wanted):
        yield plain(listed)


def plain(listed: Listed) -> dict[str, Any]:
    """A delivery as it is exported: codes, ids and times."""
    row = listed.row
    values = {name: getattr(row, name, None) for name in COLUMNS}
    values |= {"transport": row.state.value, "receipt": row.receipt.value, "by": row.actor}
    return values | {"patient": listed.patient}
