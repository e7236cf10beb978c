"""Writes docs/openapi.json from the routes of the API.

    python -m tests.tools.openapi_page > docs/openapi.json

A test fails when the committed contract is not the one that is served.
"""

from __future__ import annotations

import json
import sys

from gateway.web.api.app import described


def written() -> str:
    """The contract of this source tree."""
    return json.dumps(described(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())
