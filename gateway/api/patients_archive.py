"""The copy of his data that a patient is given: a ZIP with a page to read, a summary for programs, the documents."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.engine.rights import RENDERINGS
from gateway.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.engine.rights import HeldDocument
    from gateway.store.base import Store
    from gateway.views_rights import HeldView


@dataclass(frozen=True, slots=True)
class Archive:
    """The bytes of the ZIP, how many documents it holds, and how many were left out as hidden."""

    data: bytes
    documents: int
    hidden: int


def archive(store: Store, held: HeldView, now: datetime, *, include_hidden: bool) -> Archive:
    """Everything readable that is held. Names in the archive are dates, kinds and numbers, never a person's."""
    stream, shown, hidden = io.BytesIO(), 0, 0
    value = held.as_dict()
    value["exported_at"] = now.isoformat()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        for one, said in zip(held.held.documents, value["documents"], strict=True):
            said["files"] = []
            if one.hidden and not include_hidden:
                hidden += 1
                continue
            for name, data in _files(store, one):
                _add(out, name, data, now)
                said["files"].append(name)
            shown += bool(said["files"])
        _add(out, "resume.json", (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode(), now)
        _add(out, "LISEZ-MOI.txt", "\r\n".join(_page(value, now)).encode("utf-8-sig"), now)
    return Archive(stream.getvalue(), shown, hidden)


def _add(out: zipfile.ZipFile, name: str, data: bytes, now: datetime) -> None:
    entry = zipfile.ZipInfo(name, now.timetuple()[:6])
    entry.external_attr = 0o600 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    out.writestr(entry, data)


def _files(store: Store, one: HeldDocument) -> Iterator[tuple[str, bytes]]:
    """The renderings of a document that is still there; an erased one has none."""
    folder = f"documents/{one.row.document_date.isoformat()}_{one.row.kind}_{one.row.id[:8]}"
    for name, file in RENDERINGS.items() if one.row.erased_at is None else ():
        try:
            yield f"{folder}/{file}", store.rendering(one.row.id, name).data
        except NotFoundError:  # a PDF handed over as it is has no FHIR form
            continue


def _page(value: dict[str, Any], now: datetime) -> Iterator[str]:
    """LISEZ-MOI.txt: what it is, what was made of each document, what is kept, what is elsewhere."""
    words = wording.words()["rights"]["page"]
    yield from (words["title"], "", words["head"].format(day=f"{now:%d/%m/%Y}", account=value["account"]), "")
    for one in value["documents"]:
        yield from _about(one, words)
    for name in ("oppositions", "stops", "held_recipients", "same_traits"):
        if value[name]:
            yield words[name].format(number=len(value[name]))
    yield words["facts"].format(number=value["facts"])
    for part in ("kept", "beyond_reach"):
        yield from ("", words[part], "")
        for line in value[part]:
            yield f"- {line['what']}"
            yield f"  {line['why']}"
    yield from ("", words["rights"], "")


def _about(one: dict[str, Any], words: dict[str, str]) -> Iterator[str]:
    state = "erased" if one["erased_at"] else "hidden" if one["hidden"] and not one["files"] else "there"
    kind = wording.words()["obligation"]["document"].get(one["kind"], one["document_type"])
    yield words["document"].format(kind=kind, date=one["date"], id=one["document_id"], state=words[state])
    for delivery in one["deliveries"]:
        to = f"{delivery['label']} ({delivery['address']})" if delivery["address"] else delivery["label"]
        states = f"{delivery['transport_label']} ; {words['receipt']} {delivery['receipt_label']}"
        yield f"  - {to} : {states} ({delivery['changed_at'][:10]})"
    yield ""
