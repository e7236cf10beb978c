"""Schematron (queryBinding xslt2) -> one XSLT 3.0 stylesheet, without any Schematron toolchain.

All rules are templates of one mode, the first of the file with the highest priority. Each hands its node on to
the next one with the list of patterns that already took it, because within a pattern only the first matching
rule applies. The stylesheet reports numbers; `Compiled.tests` says which test each number is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from gateway.errors import ConfigError

SCH = "http://purl.oclc.org/dsdl/schematron"
XSL = "http://www.w3.org/1999/XSL/Transform"
OUT = "urn:kine-gateway:findings"
"""Namespace of the private vocabulary between the stylesheet and `gateway.validate.kit`."""

_S = f"{{{SCH}}}"
_X = f"{{{XSL}}}"
_O = f"{{{OUT}}}"
_MODE = "k__"
Element = etree._Element  # noqa: SLF001 - lxml publishes its element class under this name only


@dataclass(frozen=True, slots=True)
class Test:
    """One assert or report: role as the file says it (`error` when it says nothing), and the rule's id."""

    role: str
    rule: str


@dataclass(slots=True)
class Compiled:
    """A stylesheet, its tests by number, and the files that the schema names and that are not there."""

    xslt: str
    tests: list[Test]
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rule:
    number: int
    name: str
    element: Element
    params: dict[str, str]
    aliases: tuple[tuple[str, str], ...]


def compile_schema(path: Path) -> Compiled:
    """Compile a schema file. Raises ConfigError (`KIT-003`) on a schema that contradicts itself."""
    missing: list[str] = []
    schema = _flat(path, missing)
    compiler = _Compiler(schema, f"{path.parent.as_uri()}/", missing)
    return Compiled(etree.tostring(compiler.root, encoding="unicode"), compiler.tests, missing)


def parser() -> etree.XMLParser:
    """The parser for files of the kit."""
    return etree.XMLParser(
        huge_tree=True, remove_comments=True, remove_pis=True, resolve_entities=False, no_network=True
    )


def _flat(path: Path, missing: list[str]) -> Element:
    """The schema with its includes in place, whatever the case of the letters in their names."""
    root = etree.parse(str(path), parser()).getroot()
    for include in list(root.iter(f"{_S}include")):
        href = include.get("href") or ""
        target = _any_case(path.parent / href)
        parent = include.getparent()
        assert parent is not None
        if target is None:
            missing.append(href)
            parent.remove(include)
        else:
            parent.replace(include, _flat(target, missing))
    return root


def _any_case(path: Path) -> Path | None:
    path = Path(re.sub(r"/\./", "/", str(path)))
    if path.exists():
        return path
    here = Path(path.anchor or ".")
    for part in path.parts[1 if path.anchor else 0 :]:
        near = here / part if part == ".." or (here / part).exists() else _sister(here, part)
        if near is None:
            return None
        here = near
    return here


def _sister(folder: Path, name: str) -> Path | None:
    if not folder.is_dir():
        return None
    return next((item for item in folder.iterdir() if item.name.lower() == name.lower()), None)


def _fill(text: str | None, params: dict[str, str]) -> str:
    """Parameters of an abstract pattern in place of $name, longest names first."""
    filled = text or ""
    for name in sorted(params, key=len, reverse=True):
        # a replacement string would read backslashes of the value as escapes
        filled = params[name].join(re.split(rf"\${re.escape(name)}(?![\w.-])", filled))
    return filled


def _uses(rule: Element) -> set[str]:
    """Names of the variables that a rule's own expressions refer to."""
    wanted = ("test", "value", "select", "path")
    text = " ".join(str(v) for el in rule.iter(f"{_S}*") for k, v in el.attrib.items() if k in wanted)
    bound = set(re.findall(r"\$([\w.-]+)\s+in\b", text))  # for $x in, some $x in, every $x in
    return set(re.findall(r"\$([\w.-]+)", text)) - bound


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    named: dict[str, str] = attributes
    child = etree.SubElement(parent, _X + tag, named)
    child.text = text
    return child


