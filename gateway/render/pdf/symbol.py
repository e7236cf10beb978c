"""The INS Datamatrix of the first page, as dark bars that the template draws."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from gateway.identity import datamatrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.document.model import PatientIdentity


def symbol(person: PatientIdentity) -> dict[str, Any] | None:
    """Size in modules, and bars as [column, row, length]; None without INS or where the traits do not fit."""
    text = datamatrix.content(traits(person)) if person.ins is not None else None
    if text is None:
        return None
    rows = datamatrix.modules(text)
    return {"size": len(rows), "bars": [[*bar] for bar in _bars(rows)]}


def traits(person: PatientIdentity) -> datamatrix.Traits:
    """The traits that the symbol says, of a patient whose INS leaves."""
    assert person.ins is not None
    return datamatrix.Traits(
        matricule=person.ins.extension or "",
        oid=person.ins.root,
        given=person.birth_given or (person.first_given,),
        family=person.birth_family,
        sex=person.sex.code,
        born=person.birth_date,
        cog=person.birth_place_cog,
    )


def _bars(rows: datamatrix.Modules) -> Iterator[tuple[int, int, int]]:
    for line, row in enumerate(rows):
        column = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                yield column, line, length
            column += length
