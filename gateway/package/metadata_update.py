"""TD3.3: the frozen package of a change to a document that is in the DMP, and the request made of it (spec dmp §1.6).

Rule 2 of the engine (DESIGN §4) for a change: everything random or time-dependent (set, associations, the id of a new
version, submission time) is fixed by `update_package`. What belongs to the registry alone is read just before the
request by TD3.1b and put in by `compose`: entryUUID, version, status, the metadata as they are. Freezing those would
overwrite what somebody else changed meanwhile. Nothing here is signed (spec dmp §1.6).

Use, by `withdraw` for example::

    feed = Package(parts of the DMP delivery that fed the document, context_from_json(its context))
    package = metadata_update.update_package(feed, "delete", now=clock.now(), ids=randomness)
    # its parts and context are a delivery like any other: destination "dmp", channel "dmp"
    # DmpChannel.send and .resolve take it; a lost answer is settled by a stored query.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime
from uuid import UUID, uuid5

from gateway.clock import Randomness
from gateway.document.model import Code
from gateway.package import ebxml, hl7, xds
from gateway.package.types import Change, DmpUpdateContext, Package, Part, feed_context
from gateway.package.xml import Element, parse

UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
APPROVED = ebxml.APPROVED
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
STATUSES = (APPROVED, DEPRECATED, ARCHIVED, DELETED)
"""Every availabilityStatus of the DMP (spec dmp §1.6)."""

NEW_STATUS: dict[Change, str] = {"archive": ARCHIVED, "unarchive": APPROVED, "delete": DELETED}
"""Changes of status (TD3.3c, TD3.3d), with the status that each leads to."""
LABELS: dict[Change, tuple[str, bool]] = {
    "mask": ("mask", True),
    "unmask": ("mask", False),
    "hide": ("hide", True),
    "show": ("hide", False),
    "hide_legal": ("hide_legal", True),
    "show_legal": ("hide_legal", False),
}
"""Changes of visibility (TD3.3a, TD3.3b): the label of `xds.visibility_codes`, and whether it is put or taken away."""
_NS = {"rim": ebxml.RIM}
_RIM = f"{{{ebxml.RIM}}}"
_OWNERS = ("classifiedObject", "registryObject")


def update_package(feed: Package, change: Change, *, now: datetime, ids: Randomness) -> Package:
    """Freeze a change of the document that `feed` brought to the DMP: one part `update`, and its context.

    `feed` is the package of its DMP delivery, signed or not; patient, author, structure and source are taken from it.
    `now` is the submission time. Same arguments, same bytes. Raises TypeError when `feed` is no feed of the DMP.
    """
    fed = feed_context(feed)
    lot = _lot(parse(feed.part("metadata").data), ids, now)
    link, entry = ids.uuid(), xds.urn(ids.uuid())
    submission = xds.Submission(lot, (), (_link(change, link, lot, fed.document_entry, entry),))
    context = DmpUpdateContext(
        **fed.identity,
        change=change,
        submission_set_id=lot.unique_id,
        document_id=fed.document_id,
        known_entry=fed.document_entry,
        new_entry=entry,
    )
    data = ebxml.serialise(ebxml.submit_request(submission))
    return Package((Part("update", "text/xml", data),), context)


def _lot(request: Element, ids: Randomness, now: datetime) -> xds.SubmissionSet:
    """A set like the one that brought the document, with identifiers of its own."""
    package = request.find(".//rim:RegistryPackage", _NS)
    if package is None:
        raise ValueError("no submission set in the metadata")
    author = package.find(f"rim:Classification[@classificationScheme='{ebxml.SET_AUTHOR}']", _NS)
    content = package.find(f"rim:Classification[@classificationScheme='{ebxml.SET_CONTENT_TYPE}']", _NS)
    if author is None or content is None:
        raise ValueError("no author or content type in the submission set")
    return xds.SubmissionSet(
        id=xds.urn(ids.uuid()),
        unique_id=xds.oid(ids.uuid()),
        source_id=_identifier(package, ebxml.SET_SOURCE_ID),
        submission_time=hl7.utc(now),
        title=_name(package),
        patient_id=_identifier(package, ebxml.SET_PATIENT_ID),
        content_type=Code(content.get("nodeRepresentation", ""), _slot(content, "codingScheme") or "", _name(content)),
        author=xds.Author(
            _slot(author, "authorPerson") or "",
            _slot(author, "authorInstitution"),
            _slot(author, "authorRole"),
            _slot(author, "authorSpecialty"),
        ),
    )


def _slot(parent: Element, name: str) -> str | None:
    return parent.findtext(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value", namespaces=_NS)


def _name(parent: Element) -> str:
    found = parent.find("rim:Name/rim:LocalizedString", _NS)
    return "" if found is None else found.get("value", "")


def _identifier(parent: Element, scheme: str) -> str:
    found = parent.find(f"rim:ExternalIdentifier[@identificationScheme='{scheme}']", _NS)
    return "" if found is None else found.get("value", "")


def _link(change: Change, identifier: UUID, lot: xds.SubmissionSet, known: str, new: str) -> xds.Association:
    """The association of the set, with what the registry will be asked for standing as far as it is known."""
    if change in NEW_STATUS:
        slots = (("OriginalStatus", APPROVED), ("NewStatus", NEW_STATUS[change]))
        return xds.Association(xds.urn(identifier), UPDATE_STATUS, lot.id, known, slots=slots)
    return xds.Association(
        xds.urn(identifier), xds.HAS_MEMBER, lot.id, new, original=True, slots=(("PreviousVersion", "1"),)
    )


def done(change: Change, status: str | None, confidentiality: frozenset[str]) -> bool:
    """Whether a document in this state is as the change wants it."""
    if change in NEW_STATUS:
        return status == NEW_STATUS[change]
    label, wanted = LABELS[change]
    return (xds.visibility_codes()[label].code in confidentiality) is wanted


def compose_status(package: Package, *, entry: str, status: str) -> bytes:
    """The `lcm:SubmitObjectsRequest` of TD3.3c and d, for the entry and the status that the registry has now."""
    root = parse(package.part("update").data)
    link = _only_link(root)
    link.set("targetObject", entry)
    _set_slot(link, "OriginalStatus", status)
    return _serialise(root)


def compose_visibility(package: Package, current: Element, *, version: str) -> bytes:
    """The `lcm:SubmitObjectsRequest` of TD3.3a and b: the whole entry as the registry has it, under the frozen id of
    its new version, with one label more or one less, and the version that it follows.

    `current` is its `rim:ExtrinsicObject`, `lid` included. Raises ValueError when it has none.
    """
    context = package.context
    assert isinstance(context, DmpUpdateContext)
    if not current.get("lid"):
        raise ValueError("the entry has no lid")
    root = parse(package.part("update").data)
    link = _only_link(root)
    _set_slot(link, "PreviousVersion", version)
    entry = _renamed(current, context.new_entry)
    _relabel(entry, context)
    link.addprevious(entry)
    return _serialise(root)


def _only_link(root: Element) -> Element:
    found = root.find(".//rim:Association", _NS)
    assert found is not None  # `update_package` wrote it
    return found


def _set_slot(parent: Element, name: str, value: str) -> None:
    found = parent.find(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value", _NS)
    assert found is not None  # `update_package` wrote it
    found.text = value


def _renamed(current: Element, identifier: str) -> Element:
    """A copy under another id; what it contains gets ids drawn from it, so that a repetition is the same."""
    entry = deepcopy(current)
    entry.tail = None
    entry.set("id", identifier)
    base = UUID(identifier)
    for count, item in enumerate(entry.iterdescendants(f"{_RIM}Classification", f"{_RIM}ExternalIdentifier"), 1):
        item.set("id", f"urn:uuid:{uuid5(base, str(count))}")
        item.attrib.pop("lid", None)
        for owner in _OWNERS:
            if item.get(owner) is not None:
                item.set(owner, identifier)
    return entry


def _relabel(entry: Element, context: DmpUpdateContext) -> None:
    label, wanted = LABELS[context.change]
    code = xds.visibility_codes()[label]
    held = entry.findall(f"rim:Classification[@classificationScheme='{ebxml.ENTRY_CONFIDENTIALITY}']", _NS)
    same = [one for one in held if one.get("nodeRepresentation") == code.code]
    if wanted and not same:
        added = ebxml.classification(xds.urn(uuid5(UUID(context.new_entry), label)), context.new_entry, code)
        _insert(entry, held, added)
    elif not wanted:
        for one in same:
            entry.remove(one)


def _insert(entry: Element, held: list[Element], added: Element) -> None:
    """After the codes of its kind, else before the identifiers: ebRIM fixes the order of what an object contains."""
    first = entry.find("rim:ExternalIdentifier", _NS)
    if held:
        held[-1].addnext(added)
    elif first is not None:
        first.addprevious(added)
    else:
        entry.append(added)


def _serialise(root: Element) -> bytes:
    """Without declaration: it goes into an envelope."""
    return ebxml.serialise(root).partition(b"?>")[2].strip()
