"""What questions to a DMP give: plain immutable data, JSON-ready. Shown to whoever asked, stored nowhere.

The patient's traits that the DMP returns are not among them (RG_0320), nor is the INS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway import wording

if TYPE_CHECKING:
    from gateway.channels.dmp.entries import Coded, Entry, LinkEntry, SetEntry
    from gateway.channels.dmp.retrieval import Absent, Retrieved
    from gateway.channels.outcome import Outcome

FORMAT = "kine-gateway/dmp/1"
_LABELS = {
    "MASQUE_PS": "masked",
    "INVISIBLE_PATIENT": "hidden_from_patient",
    "INVISIBLE_REPRESENTANTS_LEGAUX": "hidden_from_representatives",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer: a stable code, the server's own words (scrubbed), and whether waiting may help."""

    reason: str
    text: str
    advice: str
    passing: bool

    @classmethod
    def of(cls, outcome: Outcome) -> Refusal:
        """From what the channel says."""
        advice = wording.advice("dead", "none", outcome.reason) or wording.advice("retry", "none", outcome.reason)
        return cls(outcome.reason, outcome.text, advice, outcome.verdict.value in {"transient", "session"})

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"reason": self.reason, "text": self.text, "advice": self.advice, "passing": self.passing}


@dataclass(frozen=True, slots=True)
class DmpTest:
    """Answer of TD0.2: whether this patient's DMP may be fed; `refusal` says why not."""

    open: bool
    refusal: Refusal | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"format": FORMAT, "open": self.open, "refusal": _dict(self.refusal)}


@dataclass(frozen=True, slots=True)
class DmpDocument:
    """A document as the registry describes it. In indirect mode only `entry_uuid` is known.

    `ours` is the gateway's id where it fed the document; times are HL7 times in UTC, `size` bytes, `hash` SHA-1 hex.
    """

    entry_uuid: str
    unique_id: str | None = None
    ours: str | None = None
    status: str | None = None
    version: str | None = None
    title: str | None = None
    author: str | None = None
    institution: str | None = None
    type: str | None = None
    class_code: str | None = None
    format: str | None = None
    mime_type: str | None = None
    creation_time: str | None = None
    service_start: str | None = None
    service_stop: str | None = None
    hash: str | None = None
    size: int | None = None
    visibility: tuple[str, ...] = ()

    @property
    def hidden(self) -> bool:
        """Whether the patient does not see it: whoever reads it has to be told (EX_3.2-1025)."""
        return "hidden_from_patient" in self.visibility

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name) for name in self.__slots__} | {"visibility": list(self.visibility)}


def document(entry: Entry, ours: str | None) -> DmpDocument:
    """From an entry of the registry."""
    return DmpDocument(
        entry_uuid=entry.entry_uuid,
        unique_id=entry.unique_id,
        ours=ours,
        status=None if entry.status is None else entry.status.rpartition(":")[2],
        version=entry.version,
        title=entry.title,
        author=_person(entry.author),
        institution=None if entry.institution is None else entry.institution.partition("^")[0],
        type=_words(entry.type_code),
        class_code=_words(entry.class_code),
        format=None if entry.format_code is None else entry.format_code.code,
        mime_type=entry.mime_type,
        creation_time=entry.creation_time,
        service_start=entry.service_start,
        service_stop=entry.service_stop,
        hash=entry.hash,
        size=entry.size,
        visibility=tuple(_LABELS[code] for code in sorted(entry.labels) if code in _LABELS),
    )


@dataclass(frozen=True, slots=True)
class DmpListing:
    """What a search found. `complete` is False when the registry left something out."""

    documents: tuple[DmpDocument, ...] = ()
    sets: tuple[SetEntry, ...] = ()
    links: tuple[LinkEntry, ...] = ()
    complete: bool = True
    refusal: Refusal | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "format": FORMAT,
            "complete": self.complete,
            "documents": [one.as_dict() for one in self.documents],
            "sets": [_set(one) for one in self.sets],
            "links": [{name: getattr(one, name) for name in one.__slots__} for one in self.links],
            "refusal": _dict(self.refusal),
        }


@dataclass(frozen=True, slots=True)
class DmpFile:
    """A document that came. `checked`: the registry's hash or size were there, and are those of these bytes."""

    unique_id: str
    mime_type: str
    content: bytes = field(repr=False)
    checked: bool
    description: DmpDocument

    @property
    def suffix(self) -> str:
        """File name ending for its media type."""
        endings = {"text/xml": ".xml", "application/xml": ".xml", "application/pdf": ".pdf", "text/html": ".html"}
        return endings.get(self.mime_type.partition(";")[0].strip(), ".bin")


@dataclass(frozen=True, slots=True)
class DmpFiles:
    """What was retrieved, and what did not come, with its reason."""

    files: tuple[DmpFile, ...] = ()
    absent: tuple[Absent, ...] = ()
    refusal: Refusal | None = None

    @property
    def ok(self) -> bool:
        """Whether everything came."""
        return self.refusal is None and not self.absent

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the contents."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "documents": [
                {
                    **one.description.as_dict(),
                    "mime_type": one.mime_type,
                    "bytes": len(one.content),
                    "checked": one.checked,
                }
                for one in self.files
            ],
            "absent": [{"unique_id": one.unique_id, "reason": one.code, "text": one.text} for one in self.absent],
            "refusal": _dict(self.refusal),
        }


def file(found: Retrieved, description: DmpDocument) -> DmpFile:
    """From what the repository gave."""
    return DmpFile(found.unique_id, found.mime_type, found.content, found.checked, description)


def _dict(refusal: Refusal | None) -> dict[str, Any] | None:
    return None if refusal is None else refusal.as_dict()


def _words(code: Coded | None) -> str | None:
    return None if code is None else code.display or code.code


def _person(xcn: str | None) -> str | None:
    """Family and given name of an XCN."""
    if xcn is None:
        return None
    parts = xcn.split("^")
    return " ".join(part for part in parts[1:3] if part) or parts[0]


def _set(one: SetEntry) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in one.__slots__}
    return values | {"content_type": _words(one.content_type), "author": _person(one.author)}
