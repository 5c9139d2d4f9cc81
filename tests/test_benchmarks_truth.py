"""The benchmark tells the truth: a delay is measured, equals are called equal, a wrong answer is no figure."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.bench_scale import least_share
from benchmarks.formatting import NO_DIFFERENCE, factor, milliseconds, rate, times
from benchmarks.lines import code_lines
from benchmarks.measure import (
    Invalid,
    Measured,
    Quartiles,
    Sample,
    WrongAnswer,
    check,
    interleave,
    numbers,
    quartiles,
    ratio,
    time_calls,
    with_cpu,
)
from benchmarks.programs import PEERS, missing_peers
from benchmarks.results import Question, Run, five_digits, publishable
from benchmarks.rig import Rig, Setting
from benchmarks.tables import budget, on_paper, summary, versions
from harness.broker import ExternalBroker, PrivateBroker
from harness.program import PROJECT_ROOT
from tests.known_programs.delayed import rpc_client as delayed_client

PASSES = 20


@pytest.fixture
def rig(broker: PrivateBroker | ExternalBroker) -> Iterator[Rig]:
    """Servers and clients of the programs measured."""
    with Rig(broker) as rig:
        yield rig


def measure(rig: Rig, *programs: str) -> dict[str, Measured | Invalid]:
    """Time calls of these programs in turn, as `bench_call.py` does."""
    settings = {program: Setting(program) for program in programs}
    return rig.measure(settings, lambda _, client: time_calls(client.call, 0, 0.06, 10), PASSES)


# -- against a broker ------------------------------------------------------------------------------------


def test_known_delay(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One millisecond more in a call is measured as one millisecond, and called a difference."""
    found = []
    # more where a busy machine hides one
    for delay in (0.001, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064):
        monkeypatch.setattr(delayed_client, "DELAY", delay)
        results = measure(rig, "raw_pika", "tests.known_programs.delayed")
        plain, delayed = results["raw_pika"], results["tests.known_programs.delayed"]
        assert isinstance(plain, Measured)
        assert isinstance(delayed, Measured)
        # the slower calls are those that other processes held up
        added = delayed.quantiles([0.1])[0] - plain.quantiles([0.1])[0]
        found.append((delay, added, ratio(delayed.passes, plain.passes).differs))
        if delay * 0.8 < added < delay * 1.5 and found[-1][-1]:
            return
    pytest.fail(f"delays, as they were measured, and whether called a difference: {found}")


def test_same_under_two_names(rig: Rig) -> None:
    """The same implementation under two names: no difference is claimed."""
    results = measure(rig, "raw_pika", "tests.known_programs.renamed")
    one, two = results["raw_pika"], results["tests.known_programs.renamed"]
    assert isinstance(one, Measured)
    assert isinstance(two, Measured)
    assert not ratio(two.passes, one.passes).differs


def test_wrong_answer_invalidates_its_program_only(rig: Rig) -> None:
    """A wrong answer leaves no figure of its program, and those of the others."""
    results = measure(rig, "raw_pika", "tests.known_programs.wrong")
    assert isinstance(results["raw_pika"], Measured)
    assert results["tests.known_programs.wrong"] == Invalid(
        "WrongAnswer: expected 832040, got 832041"
    )


def test_processor_time_is_the_servers(rig: Rig) -> None:
    """The processor time of a call is above nothing, and below its duration times the processors."""
    (result,) = measure(rig, "raw_pika").values()
    assert isinstance(result, Measured)
    for who in ("client", "server"):
        assert 0 < result.info()["cpu_per_call"][who] < sum(result.times) / result.calls * 2


