"""The benchmark tells the truth: a delay is measured, equals are called equal, a wrong answer is no figure."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.compare import code_lines
from benchmarks.measure import (
    Measured,
    Sample,
    Spread,
    Void,
    WrongAnswer,
    check,
    interleave,
    join,
    numbers,
    quantile,
    ratio,
    spread,
    time_calls,
    with_cpu,
)
from benchmarks.results import CALL, Run, rounded
from benchmarks.rig import Rig, Setting
from benchmarks.tables import growth, summary
from benchmarks.words import NO_DIFFERENCE, factor, milliseconds, rate, times
from harness.broker import ExternalBroker, PrivateBroker
from harness.program import PROJECT_ROOT
from tests.rows.delayed import rpc_client as delayed_client

PASSES = 20


@pytest.fixture
def rig(broker: PrivateBroker | ExternalBroker) -> Iterator[Rig]:
    """Servers and clients of the rows."""
    with Rig(broker) as rig:
        yield rig


def measure(rig: Rig, *rows: str) -> dict[str, Measured | Void]:
    """Time calls of these rows in turn, as `bench_call.py` does."""
    settings = {row: Setting(row) for row in rows}
    return rig.measure(settings, lambda _, client: time_calls(client, 0, 0.06, 10), PASSES)


# -- against a broker ------------------------------------------------------------------------------------


def test_known_delay(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One millisecond more in a call is measured as one millisecond, and called a difference."""
    found = []
    # more where a busy machine hides one
    for delay in (0.001, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064):
        monkeypatch.setattr(delayed_client, "DELAY", delay)
        results = measure(rig, "raw_pika", "tests.rows.delayed")
        plain, delayed = results["raw_pika"], results["tests.rows.delayed"]
        assert isinstance(plain, Measured)
        assert isinstance(delayed, Measured)
        # the slower calls of a row are those that other processes held up
        added = delayed.quantile(0.1) - plain.quantile(0.1)
        found.append((delay, added, ratio(delayed.passes, plain.passes).differs))
        if delay * 0.8 < added < delay * 1.5 and found[-1][-1]:
            return
    pytest.fail(f"delays, as they were measured, and whether called a difference: {found}")


def test_same_under_two_names(rig: Rig) -> None:
    """The same implementation under two names: no difference measured."""
    results = measure(rig, "raw_pika", "tests.rows.renamed")
    one, two = results["raw_pika"], results["tests.rows.renamed"]
    assert isinstance(one, Measured)
    assert isinstance(two, Measured)
    assert times(ratio(two.passes, one.passes)) == NO_DIFFERENCE


def test_wrong_answer_voids_its_row_only(rig: Rig) -> None:
    """A wrong answer leaves no figure of its row, and those of the others."""
    results = measure(rig, "raw_pika", "tests.rows.wrong")
    assert isinstance(results["raw_pika"], Measured)
    assert results["tests.rows.wrong"] == Void("WrongAnswer: expected 832040, got 832041")


def test_processor_time_is_the_servers(rig: Rig) -> None:
    """The processor time of a call is above nothing, and below its duration times the processors."""
    (result,) = measure(rig, "raw_pika").values()
    assert isinstance(result, Measured)
    for who in ("client", "server"):
        assert 0 < result.cpu_per_call[who] < sum(result.times) / result.calls * 2


