"""How the gateway is set up, which certificates it holds until when, and what is wrong with either. No secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway import inspection
from gateway.web.pages.view import Ask, Sheet, View

if TYPE_CHECKING:
    from gateway.findings import Finding
    from gateway.settings import AccountSettings, Settings
    from gateway.web.pages.words import Words

SOON = timedelta(days=30)


def show(ask: Ask) -> View:
    """Accounts, certificates, findings and settings. Files are read; no server is contacted."""
    now = ask.clock.now()
    mine = {account.id for account in ask.accounts}
    found = [one for one in inspection.held_certificates(ask.settings) if one[0] in mine]
    certificates = [_certificate(account, purpose, held, now) for account, purpose, held in found]
    findings = [one for one in inspection.inspect_settings(ask.settings) if _mine(one, ask.settings, mine)]
    values = {
        "now": now,
        "accounts": [_account(account) for account in ask.accounts],
        "certificates": certificates,
        "findings": findings,
        "settings": list(_settings(ask.settings, ask.words)),
    }
    columns = ("account", "purpose", "holder", "usages", "begins", "ends", "state", "code", "severity", "message")
    rows = [*certificates, *(finding.as_dict() for finding in findings)]
    sheet = Sheet("configuration", columns, rows, {"accounts": values["accounts"]})
    return View("configuration.html", values, lambda: sheet, ask.consulted("configuration"))


def _mine(finding: Finding, settings: Settings, mine: set[str]) -> bool:
    """Whether a finding is about one of these accounts, or about none (`/account/<id or place>/...`)."""
    steps = finding.path.split("/")
    if len(steps) < 3 or steps[1] != "account":
        return True
    name = settings.account[int(steps[2])].id if steps[2].isdigit() else steps[2]
    return name in mine or steps[2] in mine


def _certificate(account: str, purpose: str, held: Any, now: datetime) -> dict[str, Any]:
    left = held.ends - now
    state = "expired" if left < timedelta() else "soon" if left < SOON else "valid"
    about = {"account": account, "purpose": purpose, "holder": held.holder, "usages": held.usages}
    return about | {"begins": held.begins, "ends": held.ends, "days": max(0, left.days), "state": state}


def _account(account: AccountSettings) -> dict[str, Any]:
    return {
        "id": account.id,
        "mailbox": account.mailbox,
        "rpps": account.rpps,
        "environment": account.environment.value,
        "smtp": None if account.smtp is None else f"{account.smtp.host}:{account.smtp.port}",
        "imap": None if account.imap is None else account.imap.host,
        "dmp": None if account.dmp is None else urlsplit(account.dmp.url).hostname,
        "mode": None if account.dmp is None else account.dmp.mode,
    }


def _settings(settings: Settings, words: Words) -> Iterator[tuple[str, str]]:
    """The settings that decide what happens to a document, as people read them."""
    from gateway import __version__, terminology

    journal = settings.journal
    stamp = "" if journal.timestamp is None else urlsplit(journal.timestamp.url).hostname or ""
    yield words("configuration.version"), __version__
    yield words("configuration.tables"), terminology.load().version
    yield words("configuration.store"), settings.store.url.partition(":")[0]
    yield words("configuration.retry"), words("configuration.days", number=f"{settings.retry.give_up_after / 86400:g}")
    late = f"{settings.receipts.delivered / 3600:g}"
    yield words("configuration.receipts"), words("configuration.hours", number=late)
    values: Mapping[str, Any] = {"records": journal.every_records, "minutes": f"{journal.every_minutes:g}"}
    yield words("configuration.checkpoints"), words("configuration.records_or_minutes", **values)
    yield words("configuration.timestamp"), stamp or words("site.none")
