"""The page that goes before a document handed over on paper: who, what, why, and room for date, name and signature."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway import resources
from gateway.errors import RenderError
from gateway.render.pdf.legible import all_legible, long_date, short_date
from gateway.render.pdf.people import full_name
from gateway.render.pdf.typesetting import typeset

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.document.model import Header


@dataclass(frozen=True, slots=True)
class Handing:
    """What is handed over and why: `reason` is a key of mappings/pdf/handout.toml, `to` the reader meant (None: the
    patient). `minor`: hidden from the legal representatives, so handed to the patient in person.
    """

    delivery: str
    reason: str
    to: str | None = None
    minor: bool = False


def cover(header: Header, handing: Handing, written: datetime) -> bytes:
    """One page, PDF/A-1b; same arguments, same bytes. `written` becomes the creation date of the file.

    Raises RenderError (REN-031) when typst refuses.
    """

    def refused(why: str) -> RenderError:
        return RenderError("REN-031", "La page de remise n'a pas pu être composée.", why)

    return typeset("handout.typ", dict(all_legible(_view(header, handing))), written, refused)


def _view(header: Header, handing: Handing) -> dict[str, Any]:
    words, patient, author = _words(), header.patient, header.author
    names = [patient.used_given or patient.first_given, (patient.used_family or patient.birth_family).upper()]
    born = words["born"].get(patient.sex.code, words["born"]["other"])
    facts = [
        (words["patient"], f"{' '.join(names)}, {born.lower()} {short_date(patient.birth_date)}"),
        (words["document"], f"{header.title} {words['dated']} {long_date(header.service_start.date())}"),
        (words["author"], f"{full_name(author.name)}, {header.custodian.name}"),
        *([(words["to_other"], handing.to)] if handing.to else []),
        (words["why"], words["reason"].get(handing.reason, words["reason"]["other"])),
        (words["delivery"], handing.delivery),
    ]
    notes = [words["to_minor"]] if handing.minor else []
    notes += [] if handing.to else [words["to_patient"]]
    return {
        "title": words["title"],
        "author": full_name(author.name),
        "facts": facts,
        "notes": notes,
        "filled": words["filled"],
        "lines": words["lines"],
        "copy": words["copy"],
        "command": words["command"].format(delivery=handing.delivery),
        "pages": words["pages"],
    }


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(resources.read_text("mappings", "pdf", "handout.toml"))


def knows(reason: str) -> bool:
    """Whether a reason has words of its own."""
    return reason in _words()["reason"]
