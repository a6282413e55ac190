"""What a plain install gets: the wheel built through the sdist holds the program, all of it."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from email import message_from_bytes
from importlib.metadata import version
from pathlib import Path

import pytest

from junmai_svc.service.version import __version__

ROOT = Path(__file__).parents[1]
PACKAGES = ("service", "storage", "checks")
CONSTRAINTS = ("constraints.txt", "constraints-test.txt", "constraints-dev.txt")
LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv*", "dist", "build", "__pycache__", ".*_cache")


def hatchling(folder: Path, target: str) -> Path:
    """Build one target of the project in a folder, by its backend alone: no network is asked."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", "out"],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    (built,) = (folder / "out").iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout") / "repository"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=LEFT_BEHIND)
    return hatchling(copy, "sdist")


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"junmai_svc-{__version__}"


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> dict[str, bytes]:
    """The files of the wheel built from the sdist."""
    with zipfile.ZipFile(hatchling(unpacked, "wheel")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def program() -> dict[str, bytes]:
    """The repository's files of the three packages under the names by which they are installed."""
    sources = {
        f"junmai_svc/{path.relative_to(ROOT).as_posix()}": path.read_bytes()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    face = ROOT / ".src" / "data_migration_tool.py"
    return sources | {"data_migration_tool.py": face.read_bytes()}


def metadata(wheel: dict[str, bytes], name: str) -> bytes:
    return wheel[f"junmai_svc-{__version__}.dist-info/{name}"]


def test_the_wheel_holds_the_three_packages_byte_for_byte_and_nothing_else(
    wheel: dict[str, bytes],
) -> None:
    assert {n: wheel[n] for n in wheel if ".dist-info/" not in n} == program()


def test_the_comparison_has_modules_of_all_packages_to_look_for() -> None:
    names = set(program())
    assert {f"junmai_svc/{package}/py.typed" for package in PACKAGES} <= names
    assert {f"junmai_svc/{package}/__init__.py" for package in PACKAGES} <= names
    assert "junmai_svc/storage/databases/schema.py" in names


def test_the_wheel_installs_one_command(wheel: dict[str, bytes]) -> None:
    entry_points = ConfigParser()
    entry_points.read_string(metadata(wheel, "entry_points.txt").decode())
    assert {name: dict(entry_points[name]) for name in entry_points.sections()} == {
        "console_scripts": {"junmai-svc": "junmai_svc.service.cli:main"}
    }


def test_the_wheel_carries_the_licence_and_requires_what_the_project_declares(
    wheel: dict[str, bytes],
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = message_from_bytes(metadata(wheel, "METADATA")).get_all("Requires-Dist", [])
    runtime = [line for line in required if "extra ==" not in line]
    assert len(runtime) == len(project["dependencies"])
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_version_is_stated_once(wheel: dict[str, bytes]) -> None:
    assert message_from_bytes(metadata(wheel, "METADATA"))["Version"] == __version__
    assert version("junmai-svc") == __version__


def test_the_sdist_carries_the_tests_the_sample_and_the_constraints(unpacked: Path) -> None:
    for name in (
        "tests/test_packaging.py",
        "data/junmai.db",
        "data/build_sample.py",
        *(f"config/{constraints}" for constraints in CONSTRAINTS),
    ):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_are_pinned_and_hashed_and_name_no_host(name: str) -> None:
    lines = (ROOT / "config" / name).read_text(encoding="utf-8").splitlines()
    content = [line.strip().removesuffix(" \\") for line in lines if not line.startswith("#")]
    pins = [line for line in content if not line.startswith("--hash=sha256:")]
    assert pins
    assert all("==" in pin for pin in pins)
    assert not [line for line in lines if "://" in line or "-url" in line or "find-links" in line]
    # Each pin's line is followed by at least one hash.
    assert all(
        following.startswith("--hash=sha256:")
        for pin, following in zip(content, [*content[1:], ""], strict=True)
        if pin in pins
    )


def test_constraints_of_the_tests_pin_the_same_versions_as_those_of_the_program() -> None:
    pinned = [
        {line.split(" ")[0] for line in text.splitlines() if "==" in line and line[0] != " "}
        for text in ((ROOT / "config" / name).read_text(encoding="utf-8") for name in CONSTRAINTS)
    ]
    runtime, test, dev = pinned
    assert runtime < test < dev
