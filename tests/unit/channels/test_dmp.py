"""The DMP channel without a network: answers of every kind, and what each means."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lxml import etree

from gateway.channels.dmp import answers, classify
from gateway.channels.dmp.channel import DmpChannel
from gateway.channels.dmp.http import Exchange, HttpAnswer, _retry_after
from gateway.channels.dmp.link import Ready
from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import FrozenClock
from gateway.package import dmp as dmp_package
from gateway.package.mtom import HttpBody
from gateway.package.types import DmpContext, MailContext, Package
from gateway.settings import TlsSettings
from tests.unit.package.samples import CDA, NOW, account, dmp_settings, document, ids, signing_keys

SOAP_TYPE = "application/soap+xml; charset=UTF-8"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
RELATES = "{relates}"


def envelope(body: str, relates: str = RELATES) -> bytes:
    return (
        f'<?xml version="1.0"?><e:Envelope xmlns:e="{answers.SOAP}" xmlns:a="{answers.WSA}"><e:Header>'
        f"<a:RelatesTo>{relates}</a:RelatesTo></e:Header><e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def registry(status: str, *errors: tuple[str, str, str], severity: str = "Error") -> bytes:
    rows = "".join(
        f'<rs:RegistryError errorCode="{code}" codeContext="{context}" location="{where}" '
        f'severity="{SEVERITY}{severity}"/>'
        for code, context, where in errors
    )
    listed = f"<rs:RegistryErrorList>{rows}</rs:RegistryErrorList>" if rows else ""
    return envelope(f'<rs:RegistryResponse xmlns:rs="{RS}" status="{STATUS}{status}">{listed}</rs:RegistryResponse>')


def fault(code: str, reason: str, subcode: str = "", relates: str = RELATES) -> bytes:
    inner = f"<e:Subcode><e:Value>wsse:{subcode}</e:Value></e:Subcode>" if subcode else ""
    return envelope(
        f"<e:Fault><e:Code><e:Value>e:{code}</e:Value>{inner}</e:Code>"
        f'<e:Reason><e:Text xml:lang="fr">{reason}</e:Text></e:Reason></e:Fault>',
        relates,
    )


def existence(response: str = "OK", status: str | None = "active", authorisation: str | None = "VALIDE") -> bytes:
    line = f'<attentionLine><keyWordText code="AUTORISATION"/><value code="{authorisation}"/></attentionLine>'
    subject = f'<subject><registrationEvent><subject1><patient><statusCode code="{status}"/></patient></subject1>'
    return envelope(
        '<PRPA_IN201308UV02 xmlns="urn:hl7-org:v3"><acknowledgement><typeCode code="AA"/></acknowledgement>'
        f"<controlActProcess>{line if authorisation else ''}"
        + (f"{subject}</registrationEvent></subject>" if status else "")
        + f'<queryAck><queryResponseCode code="{response}"/></queryAck></controlActProcess></PRPA_IN201308UV02>'
    )


class FakeHttp:
    """Answers from a script, one step per request; an exception is raised, with or without anything sent."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.posted: list[tuple[str, HttpBody]] = []
        self.large: list[int | None] = []

    async def post(self, url: str, body: HttpBody, exchange: Exchange, *, large: int | None = None) -> HttpAnswer:
        self.large.append(large)
        step = self.steps.pop(0)
        broken, left = step if isinstance(step, tuple) and isinstance(step[0], Exception) else (None, True)
        if left:
            await exchange.leave()
        self.posted.append((url.rpartition("/")[2], body))
        if broken is not None:
            raise broken
        if isinstance(step, HttpAnswer):
            return step
        found = re.search(rb"<wsa:MessageID>(.*?)</wsa:MessageID>", body.data)
        assert found
        return HttpAnswer(200, SOAP_TYPE, step.replace(RELATES.encode(), found[1]), None)

    async def aclose(self) -> None:
        return


PACKAGE = dmp_package.dmp_package(
    document(), CDA, account=account(dmp=dmp_settings()), keys=signing_keys(), now=NOW, ids=ids()
)
assert isinstance(PACKAGE.context, DmpContext)
CONTEXT: DmpContext = PACKAGE.context
SET = CONTEXT.submission_set_id


def channel(http: FakeHttp, **changes: Any) -> DmpChannel:
    made = DmpChannel(
        dmp_settings(**changes), device="1.2.250.1.999.1", clock=FrozenClock(NOW), ids=ids("send"), software="kg 1"
    )
    made.link.load(Ready(http, signing_keys()))  # type: ignore[arg-type]
    return made


