"""Every address of the pages and who answers it."""

from __future__ import annotations

from functools import partial

from starlette.routing import Route

from gateway.web.pages import (
    actions,
    configuration,
    deliveries,
    documents,
    indicators,
    journal,
    login,
    obligations,
    overview,
)
from gateway.web.pages.desk import Desk, Handler


def routes(desk: Desk) -> list[Route]:
    """Every address of the pages."""
    reads: list[tuple[str, Handler]] = [
        ("/", overview.show),
        ("/overview.{form}", overview.show),
        ("/deliveries.{form}", deliveries.show),
        ("/deliveries", deliveries.show),
        ("/deliveries/{delivery}.{form}", documents.show_delivery),
        ("/deliveries/{delivery}", documents.show_delivery),
        ("/documents/{document}.{form}", documents.show_document),
        ("/documents/{document}", documents.show_document),
        ("/journal/export.jsonl", journal.export),
        ("/journal.{form}", journal.show),
        ("/journal", journal.show),
        ("/journal/jobs/{job}.{form}", journal.show_job),
        ("/journal/jobs/{job}", journal.show_job),
        ("/obligations.{form}", obligations.show),
        ("/obligations", obligations.show),
        ("/indicators.pdf", indicators.pdf),
        ("/indicators.{form}", indicators.show),
        ("/indicators", indicators.show),
        ("/configuration.{form}", configuration.show),
        ("/configuration", configuration.show),
    ]
    writes: list[tuple[str, Handler]] = [
        ("/journal/verify", journal.verify),
        ("/journal/prove", journal.prove),
    ]
    both: list[tuple[str, Handler]] = [("/deliveries/{delivery}/{action}", actions.act)]
    found = [Route(path, desk.endpoint(handler), methods=["GET"]) for path, handler in reads]
    found += [Route(path, desk.endpoint(handler), methods=["POST"]) for path, handler in writes]
    found += [Route(path, desk.endpoint(handler), methods=["GET", "POST"]) for path, handler in both]
    found += [Route(path, partial(handler, desk), methods=methods) for path, methods, handler in login.ROUTES]
    return found
