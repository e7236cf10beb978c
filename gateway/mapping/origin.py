"""Exports as trees of cells: CSV rows grouped into documents, XML elements, JSON values. No input raises here."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from lxml import etree

from gateway.findings import Finding, error, warning
from gateway.mapping.model import Origin, VendorMapping

MAX_BYTES = 20_000_000
"""Size limit of an export in bytes."""
MAX_RECORDS = 20_000

_PATH = re.compile(r"(\.\./)*(([\w.-]+)(\[@?[\w.-]+='[^'\]]*'\])?/)*(@?[\w.-]+(\[@?[\w.-]+='[^'\]]*'\])?|\.)")
_ATTRIBUTE = re.compile(r"(?:(.+)/)?@([\w.-]+)")
Element = etree._Element  # noqa: SLF001 - lxml publishes its element class under this name only


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the export and where it stands."""

    text: str
    where: str


class Node(Protocol):
    """A document of the export, or an item inside."""

    @property
    def where(self) -> str:
        """Where it stands, for findings."""
        ...

    def cells(self, name: str) -> list[Cell]:
        """Every value of a field, empty ones too; none when the field is not there."""
        ...

    def items(self, path: str) -> list[Node]:
        """The items that a list of the document is made of."""
        ...


@dataclass
class Opened:
    """What an export holds, and what could not be read. `unused` is asked once everything was mapped."""

    nodes: list[Node]
    findings: list[Finding]
    _seen: Seen

    def unused(self) -> Iterator[Finding]:
        """Values that no rule took and that the mapping does not ignore, one finding a field."""
        for name, count in self._seen.left():
            message = f"Champ non repris par la correspondance ({count} valeur(s))"
            advice = "Ajouter une règle, ou nommer le champ dans ignore."
            yield warning("MAP-103", f"/{name}", f"{message}.", advice)


@dataclass
class Seen:
    """Which values exist, and which were read."""

    ignore: frozenset[str]
    there: dict[Any, str] = field(default_factory=dict)
    read: set[Any] = field(default_factory=set)

    def left(self) -> list[tuple[str, int]]:
        """Fields with values that nobody read, with how many."""
        names = Counter(name for key, name in self.there.items() if key not in self.read)
        return sorted((name, count) for name, count in names.items() if name not in self.ignore)


def opened(data: bytes, mapping: VendorMapping) -> Opened:
    """The documents of an export. Findings `MAP-100`, `MAP-106`, `MAP-107` say what could not be read."""
    seen = Seen(frozenset(mapping.source.ignore))
    refused = _unreadable(data)
    found = Opened([], [refused] if refused else [], seen)
    if refused is None:
        readers = {"csv": _csv, "xml": _xml, "json": _json}
        found = readers[mapping.source.kind](data, mapping, seen)
    if not found.nodes and not found.findings:
        message = "L'export ne contient aucun document."
        found.findings.append(error("MAP-107", "/", message, "Vérifier le fichier et la correspondance choisis."))
    if len(found.nodes) > MAX_RECORDS:
        message = f"Plus de {MAX_RECORDS} documents : rien n'est repris."
        found = Opened([], [error("MAP-100", "/", message, "Exporter une période plus courte.")], seen)
    return found


def _unreadable(data: bytes) -> Finding | None:
    if len(data) > MAX_BYTES:
        message = f"Export trop gros ({len(data)} octets)."
        return error("MAP-100", "/", message, f"La limite est de {MAX_BYTES // 1_000_000} Mo.")
    return None


def _not(what: str, line: int | None = None) -> Finding:
    where = f" (ligne {line})" if line else ""
    message = f"L'export n'est pas {what}{where}."
    return error("MAP-100", "/", message, "Vérifier le format et l'encodage de l'export.")


# ------------------------------------------------------------------------------------------------ CSV