async def no_commit() -> None:
    return


async def feed(answer: Any) -> Outcome:
    return await channel(FakeHttp(existence(), answer)).send(PACKAGE, no_commit)


ACCEPTED, TRANSIENT, PERMANENT = Verdict.ACCEPTED, Verdict.TRANSIENT, Verdict.PERMANENT
CONFIGURATION, IN_DOUBT = Verdict.CONFIGURATION, Verdict.IN_DOUBT


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (registry("Success"), Verdict.ACCEPTED, "DMP-SUCCESS"),
        (
            registry("Success", ("XDSExtraMetadataNotSaved", "", ""), severity="Warning"),
            Verdict.ACCEPTED,
            "DMP-SUCCESS",
        ),
        (registry("Failure", ("XDSRepositoryBusy", "", "")), TRANSIENT, "DMP-XDSRepositoryBusy"),
        (registry("Failure", ("XDSRegistryBusy", "", "")), TRANSIENT, "DMP-XDSRegistryBusy"),
        (registry("Failure", ("XDSRegistryOutOfResources", "", "")), TRANSIENT, "DMP-XDSRegistryOutOfResources"),
        (registry("Failure", ("XDSRegistryNotAvailable", "", "")), TRANSIENT, "DMP-XDSRegistryNotAvailable"),
        (registry("Failure", ("XDSRepositoryError", "", "")), PERMANENT, "DMP-XDSRepositoryError"),
        (registry("Failure", ("XDSUnknownPatientId", "", "")), PERMANENT, "DMP-XDSUnknownPatientId"),
        (
            registry("Failure", ("XDSRepositoryBusy", "", ""), ("InvalidDocumentContent", "", "")),
            PERMANENT,
            "DMP-InvalidDocumentContent",
        ),
        (registry("Failure"), PERMANENT, "DMP-FAILURE"),
        (
            registry("Failure", (classify.DUPLICATE, f"lot {SET}", "SubmissionSet/uniqueId")),
            IN_DOUBT,
            f"DMP-{classify.DUPLICATE}",
        ),
        (
            registry("Failure", (classify.DUPLICATE, "", f"DocumentEntry[{CONTEXT.document_entry}]/uniqueId")),
            PERMANENT,
            f"DMP-{classify.DUPLICATE}",
        ),
        (fault("Sender", "Enveloppe illisible"), PERMANENT, "DMP-FAULT"),
        (fault("MustUnderstand", "x"), PERMANENT, "DMP-FAULT"),
        (fault("Receiver", "plus tard"), TRANSIENT, "DMP-FAULT-RECEIVER"),
        (fault("Sender", "x", "FailedCheck"), CONFIGURATION, "DMP-VIHF"),
        (fault("Sender", "Le certificat ayant signé le VIHF est invalide"), CONFIGURATION, "DMP-VIHF"),
        (
            HttpAnswer(500, SOAP_TYPE, fault("Receiver", "x").replace(RELATES.encode(), b""), None),
            TRANSIENT,
            "DMP-FAULT-RECEIVER",
        ),
        (HttpAnswer(500, "text/plain", b"", None), TRANSIENT, "DMP-HTTP-500"),
        (HttpAnswer(503, "text/plain", b"", 30.0), TRANSIENT, "DMP-HTTP-503"),
        (HttpAnswer(429, "text/plain", b"", None), TRANSIENT, "DMP-HTTP-429"),
        (HttpAnswer(502, "text/html", b"<html>", None), IN_DOUBT, "DMP-HTTP-502"),
        (HttpAnswer(504, "text/html", b"", None), IN_DOUBT, "DMP-HTTP-504"),
        (HttpAnswer(403, "text/plain", b"", None), CONFIGURATION, "DMP-HTTP-403"),
        (HttpAnswer(404, "text/plain", b"", None), CONFIGURATION, "DMP-HTTP-404"),
        (HttpAnswer(302, "text/plain", b"", None), CONFIGURATION, "DMP-HTTP-302"),
        (HttpAnswer(413, "text/plain", b"", None), PERMANENT, "DMP-HTTP-413"),
        (HttpAnswer(200, "text/html", b"<html></html>", None), IN_DOUBT, "DMP-UNREADABLE"),
        (HttpAnswer(200, SOAP_TYPE, b"", None), IN_DOUBT, "DMP-UNREADABLE"),
        (registry("Success").replace(RELATES.encode(), b"urn:uuid:autre"), IN_DOUBT, "DMP-UNREADABLE"),
        (registry("Maybe"), IN_DOUBT, "DMP-UNREADABLE"),
        ((httpx2.ConnectError("refused"), False), TRANSIENT, "DMP-CONNECT"),
        ((httpx2.ConnectTimeout("slow"), False), TRANSIENT, "DMP-TIMEOUT"),
        ((httpx2.PoolTimeout("busy"), False), TRANSIENT, "DMP-TIMEOUT"),
        ((httpx2.ReadTimeout("slow"), True), IN_DOUBT, "DMP-DOUBT-TIMEOUT"),
        ((httpx2.WriteTimeout("slow"), True), IN_DOUBT, "DMP-DOUBT-TIMEOUT"),
        ((httpx2.ReadError("reset"), True), IN_DOUBT, "DMP-DOUBT-LOST"),
        ((httpx2.RemoteProtocolError("closed"), True), IN_DOUBT, "DMP-DOUBT-LOST"),
    ],
)
async def test_feed(answer: Any, verdict: Verdict, reason: str) -> None:
    outcome = await feed(answer)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (existence("NF", None, None), Verdict.IMPOSSIBLE, "DMP-NO-DMP"),
        (existence("OK", "terminated"), Verdict.IMPOSSIBLE, "DMP-CLOSED"),
        (existence("OK", "active", "INTERDITE"), Verdict.IMPOSSIBLE, "DMP-OPPOSITION"),
        (existence("OK", "active", "OPPOSITION"), Verdict.IMPOSSIBLE, "DMP-OPPOSITION"),
        (existence("OK", "active", "ATTENTE"), Verdict.IMPOSSIBLE, "DMP-NOT-AUTHORISED"),
        (existence("OK", "active", None), Verdict.IMPOSSIBLE, "DMP-NOT-AUTHORISED"),
        (
            existence().replace(
                b'"AA"/>', b'"AE"/><acknowledgementDetail><text>Structure introuvable</text></acknowledgementDetail>'
            ),
            CONFIGURATION,
            "DMP-TD02-ERROR",
        ),
        (fault("Sender", "x", "InvalidSecurityToken"), CONFIGURATION, "DMP-VIHF"),
        (registry("Success"), TRANSIENT, "DMP-UNREADABLE"),
        (HttpAnswer(504, "text/html", b"", None), TRANSIENT, "DMP-HTTP-504"),
        ((httpx2.ReadTimeout("slow"), True), TRANSIENT, "DMP-TIMEOUT"),
        ((httpx2.ReadError("reset"), True), TRANSIENT, "DMP-CONNECT"),
    ],
)
async def test_existence_test_feeds_nothing_when_it_fails(answer: Any, verdict: Verdict, reason: str) -> None:
    http, commits = FakeHttp(answer), []

    async def commit() -> None:
        commits.append(1)

    outcome = await channel(http).send(PACKAGE, commit)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert [service for service, _ in http.posted] == ["patients"]
    assert commits == []


