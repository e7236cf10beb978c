"""Answers of ITI-41: rs:RegistryResponse with IHE's error codes only (spec dmp §3.5)."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from gateway.sandbox.problems import Problem
from gateway.sandbox.xml import Element, printable

RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"


def write_response(body: Element, problems: Sequence[Problem]) -> None:
    """Success without problems, else Failure with one RegistryError each."""
    response = etree.SubElement(body, f"{{{RS}}}RegistryResponse", nsmap={"rs": RS})
    response.set("status", FAILURE if problems else SUCCESS)
    if not problems:
        return
    errors = etree.SubElement(response, f"{{{RS}}}RegistryErrorList")
    errors.set("highestSeverity", ERROR)
    for problem in problems:
        row = etree.SubElement(errors, f"{{{RS}}}RegistryError")
        row.set("codeContext", printable(problem.message))
        row.set("errorCode", problem.code)
        row.set("location", printable(problem.location))
        row.set("severity", ERROR)
