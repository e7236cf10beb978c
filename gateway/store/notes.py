"""Where a person's words about a delivery are sealed: to their own row, with who said them, when, and on doing what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SEALED_IN = ("delivery_id", "name", "at", "action", "actor")
"""Columns that the words are bound to."""


def place(note: Mapping[str, Any]) -> str:
    """The row that the seal names. Words of a release before schema 13 have no name: bound to their delivery alone."""
    if note["name"] is None:
        return str(note["delivery_id"])
    return json.dumps([note[column] for column in SEALED_IN], ensure_ascii=False)