def test_command_line(broker: PrivateBroker | ExternalBroker, tmp_path: Path) -> None:
    """`pytest --benchmark-quick`: only benchmarks run, a void is seen, the JSON has what a reader needs."""
    saved = tmp_path / "benchmark.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--benchmark-quick", f"--benchmark-json={saved}"),
            *("--backend=raw_pika", "--backend=tests.rows.wrong", "-k", "bench_call.py"),
        ],
        cwd=PROJECT_ROOT,
        # without what a parallel run of this test puts there: the plugin would take it for its own
        env={k: v for k, v in os.environ.items() if "XDIST" not in k} | {"AMQP_URL": broker.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "void: WrongAnswer: expected 832040, got 832041" in done.stdout
    assert "1 failed, 4 passed" in done.stdout
    run = Run.load(saved)
    assert run.rows(CALL) == ["floor", "raw_pika", "first_pika", "bare_pika", "tests.rows.wrong"]
    assert run.entry(CALL, "tests.rows.wrong") is None
    entry = run.entry(CALL, "raw_pika")
    assert entry is not None
    expected = {"prefetch": 1, "window": 1, "queue_type": "classic", "delivery_mode": "transient"}
    assert expected.items() <= entry.info.items()
    assert len(entry.stats["data"]) == entry.info["calls"]
    assert {"p95", "p99", "passes", "spread", "cpu_per_call"} <= entry.info.keys()
    assert {"rabbitmq", "erlang", "libraries", "cpu", "cpus", "python"} <= run.machine.keys()
    assert "node" not in run.machine
    assert "id" in run.data["commit_info"]
    assert "void: WrongAnswer" in (tmp_path / "report.html").read_text()


# -- order and statistics -----------------------------------------------------------------------------------


def test_rows_take_turns() -> None:
    """A B C, C B A, ...: a drift of the machine falls on all rows alike."""
    order: list[str] = []

    def slot(name: str) -> Sample:
        order.append(name)
        return Sample([float(len(order))])

    results = interleave({name: partial(slot, name) for name in "abc"}, 4)
    assert "".join(order) == "abccbaabccba"
    means = [sum(r.passes) / 4 for r in results.values() if isinstance(r, Measured)]
    assert means == [6.5, 6.5, 6.5]


def test_failed_row_is_not_asked_again() -> None:
    """A row that fails is void from then on, with the first line of why."""
    asked = []

    def fail() -> Sample:
        asked.append(1)
        raise RuntimeError("broken\nin two lines")

    results = interleave({"good": lambda: Sample([1.0]), "bad": fail}, 3)
    assert results["bad"] == Void("RuntimeError: broken")
    assert len(asked) == 1
    assert isinstance(results["good"], Measured)
    assert results["good"].passes == [1.0, 1.0, 1.0]


def test_join() -> None:
    """Stages add up; a void in any of them is a void."""
    one: Measured | Void = Measured([Sample([1.0])])
    bad: Measured | Void = Void("no")
    assert join([{"a": one}, {"a": one}]) == {"a": Measured([Sample([1.0]), Sample([1.0])])}
    assert join([{"a": one}, {"a": bad}]) == {"a": bad}
    assert join([{"a": bad}, {"a": one}]) == {"a": bad}


def test_quantiles() -> None:
    """Quantiles are interpolated; over passes, each pass weighs the same."""
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile([7.0], 0.99) == 7.0
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(2.0, 3.0, 4.0)
    slow_and_fast = Measured([Sample([10.0] * 2, 2), Sample([1.0] * 20, 20)])
    assert slow_and_fast.quantile(0.5) == 1.0
    assert slow_and_fast.quantile(0.51) == 10.0
    assert slow_and_fast.calls == 22


def test_ratio() -> None:
    """Rows differ when their spreads are apart and nine passes in ten agree."""
    base = [1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0]
    twice = [2 * each for each in base]
    assert ratio(twice, base) == (Spread(2.0, 2.0, 2.0), True)
    assert not ratio(base, base).differs
    # the machine slowed down halfway: the spreads overlap, though every pass agrees
    drifting = [1.0] * 5 + [3.0] * 5
    assert not ratio([1.01 * each for each in drifting], drifting).differs
    one_disturbed = [*twice[:-1], 0.5]
    assert ratio(one_disturbed, base).differs
    assert not ratio([*twice[:-2], 0.5, 0.5], base).differs


def test_answers_are_checked() -> None:
    """Every answer, its type too, and their number."""
    check([1, 2], [1, 2])
    for answers in ([1, 3], [1, True], [1, 2.0]):
        with pytest.raises(WrongAnswer):
            check(answers, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="longer"):
        check([1], [1, 2])


def test_slot_lengths() -> None:
    """A slot of no time still makes as many calls as it must."""
    assert list(numbers(0.0, 3)) == [0, 1, 2]
    assert with_cpu(lambda: Sample([1.0]), {"client": [os.getpid()]}).cpu["client"] >= 0


# -- words, tables, pictures ----------------------------------------------------------------------------


def test_words() -> None:
    """Figures are written to the digits that were measured."""
    assert [milliseconds(s) for s in (0.000742, 0.0123, 1.5)] == ["0.74 ms", "12.3 ms", "1,500 ms"]
    assert [rate(r) for r in (4812.3, 19_640, 49.2)] == ["4,810", "19,600", "49"]
    assert [factor(f) for f in (0.347, 1.8, 3.94, 12.4)] == ["0.35", "1.80", "3.9", "12"]


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ({1: 100.0, 10: 104.0}, "it does not grow"),
        ({1: 100.0, 10: 300.0, 100: 900.0}, "9.0 times as many; it still grows"),
        ({1: 100.0, 10: 600.0, 30: 500.0, 100: 900.0}, "9.0 times as many; it grows unevenly"),
        ({1: 100.0, 10: 400.0, 100: 410.0}, "from 10 on it is level"),
        ({1: 100.0, 10: 400.0, 100: 200.0}, "it is highest with 10: 400"),
    ],
    ids=["flat", "growing", "uneven", "level", "falling"],
)
def test_growth(points: dict[int, float], says: str) -> None:
    """The sentence says what the curve does."""
    assert says in growth(points, "call", "calls")


