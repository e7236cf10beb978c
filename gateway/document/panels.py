"""Questionnaires among the scores of a section: at least two scores of one panel, taken at one moment, go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from gateway.document.model import MeasureEntry

if TYPE_CHECKING:
    from gateway.document.model import Entry
    from gateway.terminology import MeasureDef, PanelDef


class Catalogue(Protocol):
    """What holds measures and panels: `gateway.terminology.Terminology`."""

    @property
    def panels(self) -> Mapping[str, PanelDef]:
        """Questionnaires by key."""
        ...

    def measure(self, code: str) -> MeasureDef | None:
        """A measure of the catalogue, or None."""
        ...


def of(entries: Iterable[Entry], terms: Catalogue) -> Mapping[str, PanelDef]:
    """The panel of each score that stands in one, by the anchor of its entry."""
    named = []
    for entry in entries:
        if isinstance(entry, MeasureEntry) and entry.category == "survey":
            known = terms.measure(entry.measure)
            if known is not None and known.panel is not None:
                named.append((entry.anchor, known.panel, entry.effective))
    together = Counter((panel, moment) for _, panel, moment in named)
    return {anchor: terms.panels[panel] for anchor, panel, moment in named if together[panel, moment] > 1}
