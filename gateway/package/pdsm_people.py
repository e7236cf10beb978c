"""People and places inside a resource of the FHIR door: the resources of the FHIR document, contained.

MHD wants author, patient and custodian as they were when the document was made, so they travel inside
(`contained`), named by fragments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from tomllib import loads
from typing import TYPE_CHECKING

from gateway import terminology
from gateway.render.fhir import people
from gateway.render.fhir.assembly import Assembly
from gateway.resources import read_text
from gateway.terminology import loader

if TYPE_CHECKING:
    from gateway.document.model import ClinicalDocument, Code
    from gateway.render.fhir.assembly import Json


@dataclass(frozen=True, slots=True)
class PdsmData:
    """What mappings/pdsm.toml says, table by table; comments there give the sources."""

    profiles: str
    uri_identifiers: str
    profile: dict[str, str]
    extension: dict[str, str]
    list_type: dict[str, str]
    systems: dict[str, str]

    def profile_url(self, name: str) -> str:
        """Canonical address of a profile: `bundle`, `set`, `document`, `simplified`."""
        return self.profiles + self.profile[name]

    def oid(self, system: str) -> str:
        """OID of a code system written as an address; the address itself when there is none."""
        return _oids().get(system) or system.removeprefix("urn:oid:")


@cache
def data() -> PdsmData:
    """The mapping file, read once per process."""
    return PdsmData(**loads(read_text("mappings", "pdsm.toml")))


@cache
def _oids() -> dict[str, str]:
    _, uris = loader.systems()
    return {url: oid for oid, url in (*uris.items(), *data().systems.items())}


class People(Assembly):
    """Collects what one resource contains; addresses are fragments (`#patient-1`), in the order of their first use.

    Who is told is no more than XDS tells: the médecin traitant, the patient's address and telephone are left out.
    """

    def __init__(self, document: ClinicalDocument, fr_core: str) -> None:
        header = document.header
        patient = replace(header.patient, address=None, telecoms=())
        alone = replace(document, header=replace(header, patient=patient, medecin_traitant=None))
        super().__init__(alone, terminology.load(), fr_core)
        self._names: dict[str, str] = {}
        self._inside: dict[str, Json] = {}

    def url(self, path: str) -> str:
        """The fragment of this path."""
        return self._names.setdefault(path, f"#{path.partition('/')[0]}-{len(self._names) + 1}")

    def add(self, path: str, resource: Json) -> Json:
        """Contain a resource and return the reference to it."""
        url = self.url(path)
        if url not in self._inside:
            kind = resource.pop("resourceType")
            self._inside[url] = {"resourceType": kind, "id": url[1:], **resource}
        return {"reference": url}

    def add_variant(self, path: str, resource: Json, *, but: str = "") -> Json:
        """As `add`: a professional or a place is written once, as at its first mention (`but` is of no use here)."""
        del but
        return self.add(path, resource)

    def coding(self, code: Code) -> Json:
        """A Coding whose system is the address that ANS gives it."""
        known = data().systems.get(code.system)
        return {**super().coding(code), "system": known} if known else super().coding(code)

    @property
    def contained(self) -> list[Json]:
        """Everything that was added."""
        return list(self._inside.values())

    def patient(self) -> Json:
        """The patient with his traits, and the reference to him."""
        people.add_patient(self)
        return self.reference("patient")

    def author(self) -> Json:
        """The author in his practice."""
        return people.role(self, self.header.author, civil=True)

    def custodian(self) -> Json:
        """The practice that keeps the document."""
        return people.organization(self, self.header.custodian)
