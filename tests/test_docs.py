"""The documentation says what the program does: commands, options, codes and places exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from junmai_svc.service import exits
from junmai_svc.service.cli import cli
from junmai_svc.service.version import __version__
from junmai_svc.storage import errors

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Options of other programs that the pages show.
FOREIGN_OPTIONS = {
    "--quiet",
    "--disable-pip-version-check",
    "--require-hashes",
    "--no-deps",
    "--no-build-isolation",
    "--user",
    "--now",
    "--photos",
    "--write",
}
# The faces of the replaced tool, whose options are checked by their own tests.
REPLACED_TOOL = re.compile(r"python -m data_migration_tool[^`\n]*")


def shown_commands() -> list[tuple[str, list[str]]]:
    return [
        (page.name, shlex.split(match[1])[1:])
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        for match in re.finditer(r"(?:\$ |`|\$\(|bin/)(junmai-svc [^`)]+)", line)
    ]


def options_of(command: click.Command) -> set[str]:
    own = {name for parameter in command.params for name in parameter.opts}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(options_of(each) for each in below))


def all_commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    for name, below in command.commands.items():
        yield from leaves(below, (*path, name))


def every_command() -> list[tuple[str, click.Command]]:
    return [leaf for name, found in all_commands().items() for leaf in leaves(found, (name,))]


def test_every_command_takes_json_but_those_whose_output_is_for_programs() -> None:
    without = {name for name, command in every_command() if "--json" not in options_of(command)}
    assert without == {"completion", "config schema"}


def test_every_command_that_takes_a_store_takes_its_server_and_its_secret() -> None:
    wanted = {"endpoint-url", "key-file", "passphrase-file"}
    stores = {"--store": "", "--from": "from-", "--to": "to-", "--b-store": "b-"}
    seen = set()
    for name, command in every_command():
        options = options_of(command)
        for option, prefix in stores.items():
            takes_path = name in {"restore", "audit prove", "audit export"} and option == "--to"
            if option in options and not takes_path:
                seen.add(option)
                assert {f"--{prefix}{each}" for each in wanted} <= options, (name, option)
        arguments = {each.human_readable_name for each in command.params}
        assert not {"STORE", "[STORE]"} & arguments or "--endpoint-url" in options, name
    assert seen == set(stores)


@pytest.mark.parametrize(("page", "words"), shown_commands(), ids=lambda value: str(value)[:80])
def test_every_command_shown_in_the_documentation_parses(page: str, words: list[str]) -> None:
    del page
    if words == ["COMMAND", "--help"]:
        return
    context = cli.make_context("junmai-svc", list(words), resilient_parsing=False)
    name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None, name
    with command.make_context(name or "", list(rest), parent=context) as parsed:
        assert parsed.command is command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    text = REPLACED_TOOL.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    known = options_of(cli).union(*(options_of(command) for command in all_commands().values()))
    assert named - known - FOREIGN_OPTIONS - {"--help"} == set()


def test_the_readme_lists_every_exit_code_that_can_come() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = {
        int(code)
        for row in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
        for code in row.split(",")
    }
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type)
        and issubclass(value, errors.JunmaiError)
        and value is not errors.JunmaiError
    ]
    codes = {exits.exit_code(kind("message")) for kind in classes}
    interrupted = {exits.exit_code(errors.InterruptedRunError(number)) for number in (2, 15, 21)}
    assert listed == codes | interrupted | {exits.DONE, exits.BUG, exits.FINDINGS}


def test_every_command_teaches_with_an_explanation() -> None:
    for name, command in all_commands().items():
        assert command.help, name
        context = click.Context(command, info_name=name)
        assert len(command.get_help(context).splitlines()) > 5, name


def test_the_source_map_names_folders_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `([a-z/]+)/` \|", text, re.MULTILINE)
    assert len(rooms) >= 8
    assert [room for room in rooms if not (ROOT / room).is_dir()] == []


def test_the_readme_starts_with_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert "junmai-svc migrate --source data/junmai.db --target data/junmai_new.db" in first
    assert "pytest" in second
    assert "-e ." not in second


def test_the_pages_link_only_to_pages_that_exist() -> None:
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_the_changelog_has_an_unreleased_head() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert __version__ not in heads[1:2] or len(heads) > 1
