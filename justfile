set windows-shell := ["sh", "-cu"]

compile := "uv pip compile pyproject.toml --group build --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command 'just constraints' --quiet"

# The verbs of this repository.
default:
    @just --list

# What every commit has to pass.
check:
    ruff check
    ruff format --check
    mypy service storage checks tests data/build_sample.py

# All tests, or the ones named.
test *args:
    python -m pytest -n 2 {{args}}

# Run the daemon beside a writer for half an hour, and see that nothing is lost and nothing grows.
soak *args:
    python -m tests.soak {{args}}

# Measure against the baselines and write docs/benchmarks.md.
bench *args:
    python -m tests.bench --write {{args}}

# Build the sdist, and the wheel from it, into dist/.
wheel:
    python -m build

# Resolve the hashed constraints (--upgrade: to the newest versions); they hold no addresses.
constraints *args:
    {{compile}} {{args}} --output-file config/constraints.txt
    {{compile}} {{args}} --extra test --output-file config/constraints-test.txt
    {{compile}} {{args}} --extra dev --output-file config/constraints-dev.txt
