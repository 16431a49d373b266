"""The commit that a run names."""

import subprocess
from pathlib import Path

from commands.provenance import CHANGED, git_commit


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    done = subprocess.run(
        ["git", "-C", str(folder), *own, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_commit_with_changes_says_so(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    git(tmp_path, "init")
    (tmp_path / "code.py").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "code")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == head
    (tmp_path / "notes.txt").write_text("beside the code")
    assert git_commit(tmp_path) == head
    (tmp_path / "code.py").write_text("1")
    assert git_commit(tmp_path) == head + CHANGED
