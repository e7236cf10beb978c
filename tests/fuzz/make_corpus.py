"""Rebuilds the corpus from the fixtures and the samples of the tests: small, synthetic.

    python -m tests.fuzz.make_corpus

Files that a campaign added (`found-...`) stay. Random things come from a seed: the same bytes each time.
"""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.prove import DISCLOSURE, PROOF
from gateway.identity.datamatrix import Traits, content
from gateway.store import backup, keysafe
from gateway.store.checkpoint import Signer
from gateway.store.journal import GENESIS, chain_hash
from gateway.store.merkle import leaf_hash
from tests.fuzz.target import CORPUS

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
EXPECTED = FIXTURES / "expected" / "14_chute_lettre_urgence"
CASE = FIXTURES / "cases" / "14_chute_lettre_urgence.json"


def put(target: str, name: str, data: bytes | str) -> None:
    """Write one input."""
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def packed(**files: bytes) -> bytes:
    """A zip archive that is the same each time."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def handed_in() -> None:
    """What a practice hands in."""
    from tests.unit.level1 import samples as level1

    put("submission", "case.json", CASE.read_bytes())
    small = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    metadata = json.dumps(level1.metadata(), ensure_ascii=False).encode()
    put("submission", "level1.zip", packed(**{"metadata.json": metadata, "document.pdf": small}))
    order = {"format": "kine-gateway/action/1", "action": "retry", "by": "Mme Martin", "reason": "adresse"}
    put("action", "retry.json", json.dumps(order))
    handed = {**order, "action": "handed_over", "means": "courrier", "at": "2026-11-22T10:00:00+01:00"}
    put("action", "handed.json", json.dumps({**handed, "document": "2.25.1", "destination": "patient"}))
    traits = Traits(
        "279035121518989", "1.2.250.1.213.1.4.10", ("EVA", "ANNE"), "DURAND", "F", date(1979, 3, 2), "51215"
    )
    put("datamatrix", "symbol.txt", content(traits) or "")
    put("datamatrix", "long.txt", "]d2" + (content(traits) or "").replace("\x1d", "<GS>") + "\r\n")
    vendors = FIXTURES / "vendors"
    lines = (vendors / "kinexemple-csv-3.csv").read_bytes().split(b"\n")
    put("vendor", "export.csv", b"\n".join(lines[:3]) + b"\n")
    put("vendor", "export.xml", (vendors / "reeduc-fictif-xml-2.xml").read_bytes()[:60_000])
    put("billing", "acts.csv", "Date;Patient;Code;RPPS\n22/11/2026;279035121518989;AMK;99700001011\n")
    put("billing", "quoted.csv", '"date acte","nom","lettre"\r\n"2026-11-22","DURAND, Eva","AMS"\r\n')
    put("pdf", "small.pdf", small)
    put("pdf", "page.pdf", _pdf())


def _pdf() -> bytes:
    """One page with a line of text, a cross-reference table and nothing else: what a reader walks through."""
    text = b"BT /F1 12 Tf 10 100 Td (DURAND Eva 02/03/1979) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + tail


def documents() -> None:
    """Documents and mails that come from anybody."""
    from tests.unit.read import report_samples as reports
    from tests.unit.sandbox import mail_builder

    cda, fhir = (EXPECTED / name for name in ("document.cda.xml", "document.fhir.json"))
    for target in ("cda", "preflight", "sandbox_cda"):
        put(target, "letter.xml", cda.read_bytes())
    put("fhir", "letter.json", json.dumps(json.loads(fhir.read_bytes()), ensure_ascii=False))
    archive = mail_builder.archive(mail_builder.MailDraft())
    mailed = mail_builder.build(mail_builder.MailDraft())
    for target in ("xdm", "sandbox_xdm"):
        put(target, "letter.zip", archive)
    for target in ("mail", "opening", "sandbox_mail"):
        put(target, "mail.eml", mailed)
    put("opening", "letter.xml", cda.read_bytes()[:6000] + b"</ClinicalDocument>")
    received = {
        "dsn": reports.dsn(),
        "mdn": reports.mdn(),
        "failure": reports.standard_failure(),
        "bounce": reports.bounce(text="<docteur@example.mssante.fr>: mailbox full"),
        "reply": reports.reply(),
    }
    for name, data in received.items():
        put("receipt", f"{name}.eml", data)
    put("mail", "mdn.eml", reports.mdn())
    put("sandbox_mail", "mdn.eml", reports.mdn())


def services() -> None:
    """What the other side answers."""
    from tests.unit.annuaire import samples as annuaire
    from tests.unit.channels import test_dmp_query as query
    from tests.unit.channels import test_insi as insi

    put("soap", "entry.xml", query.answer(query.leaf()))
    put("soap", "error.xml", query.answer(status="Failure", errors=query.error("XDSRegistryError")))
    put("soap", "parts", b"--B\r\nContent-ID: <a>\r\nContent-Type: application/xop+xml\r\n\r\n"
        + query.answer(query.REFERENCE) + b"\r\n--B--\r\n")  # fmt: skip
    put("multipart", "retrieved", _retrieved())
    number = insi.number("1090763220834", "89")
    put("insi", "one.xml", insi.one(number, insi.number("2090763220834", "39")))
    put("insi", "none.xml", insi.result("", "01"))
    from tests.unit.sandbox.insi_requests import SOUND

    put("sandbox_insi", "question.xml", SOUND)
    box = annuaire.telecom("un@medecin.mssante.example", rank=1)
    found = [annuaire.practitioner(annuaire.RPPS, box), annuaire.role(annuaire.RPPS, "o1", box)]
    found.append(annuaire.organization("o1", "1350012345678"))
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in found]}
    put("annuaire_api", "bundle.json", json.dumps(bundle))
    for place, one in enumerate(_search()):
        put("fhir_answer", f"search-{place}.json", json.dumps(one))
    refused = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]}
    answered = [{"response": {"status": "201 Created", "location": "List/1", "outcome": refused}}]
    transaction = {"resourceType": "Bundle", "type": "transaction-response", "entry": answered}
    put("fhir_answer", "transaction.json", json.dumps(transaction))
    put("annuaire_list", "list.txt", annuaire_list())
    put("imap", "fetch", b'1 (UID 12 RFC822.SIZE 345 INTERNALDATE "22-Nov-2026 10:00:00 +0100" BODY[] {3}abc\r\n)\r\n'
        b'2 (UID 13 BODY[HEADER] "Message-ID: <a\\"b@c>")\r\n5 6 7')  # fmt: skip
    put("smtp", "refusal", b"5.7.1 <durand@example.org>: refused 279035121518989")
    put("smtp", "challenge", b'{"status":"401","schemes":"bearer","scope":"mail"}')
    put("sandbox_patch", "patch.json", json.dumps([{"op": "add", "path": "/a/-", "value": 3}]))
    put("sandbox_patch", "move.json", json.dumps([{"op": "move", "from": "/a/0", "path": "/status"}]))
    put("sandbox_soap", "request", b'application/soap+xml; action="urn:a"\n\n' + query.answer())


def _search() -> list[dict[str, object]]:
    """A document, then a set, as a server of the FHIR door describes them, the author inside."""
    system = "urn:ietf:rfc:3986"
    kind = {"coding": [{"system": "http://loinc.org", "code": "11488-4", "display": "CR"}]}
    person = {"resourceType": "Practitioner", "id": "p", "name": [{"family": "Durand", "given": ["Eva"]}]}
    attachment = {"contentType": "text/xml", "url": "Binary/1", "size": 3, "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}
    document = {
        "resourceType": "DocumentReference",
        "id": "1",
        "status": "current",
        "masterIdentifier": {"system": system, "value": "urn:oid:1.2.3"},
        "identifier": [{"use": "official", "system": system, "value": "urn:uuid:c1a2ff23-fc05-4bd1-b500-1ec7d3178f1c"}],
        "type": kind,
        "category": [kind],
        "date": "2026-11-22T10:00:00+01:00",
        "subject": {"identifier": {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"}},
        "contained": [person],
        "author": [{"reference": "#p"}],
        "content": [{"attachment": attachment, "format": {"system": "urn:oid:1.3", "code": "urn:x"}}],
        "context": {"event": [kind], "period": {"start": "2026-11-22"}},
    }
    lot = {
        "resourceType": "List",
        "id": "2",
        "status": "current",
        "date": "2026-11-22T10:00:00Z",
        "contained": [person],
    }
    lot |= {"identifier": [{"use": "usual", "system": system, "value": "urn:oid:1.2.4"}], "source": {"reference": "#p"}}
    return [{"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one}]} for one in (document, lot)]


def annuaire_list() -> str:
    """Two lines of the directory's file, one with a fault."""
    from gateway.channels.annuaire.reading import COLUMNS

    names = [spellings[0] for spellings in COLUMNS.values()]
    width = len(names)
    sound = ["PER", "un@medecin.mssante.example", *["x"] * (width - 2)]
    return "\n".join(["|".join(names), "|".join(sound), "|".join(sound[:-1])]) + "\n"


