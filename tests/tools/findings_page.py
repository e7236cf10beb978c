"""Writes docs/findings.md from the source: every stable code, what it says and what to do about it.

    python tests/tools/findings_page.py > docs/findings.md

The page is read off the calls that make findings, errors and outcomes, so it cannot disagree with them; a test
fails when it is stale or when a family of codes has no title here.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"[A-Z]{3}-(?:[0-9]{3}|[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)")
NOT_CODES = frozenset(
    {"PDT-INF-526", "INS-NIR", "INS-NIA", "INS-NIR-TEST", "INS-NIR-DEMO", "NON-HOMOLOGUE", "BAC-A-SABLE"}
)
"""Values of other vocabularies that are written alike."""

FAMILIES = {
    "INP": "Input: the file or the fields of a submission",
    "INS": "Identity of the patient",
    "DMX": "Datamatrix INS",
    "KEY": "Keys under a passphrase",
    "BAK": "Backup of the store",
    "TSI": "INSi, the national identity service",
    "CPT": "Account and author",
    "DST": "Destinations and visibility",
    "TRS": "Trust space",
    "DAT": "Dates",
    "CMP": "Content of the document",
    "MES": "Measures",
    "ACC": "Access to care (never stops a sending)",
    "CDA": "Preflight of a CDA document",
    "KIT": "Official test kit",
    "VAL": "Files to validate",
    "RDB": "Reading documents back",
    "REN": "Rendering",
    "PDF": "Level 1: a PDF with its metadata",
    "PKG": "Packaging for a destination",
    "SIG": "Signing keys",
    "MSS": "Delivery by MSSanté",
    "DMP": "Delivery to the DMP",
    "EVD": "Evidence for homologation",
    "TLS": "Certificates and TLS of a connection",
    "TOK": "Access tokens and sessions",
    "TRC": "Traces",
    "ENG": "Delivery: what the engine decided",
    "MAN": "Delivery by a person",
    "DLV": "Operations on a delivery",
    "DOC": "Operations on a document",
    "OPP": "Oppositions of a patient",
    "RGT": "Rights of a patient: copy and erasure",
    "OBL": "What is due for each episode",
    "LNK": "Sending a document another way",
    "WDR": "Withdrawing a document",
    "PRT": "Handing over on paper",
    "FLD": "Folder: dropped files",
    "FIL": "Folder: what is not taken",
    "ACT": "Folder: action files",
    "JRN": "Journal and audit",
    "IND": "Indicators and exports",
    "TSA": "Time-stamping authority",
    "STO": "Store",
    "RET": "How long content is kept",
    "SEA": "Sealing of documents",
    "LEA": "Lease of a worker",
    "LCK": "Lock between gateways",
    "CFG": "Configuration",
    "CLK": "Clock of this machine",
    "SNT": "Time servers",
    "WEB": "Web pages and HTTP API",
    "RES": "Shipped data files",
    "MAP": "Mapping tables",
    "DEP": "Table of departments",
    "RUL": "Table of the rules of access",
    "REC": "Billing compared with the documents",
    "ANN": "Directory of MSSanté boxes (Annuaire Santé)",
    "SBX": "Sandbox",
}
ORDER = tuple(FAMILIES)
SEVERITIES = {
    "fault": "error",
    "doubt": "warning",
    "error": "error",
    "warning": "warning",
    "info": "info",
    "_Fault": "error",
    "found": "error",
    "Must": "error",
    "make": "error/warning",
    "Choice": "answer",
}
"""What a call makes when nothing beside it says otherwise: the helpers of several rooms, by name."""
_SAID_LATER = frozenset({"message", "advice", "why"})


@dataclass
class Row:
    """What the source says of one code, over all the places that use it."""

    code: str
    severities: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


class Module:
    """One source file: its assignments by scope, and what its own helpers make."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        self.scopes: dict[ast.AST, dict[str, list[ast.expr]]] = {}
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                for name, value in _pairs(node.targets[0], node.value):
                    self.scopes.setdefault(self.scope(node), {}).setdefault(name, []).append(value)
        for values in (v for names in self.scopes.values() for v in names.values()):
            values.sort(key=lambda value: value.lineno)

    def scope(self, node: ast.AST) -> ast.AST:
        """The function that a node stands in, else the module."""
        while node in self.parents and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node = self.parents[node]
        return node

    def text(self, node: ast.expr | None) -> str:
        """A string expression as a reader sees it, `…` where a value stands."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(v) if isinstance(v, ast.Constant) else self._inside(v) for v in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.text(node.left) + self.text(node.right)
        if isinstance(node, ast.IfExp):
            return f"{self.text(node.body)} / {self.text(node.orelse)}"
        return self.text(self._value(node)) if isinstance(node, ast.Name) else ""

    def _value(self, node: ast.Name) -> ast.expr | None:
        """What a name stood for: its last assignment above, in the function or else in the module."""
        for scope in (self.scope(node), self.tree):
            above = [v for v in self.scopes.get(scope, {}).get(node.id, ()) if v.lineno < node.lineno]
            if above:
                return above[-1]
        return None

    def _inside(self, value: ast.expr) -> str:
        inner = value.value if isinstance(value, ast.FormattedValue) else value
        return self.text(inner) or "…"

    def severity(self, call: ast.Call) -> str:
        """What a call makes: a finding of some severity, an exception, an outcome of a delivery."""
        name = _name(call.func)
        said = {n.attr.lower() for part in self._parts(call) for n in ast.walk(part) if _is_severity(n)}
        if said:
            return "/".join(sorted(said))
        if name in SEVERITIES:
            return SEVERITIES[name]
        if name.endswith("Error"):
            return "exception"
        if name in self.functions and not _reached(call, self.functions[name], self):
            calls = (n for n in ast.walk(self.functions[name]) if isinstance(n, ast.Call))
            found = {self.severity(n) for n in calls if _name(n.func) in {*SEVERITIES, "Finding"}}
            return "/".join(sorted(found)) or "exception"
        return "error/warning" if name == "Finding" else "delivery"

    def _parts(self, call: ast.Call) -> Iterator[ast.expr]:
        for part in (*call.args, *(k.value for k in call.keywords)):
            yield part
            if isinstance(part, ast.Name) and (value := self._value(part)) is not None:
                yield value

    def severity_of_rows(self, row: ast.Tuple) -> str:
        """A table of codes: what the loop beside it makes of the name `code`."""
        for call in ast.walk(self.scope(row)):
            if isinstance(call, ast.Call) and any(isinstance(a, ast.Name) and a.id == "code" for a in call.args):
                return self.severity(call)
        return ""


def _reached(call: ast.Call, function: ast.AST, module: Module) -> bool:
    return module.scope(call) is function


def _is_severity(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Severity"


def _name(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for inner, part in zip(target.elts, value.elts, strict=False):
            yield from _pairs(inner, part)


def _is_code(node: ast.AST | None) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value) is not None
        and node.value not in NOT_CODES
    )


def rows(package: Path) -> dict[str, Row]:
    """Every code that the source of a package uses."""
    found: dict[str, Row] = {}
    for path in sorted(package.rglob("*.py")):
        other_side = "sandbox" in path.relative_to(package).parts
        module = Module(ast.parse(path.read_text(encoding="utf-8")))
        for node in ast.walk(module.tree):
            # What the sandbox says of a message is its own: only its errors at start are the user's.
            if _is_code(node) and (not other_side or node.value.startswith("SBX-")):
                row = found.setdefault(node.value, Row(node.value))
                _describe(row, node, module)
    return found


def worded(found: dict[str, Row], words: Path) -> dict[str, Row]:
    """The same, with what the faces tell people about the reasons of a delivery."""
    for code, text in tomllib.loads(words.read_text(encoding="utf-8"))["reason"].items():
        row = found.setdefault(code, Row(code))
        row.severities = row.severities or {"delivery"}
        row.advice = row.advice or [text]
    for code, said in tomllib.loads(words.read_text(encoding="utf-8"))["linked"].items():
        row = found.setdefault(code, Row(code))
        row.severities, row.messages, row.advice, row.sources = {"error"}, [said["message"]], [said["advice"]], []
    return receipts(obligations(found, words), words.with_name("receipts.toml"))


def obligations(found: dict[str, Row], words: Path) -> dict[str, Row]:
    """The same, with why an obligation stands where it does and what to do when it is late."""
    table = tomllib.loads(words.read_text(encoding="utf-8"))["obligation"]
    for code, text in table["reason"].items():
        row = found.setdefault(code, Row(code))
        row.severities, row.messages, row.sources = {"obligation"}, [text], []
        row.advice = [table["step"][code]] if code in table["step"] else []
    return found


def receipts(found: dict[str, Row], table: Path) -> dict[str, Row]:
    """The same, with what a receipt may say of a delivery and what to do about it."""
    for code, said in tomllib.loads(table.read_text(encoding="utf-8"))["reason"].items():
        row = found.setdefault(code, Row(code))
        row.severities = row.severities or {"delivery"}
        row.messages = [said["meaning"]]
        row.advice = [said[key] for key in ("next", "patient_next") if key in said]
    return found


def _describe(row: Row, node: ast.Constant, module: Module) -> None:
    holder = module.parents[node]
    if isinstance(holder, ast.Dict) and node in holder.keys:
        holder = holder.values[holder.keys.index(node)]
    if isinstance(holder, ast.Call):
        parts = [*holder.args, *(k.value for k in holder.keywords)]
        severity = module.severity(holder)
    elif isinstance(holder, ast.Tuple):
        parts, severity = list(holder.elts), module.severity_of_rows(holder)
    else:
        return
    if severity and not (severity == "delivery" and row.severities):
        row.severities.update(severity.split("/"))
    texts = [module.text(part) for part in parts if part is not node and _speaks(part, module)]
    for kept, text in zip((row.messages, row.advice, row.sources), texts, strict=False):
        if text and text not in kept:
            kept.append(text)


def _speaks(part: ast.expr, module: Module) -> bool:
    """Whether an argument is a text; a parameter of that name is one, though only its caller knows it."""
    text = module.text(part)
    return not _is_place(text) if text else isinstance(part, ast.Name) and part.id in _SAID_LATER


def _is_place(text: str) -> bool:
    """A JSON Pointer, a field name or a code: no sentence."""
    return " " not in text and (text.startswith("/") or "/" in text or text.islower() or "…" in text)


def _cell(texts: list[str]) -> str:
    return " / ".join(texts[:4]).replace("|", "\\|").replace("\n", " ")


def page(found: dict[str, Row]) -> str:
    """The page in Markdown."""
    lines = [
        "# Codes of findings and errors",
        "",
        "Written from the source by `python tests/tools/findings_page.py > docs/findings.md`; a test keeps it true.",
        "",
        "A **finding** says what a check saw: an `error` stops what it concerns, a `warning` or an `info` never does.",
        "An **exception** means that the gateway itself cannot go on. A **delivery** code says why a delivery stands",
        "where it stands; `MSS-<SMTP code>`, `DMP-<XDS error>` and `DMP-HTTP-<status>` repeat the other side's code.",
        "An **answer** is what the directory of boxes leads to, an **obligation** why what is due stands as it does.",
        "Codes are stable: they are never reused for something else. `…` stands for a value.",
        "",
    ]
    families = sorted({code[:3] for code in found}, key=lambda f: (ORDER.index(f) if f in ORDER else len(ORDER), f))
    for family in families:
        lines += [
            f"## {family} · {FAMILIES[family]}",
            "",
            "| Code | Kind | Says | What to do | Rule |",
            "|---|---|---|---|---|",
        ]
        for code in sorted(code for code in found if code[:3] == family):
            row = found[code]
            kind = ", ".join(sorted(row.severities)) or "delivery"
            cells = _cell(row.messages), _cell(row.advice), _cell(row.sources)
            lines.append(f"| {code} | {kind} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def written(root: Path) -> str:
    """The page of a source tree."""
    return page(worded(rows(root / "gateway"), root / "mappings" / "faces.toml"))


if __name__ == "__main__":
    sys.stdout.write(written(ROOT))
