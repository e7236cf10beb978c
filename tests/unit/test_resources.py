from __future__ import annotations

from pathlib import Path

import pytest

from gateway import resources
from gateway.errors import ConfigError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package as a wheel lays it out: data inside, no pyproject.toml beside."""
    package = tmp_path / "site-packages" / "gateway"
    for folder in ("mappings", "config", "fixtures/demo"):
        (package / "_data" / folder).mkdir(parents=True)
    (package / "_data" / "mappings" / "x.toml").write_text("name = 'é'", encoding="utf-8")
    monkeypatch.setattr(resources, "_PACKAGE", package)
    monkeypatch.delenv(resources.MAPPINGS_VARIABLE, raising=False)
    return package


def test_source_tree_uses_the_folders_that_are_edited(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(resources.MAPPINGS_VARIABLE, raising=False)
    for folder in ("mappings", "config", "fixtures"):
        assert resources.data_path(folder) == root / folder


def test_wheel_uses_the_data_inside_the_package(installed: Path) -> None:
    assert resources.data_path("mappings", "x.toml") == installed / "_data" / "mappings" / "x.toml"
    assert resources.read_text("mappings/x.toml") == "name = 'é'"
    assert resources.read_bytes("mappings", "x.toml") == "name = 'é'".encode()
    assert resources.data_path("fixtures", "demo").is_dir()


def test_leftover_data_in_a_source_tree_does_not_win(installed: Path) -> None:
    (installed.parent / "pyproject.toml").touch()
    (installed.parent / "mappings").mkdir()
    (installed.parent / "mappings" / "x.toml").write_text("edited", encoding="utf-8")
    assert resources.read_text("mappings", "x.toml") == "edited"


def test_override_replaces_mappings_and_nothing_else(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "y.toml").write_text("mine", encoding="utf-8")
    monkeypatch.setenv(resources.MAPPINGS_VARIABLE, str(tmp_path / "mine"))
    assert resources.read_text("mappings", "y.toml") == "mine"
    with pytest.raises(ConfigError) as missing:  # no silent mixture of two versions
        resources.data_path("mappings", "x.toml")
    assert missing.value.code == "RES-001"
    assert resources.data_path("config") == installed / "_data" / "config"


def test_override_that_does_not_exist_is_said(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(resources.MAPPINGS_VARIABLE, str(installed / "nowhere"))
    with pytest.raises(ConfigError) as caught:
        resources.data_path("mappings")
    assert caught.value.code == "RES-002"


@pytest.mark.parametrize(
    "parts",
    [(), ("tests",), ("mappings", "..", "x"), ("/etc", "passwd"), ("mappings", "a\\..\\b"), ("mappings", "C:x")],
)
def test_names_stay_inside_the_data_folders(parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        resources.data_path(*parts)
    assert caught.value.code == "RES-003"
