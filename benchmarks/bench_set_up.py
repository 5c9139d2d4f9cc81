"""What does set-up cost? Import, connect and first answer; server start to ready; resident memory.

Client and server are programs of their own here, started anew for each sample.
"""

import json
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import Invalid, Measured, Sample, check, interleave
from benchmarks.results import Question
from benchmarks.rig import Rig, Service, Setting
from contract import fib
from harness.program import PROJECT_ROOT

QUESTION = Question.SET_UP
BESIDE = ("baseline", "first", "peers", "bare")
PASSES = 0.3
STEPS = ("server start", "import", "first answer")


def set_up(rig: Rig, program: str) -> Sample:
    """Start a server, then a client that asks once: the seconds of each step, in order."""
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
    took = json.loads(done.stdout)
    check([took["answer"]], [fib(30)])
    return Sample(
        [ready, took["import"], took["first answer"]],
        memory={"server": memory, "client": took["memory"]},
    )


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Set every program up in turn; each step is a benchmark of its own."""
    slots = {p["program"]: partial(set_up, rig, p["program"]) for p in cases.values()}
    by_program = interleave(slots, effort.share(PASSES), progress)
    return {id_: one_step(by_program[p["program"]], p["step"]) for id_, p in cases.items()}


def one_step(result: Measured | Invalid, name: str) -> Measured | Invalid:
    """Return one step of what was measured together."""
    if isinstance(result, Invalid):
        return result
    at = STEPS.index(name)
    return Measured([Sample([each.times[at]], memory=each.memory) for each in result.samples])


@pytest.mark.parametrize("step", STEPS)
def test_set_up(program: str, step: str, publish: Publish) -> None:
    """The time of one step."""
    publish()
