"""A run as it was saved: pytest-benchmark's JSON, with what `conftest.py` adds to it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, Spread, ratio, spread
from harness.program import PROJECT_ROOT

RESULTS = PROJECT_ROOT / "benchmarks" / "results"

CALL = "What does a call cost?"
IN_FLIGHT = "How many can I push?"
THREADS = "May threads share it?"
SERVERS = "Does adding servers help?"
CALLBACK_QUEUE = "What does a callback queue per call cost?"
QUEUE_TYPE = "What does a replicated queue cost?"
REPLY_SIZE = "What does the size of the reply cost?"
SET_UP = "What does set-up cost?"


@dataclass(frozen=True)
class Entry:
    """One row of one question, with its parameters. Times in seconds per call."""

    row: str
    params: dict[str, Any]
    info: dict[str, Any]
    stats: dict[str, Any]

    @property
    def passes(self) -> list[float]:
        """The median of each pass."""
        found: list[float] = self.info["passes"]
        return found

    @property
    def spread(self) -> Spread:
        """The median over the passes, and what the middle half of them covers."""
        return spread(self.passes)

    @property
    def time(self) -> float:
        """The figure: the median over the passes."""
        return self.spread.median

    @property
    def rate(self) -> float:
        """Calls per second."""
        return 1 / self.time

    def over(self, base: "Entry") -> Ratio:
        """This row's time over another's."""
        return ratio(self.passes, base.passes)

    def rate_over(self, base: "Entry") -> Ratio:
        """This row's rate over another's."""
        return ratio(base.passes, self.passes)


class Run:
    """All that was saved of one run."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.machine: dict[str, Any] = data["machine_info"] | data["environment"]
        self.voids: list[dict[str, Any]] = data.get("void", [])

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read a saved run."""
        return cls(json.loads(path.read_text()))

    def entries(self, question: str, **params: Any) -> list[Entry]:
        """Return a question's entries that have these parameters, in the order in which they were measured."""
        return list(self._entries(question, params))

    def _entries(self, question: str, params: dict[str, Any]) -> Iterator[Entry]:
        for each in self.data["benchmarks"]:
            have = {**each["extra_info"], **(each["params"] or {})}
            if each["group"] == question and params.items() <= have.items():
                yield Entry(have["row"], each["params"], each["extra_info"], each["stats"])

    def entry(self, question: str, row: str, **params: Any) -> Entry | None:
        """Return one entry, if it was measured and is not void."""
        found = self.entries(question, row=row, **params)
        return found[0] if found else None

    def rows(self, question: str) -> list[str]:
        """Return the rows of a question, void ones too, in their order."""
        void = [each["params"]["row"] for each in self.voids if each["group"] == question]
        return list(dict.fromkeys([each.row for each in self.entries(question)] + void))

    def values(self, question: str, name: str, **params: Any) -> list[Any]:
        """Return the values that a parameter was varied over, ascending."""
        return sorted({each.params[name] for each in self.entries(question, **params)})

    def void(self, question: str, row: str) -> str | None:
        """Return why a row is void, if one of its entries is."""
        for each in self.voids:
            if each["group"] == question and each["params"]["row"] == row:
                return str(each["reason"])
        return None

    @property
    def date(self) -> str:
        """The day of the run, UTC."""
        return datetime.fromisoformat(self.data["datetime"]).strftime("%d %B %Y").lstrip("0")

    @property
    def caption(self) -> str:
        """What was measured, on what, when: for under every table and picture."""
        machine = self.machine
        libraries = machine.get("libraries", {})
        commit = self.data.get("commit_info", {})
        revision = str(commit.get("id", ""))[:8]
        if commit.get("dirty"):
            revision += " with changes"
        parts = [
            f"{machine.get('cpus', '?')} cores of {machine.get('cpu', 'an unknown processor')}",
            f"RabbitMQ {machine.get('rabbitmq')}, Erlang {machine.get('erlang')}",
            f"Python {machine.get('python')}",
            ", ".join(f"{n} {libraries[n]}" for n in ("pika", "kombu", "celery") if n in libraries),
            "one broker node, classic queues and prefetch 1 unless it says otherwise",
            f"load before the run {machine.get('load_before')}",
            f"commit {revision}" if revision else "",
            self.date,
        ]
        effort = "" if self.data.get("effort") == "full" else "Quick and rough. "
        return effort + "; ".join(part for part in parts if part) + "."


def newest() -> Path | None:
    """Return the published run that was made last."""
    paths = list(RESULTS.glob("*.json"))
    return max(paths, key=lambda path: Run.load(path).data["datetime"], default=None)


def publish(path: Path) -> Path:
    """Keep a run among the published ones, without the single timings, and return where."""
    data = json.loads(path.read_text())
    for each in data["benchmarks"]:
        each["stats"].pop("data", None)
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.fromisoformat(data["datetime"]).strftime("%Y-%m-%d-%H%M")
    target = RESULTS / f"{stamp}.json"
    target.write_text(json.dumps(rounded(data), indent=1) + "\n")
    return target


def rounded(value: Any) -> Any:
    """Return JSON data with every float to five digits: no timing here is better than that."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return value
