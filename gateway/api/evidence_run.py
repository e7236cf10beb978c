"""One evidence run: the steps of a test, played one after the other on one document."""

from __future__ import annotations

import json
import ssl
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any, cast

from gateway.api.evidence_tests import ASKING
from gateway.errors import GatewayError, InputError

if TYPE_CHECKING:
    from gateway.api.dmp_results import DmpFiles, DmpListing, DmpTest
    from gateway.api.evidence import EvidencePlan
    from gateway.api.evidence_files import EvidenceFolder
    from gateway.api.facade import Gateway
    from gateway.package.types import Change
    from gateway.views import DeliveryView

PATIENCE = 120.0
"""Seconds that one delivery may take, retries and the settling of a doubt included."""
_REST = frozenset({"sent", "dead", "held", "impossible", "cancelled", "superseded"})
_LIBRARIES = ("httpx2", "lxml", "cryptography", "signxml")
_REASON = "essai d'homologation"


class Stage:
    """A run on a gateway of its own, whose frames go to `folder`."""

    def __init__(self, gateway: Gateway, plan: EvidencePlan, folder: EvidenceFolder, by: str) -> None:
        self._gateway = gateway
        gateway.recorder = folder
        self._plan = plan
        self._folder = folder
        self._clock = gateway.clock
        self._by = by
        self._document = ""
        self._unique_id = ""

    def play(self) -> dict[str, Any]:
        """Every step until one fails; the index of the run."""
        started, steps = self._clock.now(), []
        going = True
        for step in self._plan.test.steps:
            reason = self._tried(step) if going else ""
            steps.append({"step": step, "ok": not reason if going else None, "reason": reason})
            going = going and not reason
        return {
            "ok": going,
            "started": started.isoformat(timespec="seconds"),
            "ended": self._clock.now().isoformat(timespec="seconds"),
            "document": self._unique_id,
            "software": _software(),
            "certificates": self._certificates(),
            "steps": steps,
            "exchanges": self._folder.exchanges,
        }

    def journal(self) -> bytes:
        """The journal of the run, as `journal export` writes it."""
        return "".join(f"{line.rstrip()}\n" for line in self._gateway.journal.export()).encode()

    def _tried(self, step: str) -> str:
        """What the gateway itself refuses is a failed step too: what was kept so far is worth its index."""
        try:
            return self._step(step)
        except InputError as fault:
            return ", ".join(dict.fromkeys(one.code for one in fault.findings)) or fault.code
        except GatewayError as fault:
            return fault.code

    def _step(self, step: str) -> str:
        """Empty when it did what it should; otherwise why not, as a stable code."""
        self._folder.step = step
        if step in {"feed", "replace"}:
            return self._feed(step)
        if step in ASKING:
            return self._ask(step)
        office = self._gateway.dmp(self._plan.account.id)
        return self._delivered(office.change(self._document, cast("Change", step), by=self._by, reason=_REASON))

    def _feed(self, step: str) -> str:
        value = json.loads(self._plan.submission)
        value.pop("replaces", None)
        value["key"] = f"{step}-{self._gateway.randomness.uuid().hex}"
        if step == "replace":
            value["replaces"] = self._document
        self._document = self._gateway.submit(json.dumps(value).encode()).document_id
        view = self._gateway.status(self._document)
        self._unique_id = self._gateway.store.document(self._document).unique_id or ""
        found = [one for one in view.deliveries if one.role == "dmp"]
        return self._delivered(found[0]) if found else "EVD-010"

    def _delivered(self, delivery: DeliveryView) -> str:
        deadline = self._clock.elapsed() + PATIENCE
        while (state := self._gateway.delivery(delivery.id).view).transport not in _REST:
            if self._clock.elapsed() > deadline:
                return f"{state.transport} {state.reason or ''}".strip()
            if not self._gateway.deliver_due():
                time.sleep(0.1)
        return "" if state.transport == "sent" else f"{state.transport} {state.reason or ''}".strip()

    def _ask(self, step: str) -> str:
        office, who, by = self._gateway.dmp(self._plan.account.id), self._plan.submission, self._by
        answer: DmpTest | DmpListing | DmpFiles
        if step == "existence":
            answer = office.test(who, by=by)
        elif step == "find":
            answer = office.find(who, by=by)
        elif step == "locate":
            answer = office.describe(who, [self._unique_id], by=by)
        elif step == "retrieve":
            answer = office.retrieve(who, [self._unique_id], by=by)
            if answer.refusal is None and not answer.ok:
                return "DMP-UPD-NOT-FOUND"
        else:
            answer = office.sets(who, by=by)
            if step == "links" and answer.refusal is None:
                answer = office.links(who, [one.entry_uuid for one in answer.sets], by=by)
        return "" if answer.refusal is None else answer.refusal.reason

    def _certificates(self) -> dict[str, str]:
        """SHA-256 of the certificate that signs: public, and what the evidence is to be compared with."""
        from cryptography.hazmat.primitives import hashes

        from gateway.package.keys import signing_keys

        keys = signing_keys(self._plan.dmp)
        return {"signature_sha256": keys.certificate.fingerprint(hashes.SHA256()).hex()}


def _software() -> dict[str, str]:
    from gateway import __version__

    versions = {name: metadata.version(name) for name in _LIBRARIES}
    python = f"Python {sys.version.split()[0]}"
    return {"kine-gateway": f"kine-gateway {__version__}", "python": python, "openssl": ssl.OPENSSL_VERSION, **versions}
