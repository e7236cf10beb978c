"""Both channels deliver for real, over TLS, to the sandbox; each injected fault gets the right verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway import terminology
from gateway.channels.dmp import DmpChannel
from gateway.channels.mssante import MssanteChannel
from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import SystemClock, SystemRandomness
from gateway.document.model import ClinicalDocument
from gateway.errors import LeaseLostError
from gateway.package import dmp, mail, xdm
from gateway.package.keys import load_signing_keys
from gateway.package.types import DmpContext, MailContext, Package
from gateway.render.cda import render
from gateway.rules.trust_space import TrustList
from gateway.sandbox.dmp.service import DmpOptions
from gateway.sandbox.mail_store import StoredMail
from gateway.sandbox.mssante import MailOptions
from gateway.sandbox.service import Sandbox
from gateway.settings import AccountSettings, DmpSettings, SmtpSettings, TlsSettings
from tests.unit import render_samples

IDS, CLOCK = SystemRandomness(), SystemClock()
DOCTOR_BOX = "helene.modele@medecin.mssante.example"
SENDER = "gwenael.testou@kine.mssante.example"


@dataclass
class World:
    """A running sandbox and an account that it knows."""

    sandbox: Sandbox
    account: AccountSettings
    commits: int = 0

    async def commit(self) -> None:
        self.commits += 1

    @property
    def smtp(self) -> SmtpSettings:
        assert self.account.smtp is not None
        return self.account.smtp

    @property
    def trust(self) -> TrustList:
        return TrustList(frozenset(self.sandbox.trust_space), date(2026, 11, 1), "test")

    def mail_channel(self, **changes: Any) -> MssanteChannel:
        return MssanteChannel(self.smtp.model_copy(update=changes), self.trust, pause=0.01)

    def dmp_channel(self, **changes: Any) -> DmpChannel:
        assert self.account.dmp is not None
        settings = self.account.dmp.model_copy(update=changes)
        return DmpChannel(settings, device=self.account.oid_root, clock=CLOCK, ids=IDS, software="kine-gateway 0.1.0")

    def stored(self, box: str, package: Package) -> StoredMail:
        assert isinstance(package.context, MailContext)
        (found,) = (m for m in self.sandbox.mail.messages(box) if m.message_id == package.context.message_id)
        return found

    async def send_mail(self, package: Package, **changes: Any) -> Outcome:
        channel = self.mail_channel(**changes)
        try:
            return await channel.send(package, self.commit)
        finally:
            await channel.aclose()

    async def feed(self, package: Package, **changes: Any) -> Outcome:
        channel = self.dmp_channel(**changes)
        try:
            return await channel.send(package, self.commit)
        finally:
            await channel.aclose()

    async def resolve(self, package: Package, **changes: Any) -> Outcome:
        channel = self.dmp_channel(**changes)
        try:
            return await channel.resolve(package)
        finally:
            await channel.aclose()

    def mail(self, document: ClinicalDocument | None = None, *, patient: bool = False) -> Package:
        document, cda = rendered(document)
        now = CLOCK.now()
        archive = xdm.archive(document, cda, account=self.account, now=now, ids=IDS)
        recipient = document.header.patient if patient else document.header.addressees[0]
        return mail.mail_package(
            document,
            recipient=recipient,
            account=self.account,
            cda=cda,
            pdf=b"%PDF-1.4 test",
            xdm=archive,
            now=now,
            ids=IDS,
        )

    def dmp(self, document: ClinicalDocument | None = None, *, signed: bool = True) -> Package:
        document, cda = rendered(document)
        settings = self.account.dmp
        assert settings is not None
        keys = load_signing_keys(settings.sign_cert_file, settings.sign_key_file) if signed else None
        return dmp.dmp_package(document, cda, account=self.account, keys=keys, now=CLOCK.now(), ids=IDS)


@cache
def terms() -> Any:
    return terminology.load()


def rendered(document: ClinicalDocument | None) -> tuple[ClinicalDocument, bytes]:
    """A document with a fresh id (the DMP takes each only once) and its CDA."""
    if document is None:
        document = render_samples.assessment()
        header = replace(document.header, id=f"2.25.{IDS.uuid().int}", set_id=f"2.25.{IDS.uuid().int}")
        document = replace(document, header=header, sections=())  # channels do not read the body
    return document, render(document, terms())


def world(folder: Path, *, mode: str = "indirect", profile: str = "modern", **options: Any) -> Iterator[World]:
    structure = render_samples.PRACTICE.id.extension
    rpps = render_samples.AUTHOR.rpps if mode == "direct" else None
    with Sandbox(folder, clock=CLOCK, **options) as sandbox:
        auth = sandbox.issue_client("cabinet", kind="auth", structure_id=structure, rpps=rpps)
        sign = sandbox.issue_client("cabinet", kind="sign", structure_id=structure, rpps=rpps)
        box = sandbox.issue_client("cabinet", kind="mail", structure_id=structure, mailboxes=[SENDER])
        account = AccountSettings(
            id="cabinet",
            rpps="99700001011",
            mailbox=SENDER,
            display_name="M_Gwenaël_TESTOU_Cabinet FICTIF",
            oid_root="1.2.250.1.999.1",
            nil="DEV0001",
            smtp=SmtpSettings(
                host="127.0.0.1",
                port=sandbox.smtp_port,
                tls=TlsSettings(ca_file=sandbox.ca_path, cert_file=box.cert_path, key_file=box.key_path),
                timeout=5,
            ),
            dmp=DmpSettings.model_validate(
                {
                    "url": sandbox.dmp_url,
                    "mode": mode,
                    "profile": profile,
                    "tls": TlsSettings(ca_file=sandbox.ca_path, cert_file=auth.cert_path, key_file=auth.key_path),
                    "sign_cert_file": sign.cert_path,
                    "sign_key_file": sign.key_path,
                    "timeout": 5,
                }
            ),
        )
        yield World(sandbox, account)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sandbox")
    yield from world(folder, mail_options=MailOptions(strict=True))


@pytest.fixture
def live(shared_world: World) -> World:
    shared_world.sandbox.faults.clear()
    shared_world.commits = 0
    return shared_world


# -------------------------------------------------------------------------------------------------- mail


async def test_mail_reaches_the_doctor_without_a_remark(live: World) -> None:
    package = live.mail()
    outcome = await live.send_mail(package)
    assert (outcome.verdict, outcome.reason) == (Verdict.ACCEPTED, "MSS-250")
    stored = live.stored(DOCTOR_BOX, package)
    assert stored.bytes == package.part("message").data
    assert stored.findings == ()
    assert outcome.reference == stored.id
    assert live.commits == 1


async def test_mail_reaches_the_patient(live: World) -> None:
    package = live.mail(patient=True)
    outcome = await live.send_mail(package)
    assert outcome.verdict is Verdict.ACCEPTED
    stored = live.stored("201032227890155@patient.mssante.fr", package)
    assert stored.findings == ()


@pytest.mark.parametrize(
    ("kind", "verdict", "reason", "commits"),
    [
        ("refuse", Verdict.TRANSIENT, "MSS-451-4.3.0", 1),
        ("reject", Verdict.PERMANENT, "MSS-554-5.6.0", 1),
        ("busy", Verdict.TRANSIENT, "MSS-421-4.3.2", 0),
        ("drop_after_data", Verdict.IN_DOUBT, "MSS-DOUBT-LOST", 1),
        ("drop_before_store", Verdict.IN_DOUBT, "MSS-DOUBT-LOST", 1),
    ],
)
async def test_mail_faults(live: World, kind: str, verdict: Verdict, reason: str, commits: int) -> None:
    live.sandbox.faults.set("mssante", kind)
    outcome = await live.send_mail(live.mail())
    assert (outcome.verdict, outcome.reason, live.commits) == (verdict, reason, commits)
    assert "@" not in outcome.text


async def test_mail_answer_that_never_comes_is_a_doubt(live: World) -> None:
    live.sandbox.faults.set("mssante", "delay", seconds=2)
    outcome = await live.send_mail(live.mail(), answer_timeout=0.5)
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, "MSS-DOUBT-TIMEOUT")


async def test_mail_dropped_connection_is_tried_again_at_once(live: World) -> None:
    live.sandbox.faults.set("mssante", "unavailable", count=2)
    outcome = await live.send_mail(live.mail())
    assert outcome.verdict is Verdict.ACCEPTED
    assert live.sandbox.faults.pending() == []


async def test_mail_dropped_connections_end_as_transient(live: World) -> None:
    live.sandbox.faults.set("mssante", "unavailable", count=3)
    outcome = await live.send_mail(live.mail())
    assert outcome.verdict is Verdict.TRANSIENT
    assert live.commits == 0


async def test_mail_without_client_certificate_is_a_configuration_fault(live: World) -> None:
    outcome = await live.send_mail(live.mail(), tls=TlsSettings(ca_file=live.sandbox.ca_path))
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-421-4.7.1")


async def test_mail_never_leaves_the_trust_space(live: World) -> None:
    package = live.mail()
    outside = replace(package, context=replace(package.context, envelope_to="x@gmail.com"))  # type: ignore[type-var]
    before = live.sandbox.mail.refusals()
    outcome = await live.send_mail(outside)
    assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "MSS-TRUST-SPACE")
    assert live.sandbox.mail.refusals() == before


async def test_lost_lease_leaves_nothing_behind(live: World) -> None:
    async def lost() -> None:
        raise LeaseLostError("ENG-001", "bail perdu")

    package, channel = live.mail(), live.mail_channel()
    with pytest.raises(LeaseLostError):
        await channel.send(package, lost)
    outcome = await channel.send(package, live.commit)
    await channel.aclose()
    assert outcome.verdict is Verdict.ACCEPTED
    assert live.sandbox.mail.receptions(package.context.message_id) == 1  # type: ignore[union-attr]


# --------------------------------------------------------------------------------------------------- DMP


async def test_document_reaches_the_dmp(live: World) -> None:
    package = live.dmp()
    assert isinstance(package.context, DmpContext)
    outcome = await live.feed(package)
    assert outcome == Outcome(
        Verdict.ACCEPTED, "DMP-SUCCESS", reference=package.context.submission_set_id, host="127.0.0.1"
    )
    stored = [d for d in live.sandbox.dmp.documents() if d.unique_id == package.context.document_id]
    assert [d.content for d in stored] == [package.part("document").data]
    assert live.commits == 1


async def test_names_with_hl7_delimiters_reach_the_dmp_and_the_doctor(live: World) -> None:
    document, _ = rendered(None)
    practice = replace(render_samples.PRACTICE, name="Kiné & Fils ^ | ~ \\ SCM <bis>")
    author = replace(document.header.author, structure=practice)
    header = replace(document.header, custodian=practice, author=author)
    hostile = replace(document, header=header)
    assert (await live.feed(live.dmp(hostile))).reason == "DMP-SUCCESS"
    package = live.mail(hostile)
    assert (await live.send_mail(package)).verdict is Verdict.ACCEPTED
    assert live.stored(DOCTOR_BOX, package).findings == ()


@pytest.mark.parametrize(
    ("kind", "verdict", "reason"),
    [
        ("refuse", Verdict.TRANSIENT, "DMP-XDSRepositoryBusy"),
        ("reject", Verdict.PERMANENT, "DMP-XDSRepositoryError"),
        ("drop_after_data", Verdict.IN_DOUBT, "DMP-DOUBT-LOST"),
        ("drop_before_store", Verdict.IN_DOUBT, "DMP-DOUBT-LOST"),
    ],
)
async def test_dmp_faults(live: World, kind: str, verdict: Verdict, reason: str) -> None:
    live.sandbox.faults.set("dmp", kind)
    outcome = await live.feed(live.dmp())
    assert (outcome.verdict, outcome.reason, live.commits) == (verdict, reason, 1)


async def test_dmp_busy_says_when_to_come_back(live: World) -> None:
    live.sandbox.faults.set("dmp", "busy")
    outcome = await live.feed(live.dmp())
    assert (outcome.verdict, outcome.reason, outcome.retry_after) == (Verdict.TRANSIENT, "DMP-HTTP-503", 1.0)
    assert live.commits == 0


async def test_dmp_unavailable_is_transient(live: World) -> None:
    live.sandbox.faults.set("dmp", "unavailable")
    outcome = await live.feed(live.dmp())
    assert outcome.verdict is Verdict.TRANSIENT
    assert live.commits == 0


async def test_dmp_slow_answer_is_a_doubt(live: World) -> None:
    live.sandbox.faults.set("dmp", "delay", seconds=2)
    outcome = await live.feed(live.dmp(), timeout=0.7)
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, "DMP-DOUBT-TIMEOUT")


@pytest.mark.parametrize(
    ("kind", "reason"), [("drop_after_data", "DMP-ALREADY-THERE"), ("drop_before_store", "DMP-SUCCESS")]
)
async def test_doubt_settled_by_posting_the_same_set_again(live: World, kind: str, reason: str) -> None:
    package = live.dmp()
    live.sandbox.faults.set("dmp", kind)
    assert (await live.feed(package)).verdict is Verdict.IN_DOUBT
    outcome = await live.resolve(package, in_doubt="resend")
    assert (outcome.verdict, outcome.reason) == (Verdict.ACCEPTED, reason)
    assert isinstance(package.context, DmpContext)
    assert outcome.reference == package.context.submission_set_id
    stored = [d for d in live.sandbox.dmp.documents() if d.unique_id == package.context.document_id]
    assert len(stored) == 1


async def test_doubt_left_to_a_person_stays(live: World) -> None:
    outcome = await live.resolve(live.dmp(), in_doubt="human")
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN")


@pytest.mark.parametrize(
    ("kind", "verdict", "reason"),
    [
        ("drop_after_data", Verdict.ACCEPTED, "DMP-FOUND"),
        ("drop_before_store", Verdict.TRANSIENT, "DMP-NOT-THERE"),
    ],
)
async def test_doubt_settled_by_a_query(live: World, kind: str, verdict: Verdict, reason: str) -> None:
    package = live.dmp()
    assert isinstance(package.context, DmpContext)
    live.sandbox.faults.set("dmp", kind)
    assert (await live.feed(package)).verdict is Verdict.IN_DOUBT
    outcome = await live.resolve(package)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    stored = [d for d in live.sandbox.dmp.documents() if d.unique_id == package.context.document_id]
    assert outcome.reference == (stored[0].entry_uuid if stored else None)
    assert len(live.sandbox.dmp.receptions(package.context.submission_set_id)) == 1  # asked, not sent again


async def test_no_search_without_a_doubt(live: World) -> None:
    """EX_3.1-2030 forbids a search after each feed."""
    before = len(live.sandbox.dmp.questions())
    await live.feed(live.dmp())
    live.sandbox.faults.set("dmp", "reject")
    await live.feed(live.dmp())
    assert len(live.sandbox.dmp.questions()) == before


@pytest.mark.parametrize(
    ("kind", "reason"), [("busy", "DMP-HTTP-503"), ("unavailable", "DMP-CONNECT")], ids=["busy", "unavailable"]
)
async def test_a_query_without_answer_leaves_the_doubt(live: World, kind: str, reason: str) -> None:
    package = live.dmp()
    live.sandbox.faults.set("dmp", "drop_after_data")
    await live.feed(package)
    live.sandbox.faults.set("dmp", kind)
    outcome = await live.resolve(package)
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, reason)
    assert (await live.resolve(package)).reason == "DMP-FOUND"


async def test_a_query_refused_leaves_the_doubt(live: World) -> None:
    package = live.dmp()
    assert isinstance(package.context, DmpContext)
    patient = (package.context.ins, package.context.ins_oid)
    live.sandbox.faults.set("dmp", "drop_after_data")
    await live.feed(package)
    live.sandbox.dmp.set_patient(*patient, status="closed")
    outcome = await live.resolve(package)
    live.sandbox.dmp.set_patient(*patient)
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, "DMP-QUERY-REFUSED")
    assert "XDSUnknownPatientId" in outcome.text


async def test_the_entry_of_a_document_is_found_by_its_unique_id(live: World) -> None:
    package = live.dmp()
    assert isinstance(package.context, DmpContext)
    channel = live.dmp_channel()
    assert await channel.find(package, package.context.document_id) == ()
    await channel.send(package, live.commit)
    found = await channel.find(package, package.context.document_id)
    await channel.aclose()
    assert not isinstance(found, Outcome)
    assert [entry.entry_uuid for entry in found] == [package.context.document_entry]


async def test_duplicate_set_on_a_plain_send_is_a_doubt_not_a_success(live: World) -> None:
    package = live.dmp()
    assert (await live.feed(package)).verdict is Verdict.ACCEPTED
    outcome = await live.feed(package)
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, "DMP-XDSDuplicateUniqueIdInRegistry")


async def test_same_document_in_another_set_is_refused_for_good(live: World) -> None:
    document, _ = rendered(None)
    assert (await live.feed(live.dmp(document))).verdict is Verdict.ACCEPTED
    outcome = await live.feed(live.dmp(document))
    assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "DMP-XDSDuplicateUniqueIdInRegistry")


@pytest.mark.parametrize(
    ("status", "authorisation", "reason"),
    [
        ("absent", "VALIDE", "DMP-NO-DMP"),
        ("closed", "VALIDE", "DMP-CLOSED"),
        ("active", "INTERDITE", "DMP-OPPOSITION"),
    ],
)
async def test_dmp_that_cannot_be_fed(live: World, status: str, authorisation: str, reason: str) -> None:
    package = live.dmp()
    assert isinstance(package.context, DmpContext)
    patient = (package.context.ins, package.context.ins_oid)
    live.sandbox.dmp.set_patient(*patient, status=status, authorisation=authorisation)
    outcome = await live.feed(package)
    live.sandbox.dmp.set_patient(*patient)
    assert (outcome.verdict, outcome.reason) == (Verdict.IMPOSSIBLE, reason)
    assert live.commits == 0
    assert live.sandbox.dmp.receptions(package.context.submission_set_id) == []


async def test_unsigned_package_is_not_sent(live: World) -> None:
    outcome = await live.feed(live.dmp(signed=False))
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "DMP-UNSIGNED")


async def test_authentication_certificate_does_not_sign(live: World) -> None:
    assert live.account.dmp is not None
    tls = live.account.dmp.tls
    outcome = await live.feed(live.dmp(), sign_cert_file=tls.cert_file, sign_key_file=tls.key_file)
    assert outcome.verdict is Verdict.CONFIGURATION
    assert outcome.reason in {"DMP-KEYS", "DMP-VIHF"}


async def test_unknown_server_authority_is_a_configuration_fault(live: World) -> None:
    import trustme

    other = live.sandbox.folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    assert live.account.dmp is not None
    tls = live.account.dmp.tls.model_copy(update={"ca_file": other})
    fed = await live.feed(live.dmp(), tls=tls)
    mailed = await live.send_mail(live.mail(), tls=live.smtp.tls.model_copy(update={"ca_file": other}))
    assert (fed.verdict, fed.reason) == (Verdict.CONFIGURATION, "DMP-TLS-VERIFY")
    assert (mailed.verdict, mailed.reason) == (Verdict.CONFIGURATION, "MSS-TLS-VERIFY")


async def test_client_certificate_of_a_stranger_is_a_configuration_fault(live: World, tmp_path: Path) -> None:
    import trustme

    leaf = trustme.CA().issue_cert("cabinet@kine.example")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "rogue.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "rogue.key")
    assert live.account.dmp is not None
    rogue = {"cert_file": tmp_path / "rogue.pem", "key_file": tmp_path / "rogue.key"}
    outcome = await live.feed(live.dmp(), tls=live.account.dmp.tls.model_copy(update=rogue))
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "DMP-TLS-CLIENT")
    assert live.commits == 0


async def test_lost_lease_posts_nothing(live: World) -> None:
    async def lost() -> None:
        raise LeaseLostError("ENG-001", "bail perdu")

    package, channel = live.dmp(), live.dmp_channel()
    with pytest.raises(LeaseLostError):
        await channel.send(package, lost)
    await channel.aclose()
    assert isinstance(package.context, DmpContext)
    assert live.sandbox.dmp.receptions(package.context.submission_set_id) == []


@pytest.fixture(params=[("direct", "legacy"), ("indirect", "legacy"), ("direct", "modern")], ids="-".join)
def other_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    mode, profile = request.param
    options = DmpOptions(legacy=profile == "legacy", modern=profile == "modern", mtom_answers=True)
    yield from world(tmp_path, mode=mode, profile=profile, dmp_options=options)


async def test_other_modes_and_profiles(other_world: World) -> None:
    outcome = await other_world.feed(other_world.dmp(), vihf_version="4.0")
    assert (outcome.verdict, outcome.reason, outcome.text) == (Verdict.ACCEPTED, "DMP-SUCCESS", "")


async def test_other_modes_settle_a_doubt(other_world: World) -> None:
    package = other_world.dmp()
    assert isinstance(package.context, DmpContext)
    for kind, reason in (("drop_before_store", "DMP-NOT-THERE"), ("drop_after_data", "DMP-FOUND")):
        other_world.sandbox.faults.set("dmp", kind)
        assert (await other_world.feed(package)).verdict is Verdict.IN_DOUBT
        outcome = await other_world.resolve(package)
        assert (outcome.reason, outcome.text) == (reason, "")
    assert outcome.reference == package.context.document_entry


async def test_direct_authentication_compares_the_content(other_world: World) -> None:
    package = other_world.dmp()
    assert isinstance(package.context, DmpContext)
    await other_world.feed(package)
    changed = replace(
        package, parts=tuple(replace(p, data=p.data + b" ") if p.name == "document" else p for p in package.parts)
    )
    outcome = await other_world.resolve(changed)
    if package.context.mode == "direct":
        assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "DMP-OTHER-HASH")
    else:  # references only: the DMP says no hash
        assert (outcome.verdict, outcome.reason) == (Verdict.ACCEPTED, "DMP-FOUND")
