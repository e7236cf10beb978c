from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.resources import data_path
from gateway.settings import Environment, Settings, load, redacted

SECRET = "motdepasse-tres-secret"
MINIMAL = """
[store]
url = "sqlite:///var/gateway.db"
[sealing]
key_file = "secrets/master.key"
[journal]
checkpoint_dir = "checkpoints"
key_file = "secrets/journal.pem"
[trust_space]
file = "trust-space.txt"
"""
ACCOUNT = """
[[account]]
id = "essai"
rpps = "99700001011"
mailbox = "a@kine.mssante.example"
display_name = "M_A_B"
oid_root = "1.2.250.1.99999.1"
nil = "DEV1"
"""
SMTP = '[account.smtp]\nhost = "smtp.example"\ntls = { ca_file = "ca.pem" }\n'
DMP = """
[account.dmp]
url = "https://dmp.example"
sign_cert_file = "s.pem"
sign_key_file = "s.key"
tls = { ca_file = "ca.pem" }
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "gateway.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    assert SECRET not in str(caught.value)
    assert caught.value.advice
    return caught.value


LEFT_OUT = {
    "ca_file",
    "crl_file",
    "dir",
    "password_file",
    "pkcs12_file",
    "pkcs12_password_file",
    "sign_pkcs12_file",
    "sign_pkcs12_password_file",
    "alerts",
    "health",
    "timestamp",
    "user",
    "web.base_url",
    "web.cert_file",
    "web.key_file",
    "web.tokens_file",
    "web.webhook",
}


def test_the_shipped_example_loads_and_names_every_key() -> None:
    path = data_path("config", "gateway.example.toml")
    settings = load(path)
    assert settings.account[0].environment is Environment.TEST
    # What is not written is left out on purpose: what is optional or the other way to say something.
    left_out = {key for key, row in redacted(settings).items() if row["origin"] == "défaut"}
    assert {key for key in left_out if not {key, key.rpartition(".")[2]} & LEFT_OUT} == set()


def test_the_example_says_what_the_defaults_are() -> None:
    """A value of the example that differs from its default would be copied by everybody without a thought."""
    example = redacted(load(data_path("config", "gateway.example.toml")))
    table = tomllib.loads(MINIMAL + ACCOUNT + SMTP + DMP)
    defaults = redacted(Settings.model_validate(table))
    for key, row in defaults.items():
        if row["origin"] == "défaut" and row["value"] is not None:
            assert example[key]["value"] == row["value"], key


def test_a_minimal_file_loads(tmp_path: Path) -> None:
    settings = load(write(tmp_path, MINIMAL + ACCOUNT))
    assert settings.find_account("essai") is settings.account[0]
    assert settings.find_account("autre") is None
    assert settings.account[0].smtp is None


def test_relative_paths_start_from_the_file_not_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "practice"
    folder.mkdir()
    write(folder, MINIMAL + ACCOUNT.replace('nil = "DEV1"', 'nil = "DEV1"\noutbox = "outbox"') + SMTP + DMP)
    monkeypatch.chdir(tmp_path)
    settings = load(Path("practice") / "gateway.toml")
    assert settings.store.url == f"sqlite:///{folder / 'var/gateway.db'}"
    assert settings.sealing.key_file == folder / "secrets/master.key"
    assert settings.journal.checkpoint_dir == folder / "checkpoints"
    assert settings.trust_space.file == folder / "trust-space.txt"
    account = settings.account[0]
    assert account.outbox == folder / "outbox"
    assert account.smtp is not None
    assert account.smtp.tls.ca_file == folder / "ca.pem"
    assert account.dmp is not None
    assert account.dmp.sign_key_file == folder / "s.key"
    assert account.dmp.url == "https://dmp.example"


def test_absolute_and_home_paths_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    text = MINIMAL.replace("secrets/master.key", "~/master.key").replace(
        '"trust-space.txt"', f"'{tmp_path / 'abs.txt'}'"
    )
    settings = load(write(tmp_path, text.replace('"checkpoints"', '"~nobody-of-that-name/x"') + ACCOUNT))
    assert settings.sealing.key_file == tmp_path / "home" / "master.key"
    assert settings.trust_space.file == tmp_path / "abs.txt"
    assert settings.journal.checkpoint_dir == tmp_path / "~nobody-of-that-name" / "x"


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINE_GATEWAY_CONFIG", str(write(tmp_path, MINIMAL + ACCOUNT)))
    assert load().account[0].id == "essai"
    monkeypatch.delenv("KINE_GATEWAY_CONFIG")
    with pytest.raises(ConfigError, match="KINE_GATEWAY_CONFIG") as caught:
        load()
    assert caught.value.code == "CFG-001"


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError, match=str(path)) as caught:
            load(path)
        assert caught.value.code == "CFG-001"


def test_a_file_without_the_right_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")  # root, who runs the tests in a container, reads everything

    path = write(tmp_path, MINIMAL + ACCOUNT)
    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.code == "CFG-001"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f'[store]\nurl = "{SECRET}', "fin du fichier"),
        (f"[store]\nurl = {SECRET}\n", "ligne 2"),
        (f'[store]\nurl = "a"\nurl = "{SECRET}"\n', "ligne 3"),
        (MINIMAL.encode("utf-16"), "UTF-8"),
        ("nom = 'Gwenaël'".encode("cp1252"), "UTF-8"),
        ("a = " + "[" * 5000, "TOML"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, text: str | bytes, where: str) -> None:
    fault = refusal(tmp_path, text)
    assert fault.code == "CFG-002"
    assert where in fault.message


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbf" + (MINIMAL + ACCOUNT).encode())).account[0].id == "essai"


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("[store]", "[stoer]", "stoer", "clé inconnue"),
        ("[store]", "[stoer]", "store", "clé obligatoire absente"),
        ('nil = "DEV1"', "", "account[0].nil", "clé obligatoire absente"),
        ('nil = "DEV1"', f'nil = "DEV1"\npassword = "{SECRET}"', "account[0].password", "clé inconnue"),
        ('rpps = "99700001011"', f'rpps = "{SECRET}"', "account[0].rpps", "forme inattendue"),
        ('rpps = "99700001011"', "rpps = 99700001011", "account[0].rpps", "guillemets"),
        ('id = "essai"', 'id = "Essai 1"', "account[0].id", "forme inattendue"),
        ('oid_root = "1.2.250.1.99999.1"', 'oid_root = "1.2."', "account[0].oid_root", "forme inattendue"),
        ('nil = "DEV1"', 'nil = "DEV1"\nenvironment = "prod"', "account[0].environment", "'test' or 'production'"),
        ('host = "smtp.example"', 'host = "smtp.example"\nport = 70000', "account[0].smtp.port", "au plus 65535"),
        ('host = "smtp.example"', 'host = "smtp.example"\nport = "x"', "account[0].smtp.port", "nombre entier"),
        ('host = "smtp.example"', 'host = "smtp.example"\nsecurity = "none"', "account[0].smtp.security", "'tls'"),
        ('host = "smtp.example"', 'host = "smtp.example"\ntimeout = 0', "account[0].smtp.timeout", "dépasser 0"),
        ('host = "smtp.example"', 'host = "smtp.example"\ntimeout = inf', "account[0].smtp.timeout", "fini"),
        ('host = "smtp.example"', 'host = "smtp.example"\ntimeout = nan', "account[0].smtp.timeout", ""),
        ('host = "smtp.example"', 'host = "a b"', "account[0].smtp.host", "forme inattendue"),
        ('tls = { ca_file = "ca.pem" }', "tls = {}", "account[0].smtp.tls.ca_file", "absente"),
        ('ca_file = "ca.pem"', 'ca_file = "ca.pem", cert_file = "c.pem"', "account[0].smtp.tls", "vont ensemble"),
        ('ca_file = "ca.pem"', "ca_file = 1", "account[0].smtp.tls.ca_file", "chemin"),
        ("https://dmp.example", "http://dmp.example", "account[0].dmp.url", "forme inattendue"),
        ("https://dmp.example", f"https://u:{SECRET}@dmp.example", "account[0].dmp.url", "forme inattendue"),
        ("sqlite:///var", "mysql://var", "store.url", "forme inattendue"),
        ("[store]", "[retry]\ndelays = []\n[store]", "retry.delays", "au moins 1"),
        ("[store]", "[retry]\ndelays = [-1]\n[store]", "retry.delays[0]", "au moins 0"),
        ("[store]", "[retry]\ndelays = 30\n[store]", "retry.delays", "liste"),
        ("[store]", "[retry]\njitter = 'peut-être'\n[store]", "retry.jitter", "true ou false"),
        ("[store]", "[rules]\nexperiment_start = 20250608\n[store]", "rules.experiment_start", "2025-06-08"),
        ("[store]", "[fhir]\nfr_core = '9'\n[store]", "fhir.fr_core", "'2.1'"),
        ("[store]", "retry = 3\n[store]", "retry", "table"),
        ("[store]", "[validation]\nrequired = true\n[store]", "validation", "au moins un kit"),
        ("[store]", "[validation]\nrequired = true\nkits = [{ path = 'k' }]\n[store]", "validation", "épinglé"),
        ("[store]", "[validation]\nkits = [{ path = 'k' }, { path = 'l' }]\n[store]", "validation", "même name"),
        ("a@kine.mssante.example", "a@kine.mssante.example\\r\\nBcc: x@y.fr", "account[0].mailbox", "adresse"),
        ("M_A_B", "M_A_B\\r\\nBcc: x@y.fr", "account[0].display_name", "caractère de contrôle"),
        ("DEV1", "DEV1\\u0000", "account[0].nil", "caractère de contrôle"),
        ("DEV1", "", "account[0].nil", "vide"),
    ],
)
def test_every_refusal_names_its_key(tmp_path: Path, old: str, new: str, key: str, words: str) -> None:
    sound = MINIMAL + ACCOUNT + SMTP + DMP
    assert old in sound
    fault = refusal(tmp_path, sound.replace(old, new, 1))
    assert fault.code == "CFG-003"
    assert key in fault.message
    assert words in fault.message


def test_all_refusals_are_said_at_once(tmp_path: Path) -> None:
    fault = refusal(tmp_path, MINIMAL + ACCOUNT.replace("essai", "E").replace("99700001011", "1"))
    assert "account[0].id" in fault.message
    assert "account[0].rpps" in fault.message


def test_no_account(tmp_path: Path) -> None:
    assert "account" in refusal(tmp_path, MINIMAL).message


@pytest.mark.parametrize("other", ["outbox/a", "./outbox/a", "outbox/b/../a"])
def test_two_accounts_never_share_a_folder(tmp_path: Path, other: str) -> None:
    second = ACCOUNT.replace("essai", "autre")
    text = MINIMAL + ACCOUNT + 'outbox = "outbox/a"\n' + second
    assert "outbox" in refusal(tmp_path, f'{text}outbox = "{other}"\n').message
    assert len(load(write(tmp_path, f'{text}outbox = "outbox/c"\n')).account) == 2


def test_two_accounts_never_share_an_id(tmp_path: Path) -> None:
    assert "id" in refusal(tmp_path, MINIMAL + ACCOUNT + ACCOUNT).message


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings: Any = load(write(tmp_path, MINIMAL + ACCOUNT))
    with pytest.raises(ValueError, match="frozen"):
        settings.account[0].environment = Environment.PRODUCTION


def test_what_is_shown_says_where_it_comes_from(tmp_path: Path) -> None:
    text = MINIMAL + ACCOUNT + SMTP + "[retry]\nlease = 60\n"
    shown = redacted(load(write(tmp_path, text)))
    assert shown["account[0].rpps"] == {"value": "99700001011", "origin": "fichier"}
    assert shown["account[0].smtp.port"] == {"value": 465, "origin": "défaut"}
    assert shown["account[0].environment"] == {"value": "test", "origin": "défaut"}
    assert shown["retry.lease"] == {"value": 60.0, "origin": "fichier"}
    assert shown["retry.delays"] == {"value": [30, 120, 600, 3600, 21600], "origin": "défaut"}
    assert shown["sidecar.keep"] == {"value": False, "origin": "défaut"}
    assert shown["sealing.key_file"]["value"] == str(tmp_path / "secrets/master.key")


def test_a_password_in_a_url_is_masked(tmp_path: Path) -> None:
    text = MINIMAL.replace("sqlite:///var/gateway.db", f"postgresql://kine:{SECRET}@db.example/kine")
    shown = redacted(load(write(tmp_path, text + ACCOUNT)))
    assert shown["store.url"]["value"] == "postgresql://kine:***@db.example/kine"
    assert SECRET not in str(shown)


def test_kits_may_be_named_without_being_required(tmp_path: Path) -> None:
    settings = load(write(tmp_path, MINIMAL + ACCOUNT + "[validation]\nkits = [{ path = 'kits/ans' }]\n"))
    assert settings.validation.kits[0].path == tmp_path / "kits/ans"
    pinned = f"[validation]\nrequired = true\nkits = [{{ path = 'kits/ans', sha256 = '{'a' * 64}' }}]\n"
    assert load(write(tmp_path, MINIMAL + ACCOUNT + pinned)).validation.required
