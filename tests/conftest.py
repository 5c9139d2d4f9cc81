"""`--conformance-json`: what a run found out, for the README's table (`make conformance`)."""

from pathlib import Path

import pytest

from tests.conformance import Recorder


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
    """Begin with what takes longest and mostly waits, so that the workers of pytest-xdist end together."""
    items.sort(key=lambda item: item.path.name != "test_suite_catches.py")
