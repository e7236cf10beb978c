"""No regular expression of the gateway can be made to think for long (ReDoS); none is listed by hand.

For each pattern, texts are drawn from the pattern itself: each part that repeats is repeated thousands of times, then
something that cannot match follows, which makes a careless pattern try every way to split what it took. Time is
processor time, for 1,000 characters: a quadratic pattern stays well below the limit, a cubic one does not.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import gateway

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_constants
    import sre_parse

ROOT = Path(__file__).resolve().parents[2]
LENGTH, SECONDS = 1_000, 0.5
ENDS = ("", "!", "\n\x00é")
ALWAYS = (
    "a",
    "0",
    " ",
    "\t",
    "\n",
    "\r\n",
    "-",
    ".",
    "<",
    "<?",
    "<!--",
    "[",
    "(",
    "/",
    "\\",
    "=?",
    "@",
    "a@",
    "a ",
    "0 ",
    "A-",
    "::",
)
_CALLS = frozenset({"compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer"})


@cache
def patterns() -> dict[tuple[str | bytes, int], re.Pattern[Any]]:
    """Compiled ones of every module, and the literals that functions use in passing."""
    found: dict[tuple[str | bytes, int], re.Pattern[Any]] = {}
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        source = ROOT.joinpath(*module.name.split(".")).with_suffix(".py")
        if not source.exists() or "re.compile" not in source.read_text(encoding="utf-8"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            for one in value if isinstance(value, tuple | list) else [value]:
                if isinstance(one, re.Pattern):
                    found[one.pattern, one.flags] = one
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        for text in _literals(ast.parse(path.read_text(encoding="utf-8"))):
            compiled = re.compile(text)
            found.setdefault((compiled.pattern, compiled.flags), compiled)
    return found


def _literals(tree: ast.Module) -> Iterator[str | bytes]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS):
            continue
        owner, first = node.func.value, node.args[0] if node.args else None
        if isinstance(owner, ast.Name) and owner.id == "re" and isinstance(first, ast.Constant):
            yield first.value


# ------------------------------------------------------------------------------------------- texts from a pattern


def _sample(parsed: Any, pumped: list[str], budget: int) -> str:
    """A text that the pattern takes; each part that may repeat is also noted, many times over, in `pumped`."""
    return "".join(_one(code, value, pumped, budget) for code, value in parsed)


def _character(code: Any, value: Any) -> str:
    if code is sre_constants.LITERAL:
        return chr(value)
    if code is sre_constants.IN:
        return _member(value)
    return "b" if value == ord("a") else "a"


def _one(code: Any, value: Any, pumped: list[str], budget: int) -> str:
    if code in {sre_constants.LITERAL, sre_constants.NOT_LITERAL, sre_constants.IN, sre_constants.ANY}:
        return _character(code, value)
    if code is sre_constants.BRANCH:
        return max((_sample(branch, pumped, budget) for branch in value[1]), key=len)
    if code is sre_constants.SUBPATTERN:
        return _sample(value[3], pumped, budget)
    if code in {sre_constants.MAX_REPEAT, sre_constants.MIN_REPEAT, sre_constants.POSSESSIVE_REPEAT}:
        low, high, inner = value
        once = _sample(inner, pumped, budget)
        if once and int(high) > 1:
            pumped.append(once)
        return once * max(low, 1)
    return ""


_CATEGORIES = {
    sre_constants.CATEGORY_DIGIT: "0",
    sre_constants.CATEGORY_SPACE: " ",
    sre_constants.CATEGORY_WORD: "a",
    sre_constants.CATEGORY_NOT_DIGIT: "a",
    sre_constants.CATEGORY_NOT_SPACE: "a",
    sre_constants.CATEGORY_NOT_WORD: "-",
}


def _member(members: list[tuple[Any, Any]]) -> str:
    """One character of a class."""
    if members[0][0] is sre_constants.NEGATE:
        return next((c for c in "a0 -<é" if not any(_holds(one, c) for one in members[1:])), "~")
    code, value = members[0]
    if code is sre_constants.LITERAL:
        return chr(value)
    return chr(value[0]) if code is sre_constants.RANGE else _CATEGORIES.get(value, "a")


def _holds(member: tuple[Any, Any], character: str) -> bool:
    code, value = member
    if code is sre_constants.LITERAL:
        return ord(character) == value
    if code is sre_constants.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    return value in _CATEGORIES and re.match(_category(value), character) is not None


def _category(value: Any) -> str:
    names = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    name = str(value).removeprefix("CATEGORY_")
    return names[name.removeprefix("NOT_")].upper() if name.startswith("NOT_") else names[name]


def attacks(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Texts for one pattern."""
    pumped: list[str] = []
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    whole = _sample(sre_parse.parse(text), pumped, LENGTH)
    units = dict.fromkeys([*pumped, whole, *ALWAYS])
    for unit in units:
        if not unit:
            continue
        many = unit * (LENGTH // len(unit) + 1)
        for end in ENDS:
            yield many[:LENGTH] + end
        yield whole + many[:LENGTH] + "!"


def test_there_are_patterns() -> None:
    assert len(patterns()) > 100


def test_every_pattern_answers_soon() -> None:
    slow = []
    for pattern in patterns().values():
        worst = max(_seconds(pattern, text) for text in attacks(pattern))
        if worst > SECONDS:
            slow.append(f"{pattern.pattern!r}: {worst:.1f} s")
    assert slow == []


def _seconds(pattern: re.Pattern[Any], text: str) -> float:
    data: Any = text if isinstance(pattern.pattern, str) else text.encode("utf-8", "replace")
    before = time.thread_time()
    pattern.fullmatch(data)
    pattern.search(data)
    return time.thread_time() - before


def test_a_bad_pattern_is_noticed() -> None:
    """The means are fit for the end: a textbook pattern is caught (with a shorter text: it would not end)."""
    bad = re.compile(r"(a+)+$")
    units: list[str] = []
    _sample(sre_parse.parse(bad.pattern), units, LENGTH)
    assert _seconds(bad, units[0] * 24 + "!") > 0.2