def saved_run() -> dict[str, Any]:
    """Return a small run as pytest-benchmark saves it."""

    def entry(row: str, time: float) -> dict[str, Any]:
        passes = [time * (1 + 0.01 * i) for i in range(10)]
        return {
            "group": CALL,
            "params": {"row": row},
            "stats": {"mean": time, "data": passes},
            "extra_info": {
                "row": row,
                "passes": passes,
                "p50": time,
                "p95": 2 * time,
                "p99": 3 * time,
                "quantiles": [time * (1 + i / 10) for i in range(11)],
                "cpu_per_call": {"client": time / 4},
            },
        }

    return {
        "datetime": "2024-05-01T12:00:00+00:00",
        "effort": "full",
        "machine_info": {"cpu": "a processor"},
        "environment": {"cpus": 2, "libraries": {"pika": "1.4"}},
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "quantiles": [i / 10 for i in range(11)],
        "benchmarks": [entry("floor", 0.0004), entry("raw_pika", 0.0006), entry("same", 0.000605)],
        "void": [{"group": CALL, "params": {"row": "liar"}, "reason": "WrongAnswer: no"}],
    }


def test_tables() -> None:
    """Ratios are the headline, equals are called equal, a void row shows no figure."""
    lines = {line[0]: line[1:] for line in summary(Run(saved_run())).lines}
    assert lines["raw_pika"][:3] == ["0.63 ms", "1.50 (1.50 to 1.50)", "1"]
    assert lines["same"][2] == NO_DIFFERENCE
    assert lines["liar"] == ["void: WrongAnswer: no"]


def test_published_files_depend_on_the_data_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same data give the same files; other data make them stale, and `--check` says so."""
    draft = tmp_path / "benchmark.json"
    draft.write_text(json.dumps(saved_run()))
    readme = tmp_path / "README.md"
    markers = [f"<!-- {n}:{w} -->" for n in ("picture", "results") for w in ("begin", "end")]
    readme.write_text("\n".join(["before", *markers, "after"]))
    numbers_page = tmp_path / "reading-the-numbers.md"
    numbers_page.write_text("<!-- goals:begin -->\n<!-- goals:end -->\n")
    monkeypatch.setattr("benchmarks.results.RESULTS", tmp_path / "results")
    monkeypatch.setattr(report, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "docs" / "report.html")
    monkeypatch.setattr(report, "RESULTS_PAGE", tmp_path / "docs" / "results.md")
    monkeypatch.setattr(report, "PICTURES", tmp_path / "docs" / "pictures")
    monkeypatch.setattr(report, "README", readme)
    monkeypatch.setattr(report, "NUMBERS_PAGE", numbers_page)
    assert report.main(["--check"]) == 1  # nothing is published yet
    assert report.main(["--publish", str(draft)]) == 0
    assert report.main(["--check"]) == 0
    text = readme.read_text()
    assert text.startswith("before")
    assert text.endswith("after")
    assert "void: WrongAnswer" in text
    kept = json.loads(next((tmp_path / "results").iterdir()).read_text())
    assert "data" not in kept["benchmarks"][0]["stats"]
    assert "# The short answer" in (tmp_path / "docs" / "results.md").read_text()
    page = (tmp_path / "docs" / "report.html").read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/", "")  # the names of SVG's namespaces
    readme.write_text(text.replace("0.63 ms", "0.10 ms"))
    assert report.main(["--check"]) == 1


def test_pictures_are_the_same_each_time() -> None:
    """No date, no random ids."""
    pytest.importorskip("matplotlib")
    run = Run(saved_run())
    assert report.draw(run) == report.draw(run)
    assert report.draw(run).keys() == {"latency.svg"}


def test_rounding() -> None:
    """Five digits are more than any timing here is worth."""
    assert rounded({"a": [0.123456789, 1, "x"]}) == {"a": [0.12346, 1, "x"]}


def test_lines_of_code() -> None:
    """Docstrings, comments and empty lines are no code."""
    source = '"""Doc."""\n\n# why\nx = """\ntext\n"""\n\n\ndef f():\n    """Doc\n    more."""\n    return 1\n'
    assert len(code_lines(source)) == 5
