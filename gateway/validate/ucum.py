"""Form of a UCUM unit: the grammar of the specification over the symbols of mappings/ucum.toml."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass

from gateway import resources

_TOKEN = re.compile(
    r"(?P<annotation>\{[!-z|~]*\})|(?P<operator>[./])|(?P<open>\()|(?P<close>\))|(?P<symbol>[^./(){}\s]+)"
)
_NUMBER = re.compile(r"[1-9][0-9]*")
_EXPONENT = re.compile(r"(?P<atom>.*?[^0-9+-])(?P<exponent>[+-]?[0-9]+)?")
_DEPTH = 8
"""Parentheses deeper than this are no unit of measure."""


@dataclass(frozen=True, slots=True)
class _Symbols:
    prefixes: tuple[str, ...]
    metric: frozenset[str]
    plain: frozenset[str]


@functools.cache
def _symbols() -> _Symbols:
    data = tomllib.loads(resources.read_text("mappings", "ucum.toml"))
    return _Symbols(tuple(data["prefixes"]), frozenset(data["metric"]), frozenset(data["plain"]))


@functools.lru_cache(maxsize=512)
def is_unit(text: str) -> bool:
    """Whether this is a UCUM unit made of known symbols: `kg/m2`, `{score}`, `{#}/(30.s)`, `mm[Hg]`."""
    tokens = _tokens(text)
    if not tokens:
        return False
    rest = _term(tokens, 0)
    return rest == []


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return []
        found.append((str(match.lastgroup), match.group()))
        position = match.end()
    return found


def _term(tokens: list[tuple[str, str]], depth: int) -> list[tuple[str, str]] | None:
    """What is left after a term (components joined by `.` or `/`), or None when there is no term."""
    if depth > _DEPTH:
        return None
    rest: list[tuple[str, str]] | None = tokens
    if tokens and tokens[0] == ("operator", "/"):  # "/min"
        rest = tokens[1:]
    while rest is not None:
        rest = _component(rest, depth)
        if not rest or rest[0][0] != "operator":
            return rest
        rest = rest[1:]
    return None


def _component(tokens: list[tuple[str, str]], depth: int) -> list[tuple[str, str]] | None:
    if not tokens:
        return None
    kind, text = tokens[0]
    if kind == "annotation":
        return tokens[1:]
    if kind == "open":
        rest = _term(tokens[1:], depth + 1)
        return rest[1:] if rest and rest[0][0] == "close" else None
    if kind != "symbol" or not (_NUMBER.fullmatch(text) or _atom(text)):
        return None
    return tokens[2:] if len(tokens) > 1 and tokens[1][0] == "annotation" else tokens[1:]


def _atom(text: str) -> bool:
    if _known(text):
        return True
    match = _EXPONENT.fullmatch(text)
    return match is not None and match["exponent"] is not None and _known(match["atom"])


def _known(atom: str) -> bool:
    symbols = _symbols()
    if atom in symbols.metric or atom in symbols.plain:
        return True
    return any(atom.startswith(prefix) and atom[len(prefix) :] in symbols.metric for prefix in symbols.prefixes)