@dataclass(frozen=True)
class _Rows:
    """Rows of one document; an item is one of them."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    seen: Seen

    @property
    def where(self) -> str:
        return f"/ligne/{self.rows[0][0]}"

    def cells(self, name: str) -> list[Cell]:
        found = []
        for number, row in self.rows:
            if name in row:
                self.seen.read.add((number, name))
                found.append(Cell(row[name].strip(), f"/ligne/{number}/{name}"))
        return found

    def items(self, path: str) -> list[Node]:  # noqa: ARG002 - a row holds no lists
        return [_Rows((row,), self.seen) for row in self.rows]


def _csv(data: bytes, mapping: VendorMapping, seen: Seen) -> Opened:
    origin = mapping.source
    try:
        text = data.decode("utf-8-sig" if origin.encoding == "utf-8" else origin.encoding)
        table = list(_lines(text, origin))
    except UnicodeDecodeError:
        return Opened([], [_not(f"un texte {origin.encoding}")], seen)
    except csv.Error:
        return Opened([], [_not("un CSV lisible")], seen)
    header = [name.strip() for name in table[0][1]] if table else []
    findings = list(_columns(header, mapping))
    groups: dict[tuple[str, ...], list[tuple[int, dict[str, str]]]] = {}
    for number, cells in [] if findings else table[1:]:
        if len(cells) != len(header):
            message = f"{len(cells)} colonnes au lieu de {len(header)} : la ligne n'est pas reprise."
            findings.append(error("MAP-106", f"/ligne/{number}", message, "Corriger la ligne ou l'export."))
            continue
        row = dict(zip(header, cells, strict=True))
        seen.there.update({(number, name): name for name, value in row.items() if value.strip()})
        seen.read.update((number, name) for name in origin.group_by)
        groups.setdefault(tuple(row[name].strip() for name in origin.group_by), []).append((number, row))
    return Opened([_Rows(tuple(rows), seen) for rows in groups.values()], findings, seen)


def _lines(text: str, origin: Origin) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line that each ends on; empty lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=origin.delimiter, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _columns(header: list[str], mapping: VendorMapping) -> Iterator[Finding]:
    wanted = {name for rule in mapping.every_rule() for name in rule.fields()} | set(mapping.source.group_by)
    for name in sorted(wanted - set(header)):
        message = "Colonne attendue par la correspondance et absente de l'export."
        yield error("MAP-105", f"/{name}", message, "Vérifier la version de l'export et la correspondance choisie.")
    for name in sorted({name for name in header if header.count(name) > 1}):
        message = "Deux colonnes de l'export ont le même nom."
        yield error("MAP-105", f"/{name}", message, "Renommer l'une des deux.")


# ------------------------------------------------------------------------------------------------ XML


@dataclass(frozen=True)
class _Xml:
    element: Element
    seen: Seen

    @property
    def where(self) -> str:
        return f"/ligne/{self.element.sourceline}"

    def cells(self, name: str) -> list[Cell]:
        return [Cell(text.strip(), self._place(key, name)) for key, text in self._texts(name)]

    def _place(self, key: Any, name: str) -> str:
        line = (key[0] if isinstance(key, tuple) else key).sourceline
        return f"/ligne/{line}/{name}"

    def _texts(self, name: str) -> Iterator[tuple[Any, str]]:
        parts = _ATTRIBUTE.fullmatch(name)
        path, attribute = (parts[1] or ".", parts[2]) if parts else (name, "")
        for element in _found(self.element, path):
            key = (element, attribute) if attribute else element
            text = element.get(attribute) if attribute else element.text or ""
            if text is not None:
                self.seen.read.add(key)
                yield key, text

    def items(self, path: str) -> list[Node]:
        return [_Xml(element, self.seen) for element in _found(self.element, path)]


def _found(element: Element, path: str) -> list[Element]:
    if not _PATH.fullmatch(path):
        return []
    found = element.xpath(path)
    return [item for item in found if isinstance(item, etree._Element)] if isinstance(found, list) else []  # noqa: SLF001


def _xml(data: bytes, mapping: VendorMapping, seen: Seen) -> Opened:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as fault:
        return Opened([], [_not("un XML bien formé", getattr(fault, "lineno", None))], seen)
    if root.getroottree().docinfo.doctype:
        return Opened([], [_not("un XML sans DOCTYPE")], seen)
    for element in root.iter(etree.Element):
        _note(element, root, seen)
    return Opened([_Xml(element, seen) for element in _found(root, mapping.source.record)], [], seen)


def _note(element: Element, root: Element, seen: Seen) -> None:
    """Local names from here on, and every value of the element written down as there."""
    element.tag = etree.QName(element).localname
    names: list[str] = []
    current: Element | None = element
    while current is not None and current is not root:
        names.insert(0, str(current.tag))
        current = current.getparent()
    path = "/".join(names)
    if (element.text or "").strip():
        seen.there[element] = path
    if any((child.tail or "").strip() for child in element):
        seen.there[(element, "#tail")] = f"{path}/(texte mêlé)"
    for name, value in element.attrib.items():
        if str(value).strip():
            seen.there[(element, str(name))] = f"{path}/@{name}".removeprefix("/")


# ------------------------------------------------------------------------------------------------ JSON


@dataclass(frozen=True)
class _Json:
    value: Any
    place: str
    seen: Seen

    @property
    def where(self) -> str:
        return self.place or "/"

    def cells(self, name: str) -> list[Cell]:
        value, place = _at(self.value, self.place, name)
        values = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        found = []
        for number, one in values:
            where = place if number is None else f"{place}/{number}"
            if one is not None and not isinstance(one, dict | list):
                self.seen.read.add(where)
                found.append(Cell(_text(one), where))
        return found

    def items(self, path: str) -> list[Node]:
        value, place = _at(self.value, self.place, path)
        return [_Json(one, f"{place}/{n}", self.seen) for n, one in enumerate(value)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _at(value: Any, place: str, pointer: str) -> tuple[Any, str]:
    for step in pointer.strip("/").split("/") if pointer.strip("/") else ():
        value = value.get(step) if isinstance(value, dict) else None
        place = f"{place}/{step}"
    return value, place


def _json(data: bytes, mapping: VendorMapping, seen: Seen) -> Opened:
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_float=str, parse_int=str)
        _leaves(value, "", "", seen)
    except (ValueError, RecursionError):
        return Opened([], [_not("un JSON lisible en UTF-8")], seen)
    return Opened(list(_Json(value, "", seen).items(mapping.source.record)), [], seen)


def _leaves(value: Any, place: str, name: str, seen: Seen) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            _leaves(one, f"{place}/{key}", f"{name}/{key}".removeprefix("/"), seen)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            _leaves(one, f"{place}/{number}", name, seen)
    elif value is not None and _text(value):
        seen.there[place] = name
