"""What is written is what is there: the reference page against the code."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING
from pathlib import Path
from typing import get_args

import click
import pytest
from flask import Flask
from msgspec import structs

from blueprints.cli import chat
from csapp import create_app
from services.conversation.kinds import KINDS, Side
from services.settings import Settings
from services.wire import frames
from services.wire.codes import RECONNECT, CloseCode, ErrorCode
from testkit.server import ROOT, SECRET

REFERENCE = (ROOT / "docs" / "reference.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
EMBEDDING = (ROOT / "docs" / "embedding.md").read_text()
#: the English one first, then the same in other languages
READMES = [ROOT / "README.md", *sorted(ROOT.glob("README.*.md"))]
EXAMPLE = ROOT / "examples" / "flask_login_shop"


def rows(section: str, page: str = REFERENCE) -> list[list[str]]:
    """The table of a section: a list of cells for each row, without the head."""
    text = re.split(rf"^## {section}$", page, flags=re.MULTILINE)[1]
    text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def first_cells(section: str) -> list[str]:
    return [row[0].strip("`") for row in rows(section)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    url = f"sqlite:///{tmp_path_factory.mktemp('docs')}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


def test_every_setting_with_its_default():
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows("Settings")}
    keys = Settings.keys()
    assert list(documented) == list(keys), "the same keys in the same order"
    words = {"generated": MISSING, "none": (None, "", ()), "same origin": (), "on": True}
    for key, text in documented.items():
        default = keys[key].default
        if text in words:
            expected = words[text]
            assert default == expected or default in (expected or ((),)), key
        else:
            shown = ",".join(default) if isinstance(default, tuple) else str(default)
            assert shown.removesuffix(".0") == text, key


def test_every_frame_type_with_who_sends_it():
    senders: dict[str, set[str]] = {}
    for union, who in [
        (frames.FromUser, "user"),
        (frames.FromWaiter, "waiter"),
        (frames.ToUser, "server"),
        (frames.ToWaiter, "server"),
        (frames.FromUser2, "user"),
        (frames.FromWaiter2, "waiter"),
        (frames.ToUser2, "server"),
        (frames.ToWaiter2, "server"),
    ]:
        for member in get_args(union):
            senders.setdefault(member.__struct_config__.tag, set()).add(who)
    for kind in KINDS:
        for side in kind.writers:
            senders.setdefault(kind.request, set()).add(side.name.lower())
        receipt = kind.receipt if kind.writers else None
        for made in filter(None, (kind.pushed, kind.announcement, receipt)):
            senders.setdefault(made.__struct_config__.tag, set()).add("server")
    documented = {row[0].strip("`"): set(row[1].split(", ")) for row in rows("Frames")}
    assert documented == senders


def test_every_kind_of_entry():
    documented = {kind.strip("`"): rest for kind, *rest in rows("Entries", PROTOCOL)}
    sides = {Side.USER: "visitor", Side.WAITER: "waiter"}
    assert list(documented) == [kind.name for kind in KINDS]
    for kind in KINDS:
        writers, _, payload, plain = documented[kind.name]
        assert writers == (", ".join(sides[one] for one in sorted(kind.writers)) or "the server")
        fields = [field.name for field in structs.fields(kind.payload)]
        assert re.findall(r'"(\w+)"', payload) == fields, kind.name
        assert plain.startswith("nothing") == (kind.text_for_version_1("", "{}") is None), kind.name
    assert len({kind.number for kind in KINDS}) == len(KINDS), "a stored number is given once"


def test_every_error_code():
    assert first_cells("Error codes") == [code.value for code in ErrorCode]


def test_every_close_code_with_what_a_client_does():
    documented = [(int(row[0]), row[1].strip("`"), row[3]) for row in rows("Close codes")]
    expected = [
        (int(code), code.name, "comes back" if code in RECONNECT else "stops") for code in CloseCode
    ]
    assert documented == expected


def test_every_address(app: Flask):
    documented = {
        cell.removeprefix("GET ").removeprefix("POST ") for cell in first_cells("Addresses")
    }
    there = {
        rule.rule for rule in app.url_map.iter_rules() if not rule.endpoint.endswith(".static")
    }
    assert documented == there


def test_every_command_with_its_options():
    documented = {row[0].strip("`").split(" chat ")[1]: row[1] for row in rows("Commands")}
    there: dict[str, click.Command] = {}
    for name, command in chat.commands.items():
        if isinstance(command, click.Group):
            there.update({f"{name} {inner}": one for inner, one in command.commands.items()})
        else:
            there[name] = command
    assert {" ".join(w for w in name.split() if w.islower()) for name in documented} == set(there)
    for name, text in documented.items():
        command = there[" ".join(word for word in name.split() if word.islower())]
        options = {
            f"`{name}`"
            for p in command.params
            if isinstance(p, click.Option)
            for name in (p.opts[-1], *p.secondary_opts)
        }
        assert set(re.findall(r"`--[\w-]+`", text)) == options
        arguments = [p.human_readable_name for p in command.params if isinstance(p, click.Argument)]
        assert [word for word in name.split() if word.isupper()] == arguments
        assert command.help


def test_each_command_is_in_the_file_of_its_name():
    for name, command in chat.commands.items():
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        for one in parts:
            assert one.callback is not None
            there = inspect.unwrap(one.callback).__module__
            assert there == f"blueprints.cli.{name}", f"chat {name} is in {there}"


def test_every_metric_with_its_type_and_labels(app: Flask):
    text = app.test_client().get("/metrics").text
    there = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert {row[0].strip("`"): row[1] for row in rows("Metrics", OPERATIONS)} == there
    for name, _, labels, _ in rows("Metrics", OPERATIONS):
        samples = re.findall(rf"^{name.strip('`')}(?:_bucket)?(?:{{(.*)}})? ", text, re.MULTILINE)
        assert samples, name
        for sample in samples:
            used = set(re.findall(r'(\w+)="', sample)) - {"le"}
            assert used == set(re.findall(r"`(\w+)`", labels)), name


def test_operations_names_only_metrics_that_exist():
    table = {row[0].strip("`") for row in rows("Metrics", OPERATIONS)}
    named = set(re.findall(r"\b(?:csapp|process)_\w+", OPERATIONS))
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in named} <= table


def test_operations_names_every_health_address():
    assert set(first_cells("Addresses")) >= {
        row[0].strip("`") for row in rows("Health", OPERATIONS)
    }


def test_every_step_of_embedding_is_in_the_example():
    """Code blocks word for word; the tests run that example in a browser."""
    steps = EMBEDDING.split("## Step by step")[1].split("\n## ")[0]
    blocks = re.findall(r"^```(python|html)\n(.*?)^```", steps, re.MULTILINE | re.DOTALL)
    sources = {
        "python": (EXAMPLE / "app.py").read_text(),
        "html": (EXAMPLE / "templates" / "base.html").read_text(),
    }
    assert len(blocks) >= 6
    for language, block in blocks:
        assert f"\n{block}" in sources[language], block


def test_links_lead_somewhere():
    for page in [*READMES, *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_names_targets_that_exist(readme: Path):
    targets = set(re.findall(r"make (\w+)", readme.read_text()))
    makefile = (ROOT / "Makefile").read_text()
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def said_alike(readme: Path) -> dict[str, list[str]]:
    """What is no prose: the same in every language, and in the same order."""
    text = readme.read_text()
    blocks = re.findall(r"^```\w+\n.*?^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        "headings": re.findall(r"^#+(?= )", text, re.MULTILINE),
        "code": [re.sub(r" *# .*", "", block) for block in blocks],
        "links": [one for one in re.findall(r"\]\(([^)]+)\)", prose) if "README" not in one],
        "rows": re.findall(r"^\| (\S.*?) \|", prose, re.MULTILINE),
        "words": sorted(re.findall(r"`[^`\n]+`", prose)),
    }


@pytest.mark.parametrize("other", READMES[1:], ids=lambda path: path.name)
def test_the_readme_says_the_same_in_every_language(other: Path):
    here, there = said_alike(READMES[0]), said_alike(other)
    for what, found in here.items():
        assert there[what] == found, what
    for page in READMES:
        others = [f"({one.name})" for one in READMES if one != page]
        assert all(one in page.read_text().split("\n## ")[0] for one in others)


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w./-]+\.(?:py|lua|js|css|json|html))`", text)) - {
        "blueprints/cli/NAME.py"
    }
    folders = ("blueprints", "services", "testkit", "tests", "examples", "bench", "setup")
    there = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    there += ROOT.iterdir()
    files = {f"/{path.relative_to(ROOT).as_posix()}" for path in there}
    missing = {name for name in named if not any(file.endswith(f"/{name}") for file in files)}
    assert not missing


def named_files(row: str) -> list[Path]:
    """The files that a row of *Where do I add* names, those of a folder included."""
    folders = ("blueprints", "services", "testkit", "tests")
    there = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    names = re.findall(r"`([\w./-]+\.(?:py|lua|js|css)|[\w./-]+/)`", row)
    return [
        path
        for path in there
        if path.suffix in {".py", ".lua", ".js"}
        and any(
            f"/{name}" in f"{path.as_posix()}"
            if name.endswith("/")
            else path.as_posix().endswith(f"/{name}")
            for name in names
        )
    ]


def test_the_way_of_a_message_is_short_and_true():
    steps = rows("The way of a message", (ROOT / "docs" / "architecture.md").read_text())
    assert [number for number, *_ in steps] == [str(n) for n in range(1, len(steps) + 1)]
    assert len(steps) <= 15
    for _, function, file, _ in steps:
        owner, name = function.strip("`").split(".")
        code = (ROOT / "services" / file.strip("`")).read_text()
        of_owner = code.partition(f"class {owner}")[2].partition("\nclass ")[0]
        assert f"    def {name}(" in of_owner or f"{name} = " in of_owner, function


def test_where_something_is_added_there_is_what_the_architecture_names():
    """Each class, constant and function of a row is in the files of that row."""
    table = rows("Where do I add …", (ROOT / "docs" / "architecture.md").read_text())
    everything = "".join(
        path.read_text()
        for folder in ("blueprints", "services")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".py", ".lua", ".js"}
    )
    missing = []
    for what, where in table:
        here = "".join(path.read_text() for path in named_files(where))
        for name in re.findall(r"`(?:raise )?([A-Za-z_][\w.]*)(?:\([^`]*\)|=[^`]*)?`", where):
            *owner, last = name.split(".")
            if owner and last in {"py", "js", "lua", "css", "md"}:
                continue
            text = everything if owner or not here else here
            if not re.search(rf"\b{last}\b", text):
                missing.append((what, name))
            if owner and not re.search(rf"\bclass {owner[-1]}\b|\b{owner[-1]}\b", everything):
                missing.append((what, name))
    assert not missing


def test_every_trap_named_in_the_architecture_has_its_test():
    text = (ROOT / "docs" / "architecture.md").read_text().split("## Traps of the stack")[1]
    numbers = set(re.findall(r"^(\d+)\. ", text, re.MULTILINE))
    tests = (ROOT / "tests" / "test_traps.py").read_text()
    tested = set(re.findall(r"def test_(\d+)_", tests)) | set(re.findall(r"_and_(\d+)_", tests))
    assert numbers == tested
