"""The closed list of converters. Each takes one text and gives a value for the submission, or refuses it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

Tables = Mapping[str, Mapping[str, Mapping[str, str]]]
Value = str | int | bool | list[str]

_ZONE = ZoneInfo("Europe/Paris")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}([.,][0-9]{1,6})?")
_TRUE = frozenset({"oui", "o", "vrai", "true", "1", "x", "yes", "y"})
_FALSE = frozenset({"non", "n", "faux", "false", "0", "no"})
_SEX = {"f": "F", "femme": "F", "2": "F", "m": "M", "h": "M", "homme": "M", "1": "M", "i": "UN", "u": "UN", "un": "UN"}
_UNITS = {
    "cm->mm": Decimal(10),
    "mm->cm": Decimal("0.1"),
    "m->cm": Decimal(100),
    "cm->m": Decimal("0.01"),
    "min->s": Decimal(60),
    "g->kg": Decimal("0.001"),
    "daN->kg": Decimal("1.019716"),
}
"""Exact factors; daN to kgf by the standard gravity 9.80665 m/s2, to seven digits."""


class RefusedError(ValueError):
    """The text cannot be converted; `known` False: it is in no row of the table. `of_key`: the key is at fault."""

    def __init__(self, *, known: bool = True, of_key: bool = False) -> None:
        super().__init__()
        self.known = known
        self.of_key = of_key


def _date(text: str, form: str) -> str:
    return _parsed(text, form).date().isoformat()


def _datetime(text: str, form: str) -> str:
    """Time of the practice's wall clock, with the offset that metropolitan France had that day."""
    return _parsed(text, form).replace(tzinfo=_ZONE).isoformat()


def _parsed(text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the practice's, set by the caller
    except ValueError as fault:
        raise RefusedError from fault


def _number(text: str, _: str = "") -> str:
    bare = text.replace("\u202f", "").replace("\xa0", "").replace(" ", "")
    if not _NUMBER.fullmatch(bare):
        raise RefusedError
    return bare.replace(",", ".").removeprefix("+")


def _integer(text: str, _: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise RefusedError
    return int(text)


def scaled(text: str, factor: str) -> str:
    """A decimal number times another, exactly, without needless zeros."""
    try:
        product = Decimal(_number(text)) * Decimal(factor)
    except InvalidOperation as fault:
        raise RefusedError from fault
    return f"{product.normalize():f}"


def _unit(text: str, which: str) -> str:
    return scaled(text, str(_UNITS[which]))


def _boolean(text: str, _: str) -> bool:
    word = text.casefold()
    if word not in _TRUE | _FALSE:
        raise RefusedError
    return word in _TRUE


def _sex(text: str, _: str) -> str:
    if text.casefold() not in _SEX:
        raise RefusedError(known=False)
    return _SEX[text.casefold()]


def _phone(text: str, _: str) -> str:
    digits = re.sub(r"[\s.\-/()\u202f\xa0]", "", text)
    digits = re.sub(r"^(\+33|0033)0?", "0", digits)
    if not re.fullmatch(r"\+?[0-9]{4,15}", digits):
        raise RefusedError
    return digits


def _digits(text: str, _: str) -> str:
    """Without the blanks and points that people put between groups of digits; letters stay (2A, 2B)."""
    return re.sub(r"[\s.\-\u202f\xa0]", "", text)


def _plain(text: str, _: str) -> str:
    """Capitals without accents, as INSi writes names."""
    letters = unicodedata.normalize("NFD", text)
    return "".join(one for one in letters if not unicodedata.combining(one)).upper()


def _split(text: str, by: str) -> list[str]:
    return [part.strip() for part in text.split(by) if part.strip()]


_SIMPLE: dict[str, Callable[[str, str], Value]] = {
    "trim": lambda text, _: text.strip(),
    "upper": lambda text, _: text.upper(),
    "lower": lambda text, _: text.lower(),
    "plain": _plain,
    "digits": _digits,
    "phone": _phone,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "sex": _sex,
    "date": _date,
    "datetime": _datetime,
    "unit": _unit,
    "split": _split,
}
_WITH_ARGUMENT = frozenset({"date", "datetime", "unit", "split", "lookup", "times"})


def check_step(step: str, tables: Tables, *, key: str | None) -> None:
    """Raise ValueError when a step is not of the closed list, or its argument is wrong."""
    name, _, argument = step.partition(":")
    if name not in {*_SIMPLE, "lookup", "times"}:
        raise ValueError(f"convertisseur inconnu : {step}")
    if bool(argument) != (name in _WITH_ARGUMENT):
        raise ValueError(f"argument en trop ou manquant : {step}")
    if name == "unit" and argument not in _UNITS:
        raise ValueError(f"conversion d'unité inconnue : {step}")
    if name in {"lookup", "times"}:
        _check_table(step, argument, tables)
    if name == "times" and key is None:
        raise ValueError(f"key manque : {step}")


def _check_table(step: str, argument: str, tables: Tables) -> None:
    table, _, column = argument.partition(".")
    if table not in tables or any((column or "to") not in row for row in tables[table].values()):
        raise ValueError(f"table ou colonne inconnue : {step}")


def converted(text: str, steps: tuple[str, ...], tables: Tables, key: str = "") -> Value | None:
    """The text through every step; None where a table says that there is nothing. Raises RefusedError."""
    value: Value | None = text
    for step in steps:
        if isinstance(value, list):
            parts = [converted(part, (step,), tables, key) for part in value]
            value = [str(part) for part in parts if part is not None]
        elif value is not None:
            value = _step(str(value), step, tables, key)
    return value


def _step(text: str, step: str, tables: Tables, key: str) -> Value | None:
    name, _, argument = step.partition(":")
    if name == "lookup":
        return looked_up(text, argument, tables) or None
    if name == "times":
        factor = looked_up(key, argument, tables, of_key=True)
        return scaled(text, factor) if factor else _number(text)  # 51,20 keeps its zero where nothing is computed
    return _SIMPLE[name](text, argument)


def looked_up(text: str, where: str, tables: Tables, *, of_key: bool = False) -> str:
    """A cell of a table; capitals count, blanks around do not. Raises RefusedError when no row has this value."""
    table, _, column = where.partition(".")
    row = tables[table].get(text.strip())
    if row is None:
        raise RefusedError(known=False, of_key=of_key)
    return row[column or "to"]
