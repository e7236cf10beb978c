"""The rules at work: each document of an export becomes the dict of a submission, with everything that went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.findings import Finding, error, has_errors, warning
from gateway.mapping.convert import RefusedError, converted
from gateway.mapping.model import Each, Rule, VendorMapping, When
from gateway.mapping.origin import Cell, Node, opened


@dataclass
class Mapped:
    """One document: the submission's content, what was found on the way, and where it stood in the export."""

    where: str
    submission: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing blocks. The submission's own checks come after."""
        return not has_errors(self.findings)

    def data(self) -> bytes:
        """The submission as JSON bytes, as `Gateway.submit` takes them."""
        return json.dumps(self.submission, ensure_ascii=False, indent=1).encode("utf-8")


def apply(data: bytes, mapping: VendorMapping) -> tuple[list[Mapped], list[Finding]]:
    """Every document of an export, and the findings on the export as a whole. Never raises on bad input.

    An error on the whole (a row that is torn, a column that is missing) may hide a document: take none then.
    """
    export = opened(data, mapping)
    documents = [_document(node, mapping) for node in export.nodes]
    return documents, [*export.findings, *export.unused()]


def _document(node: Node, mapping: VendorMapping) -> Mapped:
    mapped = Mapped(node.where)
    for rule in mapping.rule:
        _one(rule, node, mapping, mapped.submission, mapped.findings)
    for each in mapping.each:
        _list(each, node, mapping, mapped)
    return mapped


def _list(each: Each, node: Node, mapping: VendorMapping, mapped: Mapped) -> None:
    for item in node.items(each.path):
        if not _holds(each.when, item) or not _has_content(each, item):
            continue
        value: dict[str, Any] = {}
        found: list[Finding] = []
        for rule in each.rule:
            _one(rule, item, mapping, value, found)
        if not found:
            _put(mapped.submission, f"{each.to}/-", value)
        else:  # half an item would be another fact; the findings say that it is missing
            _add(mapped.findings, [*found, _left_out(item, found)])


def _add(findings: list[Finding], found: list[Finding]) -> None:
    """Several rules may read one cell: what is wrong with it is said once."""
    said = {(one.code, one.path, one.severity) for one in findings}
    for one in found:
        if (one.code, one.path, one.severity) not in said:
            said.add((one.code, one.path, one.severity))
            findings.append(one)


def _left_out(item: Node, why: list[Finding]) -> Finding:
    make = error if has_errors(why) else warning
    return make(
        "MAP-108", item.where, "Cet élément n'est pas repris dans le document.", "Voir les constats sur ses champs."
    )


def _has_content(each: Each, item: Node) -> bool:
    fields = {name for rule in each.rule for name in rule.source}
    return any(cell.text for name in fields for cell in item.cells(name))


def _holds(when: When | None, node: Node) -> bool:
    return when is None or any(cell.text in when.values for cell in node.cells(when.field))


def _one(rule: Rule, node: Node, mapping: VendorMapping, into: dict[str, Any], findings: list[Finding]) -> None:
    """Read, convert and write one place."""
    if not _holds(rule.when, node):
        return
    if rule.constant is not None:
        _put(into, rule.to, rule.constant)
        return
    found: list[Finding] = []
    values = [value for cell in _cells(rule, node, found) for value in _converted(rule, cell, node, mapping, found)]
    _add(findings, found)
    if values:
        flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
        _put(into, rule.to, flat if rule.many or isinstance(values[0], list) else values[0])
    elif rule.default is not None and not found:
        _put(into, rule.to, rule.default)
    elif rule.required and not found:
        message = "Valeur obligatoire absente de l'export."
        findings.append(
            error("MAP-109", _place(rule, node), message, "Compléter le dossier, puis exporter de nouveau.")
        )


def _cells(rule: Rule, node: Node, findings: list[Finding]) -> list[Cell]:
    """The texts to convert: all of them for `many`, else the single one that the fields give together."""
    columns = [_distinct(node.cells(name)) for name in rule.source]
    if rule.many:
        return [cell for cells in columns for cell in cells]
    for cells in columns:
        if len(cells) > 1:
            message = "Plusieurs valeurs différentes là où le document n'en porte qu'une."
            advice = "Corriger l'export, ou prendre toutes les valeurs (many = true)."
            findings.append(error("MAP-104", cells[1].where, message, advice))
            return []
    single = [cells[0] for cells in columns if cells]
    return [Cell(rule.join.join(cell.text for cell in single), single[0].where)] if single else []


def _distinct(cells: list[Cell]) -> list[Cell]:
    first: dict[str, Cell] = {}
    for cell in cells:
        if cell.text:
            first.setdefault(cell.text, cell)
    return list(first.values())


def _converted(rule: Rule, cell: Cell, node: Node, mapping: VendorMapping, findings: list[Finding]) -> Iterator[Any]:
    keys = node.cells(rule.key) if rule.key else []
    try:
        value = converted(cell.text, rule.convert, mapping.tables, keys[0].text if keys else "")
    except RefusedError as fault:
        findings.append(_refused(rule, keys[0] if fault.of_key and keys else cell, known=fault.known))
        return
    if value is not None and value != []:
        yield value


def _refused(rule: Rule, cell: Cell, *, known: bool) -> Finding:
    make, place, kind = error if rule.policy == "block" else warning, cell.where, _class(cell.text)
    if known:
        message = f"Valeur illisible pour {rule.to} ({kind})."
        advice = "Corriger la valeur, ou le format dans la règle."
        return make("MAP-102", place, message, advice)
    message = f"Valeur absente de la table de codes pour {rule.to} ({kind})."
    advice = "Ajouter la valeur à la table de la correspondance."
    return make("MAP-101", place, message, advice)


def _class(text: str) -> str:
    """What sort of value it is, never the value: it may name somebody."""
    if re.fullmatch(r"[+-]?[0-9]+([.,][0-9]+)?", text):
        return "un nombre"
    if re.fullmatch(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*", text):
        return "une date"
    if re.fullmatch(r"[A-Z0-9_.-]{1,12}", text):
        return "un code"
    return f"un texte de {len(text)} caractères"


def _place(rule: Rule, node: Node) -> str:
    return f"{node.where.rstrip('/')}/{rule.source[0].lstrip('/')}"


def _put(into: dict[str, Any], pointer: str, value: Any) -> None:
    """Write at a JSON Pointer, making objects and lists on the way; `-` adds to a list (RFC 6901 §4)."""
    steps = pointer.strip("/").split("/")
    current: Any = into
    for place, step in enumerate(steps):
        last = place == len(steps) - 1
        empty: Any = value if last else ([] if re.fullmatch(r"-|[0-9]+", steps[place + 1]) else {})
        current = _child(current, step, empty, last=last)


def _child(current: Any, step: str, empty: Any, *, last: bool) -> Any:
    if isinstance(current, list):
        number = len(current) if step == "-" else int(step)
        while len(current) <= number:
            current.append(empty if len(current) == number else {})
        if last:
            current[number] = empty
        return current[number]
    if last:
        current[step] = empty
    return current.setdefault(step, empty)
