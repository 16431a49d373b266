"""Who may import whom: an observation passes through the folders from left to right."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLES = {"env.symbols", "env.packed_maps", "env.nav_pick.robot_state"}
"""What observations mean, and how maps are packed."""
MAY_IMPORT = {
    "main.py": {"commands", "utils"},
    "commands": {"commands", "algos", "teacher", "planner", "env", "utils"},
    "env": {"env", "utils"},
    "planner": {"planner", *TABLES, "env.missions", "env.ids", "utils"},
    "teacher": {
        *("teacher", "planner.plans", "planner.scene", "planner.room_scene"),
        *("planner.world_scene", "planner.world_words", *TABLES, "env.missions", "utils"),
    },
    "algos": {"algos", "utils"},
    "utils": {"utils"},
}
MOST_LINES = 300
LONG = "A long file: "
"""Begins the reason, in its docstring, of a file with more lines."""
PARTS_ARE_MADE = "commands/build.py"
FORWARDS = {"utils/chatglm_api.py"}
"""Commands that users know by an old name, which only start the new one."""


def files(place: str) -> list[Path]:
    path = ROOT / place
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found
    return found


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports, by full name."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert all(alias.name != "*" for alias in node.names), f"{path} imports *"
            module = str(node.module)
            if (ROOT / module.replace(".", "/")).is_dir():
                found |= {f"{module}.{alias.name}" for alias in node.names}
            else:
                found.add(module)
    return {name for name in found if name.split(".")[0] in {*MAY_IMPORT, "main"}}


def classes(place: str) -> Iterator[str]:
    for path in files(place):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                yield node.name


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_a_folder_imports_only_what_it_may(place: str) -> None:
    for path in files(place):
        if str(path.relative_to(ROOT)) in FORWARDS:
            continue
        for name in imports(path):
            allowed = MAY_IMPORT[place]
            assert name in allowed or name.split(".")[0] in allowed, f"{path} imports {name}"


def test_a_file_can_be_read_at_one_sitting() -> None:
    for place in (*MAY_IMPORT, "tests"):
        for path in files(place):
            reason = LONG in (ast.get_docstring(tree(path)) or "")
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= MOST_LINES or reason, f"{path} has {lines} lines"


def test_nobody_asks_of_what_class_an_environment_or_a_student_is() -> None:
    concrete = {*classes("env"), *classes("algos/student.py"), *classes("algos/encoders.py")}
    for place in MAY_IMPORT:
        for path in files(place):
            for node in ast.walk(tree(path)):
                asks = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
                if asks and str(path.relative_to(ROOT)) != PARTS_ARE_MADE:
                    named = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                    assert not named & concrete, f"{path}, line {node.lineno}"
