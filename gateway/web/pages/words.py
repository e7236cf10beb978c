"""The pages' words in one language (mappings/pages.toml and mappings/faces.toml), and times as people read them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from gateway import resources, wording

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")
ZONE = ZoneInfo("Europe/Paris")
"""Legal time of the practice; addresses, exports and the journal are in UTC."""
_FORMS = {"fr": ("%d/%m/%Y", "%d/%m/%Y %H:%M:%S"), "en": ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")}


@cache
def table() -> Mapping[str, Any]:
    """The whole table: text by section and key, each as [French, English]; `english` for codes of faces.toml."""
    return tomllib.loads(resources.read_text("mappings", "pages.toml"))


class Words:
    """What the templates ask for texts. French where English has none; an unknown code is shown as it is."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._place = LANGUAGES.index(language)

    def __call__(self, key: str, **values: Any) -> str:
        """The text of `section.key`, its `{names}` filled in. Raises KeyError: the table lacks it."""
        section, _, name = key.partition(".")
        text = str(table()[section][name][self._place])
        return text.format(**values) if values else text

    def found(self, section: str, code: str | None) -> str:
        """The text of a code in a section of its own; the code where the table lacks it."""
        row = table()[section].get(code or "")
        return str(row[self._place]) if row else (code or "")

    def transport(self, code: str) -> str:
        """Name of a transport state."""
        return wording.transport(code) if self.language == "fr" else self._english("transport", code)

    def receipt(self, code: str) -> str:
        """Name of a receipt state."""
        return wording.receipt(code) if self.language == "fr" else self._english("receipt", code)

    def destination(self, code: str) -> str:
        """Name of a destination."""
        return wording.destination(code) if self.language == "fr" else self._english("destination", code)

    def event(self, code: str) -> str:
        """Name of an event of the journal."""
        return self.found("event", code)

    @staticmethod
    def _english(section: str, code: str) -> str:
        return str(table()["english"][section][code])

    def day(self, at: date | datetime | None) -> str:
        """A day, in legal time where it is an instant."""
        return self._formatted(at, 0)

    def time(self, at: datetime | str | None) -> str:
        """An instant in legal time, to the second; ISO texts are read."""
        return self._formatted(_instant(at), 1)

    def _formatted(self, at: date | datetime | None, form: int) -> str:
        if at is None:
            return ""
        local = at.astimezone(ZONE) if isinstance(at, datetime) else at
        return local.strftime(_FORMS[self.language][form])

    def number(self, value: int) -> str:
        """A whole number with its thousands apart (a no-break space in French)."""
        return f"{value:,}".replace(",", "\u202f" if self.language == "fr" else ",")


def _instant(at: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def utc(at: datetime | str | None) -> str:
    """An instant as machines read it, in UTC; empty for none."""
    found = _instant(at)
    return "" if found is None else found.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def start_of(day: str) -> datetime | None:
    """Midnight in legal time at which a day (`2026-11-22`) begins; None where it is no day."""
    try:
        return datetime.combine(date.fromisoformat(day.strip()), datetime.min.time(), ZONE)
    except ValueError:
        return None


def end_of(day: str) -> datetime | None:
    """Midnight at which a day ends."""
    began = start_of(day)
    # Wall clock arithmetic: a day of the calendar, not 24 hours (the clocks change twice a year).
    return None if began is None else began + timedelta(days=1)
