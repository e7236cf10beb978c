"""A rule as data: where it looks, what must be true there, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from lxml import etree

from gateway.findings import Finding
from gateway.render.cda.xml import NS
from gateway.validate.view import Rule, View, found

_PREFIXES = {"c": NS, "re": "http://exslt.org/regular-expressions"}


@dataclass(frozen=True, slots=True)
class Must:
    """On every element of `context` (XPath), `test` (XPath, read as true or false) must hold."""

    code: str
    message: str
    advice: str
    source: str
    context: str
    test: str


def rule(musts: Sequence[Must]) -> Rule:
    """One rule of the preflight that holds all of these."""

    def check(view: View) -> Iterator[Finding]:
        for must in musts:
            holds = _compiled(f"boolean({must.test})")
            for element in view.find(must.context):
                if not holds(element):
                    yield found(must.code, element, must.message, must.advice, must.source)

    return check


@cache
def _compiled(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=_PREFIXES)
