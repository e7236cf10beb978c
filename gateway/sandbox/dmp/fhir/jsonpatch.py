"""JSON Patch (RFC 6902) on JSON pointers (RFC 6901), as strict as the standards: what they do not allow is refused."""

from __future__ import annotations

import json
from typing import Any

from gateway.sandbox.dmp.fhir.issues import refuse

_OPERATIONS = {"add": "value", "replace": "value", "test": "value", "remove": None, "move": "from", "copy": "from"}


def apply(document: Any, operations: object) -> Any:
    """The document as the operations make it; itself is left alone.

    Raises RefusedError: 400 when it is no JSON Patch, 422 when it cannot be applied.
    """
    if not isinstance(operations, list) or not operations:
        raise refuse(400, "structure", "", "JSON Patch : liste d'opérations attendue (RFC 6902)")
    copy = json.loads(json.dumps(document))
    for number, one in enumerate(operations):
        copy = _apply(copy, one, f"[{number}]")
    return copy


def _apply(document: Any, one: object, where: str) -> Any:
    if not isinstance(one, dict) or not isinstance(one.get("op"), str) or one["op"] not in _OPERATIONS:
        raise refuse(400, "structure", where, "JSON Patch : op add, remove, replace, move, copy ou test attendu")
    needed = _OPERATIONS[one["op"]]
    if needed is not None and needed not in one:
        raise refuse(400, "structure", where, f"JSON Patch : membre « {needed} » attendu")
    path = _pointer(one.get("path"), where)
    operation, value = one["op"], one.get("value")
    if operation == "test":
        if _read(document, path, where) != value:
            raise refuse(422, "conflict", where, "test : la valeur n'est plus celle-ci")
        return document
    if operation in {"move", "copy"}:
        source = _pointer(one.get("from"), where)
        value = json.loads(json.dumps(_read(document, source, where)))
        if operation == "move":
            _remove(document, source, where)
        operation = "add"
    if operation == "remove":
        _remove(document, path, where)
    else:
        _put(document, path, value, where, new=operation == "add")
    return document


def _pointer(text: object, where: str) -> list[str]:
    if not isinstance(text, str) or not text.startswith("/"):
        raise refuse(400, "structure", where, "JSON Patch : pointeur JSON attendu (RFC 6901), par exemple /status")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _holder(document: Any, path: list[str], where: str) -> Any:
    holder = document
    for part in path[:-1]:
        holder = _step(holder, part, where)
    return holder


def _step(holder: Any, part: str, where: str) -> Any:
    if isinstance(holder, dict) and part in holder:
        return holder[part]
    if isinstance(holder, list) and _is_place(part) and int(part) < len(holder):
        return holder[int(part)]
    raise refuse(422, "not-found", where, f"le pointeur ne désigne rien (« {part[:80]} »)")


def _is_place(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 6 and (part == "0" or not part.startswith("0"))


def _read(document: Any, path: list[str], where: str) -> Any:
    return _step(_holder(document, path, where), path[-1], where)


def _remove(document: Any, path: list[str], where: str) -> None:
    _read(document, path, where)
    holder = _holder(document, path, where)
    del holder[int(path[-1]) if isinstance(holder, list) else path[-1]]


def _put(document: Any, path: list[str], value: Any, where: str, *, new: bool) -> None:
    holder, last = _holder(document, path, where), path[-1]
    if not new:
        _read(document, path, where)
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and new and (last == "-" or (_is_place(last) and int(last) <= len(holder))):
        holder.insert(len(holder) if last == "-" else int(last), value)
    elif isinstance(holder, list) and not new:
        holder[int(last)] = value
    else:
        raise refuse(422, "not-found", where, f"le pointeur ne désigne rien (« {last[:80]} »)")
