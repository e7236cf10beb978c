"""No text of a submission or of the configuration makes a header, a line of a log, or the name of a file.

Every text of the records is tried, found by walking a submission: a field added tomorrow is tried too.
"""

from __future__ import annotations

import email
import email.policy
import io
import json
import re
import tomllib
import zipfile
from typing import Any

import pytest
from lxml import etree
from pydantic import ValidationError

from gateway import pipeline
from gateway.clock import SeededRandomness
from gateway.findings import Finding, has_errors
from gateway.package.mime import checked, display_name, line
from gateway.package.text import ascii_only, file_field
from gateway.package.types import MailContext
from gateway.records.submission import parse
from gateway.rules.trust_space import TrustList
from gateway.settings import Settings
from tests.security.planting import put, texts
from tests.unit import fixture_cases
from tests.unit.submission_samples import assessment, summary

BREAKS = ("\r\nBcc: x@example.org", "\nX: y", "\rX: y", "a\x00b", "a\x0bb", "a\u2028b", "a\x85b", "a\x1b[2Jb")
DECEIVES = ("a\u202eb", "a\u2066b", "a\ufeffb", "a\ufffeb", "a\U0001fffeb")
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Disposition-Notification-To", "X-MSS-CODECDA", "X-MSS-INS",
    "X-MSS-NIL", "MIME-Version", "Content-Type", "In-Reply-To", "References", "Auto-Submitted",
}  # fmt: skip


CHECKED = {"matricule", "oid", "rpps", "root", "mssante", "birth_family", "birth_given", "first_birth_given"}
"""Fields whose form the rules check besides: a document with another would not be made at all."""


def taken(value: dict[str, Any]) -> tuple[bool, list[Finding]]:
    found, findings = parse(json.dumps(value).encode())
    return found is not None, findings


SAMPLES = {"assessment": assessment(), "summary": summary()}
PLACES = [(kind, path) for kind, value in SAMPLES.items() for path in texts(value)]


def test_there_are_many_texts() -> None:
    assert len(PLACES) > 60


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_breaks_a_line_is_refused_in_every_text_of_one_line(kind: str) -> None:
    """Free texts take a line feed and a tab, nothing else; they never reach a header (the test below)."""
    several = 0
    for path in (path for one, path in PLACES if one == kind):
        before = SAMPLES[kind]
        for text in path[:-1]:
            before = before[text]
        value = str(before[path[-1]])
        for bad in (*BREAKS, *DECEIVES):
            ok, findings = taken(put(SAMPLES[kind], path, value + bad))
            if ok:
                # A Windows line end is a line feed once read (records/base.py).
                assert bad in {"\nX: y", "\r\nBcc: x@example.org"}, f"{path}: {bad!r} was taken"
                several += 1
            assert all(bad not in one.message + one.path + one.advice for one in findings)
    assert several > 3


def _poisoned(kind: str) -> dict[str, Any]:
    """A submission with everything hostile that its fields take, in all of them at once."""
    value = json.loads((fixture_cases.FIXTURES / "cases" / f"{kind}.json").read_bytes())
    for path in (path for path in texts(value) if not CHECKED & set(path)):
        holder: Any = value
        for step in path[:-1]:
            holder = holder[step]
        for bad in ("\nBcc: x@example.org\n.\n--=_kine", "<b>&x;]]>'\"", "../../x", "=?utf-8?q?=0D=0ABcc:?="):
            changed = put(value, path, f"{holder[path[-1]]}{bad}"[:120])
            if _passes(changed):
                value = changed
                break
    return value


def _passes(value: dict[str, Any]) -> bool:
    """Whether a document would be made of it."""
    found, build = parse(json.dumps(value).encode())[0], fixture_cases.builder()
    if found is None:
        return False
    ids = SeededRandomness("poison")
    findings, _ = pipeline.examine(found, build.account_of(found), build.world(), now=build.FROZEN, ids=ids)
    return not has_errors(findings)


@pytest.fixture(scope="module")
def poisoned() -> pipeline.Prepared:
    """The whole road walked with it."""
    submission, faults = parse(json.dumps(_poisoned("01_entorse_cheville_bilan")).encode())
    assert submission is not None, faults
    build = fixture_cases.builder()
    return pipeline.prepare(
        submission,
        build.account_of(submission),
        build.world(),
        now=build.FROZEN,
        ids=SeededRandomness("poison"),
        keys=None,
    )


