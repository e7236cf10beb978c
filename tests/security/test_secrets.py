"""A secret stands in a file of its own: in no setting, argument, log, error, nor in what an object shows of itself."""

from __future__ import annotations

import ast
import logging
import re
import traceback
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.errors import GatewayError
from gateway.settings import Settings, redacted
from tests.fuzz.target import CORPUS
from tests.tools.commands_page import commands, root
from tests.unit.package.samples import account

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t-qui-ne-sort-pas"
RUNS = {
    "gateway/channels/tokens.py": "token_command, from the configuration, in its own words",
    "gateway/engine/alerts.py": "the alert program, from the configuration",
    "gateway/validate/pdf.py": "our own module; the file comes on its standard input",
}
"""Modules that start a program, and why no secret is among its arguments."""
NAMES_OF_SECRETS = {("token.py", "token")}
"""Arguments that name a secret without being one: the identifier of a token to revoke."""
TRAITS = re.compile(r"matricule|\bnom\b|prénom|birth|naissance|first_name|\bsex", re.IGNORECASE)
OF_SOMEBODY_ELSE = {
    ("annuaire find", "name"),  # a professional of the public directory
    *((f"mapping {verb}", "name") for verb in ("diff", "show", "try")),  # of a mapping
}
"""Arguments that ask for a name, and of whom."""
NAMED = re.compile(r"pass(word|phrase)|secret|private|api_key|token$")


def _models(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    seen.add(model)
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            one = waiting.pop()
            waiting += get_args(one)
            if isinstance(one, type) and issubclass(one, BaseModel) and one not in seen:
                _models(one, seen)
    return seen


def test_no_setting_holds_a_secret_itself() -> None:
    """Whatever is named like a secret is the path of a file that holds it."""
    found = [
        f"{model.__name__}.{name}"
        for model in _models(Settings, set())
        for name, field in model.model_fields.items()
        if NAMED.search(name) and Path not in {field.annotation, *get_args(field.annotation)}
    ]
    assert found == []
    assert len(_models(Settings, set())) > 20


def test_the_password_of_a_database_is_masked_and_never_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import tomllib

    from gateway.api import Gateway

    monkeypatch.chdir(tmp_path)  # the example's folders are relative ones
    table = tomllib.loads((ROOT / "config" / "gateway.example.toml").read_text())
    table["store"]["url"] = f"postgresql://kine:{SECRET}@127.0.0.1:9/kine?connect_timeout=1"
    settings = Settings.model_validate(table)
    assert SECRET not in str(redacted(settings))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(GatewayError) as refused:
        Gateway.open(settings)
    told = "".join(traceback.format_exception(refused.value)) + str(refused.value) + repr(refused.value)
    shown = capsys.readouterr()
    assert SECRET not in told + caplog.text + shown.out + shown.err


def test_only_known_modules_start_a_program() -> None:
    """Arguments of a process are there for every user of the machine to see."""
    found = set()
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "subprocess":
                found.add(str(path.relative_to(ROOT)))
    assert found == RUNS.keys()


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """An option named after a secret asks for the file that holds it."""
    for path in sorted((ROOT / "gateway" / "cli").glob("*.py")):
        for name, text in re.findall(r"(\w+): Annotated\[([^\]]+), typer\.(?:Option|Argument)", path.read_text()):
            if NAMED.search(name) and (path.name, name) not in NAMES_OF_SECRETS:
                assert "Path" in text, f"{path.name}: {name}"


def test_no_command_takes_a_trait_of_a_patient_as_an_argument() -> None:
    """Whatever asks for one is a flag (standard input), the path of a file, or a question at the keyboard."""
    found = {
        (" ".join(words), str(one.name))
        for words, command in commands(root())
        for one in command.params
        if (TRAITS.search(f"{one.name} {one.metavar or ''}") or TRAITS.match(getattr(one, "help", "") or ""))
        and one.type_descriptor.annotation not in {bool, Path}
    }
    assert found == OF_SOMEBODY_ELSE


def test_the_scanned_text_of_an_identity_is_no_argument() -> None:
    scanned = (CORPUS / "datamatrix" / "long.txt").read_text()
    run = CliRunner().invoke(app, ["ins", "datamatrix", "read", scanned])
    assert run.exit_code == 2
    assert "DURAND" not in run.output + run.stderr
    assert "DURAND" in CliRunner().invoke(app, ["ins", "datamatrix", "read", "-"], input=scanned).stdout


@pytest.mark.parametrize("verb", ["oppose", "unoppose"])
def test_the_mailbox_of_a_patient_is_named_by_what_it_is(verb: str) -> None:
    run = CliRunner().invoke(app, ["patient", verb, "--to", "279035121518989@patient.mssante.fr", "--of", "x"])
    assert run.exit_code == 2
    assert "279035121518989" not in run.output + run.stderr


def test_what_objects_show_of_themselves(tmp_path: Path) -> None:
    from gateway.package.pkcs12 import Identity
    from gateway.store.checkpoint import Signer, create_signing_key

    create_signing_key(tmp_path / "key.pem")
    body = "".join((tmp_path / "key.pem").read_text().splitlines()[1:-1])
    signer = Signer.load(tmp_path / "key.pem", "kine.example")
    assert body not in repr(signer) + str(vars(signer))
    assert "key=" not in repr(Identity((), key=object()))  # type: ignore[arg-type]
    assert SECRET not in repr(account())