async def test_existence_asked_once_for_a_while() -> None:
    http = FakeHttp(existence(), registry("Success"), registry("Success"), existence(), registry("Success"))
    made = channel(http)
    clock = made.link.clock
    assert isinstance(clock, FrozenClock)
    await made.send(PACKAGE, no_commit)
    await made.send(PACKAGE, no_commit)
    clock.advance(901)
    await made.send(PACKAGE, no_commit)
    assert [s for s, _ in http.posted] == ["patients", "repository", "repository", "patients", "repository"]


async def test_refusal_makes_the_next_attempt_ask_again() -> None:
    http = FakeHttp(existence(), registry("Failure", ("XDSUnknownPatientId", "", "")), existence("NF", None, None))
    made = channel(http)
    await made.send(PACKAGE, no_commit)
    assert (await made.send(PACKAGE, no_commit)).reason == "DMP-NO-DMP"


async def test_warning_beside_a_passing_error_does_not_make_it_final() -> None:
    error = registry("Failure", ("XDSRegistryBusy", "", ""))
    warning = registry("Failure", ("XDSExtraMetadataNotSaved", "", ""), severity="Warning")
    row = re.search(rb"<rs:RegistryError .*?/>", warning)
    assert row
    outcome = await feed(error.replace(b"</rs:RegistryErrorList>", row[0] + b"</rs:RegistryErrorList>"))
    assert (outcome.verdict, outcome.reason) == (TRANSIENT, "DMP-XDSRegistryBusy")


