"""A client's first moments, in a process of their own, as JSON: `python -m benchmarks.set_up ROW URL QUEUE`."""

import json
import sys
import time

import psutil

from benchmarks.rows import Client, package


def main(row: str, url: str, queue: str) -> None:
    """Import, connect, ask once; print the seconds and the bytes of resident memory that took."""
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    __import__(f"{package(row)}.rpc_client")
    imported = time.perf_counter()
    with Client(row, url, queue) as client:
        answer = client.call(30)
        answered = time.perf_counter()
        memory = psutil.Process().memory_info().rss
    print(
        json.dumps(
            {
                "answer": answer,
                "import": imported - began,
                "first answer": answered - imported,
                "memory": memory,
                "memory_before": before,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
