"""A browser as people use: Debian's Chromium, driven by Playwright, on the audit pages of a whole practice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.site import Site, close_site, open_site, serving

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def chromium(needs: Callable[..., None]) -> Iterator[Any]:
    """Debian's Chromium; as root it runs without its sandbox, on pages of our own alone.

    Closed after each file: Playwright keeps an event loop in this thread, where asynchronous tests want their own.
    """
    needs("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Site]:
    """A practice that sent an assessment and whose treatment summary was refused by the operator."""
    made = open_site(tmp_path_factory.mktemp("site"), certificates)
    made.submit()
    made.deliver()
    made.refused()
    yield made
    close_site(made)


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    """Where the pages are served."""
    with serving(site.app) as found:
        yield found


Open = Callable[..., Any]


class Browser:
    """Opens pages that are logged in, and keeps what their consoles said."""

    def __init__(self, chromium: Any, site: Site, address: str) -> None:
        self._chromium, self._site, self._address = chromium, site, address
        self._contexts: list[Any] = []
        self.said: list[str] = []

    def __call__(self, role: str = "", size: str = "desktop", **options: Any) -> Any:
        """`opened("practice", "phone")`; without a role nobody is logged in."""
        context = self._chromium.new_context(viewport=SIZES[size], base_url=self._address, locale="fr-FR", **options)
        context.set_default_timeout(10_000)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda fault: self.said.append(str(fault)))
        if role:
            page.goto("/login")
            page.get_by_label("Jeton d'accès").fill(self._site.tokens[role])
            page.get_by_role("button", name="Se connecter").click()
            page.wait_for_url("**/")
        return page

    def _heard(self, message: Any) -> None:
        # A breach of the content policy is an error here; a page that is missing on purpose is one too.
        if message.type in {"error", "warning"} and "404 (Not Found)" not in message.text:
            self.said.append(message.text)

    def close(self) -> None:
        """Close what was opened. Whatever a console said is a failure."""
        for context in self._contexts:
            context.close()
        assert self.said == []


@pytest.fixture
def opened(chromium: Any, site: Site, address: str) -> Iterator[Open]:
    """Pages of one test."""
    browser = Browser(chromium, site, address)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def kept(chromium: Any, site: Site, address: str) -> Iterator[dict[str, Any]]:
    """A page of each size that stays logged in from test to test."""
    browser = Browser(chromium, site, address)
    yield {size: browser("practice", size) for size in SIZES}
    browser.close()
