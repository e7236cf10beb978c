"""A vendor's PDF for the patient of the unit samples, and archives around it."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from typing import Any

from gateway import terminology
from gateway.document.build import DocumentIds, build
from gateway.render.pdf import render
from gateway.settings import AccountSettings
from tests.unit.submission_samples import assessment, sound


@cache
def vendor_pdf(title: str = "Bilan") -> bytes:
    """A real PDF/A-1b that names the patient and says when she was born."""
    parsed = sound(assessment())
    account = AccountSettings(
        id=parsed.account,
        rpps=parsed.author.rpps,
        mailbox="kine@kine.mssante.example",
        display_name="M_Essai_KINE_Cabinet",
        oid_root="1.2.250.1.99999",
        nil="NIL-1",
    )
    ids = DocumentIds(id=f"2.25.{len(title)}", set_id="2.25.2")
    return render(build(parsed, account, terminology.load(), ids=ids, software="autre logiciel"), terminology.load())


def metadata() -> dict[str, Any]:
    """The metadata beside it, to be changed freely."""
    value = assessment()
    document = value["document"]
    value["format"] = "kine-gateway/level1/1"
    value["document"] = {"kind": "assessment", "id": document["id"], "date": document["date"]}
    return value


def archive(value: dict[str, Any] | None = None, pdf: bytes | None = None, **more: bytes) -> bytes:
    """The two files in a zip, and any other (`name__ext` for `name.ext`)."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("metadata.json", json.dumps(value if value is not None else metadata()))
        opened.writestr("document.pdf", pdf if pdf is not None else vendor_pdf())
        for name, data in more.items():
            opened.writestr(name.replace("__", "."), data)
    return target.getvalue()
