"""ITI-41 feeds of 250 kB over TLS into a DMP that does nothing, and signing beside the raw operations."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from gateway.channels.dmp.channel import DmpChannel
from gateway.channels.outcome import Verdict
from gateway.clock import SystemClock, SystemRandomness
from gateway.package import dmp as dmp_package
from gateway.package import vihf
from gateway.package.keys import SigningKeys
from gateway.package.signature import Signed, sign_submission_set
from gateway.package.types import DmpContext, Package
from gateway.sandbox.pki import create_pki, issue_client
from gateway.settings import DmpSettings, TlsSettings
from tests.unit.package.samples import account, dmp_settings, document, ids, signing_keys

pytestmark = pytest.mark.bench

SIZE, FEEDS, ROUNDS, SIGNED = 250_000, 100, 5, 60
LEAST_A_SECOND, MOST_RATIO = 100.0, 1.5
DS = "http://www.w3.org/2000/09/xmldsig#"


def cda(size: int) -> bytes:
    """A document of this many bytes, most of it an embedded PDF as level 1 and the copy inside a CDA have it."""
    head = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Bilan</title><text>'
    )
    tail = b"</text></ClinicalDocument>"
    return head + (b"QUJDREVGR0hJSktM" * (size // 16 + 1))[: size - len(head) - len(tail)] + tail


def packed(content: bytes, keys: SigningKeys) -> Package:
    mine = account(dmp=dmp_settings())
    return dmp_package.dmp_package(document(), content, account=mine, keys=keys, now=SystemClock().now(), ids=ids())


def report(root: Path, name: str, value: dict[str, Any]) -> None:
    target = root / "build" / "bench" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(value, indent=1))


@contextmanager
def null_dmp(folder: Path) -> Iterator[tuple[DmpSettings, list[str]]]:
    """The settings that lead to it; the list holds at the end how many feeds it took and their bytes."""
    clock = SystemClock()
    pki = create_pki(folder, clock)
    server = pki.server
    auth = issue_client(folder, "bench", clock=clock, kind="auth", structure_id="499700001011001")
    command = [sys.executable, "-m", "tests.bench.null_dmp", server.cert_path, server.key_path, pki.ca_path]
    taken: list[str] = []
    with subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        tls = TlsSettings(ca_file=pki.ca_path, cert_file=auth.cert_path, key_file=auth.key_path)
        sign = issue_client(folder, "bench", clock=clock, kind="sign", structure_id="499700001011001")
        yield (
            DmpSettings(
                url=f"https://localhost:{port}/si-dmp-server/v2/services",
                tls=tls,
                sign_cert_file=sign.cert_path,
                sign_key_file=sign.key_path,
            ),
            taken,
        )
        taken += run.communicate("", timeout=30)[0].split()


async def one_round(channel: DmpChannel, package: Package) -> tuple[float, float]:
    """CPU of this process and wall time of FEEDS feeds, one after the other."""

    async def go() -> None:
        return

    wall, spent = time.perf_counter(), process_time()
    for _ in range(FEEDS):
        outcome = await channel.send(package, go)
        assert outcome.verdict is Verdict.ACCEPTED, outcome
    return process_time() - spent, time.perf_counter() - wall


async def measure(channel: DmpChannel, package: Package) -> list[tuple[float, float]]:
    await one_round(channel, package)  # connection, TD0.2, imports
    found = [await one_round(channel, package) for _ in range(ROUNDS)]
    await channel.aclose()
    return found


def test_feeds_a_second_for_one_core_of_the_client(root: Path, tmp_path: Path) -> None:
    """Budget: 100 feeds of 250 kB for a second of the client's CPU, over one connection, each with its own VIHF."""
    package = packed(cda(SIZE), signing_keys())
    with null_dmp(tmp_path) as (settings, taken):
        channel = DmpChannel(settings, device="1.2.250.1.999.1", clock=SystemClock(), ids=SystemRandomness())
        rounds = asyncio.run(measure(channel, package))
    assert int(taken[0]) == FEEDS * (ROUNDS + 1)
    assert int(taken[1]) > int(taken[0]) * SIZE
    cpu, wall = median(one[0] for one in rounds), median(one[1] for one in rounds)
    figures = {
        "document_bytes": SIZE,
        "feeds": FEEDS,
        "feeds_per_cpu_second": round(FEEDS / cpu, 1),
        "feeds_per_second": round(FEEDS / wall, 1),
        "cpu_ms": round(cpu / FEEDS * 1000, 2),
        "budget": LEAST_A_SECOND,
    }
    report(root, "dmp", figures)
    assert FEEDS / cpu >= LEAST_A_SECOND


