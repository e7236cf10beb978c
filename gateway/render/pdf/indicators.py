"""The indicators on one page with their plots, PDF/A-1b. What it shows comes ready as JSON; this only sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import RenderError
from gateway.render.pdf.legible import all_legible
from gateway.render.pdf.typesetting import typeset

if TYPE_CHECKING:
    from datetime import datetime


def render(view: dict[str, Any], written: datetime, template: str = "indicators.typ") -> bytes:
    """The six figures on one page, or the protocols' table (`protocols.typ`); same arguments, same bytes.

    `written` becomes the creation date of the file. Raises RenderError (REN-031) when typst refuses.
    """

    def refused(why: str) -> RenderError:
        return RenderError("REN-031", "La page d'indicateurs n'a pas pu être composée.", why)

    return typeset(template, dict(all_legible(view)), written, refused)
