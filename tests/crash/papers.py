"""What goes through the campaign: one case of the fixtures with another patient each time, and its configuration.

A document has three destinations: its doctor's mailbox, the patient's, the patient's DMP. Everything is made anew for
each but the PDF and the FHIR rendering, which are made once and shared: they cost more than all the rest together, and
no crash depends on what they say.
"""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.mailserver import DOMAINS, PASSWORD

if TYPE_CHECKING:
    from gateway.api import Gateway

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
PAPER = "01_entorse_cheville_bilan"
AUTHORS = ("01_entorse_cheville_bilan", "03_epaule_operee_bilan", "06_suivi_avc_bilan", "07_bpco_bilan")
ACCOUNTS = ("cabinet-01", "cabinet-03", "cabinet-06", "cabinet-07")
FOLDERS, LIBRARY = ACCOUNTS[:2], ACCOUNTS[2:]
"""Accounts whose documents are dropped into an outbox, and those whose documents a program submits."""
RESENDS = ACCOUNTS[3]
"""The account whose DMP has the explicit policy of sending again when in doubt."""
DESTINATIONS = 3
LEASE = 4.0
"""Seconds; short, so that what a killed worker held is soon taken over."""

TUNED = f"""
[retry]
delays = [0.5, 1.0, 2.0]
lease = {LEASE}
breaker_failures = 100000
breaker_pause = 0.3

[receipts]
delivered = 15.0

[sidecar]
scan_every = 0.3
workers = 4
"""


@cache
def _case(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((CASES / f"{name}.json").read_bytes())
    return value


def account_of(number: int) -> str:
    """Whose document it is."""
    return ACCOUNTS[number % len(ACCOUNTS)]


def key_of(number: int) -> str:
    """Its idempotency key, which is also the name of its file."""
    return f"d{number:06d}"


def paper(number: int) -> bytes:
    """The submission of a document: a patient of its own, the author of its account."""
    value, author = copy.deepcopy(_case(PAPER)), _case(AUTHORS[number % len(AUTHORS)])
    value["account"], value["author"] = author["account"], author["author"]
    value["organization"] = author["organization"]
    value["key"], value["document"]["id"] = key_of(number), f"BDK-{number}"
    value["access"]["episode"]["id"] = f"EP-{number}"
    patient = value["patient"]
    # Commune and order number of the matricule vary; its key is reckoned (97 less the rest by 97).
    body = patient["ins"]["matricule"][:7] + f"{number % 1_000_000:06d}"
    patient["ins"]["matricule"] = body + f"{97 - int(body) % 97:02d}"
    patient["identifiers"][0]["value"] = f"IPP-{number}"
    return json.dumps(value).encode()


def name_of(gateway: Gateway, delivery: str) -> str:
    """The name that the other side knows a delivery by: Message-ID or submission set; empty where it is erased."""
    from gateway.errors import GatewayError
    from gateway.package.types import DmpContext, DmpUpdateContext, MailContext, context_from_json

    try:
        data = gateway.store.context(delivery)
    except GatewayError:
        return ""
    if data is None:
        return ""
    context = context_from_json(data)
    if isinstance(context, MailContext):
        return context.message_id
    assert isinstance(context, DmpContext | DmpUpdateContext)
    return context.submission_set_id


def first_papers() -> list[Any]:
    """One submission of each account, parsed: what a practice is made up from."""
    from gateway.records.submission import parse

    found = [parse(paper(number))[0] for number in range(len(ACCOUNTS))]
    assert None not in found
    return found


def imap_user(mailbox: str) -> str:
    """The user of the IMAP server that an account's box belongs to."""
    return f"{mailbox.partition('@')[0]}@{DOMAINS[0]}"


def with_imap(text: str, folder: Path, imap: Any) -> str:
    """The configuration with the boxes of the accounts."""
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    return "".join(
        part + (_box(part, imap) if part.startswith("\n[[account]]") else "")
        for part in re.split(r"(?=\n\[\[account\]\])", text)
    )


def _box(account: str, imap: Any) -> str:
    found = re.search(r'^mailbox = "(.+)"', account, re.MULTILINE)
    assert found is not None
    return f"""
[account.imap]
host = "localhost"
port = {imap.imaps_port}
auth = "password"
password_file = "password"
user = "{imap_user(found[1])}"
poll_every = 1
idle = false
tls = {{ ca_file = "{imap.ca}", cert_file = "{imap.client_cert}", key_file = "{imap.client_key}" }}
"""


def configurations(config: Path, url: str) -> dict[str, Path]:
    """Configurations of the processes, beside the witness's: all of it, and for SQLite, where one worker serves an
    account, one for each group of accounts.
    """
    text = config.read_text(encoding="utf-8").replace("sqlite:///gateway.sqlite", url)
    text = text.replace("[journal]\n", "[journal]\nevery_records = 200\nshards = 4\n")
    head, *accounts = re.split(r"(?=\n\[\[account\]\])", text)
    resends = f'id = "{RESENDS}"'
    accounts = [
        one.replace("[account.dmp]\n", '[account.dmp]\nin_doubt = "resend"\n') if resends in one else one
        for one in accounts
    ]
    groups = {"all": ACCOUNTS, "folders": FOLDERS, "third": LIBRARY[:1], "fourth": LIBRARY[1:]}
    written = {}
    for name, wanted in groups.items():
        mine = [one for one in accounts if any(f'id = "{account}"' in one for account in wanted)]
        mine = [
            one if account_in(one, FOLDERS) else re.sub(r"^outbox = .*\n", "", one, flags=re.MULTILINE) for one in mine
        ]
        written[name] = config.with_name(f"{name}.toml")
        written[name].write_text(head + TUNED + "".join(mine), encoding="utf-8")
    return written


def account_in(text: str, accounts: tuple[str, ...]) -> bool:
    """Whether this [[account]] table is of one of these."""
    return any(f'id = "{account}"' in text for account in accounts)
