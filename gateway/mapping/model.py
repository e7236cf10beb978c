"""The mapping file: what may stand in it, and what is refused before a single export is read."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gateway import resources
from gateway.errors import ConfigError, MappingError
from gateway.mapping import convert

FORMAT = "kine-gateway/vendor-mapping/1"
_FOLDER = "vendors"
Pointer = Annotated[str, StringConstraints(pattern=r"^(/([a-z][a-z_]*|[0-9]|-))+$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Table):
    """A rule holds only where `field` has one of these values."""

    field: str
    values: tuple[str, ...] = Field(alias="in", min_length=1)


class Rule(_Table):
    """From fields of the export (or a constant) to one place of the submission.

    Several fields are joined by `join`. `policy` says what an unreadable or unknown value does: `block` the
    document, or `warn` and leave the place empty. `many` takes every value of a repeated field, as a list.
    """

    to: Pointer
    source: tuple[str, ...] = Field(default=(), alias="from")
    constant: str | int | bool | None = None
    default: str | int | bool | None = None
    convert: tuple[str, ...] = ()
    join: str = " "
    key: str | None = Field(default=None, description="Field that `times` looks up.")
    when: When | None = None
    required: bool = False
    many: bool = False
    policy: Literal["block", "warn"] = "block"

    @model_validator(mode="before")
    @classmethod
    def _one_field(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("from"), str):
            return {**value, "from": (value["from"],)}
        return value

    @model_validator(mode="after")
    def _something_to_write(self) -> Self:
        if (self.constant is None) == (not self.source):
            raise ValueError("from ou constant, l'un des deux")
        return self

    def fields(self) -> set[str]:
        """Every field of the export that the rule looks at."""
        own = {*self.source, *([self.key] if self.key else [])}
        return own | {self.when.field} if self.when else own


class Each(_Table):
    """One item of a list for each row of the group (CSV) or each element of `path` (XML, JSON)."""

    to: Pointer
    path: str = ""
    when: When | None = None
    rule: tuple[Rule, ...] = Field(min_length=1)


class Origin(_Table):
    """How the export is read. `ignore`: fields that are known and not wanted."""

    kind: Literal["csv", "xml", "json"]
    encoding: Literal["utf-8", "cp1252", "iso-8859-15"] = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ";"
    group_by: tuple[str, ...] = ()
    record: str = ""
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "csv" and not self.group_by:
            raise ValueError("group_by manque : quelles lignes font un document ?")
        if self.kind != "csv" and not self.record:
            raise ValueError("record manque : quel élément fait un document ?")
        return self


class VendorMapping(_Table):
    """A whole mapping file. `tables` are loaded: name, then value of the export, then column."""

    format: Literal["kine-gateway/vendor-mapping/1"]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    title: str
    version: str
    source: Origin
    rule: tuple[Rule, ...] = Field(min_length=1)
    each: tuple[Each, ...] = ()
    tables: Mapping[str, Mapping[str, Mapping[str, str]]] = {}

    @model_validator(mode="after")
    def _steps_are_known(self) -> Self:
        for rule in self.every_rule():
            for step in rule.convert:
                convert.check_step(step, self.tables, key=rule.key)
        return self

    @model_validator(mode="after")
    def _places_agree(self) -> Self:
        _check_places([rule.to for rule in self.rule] + [f"{each.to}/-" for each in self.each])
        for each in self.each:
            _check_places([rule.to for rule in each.rule])
        return self

    def every_rule(self) -> Iterator[Rule]:
        """Rules of the document, then those of its lists."""
        yield from self.rule
        for each in self.each:
            yield from each.rule


def _check_places(pointers: list[str]) -> None:
    """A place is a value, an object or a list, never two of them. Raises ValueError."""
    shapes: dict[str, str] = {}
    for pointer in pointers:
        steps = pointer.strip("/").split("/")
        for number, step in enumerate(steps):
            parent = "/".join(steps[:number])
            shape = "list" if step == "-" or step.isdigit() else "object"
            if shapes.setdefault(parent, shape) != shape:
                raise ValueError(f"places qui se contredisent : {pointer}")
        if shapes.setdefault("/".join(steps), "value") != "value":
            raise ValueError(f"places qui se contredisent : {pointer}")


def names() -> list[str]:
    """Names of the vendor mappings that are shipped."""
    return sorted(path.stem for path in resources.data_path("mappings", _FOLDER).glob("*.toml"))


def load(name: str) -> VendorMapping:
    """A shipped mapping by name, or the mapping in a TOML file by path.

    Raises MappingError `MAP-110` with every refused key.
    """
    return parse(path_of(name))


def parse(path: Path) -> VendorMapping:
    """The mapping in a TOML file. Raises MappingError `MAP-110` with every refused key."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
        value["tables"] = {key: _table(table, path.parent) for key, table in dict(value.get("tables", {})).items()}
        return VendorMapping.model_validate(value)
    except ValidationError as fault:
        said = [f"{'.'.join(map(str, one['loc']))} : {one['msg']}" for one in fault.errors(include_url=False)]
        raise _refused(path.name, " ; ".join(said)) from fault
    except (OSError, ValueError, TypeError, csv.Error, RecursionError) as fault:
        raise _refused(path.name, str(fault)) from fault


def path_of(name: str) -> Path:
    """The file of a mapping. Raises MappingError `MAP-111` when nothing has that name."""
    if name.endswith(".toml"):
        return Path(name)
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        try:
            return resources.data_path("mappings", _FOLDER, f"{name}.toml")
        except ConfigError:
            pass
    advice = "Voir kine-gateway mapping list, ou donner le chemin d'un fichier .toml."
    raise MappingError("MAP-111", f"Aucune correspondance ne s'appelle ainsi : {name}.", advice)


def _refused(file: str, what: str) -> MappingError:
    message = f"Fichier de correspondance inutilisable : {file} : {what}."
    return MappingError("MAP-110", message, "Corriger le fichier (docs/mapping.md).")


def _table(table: Any, folder: Path) -> dict[str, dict[str, str]]:
    """Rows by value of the export. In TOML a row is `value = "target"`; a CSV beside has a header."""
    if not isinstance(table, dict):
        raise TypeError("une table de codes est attendue")
    if set(table) == {"file"}:
        return _csv(folder / Path(str(table["file"])).name)
    return {str(key): {"to": str(value)} for key, value in table.items()}


def _csv(path: Path) -> dict[str, dict[str, str]]:
    """Rows by their first column. Raises ValueError when one is repeated or torn."""
    reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
    header = next(reader, [])
    found: dict[str, dict[str, str]] = {}
    for number, cells in enumerate(reader, start=2):
        if len(cells) != len(header) or cells[0] in found:
            raise ValueError(f"{path.name}, ligne {number} : colonnes en trop ou en moins, ou valeur répétée")
        found[cells[0]] = dict(zip(header[1:], cells[1:], strict=True))
    return found
