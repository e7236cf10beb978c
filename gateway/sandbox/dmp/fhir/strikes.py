"""What an injected fault makes of a request by the FHIR door (kinds: `gateway.sandbox.faults`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.sandbox.dmp.fhir.issues import Issue, RefusedError
from gateway.sandbox.dmp.service import HttpAnswer
from gateway.sandbox.faults import AFTER_DATA, AT_GREETING, Channel, DropConnectionError, Fault, FaultKind, Faults

_STORES = frozenset({"TD2.1", "TD3.3"})
_REFUSALS = {
    FaultKind.REFUSE: (429, "throttled", "service momentanément occupé (panne injectée)"),
    FaultKind.REJECT: (422, "processing", "refus définitif (panne injectée)"),
    FaultKind.NOT_AVAILABLE: (503, "transient", "service indisponible (panne injectée)"),
    FaultKind.OUT_OF_RESOURCES: (507, "no-store", "ressources épuisées (panne injectée)"),
    FaultKind.SOAP_FAULT: (500, "exception", "erreur interne du service (panne injectée)"),
}
_PLAIN = {
    FaultKind.BUSY: HttpAnswer(503, "text/plain; charset=UTF-8", b"service occupe\n", 1),
    FaultKind.SERVER_ERROR: HttpAnswer(500, "text/html; charset=UTF-8", b"<html><body><h1>500</h1></body></html>\n"),
    FaultKind.NONSENSE: HttpAnswer(200, "application/fhir+json", b'{"resourceType":"Bundle","entry":[{"resp'),
}


def run(transaction: str, answer: Callable[[], HttpAnswer], faults: Faults) -> HttpAnswer:
    """The answer, or what the next fault makes of it. Raises RefusedError and DropConnectionError."""
    fault = faults.take(Channel.DMP, AFTER_DATA | AT_GREETING, transaction) if transaction else None
    if fault is None and transaction in _STORES:
        fault = faults.take(Channel.DMP, AFTER_DATA)
    return answer() if fault is None else _struck(fault, answer)


def _struck(fault: Fault, answer: Callable[[], HttpAnswer]) -> HttpAnswer:
    refusal = _REFUSALS.get(fault.kind)
    if refusal is not None:
        status, code, text = refusal
        raise RefusedError(status, [Issue(code, "", text)])
    if fault.kind is FaultKind.DELAY:
        time.sleep(fault.seconds)
        return answer()
    if fault.kind is FaultKind.DROP_AFTER_DATA:
        answer()
        raise DropConnectionError(fault.kind)
    if fault.kind is FaultKind.DROP_BEFORE_STORE:
        raise DropConnectionError(fault.kind)
    return _PLAIN[fault.kind]