class _Compiler:
    """Builds the stylesheet of one schema."""

    def __init__(self, schema: Element, base: str, missing: list[str]) -> None:
        self.schema = schema
        self.missing = missing
        self.tests: list[Test] = []
        self.abstract = {str(r.get("id")): r for r in schema.iter(f"{_S}rule") if r.get("abstract") == "true"}
        self.named: dict[str, str | None] = {}
        self.globals = {str(let.get("name")) for let in schema.findall(f"{_S}let")}
        self.prefixes = self._prefixes()
        self.root = self._stylesheet(base)
        rules = list(self._rules())
        for rank, rule in enumerate(rules):
            self._template(len(rules) - rank, rule)

    def _prefixes(self) -> dict[str, str]:
        given = {str(n.get("prefix")): str(n.get("uri")) for n in self.schema.findall(f"{_S}ns")}
        given.pop("xml", None)
        given.setdefault("xs", "http://www.w3.org/2001/XMLSchema")
        return given | {"xsl": XSL, _MODE: OUT, "err": "http://www.w3.org/2005/xqt-errors"}

    def _stylesheet(self, base: str) -> Element:
        root = etree.Element(f"{_X}stylesheet", {"version": "3.0", "exclude-result-prefixes": "#all"}, self.prefixes)
        root.set("{http://www.w3.org/XML/1998/namespace}base", base)
        _add(root, "output", method="xml", indent="no")
        for let in self.schema.findall(f"{_S}let"):
            _add(root, "variable", name=str(let.get("name")), select=str(let.get("value")))
        top = _add(root, "template", match="/")
        _add(etree.SubElement(top, f"{_O}findings"), "apply-templates", select=".", mode=_MODE)
        # The way down is not left to the built-in rules: those would pass k__done on to the children.
        down = _add(root, "template", match="/ | *", mode=_MODE, priority="0")
        _add(down, "apply-templates", select="@* | node()", mode=_MODE)
        leaves = "@* | text() | comment() | processing-instruction()"
        _add(root, "template", match=leaves, mode=_MODE, priority="0")
        return root

    def _rules(self) -> Iterator[_Rule]:
        for number, (pattern, body) in enumerate(self._patterns()):
            params = {str(p.get("name")): str(p.get("value")) for p in pattern.findall(f"{_S}param")}
            aliases = tuple(self._pattern_lets(body, params, number))
            for rule in body.findall(f"{_S}rule"):
                if rule.get("abstract") != "true":
                    name = rule.get("id") or pattern.get("id") or f"pattern{number}"
                    yield _Rule(number, name, rule, params, aliases)

    def _patterns(self) -> Iterator[tuple[Element, Element]]:
        """Each pattern of the default phase, with the one that holds its rules."""
        patterns = list(self.schema.iter(f"{_S}pattern"))
        by_id = {str(p.get("id")): p for p in patterns if p.get("id")}
        active = self._active(by_id)
        for pattern in patterns:
            if pattern.get("abstract") == "true" or (active is not None and pattern.get("id") not in active):
                continue
            body = by_id.get(str(pattern.get("is-a"))) if pattern.get("is-a") else pattern
            if body is None:
                raise ConfigError("KIT-003", f"Motif abstrait absent du kit : {pattern.get('is-a')}.")
            yield pattern, body

    def _active(self, by_id: dict[str, Element]) -> set[str] | None:
        phase = self.schema.get("defaultPhase")
        if not phase or phase == "#ALL":
            return None
        phases = [p for p in self.schema.iter(f"{_S}phase") if p.get("id") == phase]
        names = {str(a.get("pattern")) for p in phases for a in p.iter(f"{_S}active")}
        self.missing += [f"pattern {name}" for name in sorted(names) if name not in by_id]
        return names

    def _pattern_lets(self, body: Element, params: dict[str, str], number: int) -> Iterator[tuple[str, str]]:
        """Pattern variables are globals, patterns use each other's; a name taken twice gets a private alias."""
        private: list[tuple[str, str]] = []
        for let in body.findall(f"{_S}let"):
            name = str(let.get("name"))
            known = "".join(f"let ${alias} := ${own} return " for alias, own in private)
            own = name if name not in self.globals else f"k__p{number}_{name}"
            self.globals.add(name)
            _add(self.root, "variable", name=own, select=f"{known}({_fill(let.get('value'), params)})")
            if own != name:
                private.append((name, own))
                yield name, own

    def _template(self, priority: int, rule: _Rule) -> None:
        template = self._open(rule.element, mode=_MODE, priority=str(priority))
        template.set("match", _fill(rule.element.get("context"), rule.params))
        _add(template, "param", name="k__done", select="()", **{"as": "xs:integer*"})
        box = _add(template, "if", test=f"not($k__done = {rule.number})")
        for name, own in rule.aliases:
            _add(box, "variable", name=name, select=f"${own}")
        attempt = _add(box, "try")
        self._body(attempt, list(self._children(rule)), rule.name, str(rule.number), rule.params)
        # A rule that stops (value set not in the kit, wrong type) proves nothing: that is a finding of its own.
        stopped = etree.SubElement(_add(attempt, "catch", errors="*"), f"{_O}f")
        self._number(stopped, Test("error", f"{rule.name}#not-run"), str(rule.number))
        _add(stopped, "text", "Cette règle n'a pas pu être exécutée ici.")
        onward = _add(template, "next-match")
        _add(onward, "with-param", name="k__done", select=f"$k__done, {rule.number}")

    def _open(self, rule: Element, **attributes: str) -> Element:
        # prefixes declared on the spot (xmlns:svs on a pattern) count like <ns>
        near = {k: v for k, v in rule.nsmap.items() if k and k not in self.prefixes}
        named: dict[str, str] = attributes
        return etree.SubElement(self.root, f"{_X}template", named, near)

    def _children(self, rule: _Rule) -> Iterator[Element]:
        local = _uses(rule.element)
        for item in rule.element:
            name = str(item.get("rule"))
            if item.tag == f"{_S}extends" and not self._callable(name, rule.params, local):
                yield from self._expanded(name, ())
            else:
                yield item

    def _callable(self, name: str, params: dict[str, str], local: set[str]) -> bool:
        """Whether an abstract rule can be called as it is: nothing to fill in, no variable of its own wanted."""
        return not params and self._shared(name) and not self._lets(name) & local

    def _lets(self, name: str) -> set[str]:
        return {str(let.get("name")) for let in self.abstract[name].iter(f"{_S}let")}

    def _expanded(self, name: str, seen: tuple[str, ...]) -> Iterator[Element]:
        """Children of an abstract rule, with what it extends itself in place."""
        for item in self._abstract(name, seen):
            if item.tag == f"{_S}extends":
                yield from self._expanded(str(item.get("rule")), (*seen, name))
            else:
                yield item

    def _abstract(self, name: str, seen: tuple[str, ...]) -> Element:
        if name not in self.abstract or name in seen:
            raise ConfigError("KIT-003", f"Règle abstraite inconnue ou circulaire : {name}.")
        return self.abstract[name]

    def _shared(self, name: str, seen: tuple[str, ...] = ()) -> bool:
        """Write an abstract rule once, as a named template, and say whether that could be done.

        It cannot when the rule uses a variable that those extending it would have to supply.
        """
        if name not in self.named:
            rule = self._abstract(name, seen)
            extended = [str(e.get("rule")) for e in rule.findall(f"{_S}extends")]
            closed = _uses(rule) <= self._lets(name) | self.globals
            closed = closed and all(self._shared(other, (*seen, name)) for other in extended)
            self.named[name] = f"k__:abstract-{len(self.named)}" if closed else None
            if closed:
                template = self._open(rule, name=str(self.named[name]))
                _add(template, "param", name="k__p", **{"as": "xs:integer"})
                self._body(template, list(rule), name, "{$k__p}", {})
        return self.named[name] is not None

    def _body(self, box: Element, children: list[Element], rule: str, number: str, params: dict[str, str]) -> None:
        for let in (c for c in children if c.tag == f"{_S}let"):
            _add(box, "variable", name=str(let.get("name")), select=_fill(let.get("value"), params))
        count = 0
        for test in children:
            if test.tag == f"{_S}extends":
                call = _add(box, "call-template", name=str(self.named[str(test.get("rule"))]))
                _add(call, "with-param", name="k__p", select=number.strip("{}"))
            elif test.tag in {f"{_S}assert", f"{_S}report"}:
                count += 1
                self._test(box, test, test.get("id") or f"{rule}#{count}", number, params)

    def _test(self, box: Element, test: Element, name: str, number: str, params: dict[str, str]) -> None:
        wanted = _fill(test.get("test"), params)
        wrong = f"not({wanted})" if test.tag == f"{_S}assert" else wanted
        hit = etree.SubElement(_add(box, "if", test=wrong), f"{_O}f")
        self._number(hit, Test(test.get("role") or "error", name), number)
        _message(hit, test)

    def _number(self, hit: Element, test: Test, pattern: str) -> None:
        hit.set("n", str(len(self.tests)))
        hit.set("p", pattern)
        hit.set("at", "{path(.)}")
        self.tests.append(test)


def _message(hit: Element, test: Element) -> None:
    """The words of a test. Values of the document stay out: a finding repeats no trait of the patient."""
    if test.text:
        _add(hit, "text", test.text)
    for part in test:
        if part.tag == f"{_S}name":
            _add(hit, "value-of", select=f"name({part.get('path', '.')})")
        elif part.tag == f"{_S}value-of":
            _add(hit, "text", "…")
        else:
            _add(hit, "text", "".join(part.itertext()))
        if part.tail:
            _add(hit, "text", part.tail)
