"""What people and programs read in the outbox: status files and the French to-do page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway import wording
from gateway.findings import Finding
from gateway.unseen import one_line
from gateway.views import DeliveryView, DocumentView

STATUS_FORMAT = "kine-gateway/status/1"
AFTER = "ENG-AFTER"
"""Reason of a corrected version that waits for the outcome of the one before it."""


def needs_person(delivery: DeliveryView) -> bool:
    """Whether nothing more happens to this delivery until somebody acts, or a person is wanted all the same."""
    if wording.asks(delivery.reason) or delivery.alerted_at is not None or delivery.replies:
        return True
    return not settles(delivery) and wording.needs_person(delivery.transport, "none", delivery.reason)


def settles(delivery: DeliveryView) -> bool:
    """Whether the gateway settles a doubt by itself: only the DMP can be asked, and it will be, at `due_at`."""
    return delivery.transport == "in_doubt" and delivery.channel == "dmp" and delivery.due_at is not None


def next_step(delivery: DeliveryView) -> str:
    """What the practice has to do about a delivery, in French; empty when nothing."""
    return delivery.receipt_next or wording.advice(delivery.transport, "none", delivery.reason)


def standing(delivery: DeliveryView) -> str:
    """Both axes in words: what was done, and what came back where that asks for somebody."""
    state = wording.transport(delivery.transport)
    if delivery.alerted_at is not None:
        state = f"{state}, accusé {wording.receipt(delivery.receipt)}. {delivery.receipt_meaning}".rstrip()
    if delivery.replies:
        state = f"{state.rstrip('.')}. Réponse reçue dans la boîte MSSanté : {delivery.replies}."
    return state


def status_file(view: DocumentView, findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """Content of `status/NAME.json` (schema: docs/schemas/status.json)."""
    return {
        "format": STATUS_FORMAT,
        "document_id": view.id,
        "account": view.account,
        "kind": view.kind,
        "accepted_at": view.accepted_at.isoformat(),
        "replaces": view.replaces,
        "replaced_by": view.replaced_by,
        "withdrawn_at": view.withdrawn_at.isoformat() if view.withdrawn_at else None,
        "done": all(not pending(d) for d in view.deliveries),
        "needs_person": any(needs_person(d) for d in view.deliveries),
        "deliveries": [_delivery(d) for d in view.deliveries],
        "findings": [f.as_dict() for f in findings],
    }


def pending(delivery: DeliveryView) -> bool:
    """Whether the gateway still works on it by itself."""
    return delivery.transport in {"prepared", "sending", "transmitting", "retry"} or (
        settles(delivery) and not wording.asks(delivery.reason)
    )


def _delivery(delivery: DeliveryView) -> dict[str, Any]:
    return {
        "delivery_id": delivery.id,
        "destination": delivery.destination,
        "role": delivery.role,
        "label": wording.delivery(delivery.destination, delivery.role),
        "transport": delivery.transport,
        "transport_label": wording.transport(delivery.transport),
        "receipt": delivery.receipt,
        "receipt_label": wording.receipt(delivery.receipt),
        "receipt_reason": delivery.receipt_reason,
        "receipt_meaning": delivery.receipt_meaning,
        "replies": delivery.replies,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at.isoformat() if delivery.due_at else None,
        "reason": delivery.reason,
        "reference": delivery.reference,
        "purpose": delivery.purpose,
        "succeeds": delivery.succeeds,
        "succeeded_by": delivery.succeeded_by,
        "next_step": next_step(delivery),
    }


@dataclass(frozen=True, slots=True)
class Task:
    """One line of the to-do page."""

    name: str
    what: str
    state: str
    step: str
    code: str
    link: str = ""


def to_print(view: DocumentView) -> bool:
    """Whether somebody needs the document on paper: it is to be handed over or posted, or cannot go otherwise."""
    return any(d.transport in {"held", "impossible"} and needs_person(d) for d in view.deliveries)


def to_hand(delivery: DeliveryView) -> bool:
    """Whether the patient is to get the document on paper: a sheet to sign is made for it."""
    by_person = delivery.transport == "held" and delivery.channel == "manual"
    stopped = by_person or delivery.transport in {"impossible", "dead"}
    returned = delivery.transport == "sent" and delivery.receipt == "refused"
    mine = delivery.purpose == "document" and delivery.destination in {"patient", "hand", "post"}
    return mine and (stopped or returned) and needs_person(delivery)


def sheet(name: str, view: DocumentView, delivery: DeliveryView) -> str:
    """Where what has to be printed for a delivery lies; empty when nothing."""
    if to_hand(delivery):
        return f"a_imprimer/{delivery.id}.pdf"
    return f"a_imprimer/{name}.pdf" if to_print(view) else ""


def tasks(
    documents: Mapping[str, DocumentView], rejected: Iterable[Path], found_out: Mapping[str, str] | None = None
) -> list[Task]:
    """Everything that waits for a person: refused files first, then deliveries, by file name.

    `found_out` is what the directory says of a refused address, by delivery.
    """
    found = [
        Task(
            path.name, "fichier refusé", "non envoyé", f"Lire {path.stem}.report.txt, corriger, déposer à nouveau.", ""
        )
        for path in rejected
    ]
    for name, view in sorted(documents.items()):
        for delivery in view.deliveries:
            if needs_person(delivery):
                label = wording.delivery(delivery.destination, delivery.role)
                code = delivery.receipt_reason if delivery.alerted_at is not None else delivery.reason
                link = sheet(name, view, delivery)
                found.append(Task(name, label, standing(delivery), _step(delivery, found_out), code or "", link))
    return found


def _step(delivery: DeliveryView, found_out: Mapping[str, str] | None) -> str:
    more = (found_out or {}).get(delivery.id, "")
    return f"{next_step(delivery)} {more}".strip()


_PAGE = """<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>À faire : documents de kinésithérapie</title>
<style>
body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1c2733}}
h1{{font-size:1.4rem}} table{{border-collapse:collapse;width:100%}} th,td{{text-align:left;padding:.5rem .6rem;
border-bottom:1px solid #d5dde5;vertical-align:top}} th{{font-weight:600;color:#4a5a6a}} code{{color:#5c6b7a}}
.none{{background:#e8f5ec;padding:1rem;border-radius:.4rem}} .sub{{color:#4a5a6a}}
</style></head><body>
<h1>À faire</h1>
<p class="sub">{summary}</p>
{body}
</body></html>
"""


def page(found: Sequence[Task], documents: Mapping[str, DocumentView]) -> str:
    """The to-do page: readable in any browser, no script, no outside resource."""
    waiting = sum(any(pending(d) for d in view.deliveries) for view in documents.values())
    summary = f"{len(documents)} document(s) confié(s), {waiting} en cours d'envoi, {len(found)} action(s) à faire."
    return _PAGE.format(summary=summary, body=_rows(found) if found else '<p class="none">Rien à faire.</p>')


def _rows(found: Sequence[Task]) -> str:
    head = "<tr><th>Document</th><th>Destination</th><th>État</th><th>Que faire</th></tr>"
    rows = "".join(
        f"<tr><td>{_link(t)}</td><td>{_html(t.what)}</td><td>{_html(t.state)}"
        f"{f'<br><code>{_html(t.code)}</code>' if t.code else ''}</td><td>{_html(t.step)}</td></tr>\n"
        for t in found
    )
    return f"<table><thead>{head}</thead><tbody>\n{rows}</tbody></table>"


def _html(text: str) -> str:
    """A text of a cell: a file may have been named by anybody."""
    return escape(one_line(text))


def _link(task: Task) -> str:
    return (
        f'<a href="{escape(quote(task.link, errors="surrogateescape"))}">{_html(task.name)}</a>'
        if task.link
        else _html(task.name)
    )
