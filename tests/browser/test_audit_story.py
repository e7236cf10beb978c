"""What a practice and an auditor do, in a real browser: find a failure, read why, retry; verify, and see the alarm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.integration.site import Site

pytestmark = pytest.mark.needs("chromium")


def verify(page: Any) -> Any:
    """Ask for a verification and wait for its result."""
    page.get_by_role("link", name="Journal", exact=True).click()
    page.get_by_role("button", name="Vérifier le journal").click()
    expect(page.get_by_role("heading", name="Résultat de la vérification")).to_be_visible()
    return page.locator("main > .fine, main > .alarm")


def test_a_practice_finds_a_failure_reads_why_and_retries(site: Site, opened: Open) -> None:
    page = opened("practice")
    page.get_by_role("link", name="Envois", exact=True).click()
    page.get_by_label("État d'envoi").select_option("dead")
    page.get_by_role("button", name="Filtrer").click()
    expect(page.get_by_role("status")).to_have_text(re.compile("^1 envois affichés"))
    assert "state=dead" in page.url  # htmx keeps the address: it can be kept and sent on
    page.get_by_role("table").get_by_role("link").first.click()
    summary = page.get_by_role("region", name="Résumé")
    expect(summary).to_contain_text("refusé ou abandonné")
    expect(summary).to_contain_text("554 5.6.0")
    expect(summary).to_contain_text("Que faire")
    page.get_by_role("link", name="Réessayer maintenant").click()
    expect(page.get_by_role("main")).to_contain_text("octet pour octet")
    page.get_by_label("Motif").fill("L'opérateur a corrigé sa panne")
    page.get_by_role("button", name="Confirmer").click()
    expect(page.get_by_role("status")).to_have_text("C'est fait : Réessayer maintenant.")
    expect(page.get_by_role("region", name="Résumé")).to_contain_text("nouvel essai programmé")
    site.deliver()
    page.reload()
    expect(page.get_by_role("region", name="Résumé")).to_contain_text("envoyé")
    steps = page.get_by_role("region", name="Chronologie").get_by_role("listitem")
    expect(steps.filter(has_text="nouvel essai demandé")).to_contain_text("Claire Martin")
    expect(steps.filter(has_text="accepté par le serveur")).to_contain_text("250 2.0.0")


def test_an_auditor_sees_the_alarm_after_one_byte_was_changed_by_hand(site: Site, opened: Open) -> None:
    page = opened("auditor")
    expect(verify(page)).to_have_text("La chaîne tient.")
    data = site.database.read_bytes()
    place = data.index(b'"event":"taken"') + len(b'"event":"')
    with site.database.open("r+b") as file:
        file.seek(place)
        file.write(b"f")
    try:
        result = verify(page)
        expect(result).to_contain_text("ALERTE : le journal a été altéré ou est incomplet.")
        expect(result).to_have_attribute("role", "alert")
        expect(page.get_by_role("table")).to_contain_text("JRN-101")
        expect(page.get_by_role("table")).to_contain_text("/records/")
    finally:
        with site.database.open("r+b") as file:
            file.seek(place)
            file.write(b"t")
    expect(verify(page)).to_have_text("La chaîne tient.")


def test_a_proof_is_made_and_shown(site: Site, opened: Open) -> None:
    identity = next(one for one in site.gateway.deliveries(states=["sent"])).id
    page = opened("auditor")
    page.goto(f"/deliveries/{identity}")
    page.get_by_role("button", name="Prouver au journal").click()
    expect(page.locator("main > .fine")).to_contain_text("sont dans le journal signé")
    page.get_by_text("Chemin (").first.click()
    expect(page.get_by_text("Empreinte de la feuille").first).to_be_visible()


def test_everything_works_without_javascript(site: Site, opened: Open) -> None:
    page = opened("practice", java_script_enabled=False)
    page.goto("/deliveries")
    page.get_by_label("Destination").select_option("dmp")
    page.get_by_role("button", name="Filtrer").click()
    wanted = [one for one in site.gateway.deliveries(account=site.account) if one.destination == "dmp"]
    assert page.locator("tbody tr").count() == len(wanted) > 0
    page.get_by_role("link", name="Journal", exact=True).click()
    page.get_by_role("button", name="Vérifier le journal").click()
    expect(page.locator("main > .fine")).to_have_text("La chaîne tient.")  # by the browser's own refresh


def test_the_keyboard_is_enough(opened: Open) -> None:
    page = opened("auditor")
    page.goto("/deliveries")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Du", exact=True)).to_be_focused()
    page.get_by_label("Référence").focus()
    page.keyboard.type("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Aucun envoi ne correspond à ces filtres.")


def test_logging_out_closes_the_pages(opened: Open) -> None:
    page = opened("auditor")
    page.get_by_role("button", name="Se déconnecter").click()
    page.goto("/deliveries")
    expect(page.get_by_label("Jeton d'accès")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)
