"""README and docs: they stay short, their commands parse, their links exist, their examples run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import pytest

from commands.experiments.table import read_table
from commands.settings import flags

ROOT = Path(__file__).parent.parent
PAGES = {
    page: page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
BLOCKS = [
    block for text in PAGES.values() for block in re.findall(r"```\w*\n(.*?)```", text, flags=re.S)
]
INLINE = [
    " ".join(code.split())
    for text in PAGES.values()
    for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
]
COMMANDS = [
    line.split("#")[0].strip()
    for line in (*(line for block in BLOCKS for line in block.splitlines()), *INLINE)
    if "python main.py" in line and not re.search("TABLE|COMMAND|…", line)
]


def files() -> dict[str, str]:
    """The blocks that begin with a file name in a comment."""
    named = (re.match(r"# (\w+\.(?:py|yaml))\n", block) for block in BLOCKS)
    return {name.group(1): name.string for name in named if name}


def test_the_readme_and_the_docs_are_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    pages = [text for page, text in PAGES.items() if page.name != "README.md"]
    assert len(pages) <= 12
    assert sum(len(text.split()) for text in pages) <= 10_000


def test_there_are_commands_and_an_example() -> None:
    assert len(COMMANDS) > 5
    assert files().keys() == {
        "ball_room.py",
        "ball_task.yaml",
        "careful_task.yaml",
        "my_observer.py",
        "my_table.yaml",
        "play.py",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_parses(command: str) -> None:
    flags.parse(shlex.split(command.split("main.py", 1)[1]))


def test_the_worked_examples_are_short_and_work(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    ball = [text for name, text in files().items() if name.startswith("ball")]
    lines = [line for text in ball for line in text.splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) <= 20
    small = ["--threads", "1", "--device", "cpu", "--logdir", str(tmp_path)]
    train = ["train", "--n_itr", "1", "--num_eval", "2", "--savedir", "run"]
    for task, *words in (
        ["ball_room:BallDoorKey-v0", "eval", "--eval_teacher", "--num_eval", "2"],
        ["ball_task.yaml", "eval", "--eval_teacher", "--num_eval", "50"],
        ["ball_task.yaml", *train, "--observer", "my_observer.py:LongestEpisode"],
        ["careful_task.yaml", "eval", "--eval_teacher", "--num_eval", "2"],
    ):
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), *words, "--task", task, *small],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    evaluation = (tmp_path / "ppo/balldoorkey/teacher/eval/eval.json").read_text()
    assert '"unanswered_steps": 0' in evaluation
    assert re.fullmatch(r"1 \d+\n", (tmp_path / "ppo/balldoorkey/run/longest.txt").read_text())


def test_the_worked_script_lets_a_student_play(tmp_path: Path) -> None:
    (tmp_path / "play.py").write_text(files()["play.py"], encoding="utf-8")
    train = ["train", "--n_itr", "0", "--quick", "--device", "cpu", "--threads", "1"]
    for command in ([str(ROOT / "main.py"), *train], ["play.py"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"reward \d\.\d\d\n", done.stdout)


def test_the_worked_table_is_valid(tmp_path: Path) -> None:
    table = tmp_path / "my_table.yaml"
    table.write_text(files()[table.name], encoding="utf-8")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    assert len(read_table(table, tmp_path, 1)) == 2 * (3 + 3 + 1)


def test_links_exist_and_pictures_are_not_blank() -> None:
    pictures = 0
    for page, text in PAGES.items():
        for mark, target in re.findall(r"(!?)\[[^]]*\]\(([^)#]+)[^)]*\)", text):
            if not target.startswith("http"):
                path = page.parent / target
                assert path.exists(), f"{page}: {target}"
                if mark:
                    pictures += 1
                    assert iio.imread(path, index=None).std() > 0
    assert pictures > 3
