"""Who may import whom: an observation passes through the folders from left to right."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "env": {"env", "utils"},
    "planner": {"planner", "utils", "env.symbols"},
    "teacher": {"teacher", "planner.plans", "planner.scene", "utils", "env.symbols"},
    "algos": {"algos", "utils"},
    "commands": {"commands", "algos", "teacher", "planner", "env", "utils"},
    "utils": {"utils"},
}


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports, by full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            allowed = MAY_IMPORT[folder]
            assert name in allowed or name.split(".")[0] in allowed, f"{path} imports {name}"
