"""What changed between two values of one measure: sense from the catalogue, importance only where a source gives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.document.model import MeasureEntry
    from gateway.terminology import MeasureDef

Sense = Literal["better", "worse", "same", "changed"]
Importance = Literal["reached", "below"]
_Key = tuple[str, str, str, str, int]


def sense(known: MeasureDef | None, first: Decimal, last: Decimal) -> Sense:
    """Better or worse as the catalogue orders the values; `changed` where it gives no order."""
    if last == first:
        return "same"
    better = known.better if known else "none"
    if better == "none":
        return "changed"
    return "better" if (last > first) == (better == "high") else "worse"


def importance(known: MeasureDef | None, first: Decimal, last: Decimal) -> Importance | None:
    """Whether an improvement reaches the smallest clinically important difference (mappings/differences.csv).

    None where no source gives one, and for anything but an improvement: the sources speak of improvements.
    """
    if known is None or known.important is None or sense(known, first, last) != "better":
        return None
    return "reached" if abs(last - first) >= known.important else "below"


def earlier(entries: Iterable[MeasureEntry]) -> Mapping[str, MeasureEntry]:
    """The initial value of each re-measured one, by the anchor of the latter. The aid may change: that is progress."""
    known: dict[str, dict[_Key, MeasureEntry]] = {"initial": {}, "current": {}}
    for entry in entries:
        held, place = known[entry.reference], 0
        while (key := _key(entry, place)) in held:
            place += 1
        held[key] = entry
    return {entry.anchor: known["initial"][key] for key, entry in known["current"].items() if key in known["initial"]}


def _key(entry: MeasureEntry, place: int) -> _Key:
    side, site = entry.side.code if entry.side else "", entry.site.text if entry.site else ""
    return entry.measure, side, site, entry.context or "", place
