"""Jobs through procrastinate on PostgreSQL: put in one by one, in batches, and worked off. Prints rates as JSON.

python run_procrastinate.py URL JOBS PER_COMMIT
"""

import asyncio
import json
import sys
import time

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=sys.argv[1]))


@app.task(queue="deliveries")
async def deliver(delivery: str) -> None:
    """Nothing: the queue alone is measured."""


async def main() -> None:
    jobs, per_commit = int(sys.argv[2]), int(sys.argv[3])
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        began = time.perf_counter()
        for number in range(jobs):
            await deliver.defer_async(delivery=str(number))
        singly = jobs / (time.perf_counter() - began)
        began = time.perf_counter()
        for first in range(0, jobs, per_commit):
            await deliver.batch_defer_async(*({"delivery": str(n)} for n in range(first, first + per_commit)))
        batch = jobs / (time.perf_counter() - began)
        began, cpu = time.perf_counter(), time.process_time()
        await app.run_worker_async(wait=False, concurrency=16, install_signal_handlers=False)
        done = jobs + -(-jobs // per_commit) * per_commit
        spent = time.perf_counter() - began
    print(json.dumps({
        "put_in_one_by_one": round(singly), "put_in_by_batch": round(batch), "worked_off": round(done / spent),
        "worker_cpu_ms": round((time.process_time() - cpu) / done * 1000, 2),
    }))  # fmt: skip


asyncio.run(main())
