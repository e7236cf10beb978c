"""The other sides that the gateway talks to: the MSSanté operator and the DMP of an account, the national directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.settings.base import HttpsUrl, Table, TlsSettings, pairs


class SmtpSettings(Table):
    """The MSSanté operator that takes this account's mail. Times in seconds.

    `auth`: the client certificate alone, or a token (XOAUTH2) that the account's `token_command` or the calling program
    gives, asked for at each connection and kept nowhere (ECO.1.2.1, ECO.1.2.5).
    """

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: int = Field(default=465, ge=1, le=65535)
    security: Literal["tls", "starttls"] = "tls"
    tls: TlsSettings
    auth: Literal["certificate", "xoauth2"] = "certificate"
    answer_timeout: float = Field(
        default=600.0, gt=0, description="Wait for the answer to a whole message (RFC 5321 §4.5.3.2.6)."
    )
    timeout: float = Field(default=60.0, gt=0)
    max_bytes: int = Field(default=25_000_000, gt=0, description="Limit on the encoded message, in bytes.")


class ImapSettings(Table):
    """The mailbox where receipts and answers come home: same TLS rules as the sending. Times in seconds.

    `user` is the account's mailbox unless given. `auth`: the client certificate alone (SASL EXTERNAL), a token of the
    session (XOAUTH2), or a password file. The folder is only ever read: nothing is deleted, moved or marked as seen.
    """

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls"] = "tls"
    tls: TlsSettings
    user: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,254}$")] | None = None
    auth: Literal["certificate", "xoauth2", "password"] = "certificate"
    password_file: Path | None = None
    folder: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,200}$")] = "INBOX"
    poll_every: float = Field(default=300.0, ge=1)
    idle: bool = Field(default=True, description="Wait for the server's word where it offers IDLE (RFC 2177).")
    timeout: float = Field(default=60.0, gt=0)
    max_bytes: int = Field(default=30_000_000, gt=0, description="A longer mail is read by its header only, in bytes.")
    rescan_days: int = Field(
        default=10, ge=1, le=90, description="How far back a box is read at first, or when its numbering changed."
    )
    self_copy: bool = Field(
        default=False, description="The sender's own box is a second, hidden recipient: proof when an answer is lost."
    )
    in_doubt: Literal["query", "resend", "human"] = Field(
        default="query", description="A lost answer: look for the self-copy; also send again without it; or a person."
    )
    resend_after: float = Field(
        default=3600.0, ge=60, description="With `resend`: how long after the content left, at least."
    )

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        if (self.auth == "password") != (self.password_file is not None):
            raise ValueError('auth = "password" et password_file vont ensemble')
        if self.auth == "certificate" and not self.tls.with_certificate:
            raise ValueError('auth = "certificate" demande un certificat client')
        if self.in_doubt == "resend" and not self.self_copy:
            raise ValueError('in_doubt = "resend" demande self_copy = true : sans copie, rien ne dit ce qui est arrivé')
        return self


class DmpSettings(Table):
    """The DMP (or its sandbox). `profile` selects the signature algorithms (spec dmp §2.1).

    `door`: SOAP is the only one open; FHIR (`fhir_url`) follows ANS drafts, over the same TLS, and is experimental.
    """

    url: HttpsUrl = Field(description="Base of the services (https only), without trailing slash.")
    mode: Literal["direct", "indirect"] = "indirect"
    tls: TlsSettings
    sign_cert_file: Path | None = None
    sign_key_file: Path | None = None
    sign_pkcs12_file: Path | None = None
    sign_pkcs12_password_file: Path | None = None
    profile: Literal["legacy", "modern"] = "modern"
    vihf_version: Literal["3.0", "4.0"] = "3.0"
    authentification_mode: Literal["Authentification_Mode", "Authentification_mode"] = Field(
        default="Authentification_Mode", description="Spelling of that attribute's name in the VIHF (spec dmp §1.4)."
    )
    vihf_signature: Literal["rsa-sha256", "rsa-sha1"] = "rsa-sha256"
    replace_target: Literal["query", "frozen"] = Field(
        default="query", description="entryUUID of a replaced document: asked just before (TD3.1b), or as first sent."
    )
    cumulated_visibility: bool = Field(
        default=False, description="Whether a document may be masked to professionals and hidden from the patient."
    )
    max_document_bytes: int = Field(default=50_000_000, gt=0, description="Largest document read back (TD3.2).")
    homologation: str = "NON-HOMOLOGUE"
    local_id: str = Field(default="kine-gateway", description="Internal id of the sender in indirect mode.")
    in_doubt: Literal["query", "resend", "human"] = "query"
    timeout: float = Field(default=60.0, gt=0)
    door: Literal["soap", "fhir"] = Field(default="soap", description="FHIR is experimental (PDSm drafts).")
    fhir_url: HttpsUrl | None = None
    fhir_transaction: Literal["iti65", "iti105"] = Field(
        default="iti65", description="A whole submission set, or the simplified publication of one document."
    )

    @model_validator(mode="after")
    def _fhir_needs_an_address(self) -> Self:
        if self.door == "fhir" and self.fhir_url is None:
            raise ValueError('door = "fhir" demande fhir_url')
        return self

    @model_validator(mode="after")
    def _one_signing_certificate(self) -> Self:
        names = ("sign_cert_file", "sign_key_file"), ("sign_pkcs12_file", "sign_pkcs12_password_file")
        if not pairs(self, *names):
            raise ValueError("sign_cert_file ou sign_pkcs12_file est obligatoire")
        return self


class AnnuaireApiSettings(Table):
    """The FHIR API of the Annuaire Santé (spec mssante §5). It has one environment, production.

    Without `ca_file` the server is checked against the system's authorities: the API is an ordinary public site,
    and what it answers is still held to the trust space. Times in seconds.
    """

    url: HttpsUrl = "https://gateway.api.esante.gouv.fr/fhir/v2"
    key_file: Path = Field(description="File that holds the ESANTE-API-KEY, on one line.")
    ca_file: Path | None = None
    per_second: int = Field(default=17, ge=1, le=100, description="Calls a second that the key allows.")
    page: int = Field(default=50, ge=1, le=200, description="Results asked for in one page (_count).")
    timeout: float = Field(default=30.0, gt=0)


class ExtractionSettings(Table):
    """The daily file of all published boxes. `ca_file` is IGC Santé: the server's chain is in no system store.

    `min_boxes` guards against a list cut short: a smaller one is refused. Times in seconds.
    """

    url: HttpsUrl = (
        "https://service.annuaire.sante.fr/annuaire-sante-webservices/V300/services/extraction/"
        "Extraction_Correspondance_MSSante"
    )
    ca_file: Path | None = None
    min_boxes: int = Field(default=300_000, ge=1)
    timeout: float = Field(default=60.0, gt=0)


class AnnuaireSettings(Table):
    """Where the box of a professional is looked up, and how long an answer is kept.

    `file` is the SQLite file of the imported list; answers of the API are kept beside it for `cache_hours`. Nothing
    is kept longer than `max_age_days`: the ANS asks whoever copies the directory to delete after 30 days.
    """

    file: Path
    max_age_days: int = Field(default=30, ge=1, le=30)
    cache_hours: float = Field(default=24.0, ge=0, le=720)
    api: AnnuaireApiSettings | None = None
    extraction: ExtractionSettings | None = None
