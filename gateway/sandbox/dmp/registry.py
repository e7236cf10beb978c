"""Status and errors of an answer: IHE's codes only (spec dmp §3.5)."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from gateway.sandbox.problems import Problem
from gateway.sandbox.xml import Element, printable

RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"


def write_response(body: Element, problems: Sequence[Problem]) -> None:
    """The answer of ITI-41 and ITI-57: Success without problems, else Failure with one RegistryError each."""
    write_status(etree.SubElement(body, f"{{{RS}}}RegistryResponse", nsmap={"rs": RS}), problems)


def write_status(response: Element, problems: Sequence[Problem], *, partial: bool = False) -> None:
    """The status attribute and, with problems, the list of errors: what every registry answer begins with.

    `partial`: something was answered in spite of the problems (ITI TF-2 §3.43.5).
    """
    failed = PARTIAL if partial else FAILURE
    response.set("status", failed if problems else SUCCESS)
    if not problems:
        return
    errors = etree.SubElement(response, f"{{{RS}}}RegistryErrorList", nsmap={"rs": RS})
    errors.set("highestSeverity", ERROR)
    for problem in problems:
        row = etree.SubElement(errors, f"{{{RS}}}RegistryError")
        row.set("codeContext", printable(problem.message))
        row.set("errorCode", problem.code)
        row.set("location", printable(problem.location))
        row.set("severity", ERROR)
