"""Where on the body: the site as a CodeableConcept, and with its side as a BodyStructure.

A CodeableConcept holds synonyms of one notion, so a site and a side cannot stand in the same one; BodyStructure has an
element for each, and the standard `bodySite` extension points to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.render.fhir.assembly import without_none

if TYPE_CHECKING:
    from gateway.document.model import Code, Concept
    from gateway.render.fhir.assembly import Assembly, Json


def body_site(assembly: Assembly, site: Concept | None, side: Code | None) -> Json:
    """Elements `bodySite` and the extension to the BodyStructure, as far as there is something to say."""
    if site is None and side is None:
        return {}
    place = _place(assembly, site, side)
    if side is None:
        return {"bodySite": place}
    link = {"url": assembly.data.extensions["body_structure"], "valueReference": _structure(assembly, site, side)}
    return {"extension": [link], "bodySite": place}


def _place(assembly: Assembly, site: Concept | None, side: Code | None) -> Json:
    words = [site.text if site else "", side.display.lower() if side else ""]
    coded = assembly.concept(site) if site else {}
    return {**coded, "text": ", ".join(word for word in words if word)}


def _structure(assembly: Assembly, site: Concept | None, side: Code) -> Json:
    return assembly.add(
        f"body/{site.text if site else ''}/{side.code}",
        without_none(
            resourceType="BodyStructure",
            location=assembly.concept(site) if site else None,
            locationQualifier=[assembly.codeable(side)],
            description=_place(assembly, site, side)["text"],
            patient=assembly.reference("patient"),
        ),
    )
