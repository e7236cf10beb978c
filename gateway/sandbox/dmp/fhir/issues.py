"""What is refused and how: HTTP status and OperationOutcome (FHIR R4, http.html and operationoutcome.html).

The drafts name 400, 403, 404, 405 and 422; 409 and 412 are FHIR's own. No code of the DMP is invented: an issue has a
code of FHIR, and its text begins with IHE's code where the same check has one in XDS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.sandbox import problems as ihe
from gateway.sandbox.dmp.fhir.values import Json
from gateway.sandbox.problems import Problem


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue: a code of FHIR's issue-type, where (a FHIRPath), and why in French."""

    code: str
    where: str
    text: str


class RefusedError(Exception):
    """The request is refused; nothing of it was done. `codes` go to the log of exchanges."""

    def __init__(self, status: int, issues: Sequence[Issue], codes: Sequence[str] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.issues = tuple(issues)
        self.codes = tuple(codes) or tuple(issue.code for issue in issues)


# IHE code of a check that both doors share -> HTTP status and issue code here. Anything else: 422, invalid.
_OF_PROBLEM = {
    ihe.DUPLICATE_IN_REGISTRY: (409, "duplicate"),
    ihe.OTHER_HASH: (409, "conflict"),
    ihe.OTHER_SIZE: (422, "invalid"),
    ihe.DUPLICATE_IN_MESSAGE: (422, "duplicate"),
    ihe.POLICY: (403, "forbidden"),
    ihe.UNKNOWN_PATIENT: (422, "not-found"),
    ihe.UNRESOLVED: (422, "not-found"),
    ihe.OTHER_PATIENT: (422, "business-rule"),
    ihe.DEPRECATED: (409, "conflict"),
    ihe.UPDATE: (422, "business-rule"),
    ihe.UPDATE_OPERATION: (422, "business-rule"),
}
_WORST = (403, 409, 422)


def refuse(status: int, code: str, where: str, text: str) -> RefusedError:
    """One issue, ready to be raised."""
    return RefusedError(status, [Issue(code, where, text)])


def of_problems(problems: Sequence[Problem]) -> RefusedError:
    """What checks shared with the other door found."""
    found = [_OF_PROBLEM.get(one.code, (422, "invalid")) for one in problems]
    issues = [
        Issue(code, one.location, f"{one.code} : {one.message}") for one, (_, code) in zip(problems, found, strict=True)
    ]
    status = next(one for one in _WORST if one in {status for status, _ in found})
    return RefusedError(status, issues, [one.code for one in problems])


def outcome(issues: Sequence[Issue], severity: str = "error") -> Json:
    """An OperationOutcome."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": severity,
                "code": issue.code,
                "details": {"text": issue.text},
                **({"expression": [issue.where]} if issue.where else {}),
            }
            for issue in issues
        ],
    }
