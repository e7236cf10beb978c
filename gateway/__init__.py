"""Sends a physiotherapist's documents to doctors, patients and the DMP, and proves what happened."""

from typing import Any

__all__ = ["__version__"]


def __getattr__(name: str) -> Any:
    """Read the installed version only when somebody asks (it costs a directory scan)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("kine-gateway")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
