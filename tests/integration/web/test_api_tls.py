"""Outside this machine: over TLS alone, with a certificate that the client checks."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import trustme

from gateway.errors import ConfigError
from gateway.settings import load
from gateway.web import serving
from gateway.web.tokens import Role
from tests.integration.practice import open_practice
from tests.integration.web.apikit import Api, open_api
from tests.integration.web.test_api_documents import fresh


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def api(tmp_path: Path, certificates: Path, authority: trustme.CA) -> Iterator[Api]:
    practice = open_practice(tmp_path, certificates=certificates)
    own = authority.issue_cert("localhost")
    own.cert_chain_pems[0].write_to_path(tmp_path / "web.pem")
    own.private_key_pem.write_to_path(tmp_path / "web.key")
    text = practice.config.read_text(encoding="utf-8")
    text += '\n[web]\nlisten = "127.0.0.1:0"\ncert_file = "web.pem"\nkey_file = "web.key"\n'
    practice.config.write_text(text, encoding="utf-8")
    made = open_api(practice, fresh()["account"])
    yield made
    made.gateway.close()
    practice.box.close()


def test_a_client_that_trusts_its_authority_is_served_and_no_other(api: Api, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    headers = {"Authorization": f"Bearer {api.token(Role.VENDOR)}"}
    with api.served() as address:
        place = address.replace("http://127.0.0.1", "https://localhost")
        with httpx2.Client(base_url=place, headers=headers, verify=context, timeout=60) as client:
            assert client.post("/documents", json=fresh()).status_code == 201
        with httpx2.Client(base_url=place, headers=headers) as client, pytest.raises(httpx2.ConnectError):
            client.get("/accounts")
        with httpx2.Client(base_url=address, headers=headers) as client, pytest.raises(httpx2.HTTPError):
            client.get("/accounts")
        old = ssl.create_default_context()
        authority.configure_trust(old)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with httpx2.Client(base_url=place, verify=old) as client, pytest.raises(httpx2.ConnectError):
            client.get("/health")


def test_another_address_without_certificate_is_refused(api: Api) -> None:
    text = api.practice.config.read_text(encoding="utf-8").partition("[web]")[0]
    api.practice.config.write_text(text + '[web]\nlisten = "0.0.0.0:8787"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="cert_file"):
        load(api.practice.config)


def test_a_port_that_is_taken_is_said_in_words(api: Api) -> None:
    web = api.gateway.settings.web
    with serving.listen(web) as door:
        taken = web.model_copy(update={"listen": f"127.0.0.1:{door.getsockname()[1]}"})
        with pytest.raises(ConfigError, match="WEB-007"):
            serving.listen(taken)


def test_a_certificate_that_is_none_is_said_in_words(api: Api) -> None:
    web = api.gateway.settings.web
    assert web.cert_file is not None
    web.cert_file.write_text("ceci n'est pas un certificat")
    with pytest.raises(ConfigError, match="WEB-008"):
        serving.server(api.app, web)
