"""What every part of the rendering shares: the profile, the terminology, and names for instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import NAMESPACE_OID, UUID, uuid5

from gateway.document.model import Code, Concept
from gateway.render.cda.profile import EntryRule, Profile
from gateway.render.cda.xml import XSI_TYPE, Element, add, add_text
from gateway.terminology.model import MeasureDef, PanelDef


class SectionTemplates(Protocol):
    """The part of a section's definition (mappings/sections.toml) that CDA uses."""

    @property
    def cda_templates(self) -> tuple[str, ...]:
        """Template OIDs in the order to write, the French one last."""
        ...


class Terms(Protocol):
    """The part of gateway.terminology.Terminology that the CDA rendering calls."""

    @property
    def local_system(self) -> str:
        """OID of the product's own code system."""
        ...

    def section(self, key: str) -> SectionTemplates:
        """Definition of a section by its key. Raises MappingError on a key that is not mapped."""
        ...

    @property
    def panels(self) -> Mapping[str, PanelDef]:
        """Questionnaires by key."""
        ...

    def measure(self, code: str) -> MeasureDef | None:
        """A measure of the catalogue, or None."""
        ...

    def value(self, set_name: str, code: str) -> Code:
        """A code of a French value set with its system and display."""
        ...


def namespace(document_id: str) -> UUID:
    """The UUID under which all instances of one document are named: same document, same ids."""
    return uuid5(NAMESPACE_OID, document_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the rendering stands. `path` grows on the way down, so every instance has its own name."""

    names: UUID
    path: str
    profile: Profile
    terms: Terms

    def enter(self, step: str) -> Scope:
        """The same scope one step further down."""
        return replace(self, path=f"{self.path}/{step}")

    def local(self, code: str) -> Code:
        """A code of the product's own system, named in mappings/cda.toml."""
        return Code(code, self.terms.local_system, self.profile.local[code])

    def write_id(self, parent: Element, role: str = "", extension: str | None = None) -> None:
        """The <id> of an instance: uuid5 of the document's name and the path."""
        root = str(uuid5(self.names, f"{self.path}/{role}"))
        if extension is None:
            add(parent, "id", root=root)
        else:
            add(parent, "id", root=root, extension=extension)

    def write_templates(self, parent: Element, entry: str) -> EntryRule:
        """The <templateId>s of an entry, by its name in mappings/cda.toml."""
        rule = self.profile.entries[entry]
        for template in rule.templates:
            add(parent, "templateId", root=template)
        return rule

    def write_code(self, parent: Element, name: str, code: Code) -> Element:
        """A coded element with display name, system and, for readers, the system's name."""
        child = add(parent, name, code=code.code, displayName=code.display, codeSystem=code.system)
        system_name = self.profile.system_names.get(code.system)
        if system_name is not None:
            child.set("codeSystemName", system_name)
        return child

    def write_concept(
        self,
        parent: Element,
        name: str,
        concept: Concept,
        anchor: str | None,
        *,
        fixed: Code | None = None,
        side: Code | None = None,
        datatype: str | None = None,
    ) -> Element:
        """A concept: the verified code of this target, else the local code, else its text alone.

        `fixed` is the code that the template imposes: the concept's own codes follow as translations, so that
        two scales under one imposed code stay apart. `side` becomes the laterality qualifier.
        """
        codes = [code for code in (fixed, concept.cda, concept.local) if code is not None]
        child = self.write_code(parent, name, codes[0]) if codes else add(parent, name, nullFlavor="UNK")
        if datatype is not None:
            child.set(XSI_TYPE, datatype)
        self.write_original_text(child, concept.text, anchor)
        if side is not None:
            qualifier = add(child, "qualifier")
            self.write_code(qualifier, "name", self.profile.codes["laterality"])
            self.write_code(qualifier, "value", side)
        for code in codes[1:]:
            if code != codes[0]:
                self.write_code(child, "translation", code)
        return child

    @staticmethod
    def write_original_text(parent: Element, text: str, anchor: str | None) -> None:
        """<originalText>: the words, and where they stand in the narrative."""
        original = add_text(parent, "originalText", text)
        if anchor is not None:
            add(original, "reference", value=f"#{anchor}")

    @staticmethod
    def write_reference(parent: Element, anchor: str, text: str | None = None) -> None:
        """<text> of an entry: a reference to the narrative, and words that belong to this entry alone."""
        child = add(parent, "text")
        child.text = text
        add(child, "reference", value=f"#{anchor}")
