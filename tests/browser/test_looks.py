"""Each page at the width of a desk and of a phone: pictures to look at, nothing cut, no serious fault for axe-core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import SIZES, Open
from tests.integration.site import Site

pytestmark = pytest.mark.needs("chromium")

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "screenshots"
AXE = ROOT / "build" / "node" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "login", "overview", "deliveries", "delivery", "document", "act", "journal", "verification", "proof",
    "obligations", "indicators", "configuration", "missing",
)  # fmt: skip
PLAIN = {
    "overview": "/", "deliveries": "/deliveries", "journal": "/journal", "obligations": "/obligations",
    "indicators": "/indicators?period=2026", "configuration": "/configuration", "missing": "/deliveries/unknown",
}  # fmt: skip


def show(page: Any, site: Site, name: str) -> None:
    """Go to one page and wait until what it computes is there."""
    refused = next(one for one in site.gateway.deliveries(states=["dead"]))
    paths = PLAIN | {
        "delivery": f"/deliveries/{refused.id}",
        "document": f"/documents/{refused.document_id}",
        "act": f"/deliveries/{refused.id}/handed",
        "login": "/login",
        "verification": "/journal",
        "proof": f"/deliveries/{refused.id}",
    }
    page.goto(paths[name])
    form = {"verification": "/journal/verify", "proof": "/journal/prove"}.get(name)
    if form is not None:
        page.locator(f'form[action="{form}"] button').click()
        page.locator("main > .fine").wait_for()
        page.wait_for_load_state()  # the words may stand there before the style sheet does
    if name in {"obligations", "indicators"}:
        page.locator("#job").wait_for(state="detached")
        page.locator(".counts, .plots").first.wait_for()


@pytest.mark.needs("npm-packages")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_each_page_fits_is_pictured_and_has_no_serious_fault(
    site: Site, kept: dict[str, Any], opened: Open, name: str, size: str
) -> None:
    page = opened("", size) if name == "login" else kept[size]
    show(page, site, name)
    width, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room, "the page is wider than the screen"
    assert page.evaluate(SMALL) == [], "too small for a finger (WCAG 2.2 §2.5.8)"
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{size}.png", full_page=True)
    assert faults(page) == []


SMALL = """
[...document.querySelectorAll('button, .button, select, textarea, input:not([type=hidden])')]
  .filter(one => one.offsetHeight && one.offsetHeight < 20).map(one => one.outerHTML)
"""


def faults(page: Any) -> list[str]:
    """Serious and critical breaches of WCAG 2.2 A and AA, and of axe's best practices."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.needs("npm-packages")
def test_axe_would_find_one(opened: Open) -> None:
    page = opened()
    page.goto("/login")
    page.evaluate("document.querySelector('label').remove()")
    assert any(fault.startswith("label:") for fault in faults(page))


def test_on_paper_only_the_content_is_left(site: Site, opened: Open) -> None:
    page = opened("auditor")
    show(page, site, "deliveries")
    assert page.get_by_role("button", name="Imprimer").is_visible()
    page.emulate_media(media="print")
    for hidden in ("header nav", ".filters", ".export"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator("tbody tr").first.is_visible()
