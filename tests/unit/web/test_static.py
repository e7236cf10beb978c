"""What the pages load: htmx as released, nothing inline, no text missing in either language."""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.store.states import Event, Receipt, Transport
from gateway.web.pages.deliveries import DESTINATIONS
from gateway.web.pages.words import LANGUAGES, Words, end_of, start_of, table

HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""SHA-256 of dist/htmx.min.js in htmx.org 2.0.11 (0BSD), as its npm package has it."""
KEY = re.compile(r'\bt\("([a-z_]+\.[a-z_]+)"')
CODE_KEY = re.compile(r'words\("([a-z_]+\.[a-z_]+)"')


@pytest.fixture(scope="module")
def web(root: Path) -> Path:
    return root / "gateway" / "web"


@pytest.fixture(scope="module")
def templates(web: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (web / "pages" / "templates").glob("*.html")}


def test_htmx_is_the_released_file(web: Path) -> None:
    assert sha256((web / "static" / "htmx.min.js").read_bytes()).hexdigest() == HTMX
    assert "Zero-Clause BSD" in (web / "static" / "htmx.LICENSE.txt").read_text(encoding="utf-8")


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(templates: dict[str, str]) -> None:
    for name, text in templates.items():
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-vars", text), name
        assert not re.search(r"<script(?! src=\"/static/)", text), name
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text), name
        assert "|safe" not in text, name
        assert "autoescape false" not in text, name


def test_every_form_that_changes_something_carries_the_token(templates: dict[str, str]) -> None:
    for name, text in templates.items():
        for form in re.findall(r'<form method="post".*?</form>', text, re.DOTALL):
            assert 'name="csrf"' in form or 'action="/login"' in form or 'action="/logout"' in form, name


def test_every_text_exists_in_both_languages(templates: dict[str, str], web: Path) -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (web / "pages").glob("*.py"))
    keys = {key for text in templates.values() for key in KEY.findall(text)} | set(CODE_KEY.findall(sources))
    assert len(keys) > 150
    for key in keys:
        section, name = key.split(".")
        assert len(table()[section][name]) == len(LANGUAGES), key
        assert all(table()[section][name]), key


def test_every_code_has_its_words_in_both_languages() -> None:
    for words in (Words("fr"), Words("en")):
        for state in Transport:
            assert words.transport(state.value)
        for receipt in Receipt:
            assert words.receipt(receipt.value)
        for destination in DESTINATIONS:
            assert words.destination(destination)
        for event in Event:
            assert words.event(event.value) != event.value, event


def test_the_table_has_the_same_holes_in_both_languages() -> None:
    for section, rows in table().items():
        if section == "english":
            continue
        for name, row in rows.items():
            french, english = row
            assert set(re.findall(r"{(\w+)}", french)) == set(re.findall(r"{(\w+)}", english)), f"{section}.{name}"


def test_the_table_is_in_the_manifest(root: Path) -> None:
    listed = {one["path"] for one in tomllib.loads((root / "mappings" / "manifest.toml").read_text("utf-8"))["file"]}
    assert "pages.toml" in listed


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2026-03-29", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),  # the clocks go forward
        ("2026-10-25", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),  # and back
    ],
)
def test_a_day_is_one_of_legal_time(day: str, first: str, last: str) -> None:
    from datetime import UTC

    begins, ends = start_of(day), end_of(day)
    assert begins is not None
    assert ends is not None
    assert begins.astimezone(UTC).isoformat() == first
    assert ends.astimezone(UTC).isoformat() == last


@pytest.mark.parametrize("text", ["", "31/12/2026", "2026-02-30", "x"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert start_of(text) is None
    assert end_of(text) is None
