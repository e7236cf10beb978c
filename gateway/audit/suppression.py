"""Small counts left out, and what would give them away: the other cells of a table whose total is published.

A count below the threshold could point at a person. Where it stands in a table with a total, the total less the other
cells would tell it: further cells are left out, the smallest first, until what is hidden together reaches the
threshold (complementary suppression). A zero points at nobody and stays.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def single(value: int, threshold: int) -> int | None:
    """A count that stands alone; None: left out. A threshold of 0 leaves nothing out."""
    return None if 0 < value < threshold else value


def partition(cells: Mapping[K, int], threshold: int) -> dict[K, int | None]:
    """The cells of a table whose total is published, in their order; None: left out."""
    hidden = {key for key, value in cells.items() if 0 < value < threshold}
    shown = sorted((key for key, value in cells.items() if value >= max(threshold, 1)), key=lambda key: cells[key])
    while hidden and shown and (len(hidden) < 2 or sum(cells[key] for key in hidden) < threshold):
        hidden.add(shown.pop(0))
    return {key: None if key in hidden else value for key, value in cells.items()}


def part(value: int, whole: int, threshold: int) -> int | None:
    """A part of a published whole: left out where it, or what is missing to the whole, is small."""
    return partition({"in": value, "out": whole - value}, threshold)["in"]
