"""Shapes of the contract: what orders look like, and the answers, made from the library's own views.

An answer is written by the view's `as_dict`, not by these classes; the tests hold the two together.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from gateway import views
from gateway.api.oppositions import OppositionView
from gateway.api.withdrawals import WithdrawalLine
from gateway.records.base import Flag, Instant, Line, MailAddress, Record
from gateway.store.base import Pause
from gateway.store.received import ReceivedLine
from gateway.store.rows import Attempt, Note
from gateway.store.states import Receipt, Transport


def mirror(view: type, name: str, **other: Any) -> type[BaseModel]:
    """A model with the fields of a dataclass, all of them always there; `other` adds fields or replaces their type."""
    hints = get_type_hints(view)
    shape: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(view)}
    shape |= {key: (kind, ...) for key, kind in other.items()}
    about = (view.__doc__ or "").partition("\n")[0]
    return create_model(name, __doc__=about, __config__=ConfigDict(extra="forbid"), **shape)


class Answer(BaseModel):
    """Base of what the API answers: every field always there."""

    model_config = ConfigDict(extra="forbid")


Shown = Annotated[dict[str, Any], Field(description="As the command of the same name shows it with `--json`.")]
"""An answer whose shape is the command's."""


class Finding(Answer):
    """What a check saw, where, how grave it is, and what to do (docs/findings.md)."""

    code: str
    severity: Literal["error", "warning", "info"]
    path: str
    message: str
    advice: str
    source: str


class ProblemDetails(Answer):
    """An operation that was not done (RFC 9457). `code` is stable, `detail` and `advice` are French texts."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    advice: str
    findings: list[Finding]


Delivery: Any = mirror(
    views.DeliveryView,
    "Delivery",
    transport=Transport,
    receipt=Receipt,
    receipt_meaning=str,
    receipt_next=str,
)
AttemptShape = mirror(Attempt, "Attempt")
NoteShape = mirror(Note, "Note")
ReceivedShape = mirror(ReceivedLine, "ReceivedMail", meaning=str)
History: Any = create_model(
    "DeliveryHistory",
    __base__=Delivery,
    __doc__="A delivery with its attempts, what people decided, and the mails that came back.",
    history=(list[AttemptShape], ...),  # type: ignore[valid-type]
    notes=(list[NoteShape], ...),  # type: ignore[valid-type]
    received=(list[ReceivedShape], ...),  # type: ignore[valid-type]
)
PlanShape = mirror(views.PlanLine, "PlanLine")
Account = mirror(views.AccountState, "Account")
PauseShape: Any = mirror(Pause, "Pause")
Opposition: Any = mirror(OppositionView, "OppositionInForce")
WithdrawalLineShape = mirror(WithdrawalLine, "WithdrawalLine")


class Report(Answer):
    """What `check` found, and where the document would go."""

    format: Literal["kine-gateway/report/1"]
    ok: bool
    findings: list[Finding]
    plan: list[PlanShape]  # type: ignore[valid-type]


class Submitted(Answer):
    """What was committed. `created` is false when this very document was known already; `findings` are codes."""

    document_id: str
    delivery_ids: list[str]
    created: bool
    findings: list[str]


class Document(Answer):
    """A document and all its deliveries."""

    document_id: str
    account: str
    kind: str
    document_type: str
    accepted_at: datetime
    replaces: str | None
    replaced_by: str | None
    withdrawn_at: datetime | None
    deliveries: list[Delivery]


class DeliveryPage(Answer):
    """Deliveries, newest first. `next` is the `after` of the following page; null at the end."""

    deliveries: list[Delivery]
    next: str | None


class Changes(Answer):
    """Deliveries that moved since a cursor, as they stand now. Ask again with `cursor`; `more`: at once."""

    deliveries: list[Delivery]
    cursor: str
    more: bool


class Health(Answer):
    """Whether the gateway can take documents over. `store`: its database answers."""

    status: Literal["ok", "unavailable"]
    version: str


class Decision(Record):
    """Who decides, and why: both go to the journal; the reason is sealed."""

    by: Line
    reason: Line


class Handing(Decision):
    """A named person delivered it otherwise; `at` is now unless given."""

    means: Literal["main_propre", "courrier", "telephone", "sip", "autre"]
    at: Instant | None = None


class Repreparing(Decision):
    """Pack and sign again. `dry_run` shows what would be done."""

    dry_run: Flag = False


class Readdressing(Repreparing):
    """Another box of the same doctor; `name` is whose it is, where no directory says."""

    to: MailAddress
    name: Line | None = None


class Withdrawing(Record):
    """Why a document is taken back (as the recipients are told), and in the person's own words (sealed)."""

    reason: Literal["wrong_patient", "wrong_recipient", "error", "duplicate", "patient_request"]
    by: Line
    note: Line
    dry_run: Flag = False


class Linking(Answer):
    """What a readdressing or a repacking does. `new_delivery` is null for a preview, or where findings stop it."""

    action: str
    delivery: str
    document: str
    destination: str
    role: str
    before: str | None
    after: str | None
    size: int
    ok: bool
    findings: list[Finding]
    new_delivery: Delivery | None


class Withdrawal(Answer):
    """Where a withdrawal stands."""

    documents: list[str]
    reason: str
    by: str
    at: datetime
    ended: bool
    needs_person: bool
    lines: list[WithdrawalLineShape]  # type: ignore[valid-type]


class WithdrawalPlan(Answer):
    """What a withdrawal would do, line by line."""

    documents: list[str]
    reason: str
    ok: bool
    steps: list[dict[str, Any]]
    findings: list[Finding]


class Suggestion(Answer):
    """What the directory says of an address that was refused; `state` is null when nothing is to be looked up."""

    delivery: str
    state: Literal["same", "changed", "gone", "ask", "unknown"] | None
    why: str
    addresses: list[str]


class ReceivedAnswer(Answer):
    """What was done with a mail."""

    kind: str
    verdict: str
    reason: str | None
    meaning: str
    delivery: Delivery | None
    held: list[Delivery]


class LooseReceipt(Answer):
    """A receipt that was not believed, or belongs to no delivery."""

    account: str
    at: datetime
    kind: str
    verdict: str
    reason: str | None
    meaning: str
    delivery: str | None
    folder: str | None
    uid: int | None


class Verification(Answer):
    """What a verification of the journal found, and what it could not exclude (French texts)."""

    ok: bool
    size: int
    root: str
    checkpoints: int
    signed: int
    held: int
    trusted_key: bool
    anchors: list[dict[str, Any]]
    stamps: int
    findings: list[Finding]
    excluded: list[str]
    not_excluded: list[str]


class FoundBytes(Answer):
    """Which documents and receipts these bytes belong to."""

    found: list[dict[str, Any]] = Field(description="As `kine-gateway journal verify-document --json` shows it.")
