"""Building pages as trees: every text is escaped because it never is anything but a text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from lxml import etree

from gateway.sandbox.xml import Element, printable

HOME = "/dmp/"
Child = Element | str | None


@cache
def words() -> dict[str, Any]:
    """The content of `data/page.json`."""
    text = files("gateway.sandbox").joinpath("data", "page.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def style() -> bytes:
    """The only style sheet."""
    return files("gateway.sandbox.dmp.page").joinpath("page.css").read_bytes()


def h(tag: str, *children: Child, **attributes: str) -> Element:
    """An element with texts and elements in it; `class_` for class, None children left out."""
    element = etree.Element(tag, {_name(name): printable(value) for name, value in attributes.items()})
    append(element, children)
    return element


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def append(element: Element, children: Iterable[Child]) -> None:
    """Add texts and elements at the end of an element."""
    for child in children:
        if isinstance(child, str):
            _add_text(element, printable(child))
        elif child is not None:
            element.append(child)


def _add_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def link(text: str, *path: str) -> Element:
    """A link to a page of this site; each step of the path is quoted."""
    return h("a", text, href=HOME + "/".join(quote(step, safe="") for step in path))


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]]) -> Element:
    """A table that scrolls sideways on a narrow screen; each cell repeats its head for a phone's layout."""
    body = h("tbody")
    for row in rows:
        body.append(h("tr", *(h("td", cell, data_label=head) for head, cell in zip(heads, row, strict=True))))
    if not len(body):
        return h("p", f"{caption} : rien pour le moment.", class_="empty")
    head = h("thead", h("tr", *(h("th", text, scope="col") for text in heads)))
    return h("div", h("table", h("caption", caption), head, body), class_="wide")


def facts(rows: Iterable[tuple[str, Child]]) -> Element:
    """A list of names and values; what has no value is left out."""
    found = h("dl")
    for name, value in rows:
        if value is not None and value != "":
            append(found, (h("dt", name), h("dd", value)))
    return found


def page(title: str, *content: Child) -> bytes:
    """A whole page."""
    skip = h("a", "Aller au contenu", href="#contenu", class_="skip")
    bar = h("nav", link("Patients"), link("Échanges", "echanges"), aria_label="Principal")
    note = h("p", "Bac à sable : données fictives seulement.", class_="note")
    main = h("main", h("h1", title), *content, id="contenu", tabindex="-1")
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", f"{title} - DMP du bac à sable"),
        h("link", rel="stylesheet", href=HOME + "style.css"),
        h("link", rel="icon", href="data:,"),
    )
    root = h("html", head, h("body", skip, h("header", bar, note), main), lang="fr")
    return etree.tostring(root, method="html", encoding="utf-8", doctype="<!DOCTYPE html>")


def moment(text: str) -> Element:
    """A stored instant (ISO 8601 in UTC) as people read it, to the second, in UTC."""
    day, _, hour = text.partition("T")
    return h("time", f"{'/'.join(reversed(day.split('-')))} {hour[:8]} UTC", datetime=text)


def hl7_time(value: str) -> str:
    """An HL7 time (digits and perhaps an offset) as people read it; as it is when it is not one."""
    digits = value[:14].partition("+")[0].partition("-")[0]
    if len(digits) < 8 or not digits.isdigit():
        return value
    day = f"{digits[6:8]}/{digits[4:6]}/{digits[:4]}"
    return f"{day} {digits[8:10]}:{digits[10:12]} {value[len(digits) :]}".rstrip() if len(digits) >= 12 else day