def test_command_line(broker: PrivateBroker | ExternalBroker, tmp_path: Path) -> None:
    """`--benchmark-quick`: only benchmarks run, an invalid measurement is seen, the JSON says what is needed."""
    saved = tmp_path / "benchmark.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--benchmark-quick", f"--benchmark-json={saved}"),
            *("--backend=raw_pika", "--backend=tests.known_programs.wrong", "-k", "bench_call.py"),
        ],
        cwd=PROJECT_ROOT,
        # without what a parallel run of this test puts there: the plugin would take it for its own
        env={k: v for k, v in os.environ.items() if "XDIST" not in k} | {"AMQP_URL": broker.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "measurement invalid: WrongAnswer: expected 832040, got 832041" in done.stdout
    passed = 4 + len(PEERS) - len(missing_peers())
    assert f"1 failed, {passed} passed" in done.stdout
    assert ("not measured: " in done.stdout) == bool(missing_peers())
    run = Run.load(saved)
    assert set(run.programs(Question.CALL)) - set(PEERS) == {
        *("protocol_baseline", "raw_pika", "first_pika", "bare_pika"),
        "tests.known_programs.wrong",
    }
    assert run.entry(Question.CALL, "tests.known_programs.wrong") is None
    entry = run.entry(Question.CALL, "raw_pika")
    assert entry is not None
    expected = {"prefetch": 1, "queue_type": "classic", "delivery_mode": "transient"}
    assert expected.items() <= entry.info.items()
    (saved_entry,) = [e for e in run.data["benchmarks"] if e["params"] == {"program": "raw_pika"}]
    assert len(saved_entry["stats"]["data"]) == entry.info["calls"]
    assert {"p95", "p99", "passes", "cpu_per_call"} <= entry.info.keys()
    assert {"rabbitmq", "erlang", "libraries", "cpu", "cpus", "python"} <= run.machine.keys()
    assert "node" not in run.machine
    assert "id" in run.data["commit_info"]
    assert "measurement invalid: WrongAnswer" in (tmp_path / "report.html").read_text()


# -- order and statistics -----------------------------------------------------------------------------------


def test_programs_take_turns() -> None:
    """A B C, C B A, ...: a drift of the machine falls on all alike."""
    order: list[str] = []

    def slot(name: str) -> Sample:
        order.append(name)
        return Sample([float(len(order))])

    results = interleave({name: partial(slot, name) for name in "abc"}, 4)
    assert "".join(order) == "abccbaabccba"
    means = [sum(r.passes) / 4 for r in results.values() if isinstance(r, Measured)]
    assert means == [6.5, 6.5, 6.5]


def test_failed_program_is_not_asked_again() -> None:
    """A program that fails is invalid from then on, with the first line of why."""
    asked = []

    def fail() -> Sample:
        asked.append(1)
        raise RuntimeError("broken\nin two lines")

    results = interleave({"good": lambda: Sample([1.0]), "bad": fail}, 3)
    assert results["bad"] == Invalid("RuntimeError: broken")
    assert len(asked) == 1
    assert isinstance(results["good"], Measured)
    assert results["good"].passes == [1.0, 1.0, 1.0]


def test_quantiles() -> None:
    """Quartiles are interpolated; over passes, each pass weighs the same."""
    assert quartiles([5.0, 1.0, 3.0, 2.0, 4.0]) == Quartiles(2.0, 3.0, 4.0)
    assert quartiles([7.0]) == Quartiles(7.0, 7.0, 7.0)
    slow_and_fast = Measured([Sample([10.0] * 2, 2), Sample([1.0] * 20, 20)])
    assert slow_and_fast.quantiles([0.49, 0.51]) == [1.0, 10.0]
    assert slow_and_fast.calls == 22


def test_ratio() -> None:
    """Programs differ when their ranges are apart and nine passes in ten agree; else words say why."""
    base = [1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0]
    twice = [2 * each for each in base]
    assert times(ratio(twice, base)) == "2.0 (2.0 to 2.0)"
    assert times(ratio(base, base)) == NO_DIFFERENCE
    # the machine slowed down halfway: the ranges overlap, though every pass agrees
    drifting = [1.0] * 5 + [3.0] * 5
    assert times(ratio([1.01 * each for each in drifting], drifting)) == NO_DIFFERENCE
    assert times(ratio([1.5 * each for each in drifting], drifting)) == (
        "1.50, ranges overlap (10 of 10 above 1)"
    )
    assert ratio([*twice[:-1], 0.5], base).differs
    assert times(ratio([*twice[:-2], 0.5, 0.5], base)) == ("2.0, passes disagree (8 of 10 above 1)")


def test_answers_are_checked() -> None:
    """Every answer, its type too, and their number."""
    check([1, 2], [1, 2])
    for answers in ([1, 3], [1, True], [1, 2.0]):
        with pytest.raises(WrongAnswer):
            check(answers, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="longer"):
        check([1], [1, 2])


def test_least_share() -> None:
    """A server that answers nothing has a share of nothing. Its children answer for it; nobody else does."""
    servers = [[1], [2, 3], [4]]
    assert least_share(Counter({1: 5, 3: 3, 4: 2}), servers) == 0.2
    assert least_share(Counter({1: 5, 2: 5}), servers) == 0.0
    with pytest.raises(AssertionError, match="answered by"):
        least_share(Counter({1: 5, 9: 5}), servers)


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


def saved_run(rabbitmq: str = "3.10.8", load: float = 0.2) -> dict[str, Any]:
    """Return a small run as pytest-benchmark saves it."""

    def entry(
        program: str, time: float, question: str = Question.CALL, **params: Any
    ) -> dict[str, Any]:
        passes = [time * (1 + 0.01 * i) for i in range(10)]
        return {
            "group": question,
            "params": {"program": program, **params},
            "stats": {"mean": time, "data": passes},
            "extra_info": {
                "passes": passes,
                "p95": 2 * time,
                "p99": 3 * time,
                "quantiles": [time * (1 + i / 10) for i in range(11)],
                "cpu_per_call": {"client": time / 4, "server": time / 2, "broker": time / 3},
                "delivery_mode": "transient",
            },
        }

    hundred = {"window": 100, "prefetch": 20}
    return {
        "datetime": f"2024-05-0{rabbitmq[0]}T12:00:00+00:00",
        "effort": "full",
        "seconds": 250,
        "machine_info": {"cpu": "a processor"},
        "environment": {
            "cpus": 2,
            "python": "3.12.1",
            "erlang": "25",
            "libraries": {"pika": "1.4"},
            "rabbitmq": rabbitmq,
            "load_before": load,
        },
        "commit_info": {"id": "0123456789abcdef", "time": "2024-05-01", "dirty": False},
        "quantiles": [i / 10 for i in range(11)],
        "benchmarks": [
            entry("protocol_baseline", 0.0004),
            entry("raw_pika", 0.0006),
            entry("same", 0.000605),
            entry("bare_pika", 0.0005),
            entry("raw_pika", 0.0002, Question.IN_FLIGHT, **hundred),
        ],
        "invalid": [
            {"group": Question.CALL, "params": {"program": "liar"}, "reason": "WrongAnswer: no"}
        ],
    }


def test_tables() -> None:
    """Ratios are the headline, equals are called equal, an invalid measurement shows no figure."""
    lines = {line[0]: line[1:] for line in summary(Run(saved_run())).lines}
    assert lines["raw_pika"][:3] == ["0.63 ms", "1.50 (1.50 to 1.50)", "1"]
    assert lines["same"][2] == NO_DIFFERENCE
    assert lines["liar"] == ["measurement invalid: WrongAnswer: no"]


def test_budget() -> None:
    """The parts of a call add up: the baseline, what the bare layer adds to it, what the contract adds to that."""
    ((name, base, library, contract, whole),) = budget(Run(saved_run())).lines
    assert (name, base, whole) == ("raw_pika", "0.42 ms", "0.63 ms")
    assert library.startswith("0.10 (")
    assert contract.startswith("0.10 (")


def test_scale_on_paper() -> None:
    """A rate times the time per call, over the utilisation, rounded up; and which is full first."""
    first, *_, last = on_paper(Run(saved_run())).lines
    # 50 µs of a client, 100 of a server and 20 ms of its function, 67 of the broker; 70 % of each
    assert first == ["raw_pika", "100", "3", "1", "1", "-", first[-1]]
    assert first[-1] == "a server 35, a broker core 10,500, a client 14,000"
    assert last[1:6] == ["10,000", "288", "1", "1", "-"]


def test_versions_side_by_side() -> None:
    """A run on another series of RabbitMQ has a column beside; one run alone needs no table."""
    old, new = Run(saved_run()), Run(saved_run("4.1.2"))
    assert versions([new]).lines == []
    table = versions([new, old])
    assert table.headings[1:] == [
        "one call, 4.1",
        "one call, 3.10",
        "calls/s, 4.1",
        "calls/s, 3.10",
    ]
    assert table.lines[1] == ["raw_pika", "0.63 ms", "0.63 ms", "4,780", "4,780"]


def test_caption_names_a_commit_if_there_is_one() -> None:
    """What is no clone of a repository has no commit: pytest-benchmark then calls it unversioned."""
    run = saved_run()
    assert "; commit 01234567; " in Run(run).caption()
    run["commit_info"] = {"id": "unversioned", "time": None, "dirty": False}
    assert "commit" not in Run(run).caption()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with nothing published yet."""
    monkeypatch.setattr("benchmarks.results.RESULTS", tmp_path / "results")
    monkeypatch.setattr(report, "PROJECT_ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / report.NUMBERS_PAGE).write_text("<!-- budget:begin -->\n<!-- budget:end -->\n")
    markers = [
        f"<!-- {n}:{w} -->" for n in ("choice", "contract", "results") for w in ("begin", "end")
    ]
    (tmp_path / report.README).write_text("\n".join(["before", *markers, "after"]))
    return tmp_path


def test_published_files_depend_on_the_data_alone(project: Path) -> None:
    """The same data give the same files; other data make them stale, and `--check` says so."""
    pytest.importorskip("matplotlib")
    draft = project / "benchmark.json"
    draft.write_text(json.dumps(saved_run()))
    readme = project / report.README
    assert report.main(["--check"]) == 1  # nothing is published yet
    assert report.main(["--publish", str(draft)]) == 0
    assert report.main(["--check"]) == 0
    text = readme.read_text()
    assert text.startswith("before")
    assert text.endswith("after")
    assert "measurement invalid: WrongAnswer" in text
    kept = json.loads(next((project / "results").iterdir()).read_text())
    assert "data" not in kept["benchmarks"][0]["stats"]
    assert "# The short answer" in (project / report.RESULTS_PAGE).read_text()
    page = (project / report.PAGE).read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/", "")  # the names of SVG's namespaces
    readme.write_text(text.replace("0.63 ms", "0.10 ms"))
    assert report.main(["--check"]) == 1


def test_disturbed_run_is_not_published(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that began under load is refused with the figure; nothing is written. The same for a quick one."""
    draft = project / "benchmark.json"
    draft.write_text(json.dumps(saved_run(load=0.51)))
    assert report.main(["--publish", str(draft)]) == 1
    assert "the load average before the run was 0.51, above 0.5" in capsys.readouterr().err
    draft.write_text(json.dumps(saved_run() | {"effort": "quick"}))
    with pytest.raises(ValueError, match="quick run"):
        publishable(draft)
    assert not (project / "results").exists()


def test_without_matplotlib(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is optional: a run's page has no pictures then, and says why. Nothing is published without them."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "benchmarks.pictures", raising=False)
    draft = project / "benchmark.json"
    draft.write_text(json.dumps(saved_run()))
    assert report.main([str(draft)]) == 0
    assert "no pictures: the pictures need matplotlib: pip install" in capsys.readouterr().out
    page = (project / "report.html").read_text()
    assert "0.63 ms" in page
    assert "<svg" not in page
    assert report.main(["--publish", str(draft)]) == 1
    assert "nothing is published without them" in capsys.readouterr().err
    assert not (project / "results").exists()


def test_reason_is_printed_to_the_letter(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in square brackets is no markup: a server's ready line has some."""
    run = saved_run()
    reason = "RuntimeError: no line [x] Awaiting, nor [/x]"
    run["invalid"][0]["reason"] = reason
    draft = project / "benchmark.json"
    draft.write_text(json.dumps(run))
    assert report.main([str(draft)]) == 0
    assert capsys.readouterr().out.count(reason) == 2


def test_pictures_are_the_same_each_time() -> None:
    """No date, no random ids; text and lines follow light and dark mode."""
    pytest.importorskip("matplotlib")
    run = Run(saved_run())
    drawn = report.draw(run)
    assert drawn == report.draw(run)
    assert drawn.keys() == {"latency.svg", "throughput.svg"}
    assert "prefers-color-scheme: dark" in drawn["latency.svg"]
    assert "fill: var(--ink)" in drawn["latency.svg"]


def test_rounding() -> None:
    """Five digits are more than any timing here is worth."""
    assert json.loads('[0.123456789, 123456, "x"]', parse_float=five_digits) == [
        0.12346,
        123456,
        "x",
    ]


def test_lines_of_code() -> None:
    """Docstrings, comments and empty lines are no code."""
    source = '"""Doc."""\n\n# why\nx = """\ntext\n"""\n"""What x is."""\n\n'
    source += 'def f():\n    """Doc\n    more."""\n    return 1\n'
    assert len(code_lines(source)) == 5
