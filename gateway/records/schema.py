"""JSON Schemas (draft 2020-12) of what goes in and comes out, generated from the models and committed.

    python -m gateway.records.schema docs/schemas [NAME=module:Model ...]

rewrites them; a test fails when the committed files are not what the models say. Models of higher floors are
named on the command line, since nothing here may import them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from gateway.records.action import Action
from gateway.records.level1 import Level1Metadata
from gateway.records.reports import FindingShape, RejectionShape, ReportShape, StatusShape
from gateway.records.submission import Submission

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: Mapping[str, type[BaseModel]] = {
    "submission": Submission,
    "level1": Level1Metadata,
    "finding": FindingShape,
    "report": ReportShape,
    "rejection": RejectionShape,
    "status": StatusShape,
    "action": Action,
}


class _Plain(GenerateJsonSchema):
    """Without the titles that repeat each field's name, and with the dialect and an identifier at the top."""

    schema_dialect = DIALECT

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - signature of pydantic
        return False

    def get_title_from_name(self, name: str) -> str:
        return name


def schema_of(name: str, model: type[BaseModel], mode: JsonSchemaMode = "validation") -> dict[str, Any]:
    """The schema of one model, identified as `urn:kine-gateway:schema:<name>:1`."""
    body = model.model_json_schema(mode=mode, schema_generator=_Plain)
    return {"$schema": DIALECT, "$id": f"urn:kine-gateway:schema:{name}:1", **body}


def text_of(name: str, model: type[BaseModel]) -> str:
    """The committed form: indented, accents readable, one line feed at the end."""
    return json.dumps(schema_of(name, model), indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, models: Mapping[str, type[BaseModel]] = MODELS) -> list[Path]:
    """Write every schema as `<folder>/<name>.json`. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, model in models.items():
        path = folder / f"{name}.json"
        path.write_text(text_of(name, model), encoding="utf-8", newline="\n")
        files.append(path)
    return files


def named(argument: str) -> tuple[str, type[BaseModel]]:
    """Read `NAME=module:Model`. Raises ValueError, ImportError or AttributeError when it names nothing."""
    name, _, place = argument.partition("=")
    module, _, attribute = place.partition(":")
    return name, getattr(import_module(module), attribute)


def main(arguments: list[str]) -> int:
    """Entry point of `python -m gateway.records.schema`."""
    if not arguments:
        sys.stderr.write("usage: python -m gateway.records.schema FOLDER [NAME=module:Model ...]\n")
        return 2
    more = dict(named(argument) for argument in arguments[1:])
    for path in write(Path(arguments[0]), {**MODELS, **more}):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
