"""FHIR -> C-CDA with healthchain: BUNDLE.json OUT.xml ROUNDS, result as JSON in the last line of standard output."""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from pathlib import Path


def main(source: str, target: str, rounds: int) -> None:
    from fhir.resources.R4B.bundle import Bundle
    from healthchain.interop import FormatType, create_interop

    logging.disable(logging.CRITICAL)
    engine = create_interop()
    bundle = Bundle.model_validate_json(Path(source).read_bytes())
    xml, times = "", []
    for _ in range(rounds):
        start = time.process_time()
        xml = engine.from_fhir(bundle, dest_format=FormatType.CDA)
        times.append((time.process_time() - start) * 1000)
    Path(target).write_text(xml, encoding="utf-8")
    print(json.dumps({"best_ms": min(times), "median_ms": statistics.median(times)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
