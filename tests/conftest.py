"""`--conformance-json`: what a run found out, for the README's table (`make conformance`)."""

from pathlib import Path

import pytest

from tests.conformance import Recorder

# What is begun last is waited for: in this order the workers of pytest-xdist end together.
LONGEST = [
    "test_suite_catches.py",
    "test_calls.py",
    "test_server.py",
    "test_surroundings.py",
    "test_faults.py",
    "test_broker_limits.py",
    "test_resources.py",
    "test_errors.py",
    "test_trust.py",
    "test_bad_input.py",
    "test_cluster.py",
    "test_harness.py",
    "test_docs.py",
    "test_programs.py",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--conformance-json`."""
    parser.addoption(
        "--conformance-json",
        type=Path,
        metavar="PATH",
        help="Write what became of the tests of each clause, for each implementation, to this file.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Record the run if that is wanted."""
    path = config.getoption("--conformance-json")
    if path:
        worker = hasattr(config, "workerinput")
        config.pluginmanager.register(Recorder(path, Path(__file__).parent, write=not worker))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
