"""Exports of the pages: CSV as a French spreadsheet opens it, JSON for programs; both written as they are read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from gateway.web.pages.view import Sheet
from gateway.web.pages.words import utc

BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by a spreadsheet; a server's reply may well begin so (OWASP, CSV injection)."""


def as_csv(sheet: Sheet) -> Iterator[str]:
    """UTF-8 with a mark, semicolons, one line for each row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    buffer.write(BOM)
    writer.writerow(sheet.columns)
    for row in sheet.rows:
        writer.writerow([_cell(row.get(column)) for column in sheet.columns])
        if buffer.tell() > 1 << 15:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _cell(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    text = " ".join(str(one) for one in plain) if isinstance(plain, list) else str(plain)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def as_json(sheet: Sheet, made_at: datetime) -> Iterator[str]:
    """One object: what it is, when it was made, and its rows."""
    head = {"format": f"kine-gateway/{sheet.name}/1", "made_at": utc(made_at)}
    head |= {key: _plain(value) for key, value in sheet.about.items()}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "rows": ['
    between = "\n"
    for row in sheet.rows:
        plain = {column: _plain(row.get(column)) for column in sheet.columns}
        yield between + json.dumps(plain, ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