def _retrieved() -> bytes:
    envelope = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        '<x:RetrieveDocumentSetResponse xmlns:x="urn:ihe:iti:xds-b:2007">'
        '<r:RegistryResponse xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="a:Success"/>'
        "<x:DocumentResponse><x:DocumentUniqueId>1.2.3</x:DocumentUniqueId><x:mimeType>text/xml</x:mimeType>"
        '<x:Document><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:b"/></x:Document>'
        "</x:DocumentResponse></x:RetrieveDocumentSetResponse></s:Body></s:Envelope>"
    )
    head = 'multipart/related; boundary="B"; start="<a>"; type="application/xop+xml"\n\n'
    root = f"--B\r\nContent-Type: application/xop+xml\r\nContent-ID: <a>\r\n\r\n{envelope}\r\n"
    return (head + root + "--B\r\nContent-ID: <b>\r\n\r\n<a/>\r\n--B--\r\n").encode()


def own_files() -> None:
    """Files of the gateway itself that somebody may bring back changed."""
    put("settings", "example.toml", (ROOT / "config" / "gateway.example.toml").read_bytes())
    put(
        "settings", "small.toml", '[store]\nurl = "sqlite:///gateway.db"\n[[account]]\nid = "a"\nrpps = "99700001011"\n'
    )
    put("trust_list", "list.txt", (ROOT / "config" / "trust-space.example.txt").read_bytes())
    signer = Signer("kine.example/fuzz", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    record = _record(document="2.25.1", event="document_accepted", patient="p")
    last, note = chain_hash(GENESIS, record), signer.sign(1, leaf_hash(record))
    put("checkpoint", "verifier.key", signer.verifier.dump())
    put("checkpoint", "note.txt", note)
    head = {"format": "kine-gateway/journal/1", "origin": "kine.example/fuzz", "root": leaf_hash(record).hex()}
    lines = [json.dumps({**head, "size": 1, "public_key": signer.verifier.dump().strip()})]
    lines += [json.dumps({"checkpoint": note}), f'{{"hash":"{last.hex()}","record":{record.decode()}}}']
    lines += ['{"delivery":"d","state":"sent","receipt":"none"}']
    lines += [json.dumps({"anchor": {"checkpoint": note, "token": "MAMCAQE="}})]
    put("export", "journal.jsonl", "\n".join(lines) + "\n")
    restored = _record(event="store_restored", size=4, delivery="d", destination="dmp", state="sent")
    put("export", "restored.jsonl", f'{lines[0]}\n{{"hash":"{last.hex()}","record":{restored.decode()}}}\n')
    shown = {"checkpoint": note, "records": [{"seq": 0, "record": record.decode(), "proof": []}]}
    attested = signer.attest("kine-gateway/disclosure/1", "patient p 1")
    disclosure = {"format": DISCLOSURE, "documents": ["2.25.1"], "patient": "p", "salt": "s", "statement": attested}
    put("proof", "disclosure.json", json.dumps({**disclosure, **shown}))
    put("proof", "delivery.json", json.dumps({"format": PROOF, "delivery": "d", **shown}))
    cheap = {"format": keysafe.FORMAT, "n": 2, "r": 1, "p": 1, "salt": "AAAA", "nonce": "A" * 16, "sealed": "A" * 64}
    put("keysafe", "cheap.json", json.dumps(cheap))
    listing = {"format": backup.FORMAT, "taken_at": "2026-11-22", "records": 1, "documents": 1}
    put("backup", "backup.json", json.dumps({**listing, "files": {"gateway.db": "00", "checkpoints/a.txt": "11"}}))


def _record(**fields: object) -> bytes:
    value = {"at": "2026-11-22T10:00:00Z", "seq": 0, "shard": 0, **fields}
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


if __name__ == "__main__":
    from tests.fuzz.make_corpus_files import files

    for write in (handed_in, documents, services, own_files, files):
        write()
