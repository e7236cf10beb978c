"""A view set with one of the templates of mappings/pdf, by one typst compiler for each, kept for the process's life.

A template reads its view as JSON (`sys.inputs`), so nothing a person typed is ever typst source.
"""

from __future__ import annotations

import json
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway import resources

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import typst

    from gateway.errors import RenderError

_LOCK = threading.Lock()
"""A compiler keeps its inputs between two calls: one document at a time."""


def typeset(template: str, view: dict[str, Any], written: datetime, refused: Callable[[str], RenderError]) -> bytes:
    """The view as PDF/A-1b; same arguments, same bytes. `written` becomes the creation date of the file.

    Raises what `refused` makes of typst's own words when typst refuses.
    """
    import typst

    text = json.dumps(view, ensure_ascii=False)
    try:
        with _LOCK:
            made = _compiler(template).compile(
                format="pdf", sys_inputs={"document": text}, pdf_standards="a-1b", timestamp=written, pdf_tags=True
            )
    except typst.TypstError as fault:
        raise refused(str(fault.message)) from None
    assert isinstance(made, bytes)
    return made


@cache
def _compiler(template: str) -> typst.Compiler:
    """The compiler of a template; only the fonts inside the typst library, whatever the machine has."""
    import typst

    path = resources.data_path("mappings", "pdf", template)
    return typst.Compiler(path, root=path.parent, ignore_system_fonts=True)
