"""What an injected fault makes of a request whose checks all held (kinds: `gateway.sandbox.faults`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.dmp.transactions import Answer, Call, Transaction
from gateway.sandbox.faults import AFTER_DATA, AT_GREETING, Channel, DropConnectionError, Fault, FaultKind, Faults
from gateway.sandbox.problems import (
    NOT_AVAILABLE,
    OUT_OF_RESOURCES,
    REGISTRY,
    REGISTRY_BUSY,
    REGISTRY_OUT_OF_RESOURCES,
    REPOSITORY,
    REPOSITORY_BUSY,
    Problem,
)


class PlainAnswerError(Exception):
    """An injected fault: HTTP answers, SOAP does not. `retry_after` in seconds, 0 for none."""

    def __init__(self, status: int, body: bytes, retry_after: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.retry_after = retry_after


# Kind: the code of the registry, that of the repository, and the words.
_REFUSALS = {
    FaultKind.REFUSE: (REGISTRY_BUSY, REPOSITORY_BUSY, "service momentanément occupé (panne injectée)"),
    FaultKind.REJECT: (REGISTRY, REPOSITORY, "refus définitif (panne injectée)"),
    FaultKind.NOT_AVAILABLE: (NOT_AVAILABLE, NOT_AVAILABLE, "registre indisponible (panne injectée)"),
    FaultKind.OUT_OF_RESOURCES: (
        REGISTRY_OUT_OF_RESOURCES,
        OUT_OF_RESOURCES,
        "ressources épuisées (panne injectée)",
    ),
}


def run(transaction: Transaction, call: Call, faults: Faults) -> Answer:
    """The transaction, or what the next fault makes of it. Raises DropConnectionError and PlainAnswerError."""
    fault = faults.take(Channel.DMP, AFTER_DATA | AT_GREETING, transaction.name)
    if fault is None and transaction.stores:
        fault = faults.take(Channel.DMP, AFTER_DATA)
    if fault is None:
        return transaction.answer(call)
    return _struck(fault, transaction, call)


def _struck(fault: Fault, transaction: Transaction, call: Call) -> Answer:
    refusal = _REFUSALS.get(fault.kind)
    if refusal is not None:
        registry, repository, words = refusal
        code = repository if transaction.path == "repository" else registry
        return transaction.refuse(call, [Problem(code, "", words)])
    if fault.kind is FaultKind.DELAY:
        time.sleep(fault.seconds)
        return transaction.answer(call)
    if fault.kind is FaultKind.DROP_AFTER_DATA:
        transaction.answer(call)
        raise DropConnectionError(fault.kind)
    _forget(transaction, call)
    return _PLAIN[fault.kind]()


def _forget(transaction: Transaction, call: Call) -> None:
    """Counted as a physical arrival, nothing kept."""
    if transaction.stores:
        transaction.refuse(call, [])


def _drop() -> Answer:
    raise DropConnectionError(FaultKind.DROP_BEFORE_STORE)


def _soap() -> Answer:
    raise SoapFault("erreur interne du service (panne injectée)", code="env:Receiver")


def _plain(status: int, body: bytes, retry_after: int = 0) -> Callable[[], Answer]:
    def answer() -> Answer:
        raise PlainAnswerError(status, body, retry_after)

    return answer


_PLAIN: dict[FaultKind, Callable[[], Answer]] = {
    FaultKind.DROP_BEFORE_STORE: _drop,
    FaultKind.SOAP_FAULT: _soap,
    FaultKind.BUSY: _plain(503, b"service occupe\n", 1),
    FaultKind.SERVER_ERROR: _plain(500, b"<html><body><h1>500</h1></body></html>\n"),
    FaultKind.NONSENSE: _plain(200, b'<?xml version="1.0"?><env:Envelope xmlns:env="http://www.w3.org/20'),
}