async def test_only_vihf_and_message_id_change_between_attempts() -> None:
    http = FakeHttp(existence(), registry("Failure", ("XDSRepositoryBusy", "", "")), registry("Success"))
    made = channel(http)
    await made.send(PACKAGE, no_commit)
    await made.send(PACKAGE, no_commit)
    bodies = [body for service, body in http.posted if service == "repository"]
    assert bodies[0].content_type == bodies[1].content_type
    assert bodies[0].data != bodies[1].data
    fresh = (
        rb"<wsa:MessageID>.*?</wsa:MessageID>",
        rb"<wsse:Security.*?</wsse:Security>",
    )
    for pattern in fresh:
        assert re.search(pattern, bodies[0].data, re.DOTALL)[0] != re.search(pattern, bodies[1].data, re.DOTALL)[0]  # type: ignore[index]
    masked = [re.sub(b"|".join(fresh), b"", body.data, flags=re.DOTALL) for body in bodies]
    assert masked[0] == masked[1]
    assert PACKAGE.part("document").data in masked[0]
    assert PACKAGE.part("signature").data in masked[0]
    assert PACKAGE.part("metadata").data.partition(b"?>")[2].strip() in masked[0]


async def test_commit_comes_after_the_existence_test_and_before_the_post() -> None:
    http = FakeHttp(existence(), registry("Success"))
    seen: list[list[str]] = []

    async def commit() -> None:
        seen.append([service for service, _ in http.posted])

    await channel(http).send(PACKAGE, commit)
    assert seen == [["patients"]]


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (registry("Success"), Verdict.ACCEPTED, "DMP-SUCCESS"),
        (registry("Failure", (classify.DUPLICATE, SET, "")), Verdict.ACCEPTED, "DMP-ALREADY-THERE"),
        (
            registry("Failure", (classify.DUPLICATE, CONTEXT.document_id, "")),
            IN_DOUBT,
            f"DMP-{classify.DUPLICATE}",
        ),
        (registry("Failure", ("XDSRepositoryBusy", "", "")), IN_DOUBT, "DMP-XDSRepositoryBusy"),
        (fault("Sender", "x", "FailedCheck"), CONFIGURATION, "DMP-VIHF"),
        ((httpx2.ConnectError("x"), False), IN_DOUBT, "DMP-CONNECT"),
        ((httpx2.ReadTimeout("x"), True), IN_DOUBT, "DMP-DOUBT-TIMEOUT"),
    ],
)
async def test_resolve_by_resending(answer: Any, verdict: Verdict, reason: str) -> None:
    outcome = await channel(FakeHttp(answer), in_doubt="resend").resolve(PACKAGE)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("policy", "verdict", "reason"),
    [
        ("resend", ACCEPTED, "DMP-ALREADY-THERE"),
        ("query", IN_DOUBT, f"DMP-{classify.DUPLICATE}"),
        ("human", IN_DOUBT, f"DMP-{classify.DUPLICATE}"),
    ],
)
async def test_own_duplicate_is_evidence_only_where_the_policy_resends(
    policy: str, verdict: Verdict, reason: str
) -> None:
    """The engine carries out `resend` with a plain send: without this the doubt would go round for ever."""
    http = FakeHttp(existence(), registry("Failure", (classify.DUPLICATE, SET, "")))
    outcome = await channel(http, in_doubt=policy).send(PACKAGE, no_commit)
    assert (outcome.verdict, outcome.reason, outcome.reference) == (verdict, reason, SET)


async def test_texts_hold_no_identity() -> None:
    text = f"patient {CONTEXT.ins} TESTOU Gwenaël {CONTEXT.author_id} né le 14/03/2001, a@b.fr"
    outcome = await feed(registry("Failure", ("XDSUnknownPatientId", text, "")))
    assert "XDSUnknownPatientId" in outcome.text
    for word in (CONTEXT.ins, "TESTOU", "Gwenaël", CONTEXT.author_id, "14/03/2001", "a@b.fr"):
        assert word not in outcome.text


async def test_answers_in_multipart() -> None:
    def wrap(data: bytes) -> HttpAnswer:
        kind = 'multipart/related; type="application/xop+xml"; boundary="b1"; start="<root>"'
        head = b"--b1\r\nContent-Type: application/xop+xml\r\nContent-ID: <root>\r\n\r\n"
        return HttpAnswer(200, kind, head + data.replace(RELATES.encode(), b"") + b"\r\n--b1--\r\n", None)

    made = channel(FakeHttp(wrap(existence()), wrap(registry("Success"))))
    assert (await made.send(PACKAGE, no_commit)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + envelope("<x>&a;</x>")[21:],
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + envelope("<x>&a;</x>")[21:],
        envelope("<a/><b/>"),
        envelope(""),
        b"<a",
        b"\xff\xfe",
    ],
)
def test_hostile_answers_are_refused(data: bytes) -> None:
    with pytest.raises(answers.AnswerError):
        answers.read_envelope(SOAP_TYPE, data)


