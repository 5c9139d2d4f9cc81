"""What `pip install .` installs: all that a caller needs, and nothing else. It is tried without a network."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from harness.implementations import IMPLEMENTATIONS
from harness.program import PROJECT_ROOT, Program
from harness.server import READY

PYPROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
PACKAGES = PYPROJECT["tool"]["setuptools"]["packages"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist, built from a copy of what is here."""
    pytest.importorskip("setuptools", minversion="77", reason="needs what builds this project")
    place = tmp_path_factory.mktemp("built")
    leave_out = shutil.ignore_patterns(".*", "__pycache__", "out", "build", "dist", "*.egg-info")
    shutil.copytree(PROJECT_ROOT, place / "source", ignore=leave_out)
    for what in ("wheel", "sdist"):
        build = f"from setuptools import build_meta; build_meta.build_{what}({str(place)!r})"
        run([sys.executable, "-c", build], cwd=place / "source")
    return place


def run(command: list[str], *, cwd: Path, **env: str) -> str:
    """Run a command to its end and return what it wrote."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def modules() -> set[str]:
    """Return the files of the packages that are to be installed."""
    return {
        str(path.relative_to(PROJECT_ROOT))
        for package in PACKAGES
        for path in (PROJECT_ROOT / package).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }


def test_wheel_holds_the_packages_and_nothing_else(built: Path) -> None:
    """Every module of the six packages, their py.typed, the licence and what describes the wheel."""
    [wheel] = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == modules()
    assert all(f"{package}/py.typed" in names for package in PACKAGES)


def test_sdist_holds_no_part_of_the_tests(built: Path) -> None:
    """The tests need the whole repository: an sdist with some of them would look as if they could be run."""
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert modules() <= names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
    assert not any(name.startswith(("tests", "harness", "benchmarks")) for name in names)


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """The Python of a virtual environment with the wheel; the libraries are those of this one."""
    place = built / "venv"
    venv.create(place, with_pip=False, symlinks=os.name != "nt")
    inside = {"base": str(place), "platbase": str(place)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=inside))
    site.joinpath("libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = Path(sysconfig.get_path("scripts", "venv", vars=inside)) / Path(sys.executable).name
    [wheel] = built.glob("*.whl")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-index",
        "--no-deps",
    ]
    run([*pip, "--disable-pip-version-check", str(wheel)], cwd=built)
    return python


@pytest.mark.parametrize("package", IMPLEMENTATIONS)
def test_installed_programs_work_in_any_folder(
    package: str, installed: Path, tmp_path: Path, url: str, queue: str
) -> None:
    """A server and a client of the installed wheel make a call; nothing of this folder is imported."""
    where = f"import {package}.rpc_server; print({package}.rpc_server.__file__)"
    assert str(PROJECT_ROOT) not in run([str(installed), "-c", where], cwd=tmp_path)
    assert "exit codes" in run(
        [str(installed), "-m", f"{package}.rpc_server", "--help"], cwd=tmp_path
    )
    options = ["--url", url, "--queue", queue]
    server = [str(installed), "-P", "-m", f"{package}.rpc_server", *options]
    with Program(server, ready=READY, env={"PYTHONPATH": ""}, cwd=tmp_path):
        answer = run([str(installed), "-m", f"{package}.rpc_client", *options, "30"], cwd=tmp_path)
    assert answer.endswith("Got 832040\n")


def test_what_is_installed_is_allowed() -> None:
    """constraints.txt, which .venv is made from, keeps to pyproject.toml's lower and upper bounds."""
    packaging = pytest.importorskip("packaging.requirements")
    pinned = dict(
        line.split("==")
        for name in ("constraints.txt", "constraints-pictures.txt")
        for line in (PROJECT_ROOT / name).read_text().splitlines()
    )
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [*PYPROJECT["project"]["dependencies"], *extras["dev"], *extras["pictures"]]
    for requirement in map(packaging.Requirement, wanted):
        assert requirement.specifier.contains(pinned[requirement.name]), requirement
