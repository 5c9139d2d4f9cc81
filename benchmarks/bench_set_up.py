"""What does set-up cost? Import, connect and first answer; server start to ready; resident memory.

Client and server are programs of their own here, started anew for each sample.
"""

import json
import subprocess
import sys
from functools import partial

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import Measured, Sample, Void, check, interleave
from benchmarks.rig import Rig, Setting
from contract import fib
from harness.program import PROJECT_ROOT

QUESTION = "What does set-up cost?"
BESIDE = {"floor": True, "layers": True}
QUICK: dict[str, set[object]] = {}
STEPS = ("server start", "import", "first answer")


def set_up(rig: Rig, row: str) -> Sample:
    """Start a server, then a client that asks once: the seconds of each step, in order."""
    with rig.crew(Setting(row)) as crew:
        ready = crew.start()
        memory = crew.memory
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.set_up", row, rig.url, crew.queue],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=PROJECT_ROOT,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        took = json.loads(done.stdout)
    check([took["answer"]], [fib(30)])
    return Sample(
        [ready, took["import"], took["first answer"]],
        memory={"server": memory, "client": took["memory"]},
    )


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Set every row up in turn; each step is a benchmark of its own."""
    rows = {params["row"]: partial(set_up, rig, params["row"]) for params in cases.values()}
    by_row = interleave(rows, max(1, effort.passes // 3), progress)
    return {id_: step(by_row[params["row"]], params["step"]) for id_, params in cases.items()}


def step(result: Measured | Void, name: str) -> Measured | Void:
    """Return one step of what was measured together."""
    if isinstance(result, Void):
        return result
    at = STEPS.index(name)
    return Measured([Sample([each.times[at]], memory=each.memory) for each in result.samples])


@pytest.mark.parametrize("step", STEPS)
def test_set_up(row: str, step: str, publish: Publish, measured: Results) -> None:
    """The time of one step."""
    publish(measured, row=row, step=step)
