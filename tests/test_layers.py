"""The house rule, kept by machine: who may import whom, and one door for each third party."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("service", "storage", "checks")
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
)

# What a module under the first path must not import from under the others.
WALLS = {
    "storage": ("service", "checks"),
    "checks": ("service", "storage.models"),
    "storage.snapshots": ("storage.journal", "storage.databases", "storage.models"),
    "storage.journal": ("storage.snapshots", "storage.databases", "storage.models"),
    "storage.databases": ("storage.snapshots", "storage.journal", "storage.models"),
    "storage.models": ("storage.snapshots", "storage.journal"),
}

TERMINAL = ("service/cli/*.py", "service/report/*.py")
DATABASES = ("storage/journal/*.py", "storage/databases/*.py", "storage/models/*.py", "checks/*.py")

# Where a third party may come in; every pattern is one of a module's path.
DOORS = {
    "click": TERMINAL,
    "rich": (*TERMINAL, "service/progress.py"),
    "peewee": DATABASES,
    # The index of blocks is a cache of the store's own, no user's database.
    "sqlite3": (*DATABASES, "storage/snapshots/blocks/index.py", "storage/interruption.py"),
    "playhouse": (),
    "boto3": ("storage/backends/s3.py",),
    "botocore": ("storage/backends/s3.py",),
    "apprise": ("service/notify/sending.py",),
    "apscheduler": ("service/daemon/scheduler.py",),
    "jinja2": ("service/status/page.py", "service/page/render.py"),
    "markupsafe": ("service/status/page.py",),
    "prometheus_client": ("service/status/metrics.py",),
    "backports.zstd": ("storage/snapshots/blocks/compression.py",),
    "compression.zstd": ("storage/snapshots/blocks/compression.py",),
    "nacl": ("storage/snapshots/blocks/cipher.py", "storage/journal/signing.py"),
}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def imports_of(source: str) -> Iterator[str]:
    """Every imported module, and every name imported from one, as a dotted path."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports would escape this test"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_under(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def breaches(module: str, source: str) -> list[str]:
    """What a module imports against the rule; `module` is its path from the repository's root."""
    own = module.removesuffix(".py").replace("/", ".")
    imported = sorted(set(imports_of(source)))
    walls = [wall for inside, outside in WALLS.items() if is_under(own, inside) for wall in outside]
    closed = [
        name
        for name, doors in DOORS.items()
        if not any(PurePosixPath(module).match(door) for door in doors)
    ]
    return [
        name
        for name in imported
        if any(is_under(name, f"junmai_svc.{wall}") for wall in walls)
        or any(is_under(name, third_party) for third_party in closed)
        or any(is_under(name, package) for package in PACKAGES)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    assert breaches(module, (ROOT / module).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("storage/files.py", "import junmai_svc.checks.finding"),
        ("storage/files.py", "from junmai_svc import service"),
        ("storage/snapshots/store.py", "from junmai_svc.storage.journal.entry import Entry"),
        ("storage/databases/pair.py", "from junmai_svc.storage import snapshots"),
        ("storage/models/junmai.py", "import junmai_svc.storage.journal.tables"),
        ("checks/counts.py", "from junmai_svc.storage.models.junmai import MODELS"),
        ("checks/counts.py", "def f() -> None:\n    from junmai_svc.service import plan"),
        ("service/migrate.py", "import sqlite3"),
        ("service/migrate.py", "import peewee as p"),
        ("service/migrate.py", "from rich.table import Table"),
        ("service/progress.py", "import click"),
        ("service/report/__init__.py", "from jinja2 import Template"),
        ("service/status/fold.py", "from prometheus_client import Gauge"),
        ("service/status/server.py", "import jinja2"),
        ("storage/snapshots/store.py", "import sqlite3"),
        ("storage/snapshots/blocks/packs.py", "import sqlite3"),
        ("storage/snapshots/blocks/keys.py", "from nacl import secret"),
        ("storage/snapshots/blocks/frames.py", "from backports import zstd"),
        ("storage/databases/schema.py", "from playhouse.migrate import migrate"),
        ("service/plan.py", "from storage.errors import PlanError"),
    ],
)
def test_the_rule_sees_a_breach(module: str, line: str) -> None:
    assert len(breaches(module, line)) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("service/cli/__init__.py", "import click, rich.console"),
        ("service/progress.py", "from rich.progress import Progress"),
        ("service/migrate.py", "from junmai_svc.storage.models.junmai import MODELS"),
        ("checks/counts.py", "import peewee\nfrom junmai_svc.storage.databases import pair"),
        ("storage/models/ddl.py", "from junmai_svc.storage.databases.schema import read_schema"),
        ("storage/journal/journal.py", "import sqlite3, peewee"),
        ("storage/snapshots/blocks/index.py", "import sqlite3"),
        ("storage/snapshots/blocks/compression.py", "from compression import zstd"),
    ],
)
def test_the_rule_lets_the_rest_through(module: str, line: str) -> None:
    assert breaches(module, line) == []


def test_no_module_is_long_and_most_are_short() -> None:
    lines = {
        module: len((ROOT / module).read_text(encoding="utf-8").splitlines())
        for module in MODULES
        if not module.endswith("__init__.py")
    }
    assert {module: count for module, count in lines.items() if count > 400} == {}
    assert statistics.median(lines.values()) <= 120


def test_every_module_is_named_after_what_it_is_for() -> None:
    assert [module for module in MODULES if EMPTY_NAMES & set(Path(module).stem.split("_"))] == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {Path(module).parent for module in MODULES}
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").is_file()] == []
