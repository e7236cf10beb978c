"""What the indicators leave out."""

from __future__ import annotations

from pydantic import Field

from gateway.settings.base import Table


class IndicatorSettings(Table):
    """Counts of persons or events below `suppress_below` are left out, and what would tell them; 0: nothing is."""

    suppress_below: int = Field(default=0, ge=0, le=100)
