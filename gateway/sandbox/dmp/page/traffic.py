"""Pages of the exchanges: what was sent and answered, header by header and part by part."""

from __future__ import annotations

from lxml import etree

from gateway.sandbox.dmp.mtom import MtomError, media_type, split_package
from gateway.sandbox.dmp.page.html import Child, facts, h, link, moment, page, table, words
from gateway.sandbox.dmp.page.views import pretty
from gateway.sandbox.dmp.records import Exchange
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.xml import Element, XmlError

SHOWN_ROWS = 300
SHOWN_CHARACTERS = 200_000
_HEADS = ("Quand", "Transaction", "Résultat", "Codes", "HTTP", "Patient")


def exchanges(store: DmpStore, about: str = "") -> bytes:
    """The last exchanges, newest first, or those about one identifier."""
    found = store.exchanges.all(about=about, last=SHOWN_ROWS)
    what = f"Échanges à propos de {about}" if about else f"Échanges ({SHOWN_ROWS} derniers)"
    return page("Échanges", table(what, _HEADS, map(_row, reversed(found))))


def _row(exchange: Exchange) -> tuple[Child, ...]:
    return (
        h("a", moment(exchange.at), href=f"/dmp/echange/{exchange.id}"),
        _transaction(exchange),
        words()["outcome"][exchange.outcome],
        ", ".join(exchange.codes),
        str(exchange.status or ""),
        exchange.patient,
    )


def _transaction(exchange: Exchange) -> str:
    known: dict[str, str] = words()["transaction"]
    return known.get(exchange.transaction, exchange.transaction or exchange.path)


def exchange(store: DmpStore, number: int) -> bytes | None:
    """One exchange, whole; None when there is no such number."""
    found = store.exchanges.get(number)
    if found is None:
        return None
    about = facts(
        [
            ("Quand", moment(found.at)),
            ("Transaction", _transaction(found)),
            ("Service", found.path),
            ("Action", found.action),
            ("Résultat", words()["outcome"][found.outcome]),
            ("Codes", ", ".join(found.codes)),
            ("Certificat TLS", found.peer),
            ("MessageID", found.message_id),
            ("À propos de", h("ul", *(h("li", link(one, "echanges", one)) for one in found.subjects if one))),
        ]
    )
    return page(
        f"Échange {number}",
        about,
        h("h2", "Requête"),
        *_message(found.request_headers, found.request),
        h("h2", f"Réponse {found.status or '(jamais partie)'}"),
        *_message(found.answer_headers, found.answer),
    )


def _message(headers: tuple[tuple[str, str], ...], body: bytes | None) -> list[Child]:
    if body is None:
        return [h("p", "Corps non conservé : seuls ceux des derniers échanges le sont.")]
    lines = "\n".join(f"{name}: {value}" for name, value in headers)
    shown: list[Child] = [h("pre", lines, tabindex="0")] if lines else []
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    return shown + _parts(kind, body)


def _parts(kind: str, body: bytes) -> list[Child]:
    """Each MIME part in a fold, or the body itself when it is not multipart or cannot be read as such."""
    if media_type(kind)[0] == "multipart/related":
        try:
            parts = split_package(kind, body)
        except MtomError:
            return [_fold("Corps illisible", _readable(body), opened=True)]
        heads = ["\n".join(f"{name}: {value}" for name, value in part.headers.items()) for part in parts]
        return [
            _fold(
                f"Partie {place} ({len(part.content)} octets)",
                f"{head}\n\n{_readable(part.content)}",
                opened=place == 1,
            )
            for place, (head, part) in enumerate(zip(heads, parts, strict=True), 1)
        ]
    return [_fold(f"Corps ({len(body)} octets)", _readable(body), opened=True)] if body else []


def _fold(name: str, text: str, *, opened: bool) -> Element:
    found = h("details", h("summary", name), h("pre", text, tabindex="0"))
    if opened:
        found.set("open", "open")
    return found


def _readable(data: bytes) -> str:
    """XML indented, anything else as text; long ones are cut, and it is said."""
    try:
        text = pretty(data)
    except (XmlError, etree.LxmlError, ValueError):
        text = data.decode("utf-8", "replace")
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}\n[... {len(text) - SHOWN_CHARACTERS} caractères de plus]"
