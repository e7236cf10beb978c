"""A practice made up around a sandbox: certificates, keys, trust space and a configuration for some authors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import platform, terminology
from gateway.records.submission import Submission, parse

if TYPE_CHECKING:
    from gateway.sandbox.service import Sandbox


def read_submissions(files: Iterable[Path]) -> list[Submission]:
    """The submissions in these files; a file with faults is left out (the sidecar will reject it)."""
    return [parsed for parsed, _ in (parse(file.read_bytes()) for file in files) if parsed is not None]


def write_practice(folder: Path, sandbox: Sandbox, submissions: Iterable[Submission], *, retry: str = "") -> Path:
    """Write `gateway.toml` with one account per author, each with an outbox and certificates of the sandbox.

    An existing file is left alone. `retry` is put in its [retry] table. Returns the path of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trust = folder / "trust-space.txt"
    sandbox.write_trust_space(trust)
    submissions = list(submissions)
    _population(sandbox, submissions)
    authors = {s.account: s for s in submissions}
    _publish(sandbox, submissions)
    head = (
        '[store]\nurl = "sqlite:///gateway.sqlite"\n\n[sealing]\nkey_file = "sealing.key"\n\n'
        '[journal]\ncheckpoint_dir = "checkpoints"\nkey_file = "journal.key"\n\n'
        f'[trust_space]\nfile = "{trust.name}"\n'
    ) + _annuaire(folder, sandbox)
    tail = f"\n[retry]\n{retry}" if retry else ""
    path = folder / "gateway.toml"
    path.write_text(head + tail + "".join(_account(sandbox, s) for s in authors.values()), encoding="utf-8")
    return path


def _publish(sandbox: Sandbox, submissions: Iterable[Submission]) -> None:
    """Let the sandbox's directory know the professionals that the submissions name, with the boxes they name."""
    from gateway.sandbox.annuaire import Box, Professional

    labels = terminology.load().professions()
    for recipient in (r for s in submissions for r in s.recipients if r.rpps and r.mssante):
        profession, _, specialty = (recipient.profession or "G15_10").removeprefix("G15_").partition("/")
        sandbox.annuaire.add(
            Professional(
                recipient.rpps or "",
                (recipient.family or "").upper(),
                recipient.given or "",
                profession,
                labels.get(profession, ""),
                specialty,
                "M" if recipient.civility == "M" else "MME",
                boxes=(Box(recipient.mssante or ""),),
            )
        )


def _annuaire(folder: Path, sandbox: Sandbox) -> str:
    from gateway.sandbox.annuaire import KEY

    platform.write_atomic(folder / "annuaire.key", f"{KEY}\n".encode())
    return f"""
[annuaire]
file = "annuaire.db"

[annuaire.api]
url = "{sandbox.annuaire_url.replace("127.0.0.1", "localhost")}"
key_file = "annuaire.key"
ca_file = "{sandbox.ca_path}"

[annuaire.extraction]
url = "{sandbox.extraction_url.replace("127.0.0.1", "localhost")}"
ca_file = "{sandbox.ca_path}"
min_boxes = 50
"""


def _population(sandbox: Sandbox, submissions: Iterable[Submission]) -> None:
    """Let the sandbox's INSi know the patients of the submissions, as the submissions describe them."""
    from gateway.sandbox.insi import Matricule, Person

    people = (one.patient for one in submissions if one.patient.ins is not None)
    sandbox.insi.people.add(
        Person(
            patient.birth_family or "",
            " ".join(patient.birth_given),
            str(patient.sex or ""),
            patient.birth_date.isoformat() if patient.birth_date else "",
            patient.birth_place_cog or "",
            Matricule(patient.ins.matricule[:13], patient.ins.matricule[13:], patient.ins.oid),
        )
        for patient in people
        if patient.ins is not None
    )


def _account(sandbox: Sandbox, submission: Submission) -> str:
    from gateway.sandbox.insi import IDAM

    author, structure = submission.author, _struct_idnat(submission)
    mailbox = f"{submission.account}@kine.mssante.example"
    names = {"structure_id": structure}
    mail = sandbox.issue_client(submission.account, kind="mail", mailboxes=(mailbox,), **names)
    auth = sandbox.issue_client(submission.account, kind="auth", **names)
    sign = sandbox.issue_client(submission.account, kind="sign", **names)
    insi = sandbox.issue_client(f"{submission.account}-insi", kind="auth", common_name="INSI-AUTO", **names)
    return f"""
[[account]]
id = "{submission.account}"
rpps = "{author.rpps}"
environment = "test"
mailbox = "{mailbox}"
display_name = "{author.given}_{author.family.upper()}_{_plain(submission.organization.name)}"
outbox = "outbox/{submission.account}"
oid_root = "2.25.252741033170893563104518226497118304719"
nil = "BAC-A-SABLE"

[account.smtp]
host = "localhost"
port = {sandbox.smtp_port}
tls = {{ ca_file = "{sandbox.ca_path}", cert_file = "{mail.cert_path}", key_file = "{mail.key_path}" }}

[account.dmp]
url = "{sandbox.dmp_url.replace("127.0.0.1", "localhost")}"
mode = "indirect"
tls = {{ ca_file = "{sandbox.ca_path}", cert_file = "{auth.cert_path}", key_file = "{auth.key_path}" }}
sign_cert_file = "{sign.cert_path}"
sign_key_file = "{sign.key_path}"

[account.insi]
url = "{sandbox.insi_url.replace("127.0.0.1", "localhost")}"
idam = "{IDAM}"
emitter = "{structure}"
tls = {{ ca_file = "{sandbox.ca_path}", cert_file = "{insi.cert_path}", key_file = "{insi.key_path}" }}
"""


def _struct_idnat(submission: Submission) -> str:
    structure = submission.organization.id
    return str(terminology.load().identifiers["structure_prefix"][structure.kind.value]) + structure.value


def _plain(text: str) -> str:
    return text.replace("_", " ").replace('"', "'").replace("\\", " ")