# ------------------------------------------------------------------------------------------------- signing


def milliseconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return (process_time() - start) * 1000


def compared(raw: Callable[[], object], ours: Callable[[], object]) -> dict[str, float]:
    """Both sides in turn, so that a busy machine slows both."""
    raw(), ours()
    pairs = [(milliseconds(raw), milliseconds(ours)) for _ in range(SIGNED)]
    least, spent = median(one[0] for one in pairs), median(one[1] for one in pairs)
    return {"raw_ms": round(least, 3), "ours_ms": round(spent, 3), "ratio": round(spent / least, 2)}


def raw_xades(content: bytes, pieces: list[bytes]) -> bytes:
    """C14N of the document and of both signed parts with their digests, C14N of SignedInfo, one RSA: nothing built."""
    tree = etree.fromstring(content).getroottree()
    hashlib.sha256(etree.tostring(tree, method="c14n", with_comments=True)).digest()
    for piece in pieces[:2]:
        hashlib.sha256(etree.tostring(etree.fromstring(piece), method="c14n")).digest()
    return _rsa(etree.tostring(etree.fromstring(pieces[2]), method="c14n"))


def raw_assertion(assertion: bytes) -> bytes:
    """Exclusive C14N and digest of the assertion, C14N of SignedInfo, one RSA."""
    root = etree.fromstring(assertion)
    hashlib.sha256(etree.tostring(root, method="c14n", exclusive=True)).digest()
    info = next(root.iter(f"{{{DS}}}SignedInfo"))
    return _rsa(etree.tostring(info, method="c14n", exclusive=True))


def _rsa(data: bytes) -> bytes:
    return signing_keys().private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def test_signing_costs_little_more_than_rsa_and_c14n(root: Path) -> None:
    """Budget: 1.5 times the raw RSA and C14N, for the VIHF and the XAdES signature of a feed taken together."""
    content, keys, now = cda(SIZE), signing_keys(), SystemClock().now()
    package = packed(content, keys)
    assert isinstance(package.context, DmpContext)
    context, software = package.context, vihf.SoftwareIdentity("kine-gateway", "0", "0")
    signature = etree.fromstring(package.part("signature").data)
    blocks = [next(signature.iter(f"{{*}}{name}")) for name in ("Manifest", "SignedProperties", "SignedInfo")]
    pieces = [etree.tostring(block) for block in blocks]

    def xades() -> bytes:
        signed = [Signed(context.document_id, content)]
        return sign_submission_set(
            context.submission_set_id, signed, keys, profile="modern", signature_id="_1", now=now
        )

    def assertion() -> bytes:
        made = vihf.assertion(context, keys, software=software, options=vihf.Options(), now=now, ids=ids())
        return etree.tostring(made, encoding="unicode").encode()

    token = assertion()
    results = {
        "xades": compared(lambda: raw_xades(content, pieces), xades),
        "vihf": compared(lambda: raw_assertion(token), assertion),
        "both": compared(lambda: (raw_xades(content, pieces), raw_assertion(token)), lambda: (xades(), assertion())),
    }
    report(root, "dmp_signing", {"document_bytes": SIZE, "budget": MOST_RATIO, "results": results})
    assert results["both"]["ratio"] <= MOST_RATIO
