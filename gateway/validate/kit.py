"""The official schemas and schematrons, where the user has the ANS test kit: our own compiler, Saxon to run it.

Neither the kit (no licence seen) nor Saxon ships with the gateway: `saxonche` is loaded on first use.
One warm Kit checks a document in about a tenth of a second; the first one takes some seconds and 0.4 GB.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from gateway.errors import ConfigError
from gateway.findings import Finding, Severity
from gateway.validate.parsing import parse
from gateway.validate.schematron import Compiled, Element, compile_schema, parser

XSD = "infrastructure/cda/CDA_extended.xsd"
SUITES = {
    "structmin": "schematrons/profils/structurationMinimale/ASIP-STRUCT-MIN-StrucMin.sch",
    "ihe": "schematrons/profils/IHE.sch",
    "modeles": "schematrons/profils/CI-SIS_ModelesDeContenusCDA.sch",
    "modeles-ans": "schematrons/profils/CI-SIS_Modeles_ANS.sch",
}
"""Generic suites of the kit; the models of single documents have none for physiotherapy."""

_ROLES = {"warning": Severity.WARNING, "info": Severity.INFO, "hint": Severity.INFO}
_STEP = re.compile(r"/Q\{([^}]*)\}([^/\[]+)\[(\d+)\]")
_VALUES = re.compile(r"(?<=[Tt]he value )'[^']*'|'(?!\{)[^']*'(?= is not (?:a valid|an element|accepted))")


class Kit:
    """A kit folder, ready to check documents; suites are compiled when first used.

    Raises ConfigError: `KIT-001` the folder is not a kit, `KIT-002` saxonche is not installed,
    `KIT-003` a schema of the kit contradicts itself, `KIT-004` an unknown suite is asked for.
    """

    def __init__(self, folder: Path, suites: Sequence[str] | None = None) -> None:
        self.folder = folder.resolve()
        self.suites = tuple(suites) if suites is not None else ("xsd", *SUITES)
        unknown = set(self.suites) - {"xsd", *SUITES}
        if unknown:
            raise ConfigError("KIT-004", f"Suite de contrôle inconnue : {', '.join(sorted(unknown))}.")
        wanted = [XSD if suite == "xsd" else SUITES[suite] for suite in self.suites]
        absent = [name for name in wanted if not (self.folder / name).is_file()]
        if absent:
            advice = "Indiquez le dossier du kit de test CDA de l'ANS (TestContenuCDA)."
            raise ConfigError("KIT-001", f"Le dossier du kit n'a pas {absent[0]}.", advice)
        self._schema: etree.XMLSchema | None = None
        self._compiled: dict[str, tuple[Any, Compiled]] = {}
        self._saxon: Any = None

    def check(self, cda: bytes) -> list[Finding]:
        """Findings `KIT-XSD`, `KIT-STRUCTMIN`... of one document, with XPath; `source` is the rule's id."""
        root, refused = parse(cda)
        if root is None:
            return refused
        findings = self._xsd(root) if "xsd" in self.suites else []
        suites = [suite for suite in self.suites if suite != "xsd"]
        if suites:
            node = self._processor().parse_xml(xml_text=etree.tostring(root, encoding="unicode"))
            for suite in suites:
                findings += self._schematron(suite, node, root)
        return findings

    def missing(self) -> list[str]:
        """Files that the compiled suites name and that the kit lacks: rules that need them say `#not-run`."""
        return [name for _run, compiled in self._compiled.values() for name in compiled.missing]

    def _xsd(self, root: Element) -> list[Finding]:
        if self._schema is None:
            self._schema = etree.XMLSchema(etree.parse(str(self.folder / XSD)))
        self._schema.validate(root)
        return [_schema_finding(entry) for entry in self._schema.error_log]

    def _processor(self) -> Any:
        if self._saxon is None:
            try:
                from saxonche import PySaxonProcessor
            except ImportError as fault:
                advice = "Installez kine-gateway[kit] (le paquet saxonche) pour utiliser le kit."
                raise ConfigError("KIT-002", "Le moteur de schématrons n'est pas installé.", advice) from fault
            self._saxon = PySaxonProcessor(license=False)
        return self._saxon

    def _suite(self, name: str) -> tuple[Any, Compiled]:
        if name not in self._compiled:
            compiled = compile_schema(self.folder / SUITES[name])
            engine = self._processor().new_xslt30_processor()
            self._compiled[name] = (engine.compile_stylesheet(stylesheet_text=compiled.xslt), compiled)
        return self._compiled[name]

    def _schematron(self, suite: str, node: Any, root: Element) -> list[Finding]:
        run, compiled = self._suite(suite)
        code = f"KIT-{suite.upper()}"
        try:
            text = run.transform_to_string(xdm_node=node)
        except Exception as fault:  # noqa: BLE001 - saxonche raises its own, undocumented kinds
            text, reason = None, type(fault).__name__
        else:
            reason = "sans résultat"
        if text is None:  # a suite that stops half way proves nothing
            return [Finding(code, Severity.ERROR, "/", f"La suite s'est arrêtée sur ce document ({reason}).")]
        hits = sorted(etree.fromstring(text.encode(), parser()), key=lambda hit: int(hit.get("p") or 0))
        return [_finding(code, hit, compiled, root) for hit in hits]


def _schema_finding(entry: Any) -> Finding:
    words = _VALUES.sub("'…'", entry.message)
    message = f"{words} (ligne {entry.line})"
    return Finding("KIT-XSD", Severity.ERROR, entry.path or "/", message, "", entry.type_name)


def _finding(code: str, hit: Element, compiled: Compiled, root: Element) -> Finding:
    test = compiled.tests[int(hit.get("n") or 0)]
    at = hit.get("at") or "/"
    words = " ".join("".join(hit.itertext()).split())
    line = _line(root, at)
    message = f"{words} (ligne {line})" if line else words
    path = re.sub(r"Q\{[^}]*\}", "", at)
    return Finding(code, _ROLES.get(test.role, Severity.ERROR), path, message, "", test.rule)


def _line(root: Element, path: str) -> int:
    """Line of the element that an XPath 3.1 path() names."""
    current: Element | None = None
    for uri, name, number in _STEP.findall(path):
        tag = f"{{{uri}}}{name}" if uri else name
        pool = [root] if current is None else current.findall(tag)
        if int(number) > len(pool):
            break
        current = pool[int(number) - 1]
    return int(current.sourceline or 0) if current is not None else 0
