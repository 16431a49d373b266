"""requirements.txt is enough for every command; other files add servers, Slurm and tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {"zai-sdk": "zai"}
"""Package -> its module, where the two have different names."""
SCRIPT = """
import sys
for name in {names!r}:
    sys.modules[name] = None
import main
raise SystemExit(main.main({arguments!r}))
"""


def packages(name: str) -> set[str]:
    """The packages that a requirement file names itself."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0] for line in lines if "==" in line}


EXTRAS = sorted(packages("requirements-servers.txt") | packages("requirements-slurm.txt"))


def test_files_do_not_repeat_each_other() -> None:
    assert EXTRAS
    assert not packages("requirements.txt") & {*EXTRAS, *packages("requirements-dev.txt")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--n_itr", "1", "--traj_per_itr", "2", "--num_eval", "2", "--savedir", "run"],
        ["watch", "--eval_teacher", "--num_eval", "2"],
        ["reproduce", str(ROOT / "configs/smoke.yaml"), "--dry_run"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_run_without_packages_of_other_files(arguments: list[str], tmp_path: Path) -> None:
    names = [MODULES.get(name, name) for name in EXTRAS]
    where = ["--out", str(tmp_path / "out")] if "reproduce" in arguments else []
    where = where or ["--logdir", str(tmp_path), "--device", "cpu", "--threads", "1"]
    script = SCRIPT.format(names=names, arguments=[*arguments, *where])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
