"""The indicators on one page with their plots, PDF/A-1b. What it shows comes ready as JSON; this only sets it."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway import resources
from gateway.errors import RenderError
from gateway.render.pdf.compiler import COMPILING
from gateway.render.pdf.legible import all_legible

if TYPE_CHECKING:
    from datetime import datetime

    import typst


def render(view: dict[str, Any], written: datetime, template: str = "indicators.typ") -> bytes:
    """The six figures on one page, or the protocols' table (`protocols.typ`); same arguments, same bytes.

    `written` becomes the creation date of the file. Raises RenderError (REN-031) when typst refuses.
    """
    import typst

    text = json.dumps(dict(all_legible(view)), ensure_ascii=False)
    try:
        with COMPILING:
            made = _compiler(template).compile(
                format="pdf", sys_inputs={"document": text}, pdf_standards="a-1b", timestamp=written, pdf_tags=True
            )
    except typst.TypstError as fault:
        raise RenderError("REN-031", "La page d'indicateurs n'a pas pu être composée.", str(fault.message)) from None
    assert isinstance(made, bytes)
    return made


@cache
def _compiler(template: str) -> typst.Compiler:
    import typst

    path = resources.data_path("mappings", "pdf", template)
    return typst.Compiler(path, root=path.parent, ignore_system_fonts=True)
