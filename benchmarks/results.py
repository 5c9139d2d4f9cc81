"""A run as it was saved: pytest-benchmark's JSON, with what `conftest.py` adds to it."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, quartiles, ratio
from harness.program import PROJECT_ROOT

RESULTS = PROJECT_ROOT / "benchmarks" / "results"
MOST_LOAD = 0.5
"""The load average before a run, up to which its figures may be published."""


class Question(StrEnum):
    """What is asked: a benchmark's group, and the heading of its table."""

    CALL = "What does a call cost?"
    IN_FLIGHT = "How many calls a second?"
    THREADS = "May threads share a client?"
    SCALE = "Does adding servers and clients help?"
    CALLBACK_QUEUE = "What does a callback queue per call cost?"
    QUEUE_TYPE = "What does a replicated queue cost?"
    REPLY_SIZE = "What does the size of the reply cost?"
    SET_UP = "What does set-up cost?"


@dataclass(frozen=True)
class Entry:
    """One program at one question, with its parameters. Times in seconds per call."""

    program: str
    params: dict[str, Any]
    info: dict[str, Any]

    @property
    def passes(self) -> list[float]:
        """The median of each pass."""
        return list(self.info["passes"])

    @property
    def time(self) -> float:
        """The figure: the median over the passes."""
        return quartiles(self.passes).median

    @property
    def rate(self) -> float:
        """Calls per second."""
        return 1 / self.time

    def cpu(self, who: str) -> float | None:
        """Seconds of processor time per call of `client`, `server` or `broker`, if that was measured."""
        found: float | None = self.info["cpu_per_call"].get(who)
        return found

    def over(self, base: "Entry") -> Ratio:
        """This program's time over another's."""
        return ratio(self.passes, base.passes)

    def rate_over(self, base: "Entry") -> Ratio:
        """This program's rate over another's."""
        return ratio(base.passes, self.passes)


class Run:
    """All that was saved of one run."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.machine: dict[str, Any] = data["machine_info"] | data["environment"]
        self.invalid: list[dict[str, Any]] = data["invalid"]

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read a saved run."""
        return cls(json.loads(path.read_text()))

    def entries(self, question: str, **params: Any) -> list[Entry]:
        """Return a question's entries that have these parameters, in the order in which they were measured."""
        return [
            Entry(each["params"]["program"], each["params"], each["extra_info"])
            for each in self.data["benchmarks"]
            if each["group"] == question and params.items() <= each["params"].items()
        ]

    def entry(self, question: str, program: str, **params: Any) -> Entry | None:
        """Return one entry, if it was measured and is not invalid."""
        return next(iter(self.entries(question, program=program, **params)), None)

    def hundred(self, program: str) -> Entry | None:
        """Return a program's entry with a hundred calls in flight, at a prefetch of 20."""
        return self.entry(Question.IN_FLIGHT, program, window=100, prefetch=20)

    def programs(self, question: str) -> list[str]:
        """Return the programs measured at a question, invalid ones too, in their order."""
        found = [each.program for each in self.entries(question)]
        found += [e["params"]["program"] for e in self.invalid if e["group"] == question]
        return list(dict.fromkeys(found))

    def values(self, question: str, name: str, **params: Any) -> list[Any]:
        """Return the values that a parameter was varied over, ascending."""
        return sorted({each.params[name] for each in self.entries(question, **params)})

    def why_invalid(self, question: str, program: str) -> str | None:
        """Return why a program's measurement is invalid, if one of its entries is."""
        found = (e for e in self.invalid if e["group"] == question)
        return next((e["reason"] for e in found if e["params"]["program"] == program), None)

    @property
    def series(self) -> str:
        """RabbitMQ's version, to the first point: `3.10`, `4.1`."""
        return ".".join(self.machine["rabbitmq"].split(".")[:2])

    @property
    def date(self) -> str:
        """The day of the run, UTC."""
        return datetime.fromisoformat(self.data["datetime"]).strftime("%d %B %Y").lstrip("0")

    def caption(self, *, brief: bool = False) -> str:
        """What was measured, on what, when: for under every table and picture.

        In brief, for the README: what a reader compares with a machine of their own.
        """
        machine, commit = self.machine, self.data["commit_info"]
        disturbed = refusal(machine["load_before"]) is not None
        cores, broker = f"{machine['cpus']} cores", f"RabbitMQ {machine['rabbitmq']}"
        if brief:
            others = ["other programs ran beside it"] if disturbed else []
        else:
            cores += f" of {machine['cpu']}"
            broker += f", Erlang {machine['erlang']}"
            others = [
                "one broker node, classic queues and prefetch 1 unless it says otherwise",
                f"load average before the run {machine['load_before']}"
                + ", so other programs ran beside it" * disturbed,
            ]
            if commit["time"]:  # None where there is no repository
                others.append(f"commit {commit['id'][:8]}" + " with changes" * commit["dirty"])
        python = f"Python {machine['python']}"
        shown = ("pika", "kombu", "celery", "aio-pika", "faststream")
        versions = machine["libraries"]
        libraries = ", ".join(f"{name} {versions[name]}" for name in shown if name in versions)
        effort = "" if self.data["effort"] == "full" else "Quick and rough. "
        return effort + "; ".join([cores, broker, python, libraries, *others, self.date]) + "."


def refusal(load: float) -> str | None:
    """Return why a run with this load average before it is not to be published, if it is not."""
    if load <= MOST_LOAD:
        return None
    return (
        f"the load average before the run was {load:.2f}, above {MOST_LOAD}: other programs ran, and the figures "
        "would be partly theirs. Publish on a quiet machine; `make bench` measures without publishing."
    )


def published() -> list[Run]:
    """Return the newest published run of each RabbitMQ series, the newest of all first."""
    runs = sorted(map(Run.load, RESULTS.glob("*.json")), key=lambda run: str(run.data["datetime"]))
    return list({run.series: run for run in runs}.values())[::-1]


def publishable(path: Path) -> dict[str, Any]:
    """Return a saved run as it may be published: to five digits, without the single timings.

    Raises:
        ValueError: other programs ran before it, or it is a quick one.
    """
    data: dict[str, Any] = json.loads(path.read_text(), parse_float=five_digits)
    if reason := refusal(data["environment"]["load_before"]):
        raise ValueError(reason)
    if data["effort"] != "full":
        raise ValueError(f"{path} is a quick run: publish one of `pytest --benchmark`")
    for each in data["benchmarks"]:
        each["stats"].pop("data", None)
    return data


def five_digits(number: str) -> float:
    """Read a number to five digits, which no timing here is better than."""
    return float(f"{float(number):.5g}")


def publish(data: dict[str, Any]) -> None:
    """Keep a publishable run among the published ones, each benchmark on a line."""
    benchmarks = ",\n".join(map(json.dumps, data["benchmarks"]))
    text = json.dumps(data | {"benchmarks": []}, indent=1)
    text = text.replace('"benchmarks": []', f'"benchmarks": [\n{benchmarks}\n]')
    stamp = datetime.fromisoformat(data["datetime"]).strftime("%Y-%m-%d-%H%M")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{stamp}.json").write_text(text + "\n")