def test_hostile_multipart() -> None:
    for kind in ("multipart/related", 'multipart/related; boundary="b"', "multipart/related\r\nX: y; boundary=b"):
        with pytest.raises(answers.AnswerError):
            answers.read_envelope(kind, b"nothing")


@pytest.mark.parametrize(
    ("value", "seconds"), [("30", 30.0), ("999999999", 86400.0), ("soon", None), (None, None), ("", None)]
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert _retry_after(value) == seconds


def test_retry_after_date_in_the_past_is_now() -> None:
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize(
    ("make", "verdict", "reason"),
    [
        (lambda: ssl.SSLCertVerificationError("x"), CONFIGURATION, "DMP-TLS-VERIFY"),
        (lambda: _alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), CONFIGURATION, "DMP-TLS-CLIENT"),
        (lambda: _alert("TLSV1_ALERT_UNKNOWN_CA"), CONFIGURATION, "DMP-TLS-CLIENT"),
        (lambda: _alert("TLSV1_ALERT_PROTOCOL_VERSION"), CONFIGURATION, "DMP-TLS"),
    ],
)
async def test_tls_failures_are_never_a_doubt(make: Callable[[], Exception], verdict: Verdict, reason: str) -> None:
    """TLS 1.3 refuses a client certificate after the first bytes left; the server never acted on them."""
    raised = httpx2.ReadError("x")
    raised.__cause__ = make()
    outcome = await feed((raised, True))
    assert (outcome.verdict, outcome.reason) == (verdict, reason)


def _alert(reason: str) -> ssl.SSLError:
    fault = ssl.SSLError(1, reason)
    fault.reason = reason
    return fault


async def test_timeout_while_reading_is_not_a_tls_failure() -> None:
    raised = httpx2.ReadTimeout("x")
    raised.__context__ = ssl.SSLWantReadError(2, "The operation did not complete")
    assert (await feed((raised, True))).reason == "DMP-DOUBT-TIMEOUT"


async def test_missing_keys_and_expired_certificate() -> None:
    made = DmpChannel(dmp_settings(), device="1.2", clock=FrozenClock(NOW), ids=ids())
    assert (await made.send(PACKAGE, no_commit)).reason == "DMP-TLS-CLIENT"
    tls = TlsSettings(ca_file=Path("no.pem"), cert_file=Path("no.pem"), key_file=Path("no.key"))
    made = DmpChannel(dmp_settings(tls=tls), device="1.2", clock=FrozenClock(NOW), ids=ids())
    assert (await made.send(PACKAGE, no_commit)).reason == "DMP-KEYS"
    http = FakeHttp()
    late = channel(http)
    assert isinstance(late.link.clock, FrozenClock)
    late.link.clock.advance(40 * 365 * 86400)
    outcome = await late.send(PACKAGE, no_commit)
    assert (outcome.verdict, outcome.reason) == (CONFIGURATION, "DMP-CERT-EXPIRED")
    assert http.posted == []


async def test_unsigned_preview_never_leaves() -> None:
    preview = dmp_package.dmp_package(document(), CDA, account=account(), keys=None, now=NOW, ids=ids())
    http = FakeHttp()
    assert (await channel(http).send(preview, no_commit)).reason == "DMP-UNSIGNED"
    assert http.posted == []


async def test_a_mail_package_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        await channel(FakeHttp()).send(Package(PACKAGE.parts, MailContext("a", "b", "c", "d")), no_commit)


def test_existence_request_shape() -> None:
    from gateway.package import mtom

    body = mtom.existence(
        CONTEXT, to="https://x", message_id="urn:uuid:1", assertion=b"<a/>", sender="1.2", now=NOW, ids=ids()
    )
    root = etree.fromstring(body.data)
    ns = {"h": "urn:hl7-org:v3"}
    assert root.find(".//h:processingCode", ns).get("code") == "D"  # type: ignore[union-attr]
    value = root.find(".//h:patientIdentifier/h:value", ns)
    assert value is not None
    assert dict(value.attrib) == {"root": CONTEXT.ins_oid, "extension": CONTEXT.ins}
