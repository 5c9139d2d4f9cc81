"""A client's first call, in a process of its own, as JSON: `python -m benchmarks.first_call PROGRAM URL QUEUE`."""

import json
import sys
import time
from contextlib import closing

import psutil

from benchmarks.programs import Client, package


def main(program: str, url: str, queue: str) -> None:
    """Import, connect, ask once; print the seconds and the bytes of resident memory that took."""
    began = time.perf_counter()
    __import__(f"{package(program)}.rpc_client")
    imported = time.perf_counter()
    with closing(Client(program, url, queue)) as client:
        answer = client.call(30)
        answered = time.perf_counter()
        memory = psutil.Process().memory_info().rss
    steps = {"import": imported - began, "first answer": answered - imported}
    print(json.dumps({"answer": answer, "memory": memory} | steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