def test_a_poisoned_submission_makes_no_header_and_no_name(poisoned: pipeline.Prepared) -> None:
    mails = [one.package for one in poisoned.deliveries if one.package and isinstance(one.package.context, MailContext)]
    assert mails
    for package in mails:
        assert package is not None
        data = package.part("message").data
        message = email.message_from_bytes(data, policy=email.policy.SMTP)
        assert set(message.keys()) <= HEADERS
        assert len(message.keys()) == len(set(message.keys()))
        assert len(list(message.iter_attachments())) == 2  # type: ignore[attr-defined]
        assert re.search(rb"(?<!\r)\n|\r(?!\n)", data) is None
        for part in message.walk():
            name = part.get_filename() or ""
            assert not re.search(r"[\x00-\x1f/\\:*?\"<>|]|^\.", name)


def test_a_poisoned_submission_makes_no_element_of_its_own(poisoned: pipeline.Prepared) -> None:
    document = etree.fromstring(poisoned.renderings["cda"])
    assert document.getroottree().docinfo.doctype == ""
    assert not list(document.iter("{*}b"))
    json.loads(poisoned.renderings["fhir"])
    with zipfile.ZipFile(io.BytesIO(poisoned.renderings["xdm"])) as archive:
        assert all(re.fullmatch(r"[A-Za-z0-9_./]+", name) and ".." not in name for name in archive.namelist())


@pytest.mark.parametrize("bad", BREAKS)
@pytest.mark.parametrize("name", ["mailbox", "display_name", "nil", "id", "oid_root"])
def test_no_setting_makes_a_header(name: str, bad: str) -> None:
    table = tomllib.loads((fixture_cases.FIXTURES.parent / "config" / "gateway.example.toml").read_text())
    Settings.model_validate(table)
    table["account"][0][name] += bad
    with pytest.raises(ValidationError):
        Settings.model_validate(table)


@pytest.mark.parametrize("bad", [bad for bad in BREAKS if re.search(r"[\x00-\x1f]", bad)])
def test_the_writers_of_headers_refuse_by_themselves(bad: str) -> None:
    """Whoever calls them with what: the last door is shut as well."""
    with pytest.raises(ValueError, match="control"):
        line("Subject", bad)
    with pytest.raises(ValueError, match="control"):
        display_name(bad)
    with pytest.raises(Exception, match="adresse"):
        checked(f"a@b.example{bad}")
    assert not re.search(r"[\x00-\x1f]", file_field(bad) + ascii_only(bad))


LOOK_ALIKES = (
    "x@medecin.mssante.example.",
    "x@medecin.mssante.example ",
    "x@medecin.mssante.example\u200b",
    "x@m\u0435decin.mssante.example",
    "x@medecin.mssante.example@evil.example",
    "x@evil.example\x00@medecin.mssante.example",
    "x@sub.medecin.mssante.example",
    "x@medecin.mssante.example.evil.example",
    "x@medecin\u3002mssante.example",
    "x@\uff4dedecin.mssante.example",
    "x@xn--mdecin-bva.mssante.example",
    "x@medecin.mssante.e\u0301xample",
    "medecin.mssante.example",
    "x@",
)


@pytest.mark.parametrize("address", LOOK_ALIKES)
def test_no_domain_that_looks_like_a_trusted_one_is_trusted(address: str) -> None:
    import datetime as dt

    trust = TrustList(frozenset({"medecin.mssante.example"}), dt.date(2026, 11, 22), "essai")
    assert trust.allows("x@medecin.mssante.example")
    assert trust.allows("x@MEDECIN.mssante.example")
    refused = not trust.allows(address)
    value = put(assessment(), ("recipients", 0, "mssante"), address)
    found, _ = parse(json.dumps(value).encode())
    # Blanks around are taken off by the records, and then it is the trusted domain itself.
    assert refused or found is None or trust.allows(found.recipients[0].mssante or "")
    assert refused or found is None or address.strip() == "x@medecin.mssante.example"
