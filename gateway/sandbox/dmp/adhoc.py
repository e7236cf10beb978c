"""Reader of query:AdhocQueryRequest: what is asked, with its parameters unquoted (ITI TF-2 §3.18.4.1.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.sandbox.ebrim import RIM, slots_of
from gateway.sandbox.limits import SLOT
from gateway.sandbox.problems import (
    MISSING_PARAMETER,
    PARAMETER_NUMBER,
    REGISTRY,
    UNKNOWN_QUERY,
    Problem,
)
from gateway.sandbox.xml import Element

QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
_NS = {"query": QUERY, "rim": RIM}

_STRING = r"'(?:[^']|'')*'"
_ONE = re.compile(_STRING, re.DOTALL)
_LIST = re.compile(rf"\(\s*{_STRING}(?:\s*,\s*{_STRING})*\s*\)", re.DOTALL)
_TIME = re.compile(r"'?\d{4}(?:\d{2}){0,5}'?")
_CODE = re.compile(r"[^^]+\^\^[^^]+")

Kind = Literal["one", "time", "many", "codes", "repeated"]
"""`one`: a string; `time`: an HL7 time, quotes optional; `many`: a list; `codes`: a list of `code^^scheme`;
`repeated`: codes again, where a second slot of the same name means "and"."""


@dataclass(frozen=True, slots=True)
class Query:
    """A stored query. `parameters` holds, for each name, a group of values for each slot of that name."""

    id: str
    leaves: bool
    parameters: Mapping[str, tuple[tuple[str, ...], ...]]

    def values(self, name: str) -> tuple[str, ...]:
        """Values of the first slot of that name, none when absent."""
        return self.parameters[name][0] if name in self.parameters else ()


class QueryError(Exception):
    """The query is refused; `problem` is the answer."""

    def __init__(self, code: str, location: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(code, location, message)


def query_id(payload: Element) -> str:
    """The id of the query asked, empty when it cannot be read."""
    found = payload.find("rim:AdhocQuery", _NS)
    return found.get("id", "") if found is not None else ""


def read_query(payload: Element, known: Mapping[str, Mapping[str, Kind]]) -> Query:
    """Read and check a request. `known`: the parameters of each query that this registry answers.

    Raises QueryError.
    """
    if payload.tag != f"{{{QUERY}}}AdhocQueryRequest":
        raise QueryError(REGISTRY, "Body", "query:AdhocQueryRequest attendu dans le Body")
    leaves = _response_option(payload)
    asked = payload.findall("rim:AdhocQuery", _NS)
    if len(asked) != 1:
        raise QueryError(REGISTRY, "AdhocQuery", "un seul rim:AdhocQuery attendu")
    name = asked[0].get("id", "")
    if name not in known:
        raise QueryError(UNKNOWN_QUERY, "AdhocQuery/@id", f"requête « {name} » inconnue (urn:uuid: compris)")
    return Query(name, leaves, _parameters(asked[0], known[name]))


def require(query: Query, name: str) -> None:
    """Raises QueryError when a mandatory parameter is absent."""
    if name not in query.parameters:
        raise QueryError(MISSING_PARAMETER, name, f"paramètre {name} obligatoire")


def _response_option(payload: Element) -> bool:
    options = payload.findall("query:ResponseOption", _NS)
    kind = options[0].get("returnType") if len(options) == 1 else None
    if kind not in {"LeafClass", "ObjectRef"}:
        raise QueryError(REGISTRY, "ResponseOption/@returnType", "LeafClass ou ObjectRef attendu")
    if options[0].get("returnComposedObjects") != "true":
        raise QueryError(REGISTRY, "ResponseOption/@returnComposedObjects", "true attendu")
    return kind == "LeafClass"


def _parameters(asked: Element, known: Mapping[str, Kind]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for name, texts in slots_of(asked):
        kind = known.get(name)
        if kind is None:
            raise QueryError(REGISTRY, name, f"paramètre « {name} » inconnu de cette requête")
        if name in found and kind != "repeated":
            raise QueryError(PARAMETER_NUMBER, name, f"paramètre {name} répété")
        found[name] = (*found.get(name, ()), _values(name, kind, texts))
    return found


def _values(name: str, kind: Kind, texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise QueryError(MISSING_PARAMETER, name, f"paramètre {name} sans valeur")
    if any(len(text) > SLOT for text in texts):
        raise QueryError(REGISTRY, name, f"{name} : {SLOT} caractères au plus, la liste continue dans une autre valeur")
    if kind in {"one", "time"}:
        return (_single(name, kind, texts),)
    values = tuple(value for text in texts for value in _several(name, text))
    if kind != "many" and not all(_CODE.fullmatch(value) for value in values):
        raise QueryError(REGISTRY, name, f"{name} : code^^codingScheme attendu")
    return values


def _single(name: str, kind: Kind, texts: tuple[str, ...]) -> str:
    if len(texts) > 1 or _LIST.fullmatch(texts[0]):
        raise QueryError(PARAMETER_NUMBER, name, f"{name} : une seule valeur attendue, sans parenthèses")
    if not (_TIME if kind == "time" else _ONE).fullmatch(texts[0]):
        wanted = "date AAAAMMJJhhmmss" if kind == "time" else "chaîne entre apostrophes"
        raise QueryError(REGISTRY, name, f"{name} : {wanted} attendue")
    return _unquoted(texts[0])


def _several(name: str, text: str) -> list[str]:
    if not _LIST.fullmatch(text):
        raise QueryError(REGISTRY, name, f"{name} : liste entre parenthèses attendue, ('a','b')")
    return [_unquoted(value) for value in _ONE.findall(text)]


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'") if text.startswith("'") else text
