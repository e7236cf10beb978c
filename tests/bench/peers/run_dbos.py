"""Workflows of one step through DBOS on PostgreSQL: put in one by one, and worked off. Prints rates as JSON.

python run_dbos.py URL JOBS
"""

import json
import sys
import time

from dbos import DBOS

DBOS(config={"name": "bench", "system_database_url": sys.argv[1], "application_version": "1", "log_level": "ERROR"})


@DBOS.step()
def send(delivery: str) -> str:
    """Nothing: the engine alone is measured."""
    return delivery


@DBOS.workflow()
def deliver(delivery: str) -> str:
    return send(delivery)


def main() -> None:
    jobs = int(sys.argv[2])
    DBOS.launch()
    DBOS.register_queue("deliveries", worker_concurrency=16, polling_interval_sec=0.05)
    began, cpu = time.perf_counter(), time.process_time()
    handles = [DBOS.enqueue_workflow("deliveries", deliver, str(number)) for number in range(jobs)]
    singly = jobs / (time.perf_counter() - began)
    for handle in handles:
        handle.get_result()
    spent = time.perf_counter() - began  # it works while it puts in: both are in here
    print(json.dumps({
        "put_in_one_by_one": round(singly), "put_in_and_worked_off": round(jobs / spent),
        "client_cpu_ms": round((time.process_time() - cpu) / jobs * 1000, 2),
    }))  # fmt: skip
    DBOS.destroy()


main()
