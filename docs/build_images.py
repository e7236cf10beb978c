"""Draws the pictures of the README from the fixture cases: first pages, as the PDF template sets them.

`python docs/build_images.py` writes docs/images/bilan.png and docs/images/compte_rendu.png.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typst

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway import resources, terminology  # noqa: E402
from gateway.render.pdf.compiler import view  # noqa: E402
from tests.unit.fixture_cases import prepared  # noqa: E402

PICTURES = {
    "bilan.png": "01_entorse_cheville_bilan",
    "compte_rendu.png": "06_suivi_avc_compte_rendu",
}
PPI = 110


def main() -> None:
    """Write the pictures."""
    template = resources.data_path("mappings", "pdf", "document.typ")
    compiler = typst.Compiler(template, root=template.parent, ignore_system_fonts=True)
    for name, case in PICTURES.items():
        made = prepared(case).document
        text = json.dumps(view(made, terminology.load()), ensure_ascii=False)
        written = made.header.effective_time
        pages = compiler.compile(format="png", ppi=PPI, sys_inputs={"document": text}, timestamp=written)
        first = pages[0] if isinstance(pages, list) else pages
        (ROOT / "docs" / "images" / name).write_bytes(first)


if __name__ == "__main__":
    main()
