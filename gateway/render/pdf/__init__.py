"""PDF/A-1b made by typst: one page for the reader in a hurry, then the whole narrative."""

from __future__ import annotations

from gateway.render.pdf.compiler import compile_view, render

__all__ = ["compile_view", "render"]
