"""The journal on screen: verify it, prove a delivery, export it. Long work runs beside the requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response, StreamingResponse

from gateway.errors import NotFoundError
from gateway.web.pages.view import Ask, Sheet, View
from gateway.web.pages.work import another, once, waiting

if TYPE_CHECKING:
    from gateway.audit.report import Report
    from gateway.web.jobs import Job


def show(ask: Ask) -> View:
    """Where the journal stands, and the forms that verify and prove."""
    state = ask.gateway.journal.state()
    latest = ask.jobs.latest("verify", ask.session.token.id)
    row = {"size": state.size, "signed": state.signed, "checkpoint": state.checkpoint, "public_key": state.public_key}
    values = {"state": state, "latest": latest, "whole": ask.session.account is None}
    return View("journal.html", values, lambda: Sheet("journal", tuple(row), [row]), ask.consulted("journal"))


def export(ask: Ask) -> Response:
    """The whole journal as JSON Lines; for an auditor alone, since it holds every account."""
    if ask.session.account is not None:
        raise NotFoundError("WEB-404", ask.words("fault.missing"))
    size = ask.gateway.journal.state().size
    ask.gateway.browse.note(_exported(ask, "journal", size=size))
    headers = {"content-disposition": f'attachment; filename="journal-{ask.clock.now():%Y%m%dT%H%M%SZ}.jsonl"'}
    return StreamingResponse(ask.gateway.journal.export(), media_type="application/jsonl", headers=headers)


def _exported(ask: Ask, kind: str, **about: Any) -> Any:
    from dataclasses import replace

    return replace(ask.consulted(kind, **about), event="exported")


def verify(ask: Ask) -> Response:
    """Start a verification; its page tells how far it is."""
    held, key = ask.form.get("checkpoint", "").strip(), ask.form.get("key", "").strip()

    def work(job: Job) -> Report:
        with another(ask) as gateway, TemporaryDirectory() as folder:
            checkpoint, public_key = _file(folder, "checkpoint.txt", held), _file(folder, "journal.pub", key)
            return gateway.journal.verify(public_key=public_key, checkpoint=checkpoint, progress=job.tell)

    job = ask.jobs.ask("verify", "", ask.session.token.id, work)
    return RedirectResponse(f"/journal/jobs/{job.id}", 303)


def _file(folder: str, name: str, text: str) -> Path | None:
    if not text:
        return None
    path = Path(folder) / name
    # A browser's lines end with CR LF; what was signed had LF, and one at the end.
    path.write_text(text.replace("\r\n", "\n") + "\n", encoding="utf-8", newline="\n")
    return path


def prove(ask: Ask) -> Response:
    """Start the proof of one delivery. Raises NotFoundError (DLV-404)."""
    identity = ask.form.get("delivery", "").strip()
    row = ask.gateway.browse.delivery(identity).row
    ask.check_account(row.account, "DLV-404", f"Aucun envoi {identity}.")

    def work(job: Job) -> dict[str, Any]:
        from gateway.audit.prove import verify_proof
        from gateway.store.checkpoint import Verifier

        with another(ask) as gateway:
            proof = gateway.journal.prove(row.id, job.tell)
            key = gateway.journal.state().public_key or ""
            findings = verify_proof(proof, Verifier.parse(key))
        return {"proof": proof, "findings": findings, "key": key, "document": row.document_id}

    job = ask.jobs.ask("prove", row.id, ask.session.token.id, work)
    return RedirectResponse(f"/journal/jobs/{job.id}", 303)


def show_job(ask: Ask) -> View | Response:
    """The progress of a job, then its result. Raises NotFoundError (WEB-404): not kept, or somebody else's."""
    job = ask.jobs.find(ask.path["job"], ask.session.token.id)
    if job is None:
        raise NotFoundError("WEB-404", ask.words("journal.gone"))
    if job.ended_at is None or job.fault is not None:
        return waiting(job, "proof.title" if job.kind == "prove" else "journal.result")
    if job.kind == "prove":
        return _proof(ask, job)
    report: Report = job.result
    about = ask.consulted("verification", size=report.size) if once(ask, job) else None
    columns = ("code", "severity", "path", "message")
    rows = [finding.as_dict() for finding in report.findings]
    whole = {key: value for key, value in report.as_dict().items() if key != "findings"}
    sheet = Sheet("verification", columns, rows, whole | {"ended_at": job.ended_at})
    return View("job.html", {"job": job, "report": report, "proof": None}, lambda: sheet, about)


def _proof(ask: Ask, job: Job) -> View | Response:
    proof = job.result["proof"]
    about = ask.consulted("proof", delivery=job.subject, document=job.result["document"], size=len(proof["records"]))
    if ask.wanted == "json":  # the very file that `journal verify-proof` reads
        ask.gateway.browse.note(about)
        text = json.dumps(proof, ensure_ascii=False, indent=1) + "\n"
        headers = {"content-disposition": f'attachment; filename="proof-{job.subject}.json"'}
        return Response(text, media_type="application/json", headers=headers)
    records = [_record(one) for one in proof["records"]]
    values = {"job": job, "report": None, "proof": job.result, "records": records}
    sheet = Sheet("proof", ("seq", "record", "leaf", "proof"), records)
    return View("job.html", values, lambda: sheet, about if once(ask, job) else None)


def _record(item: Mapping[str, Any]) -> dict[str, Any]:
    from gateway.store.merkle import leaf_hash

    value = json.loads(item["record"])
    about = {"seq": item["seq"], "record": item["record"], "proof": item["proof"], "value": value}
    return about | {"leaf": leaf_hash(item["record"].encode()).hex()}
