"""The list of parts of a release, in CycloneDX 1.6 (`make sbom` -> build/sbom.cdx.json).

Names, versions and hashes come from requirements.lock: what is installed with `--require-hashes` and nothing else.
Licences are those that the installed packages declare. No download address: a part is named by its package URL.
The same lock gives the same bytes: no time, no random number.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
_PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;]+)(?: ; (?P<marker>.*?))?(?= --hash)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# How packages spell the licences that SPDX names otherwise.
SPELLINGS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}
_CLASSIFIER = "License :: OSI Approved :: "


def parts(lock: Path = LOCK) -> list[dict[str, Any]]:
    """One component for each locked package."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", "")
    found = []
    for line in text.splitlines():
        entry = re.sub(r"\s+", " ", line)
        if match := _PINNED.match(entry):
            found.append(_part(match["name"], match["version"], match["marker"] or "", _HASH.findall(entry)))
    return found


def _part(name: str, version: str, marker: str, hashes: list[str]) -> dict[str, Any]:
    url = f"pkg:pypi/{name}@{version}"
    # A package has a file for each system; CycloneDX wants one digest a component, so each file is one of its own.
    files = [{"type": "file", "name": f"{name}-{version}", "hashes": [_digest(one)]} for one in sorted(hashes)]
    part: dict[str, Any] = {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}
    if licence := licence_of(name):
        spdx = re.fullmatch(r"[A-Za-z0-9.+-]+", licence) is not None
        part["licenses"] = [{"license": {"id": licence}}] if spdx else [{"expression": licence}]
    if marker:
        part["properties"] = [{"name": "kine-gateway:only-where", "value": marker}]
    return {**part, "components": files}


def _digest(value: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": value}


def licence_of(name: str) -> str:
    """The SPDX expression that an installed package declares; empty where it is not installed or does not say."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    if expression := about.get("License-Expression"):
        return str(expression)
    said = [one.removeprefix(_CLASSIFIER) for one in about.get_all("Classifier") or () if one.startswith(_CLASSIFIER)]
    said += [line for line in [str(about.get("License") or "").strip()] if line and "\n" not in line]
    return next((_spdx(one) for one in said if _spdx(one)), "")


def _spdx(text: str) -> str:
    known = SPELLINGS.get(text.lower())
    return known or (text if re.fullmatch(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*", text) else "")


def sbom() -> dict[str, Any]:
    """The whole list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    found = parts()
    serial = uuid.UUID(bytes=hashlib.sha256(LOCK.read_bytes()).digest()[:16], version=4)
    component = {"type": "application", "bom-ref": own, "name": project["name"], "version": project["version"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**component, "purl": own}},
        "components": found,
        "dependencies": [{"ref": own, "dependsOn": [one["bom-ref"] for one in found]}],
    }


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "sbom.cdx.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    made = sbom()
    target.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    unsaid = [one["name"] for one in made["components"] if "licenses" not in one]
    print(
        f"{len(made['components'])} parts in {target}",
        f"; licence not known here: {', '.join(unsaid)}" if unsaid else "",
    )
