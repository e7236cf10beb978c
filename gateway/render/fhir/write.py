"""JSON in which a Decimal keeps its digits: 51.20 is written 51.20 (FHIR gives precision a meaning).

The standard encoder knows only binary floats, and the resource models lose nothing but are slow to dump.
"""

from __future__ import annotations

from decimal import Decimal
from json.encoder import encode_basestring

_CONSTANTS = {True: "true", False: "false", None: "null"}


def to_json(value: object) -> str:
    """Compact JSON of dicts, lists, strings, booleans, integers and Decimals. Raises TypeError for anything else."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{encode_basestring(key)}:{to_json(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([to_json(item) for item in value]) + "]"
    if isinstance(value, bool) or value is None:
        return _CONSTANTS[value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"not a FHIR value: {type(value).__name__}")
