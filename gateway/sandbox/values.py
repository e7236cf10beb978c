"""The code lists that the sandbox checks with, read from its own data files.

The sandbox is the other side: it must not learn a code from the gateway's mappings, else both could be
wrong together. Its rows come from the published French value sets (see `data/dmp.json`).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


def _read(name: str) -> str:
    return files("gateway.sandbox").joinpath("data", name).read_text(encoding="utf-8")


@cache
def facts() -> dict[str, Any]:
    """The content of `data/dmp.json`."""
    loaded: dict[str, Any] = json.loads(_read("dmp.json"))
    return loaded


@cache
def value_set(name: str) -> dict[tuple[str, str], str]:
    """Rows of a value set (`J01`, `J02`, `J04`, `J07`, `J08`, `J47`): (code, code system) to display name."""
    rows = (line.split("\t") for line in _read("value-sets.tsv").splitlines()[1:])
    return {(code, system): display for owner, code, system, display in rows if owner == name}


@cache
def professions() -> dict[str, str]:
    """G15 profession codes (`70`) and their names, taken from the unspecialised rows of JDV_J01."""
    named = {code: display for (code, _), display in value_set("J01").items() if "/" not in code}
    return {code.removeprefix("G15_"): name for code, name in named.items() if code.startswith("G15_")}


def in_set(name: str, code: str, system: str) -> bool:
    """Whether this code of this code system is in the value set."""
    return (code, system) in value_set(name)
