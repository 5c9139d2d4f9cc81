"""What does set-up cost? Import, connect and first answer; server start to ready; resident memory.

Client and server are programs of their own here, started again for each sample.
"""

import json
import subprocess
import sys
from contextlib import ExitStack, closing
from functools import partial

import pytest

from benchmarks.conftest import Cases, Effort, Publish, Slots
from benchmarks.measure import Sample, check
from benchmarks.rig import Rig, Service, Setting
from contract import fib
from harness.program import PROJECT_ROOT

BESIDE = ("baseline", "first", "peers", "bare")
PASSES = 0.3
STEPS = ("server start", "import", "first answer")


def set_up(rig: Rig, program: str) -> dict[tuple[str, str], Sample]:
    """Start a server, then a client that asks once. Returns what each step took."""
    with closing(Service(Setting(program), rig.url)) as service:
        ready = service.start()
        memory = service.memory
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.first_call", program, rig.url, service.queue],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=PROJECT_ROOT,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
    took = json.loads(done.stdout) | {"server start": ready}
    check([took["answer"]], [fib(30)])
    both = {"server": memory, "client": took["memory"]}
    return {(program, step): Sample([took[step]], memory=both) for step in STEPS}


def slots(rig: Rig, cases: Cases, effort: Effort, stack: ExitStack) -> Slots:
    """Return what takes one slot of each step: a program's first in each pass does them all."""
    done: dict[tuple[str, str], Sample] = {}

    def take(program: str, step: str) -> Sample:
        if (program, step) not in done:
            done.update(set_up(rig, program))
        return done.pop((program, step))

    return {id_: partial(take, **case.params) for id_, case in cases.items()}


@pytest.mark.parametrize("step", STEPS)
def test_set_up(program: str, step: str, publish: Publish) -> None:
    """The time of one step."""
    publish()
