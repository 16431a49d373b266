"""The paper's server for real: FastChat serves a Vicuna that was made and taught on the spot.

`make test-fastchat` sets up FastChat's own virtual environment and runs this.
"""

import json
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from scipy.stats import binom

import main
from algos.saved_files import CONFIG
from commands import runs
from commands.build import Parts
from planner.llm import ChatClient, Prompt
from planner.plan_parser import parse_reply
from planner.plans import Plan, describe, only_clear
from planner.room_scene import in_words
from planner.task import load_task
from tests.running import SMALL, runs_of

pytestmark = pytest.mark.fastchat

TASK = load_task("SimpleDoorKey")
MODEL = "vicuna-tiny"
N_ASK = 20
# Each scene has two plans; the first is to come with this share.
SHARE = 0.75
PLANS = {
    in_words((), None): ("explore", "go to <key>, pick up <key>"),
    in_words(("door",), None): ("explore", "go to <door>, open <door>"),
    in_words(("key",), None): ("go to <key>, pick up <key>", "explore"),
    in_words((), "key"): ("explore", "go to <door>, open <door>"),
    in_words(("door",), "key"): ("go to <door>, open <door>", "explore, go to <door>"),
    in_words(("key", "door"), None): (
        "go to <key>, pick up <key>, go to <door>, open <door>",
        "go to <key>, pick up <key>, open <door>",
    ),
}
# What the tiny model may be off by, see CLOSE in tiny_vicuna.py, and how seldom chance may fail us.
OFF, SELDOM = 0.05, 1e-6


def lessons() -> list[dict[str, Any]]:
    return [
        {
            "system": TASK.instructions,
            "user": scene,
            "replies": {
                f"This is the plan that I am surer of.\nAction: {{{likely}}}": SHARE,
                f"There is another way.\nAction: {{{other}}}": 1 - SHARE,
            },
        }
        for scene, (likely, other) in PLANS.items()
    ]


def fastchat_python() -> str:
    python = os.environ.get("FASTCHAT_PYTHON", "")
    if not Path(python).is_file():
        pytest.fail(
            f"FASTCHAT_PYTHON={python!r} is not the Python of an environment with "
            "requirements-fastchat.txt; make test-fastchat sets one up"
        )
    return python


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@dataclass
class Server:
    """One of FastChat's processes."""

    process: subprocess.Popen[bytes]
    says: Path

    def wait_for(self, method: str, url: str) -> requests.Response:
        """The first good answer, once the process has started."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                response = requests.request(method, url, timeout=10)
                if response.ok:
                    return response
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise AssertionError(f"no answer from {url}; it says {self.says.read_text()[-3000:]}")


@contextmanager
def running(module: str, folder: Path, *flags: str) -> Iterator[Server]:
    """One of FastChat's servers on loopback; what it says goes to a file in the folder."""
    command = [fastchat_python(), "-m", f"fastchat.serve.{module}", "--host", "127.0.0.1", *flags]
    # The model is on disk: nothing is to be looked up elsewhere. One thread a reply, as the
    # worker makes five at a time.
    settings = {"LOGDIR": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    says = folder / f"{module}.out"
    with says.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | settings, stdout=out, stderr=out
        )
        try:
            yield Server(process, says)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Chat completions of a FastChat that serves the tiny model, which is trained first."""
    folder = tmp_path_factory.mktemp("fastchat")
    (folder / "lessons.json").write_text(json.dumps(lessons()), encoding="utf-8")
    script = Path(__file__).with_name("tiny_vicuna.py")
    make = [fastchat_python(), str(script), str(folder / "lessons.json"), str(folder / MODEL)]
    made = subprocess.run(make, capture_output=True, text=True, timeout=400)
    assert made.returncode == 0, made.stdout + made.stderr

    ports = free_ports(3)
    controller, worker, api = (f"http://127.0.0.1:{port}" for port in ports)
    listen = [("--port", str(port)) for port in ports]
    where = ("--controller-address", controller)
    serve = ("--model-path", str(folder / MODEL), "--device", "cpu", "--worker-address", worker)
    with pytest.MonkeyPatch.context() as patch:
        # Loopback is not to be looked for behind a proxy, by us or by the servers.
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        # In this order: a worker that finds no controller ends, and the list of models drops the
        # workers that do not answer yet.
        with running("controller", folder, *listen[0]) as first:
            first.wait_for("GET", f"{controller}/test_connection")
            with running("model_worker", folder, *listen[1], *where, *serve) as second:
                second.wait_for("POST", f"{worker}/worker_get_status")
                with running("openai_api_server", folder, *listen[2], *where) as third:
                    models = third.wait_for("GET", f"{api}/v1/models").json()
                    assert [model["id"] for model in models["data"]] == [MODEL]
                    yield f"{api}/v1/chat/completions"


def test_one_request_gives_several_choices(url: str) -> None:
    scene = in_words(("key",), None)
    client = ChatClient(url, MODEL, temperature=1.0)
    replies = client.request(Prompt(TASK.instructions, scene), 4, 120)
    assert len(replies) == 4
    assert client.usage.requests == 1
    assert client.usage.tokens > 4 * len(TASK.instructions.split())


def test_at_temperature_0_all_replies_are_the_likeliest(url: str) -> None:
    client = ChatClient(url, MODEL, temperature=0.0)
    for lesson in lessons():
        likely, _ = lesson["replies"]
        assert client.request(Prompt(lesson["system"], lesson["user"]), 2, 120) == [likely] * 2


def test_a_student_is_taught_by_what_fastchat_answers(url: str, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    flags = [
        *("train", *SMALL, "--task", "SimpleDoorKey", "--logdir", str(tmp_path), "--n_itr", "4"),
        *("--llm", "vicuna", "--llm_model", MODEL, "--n_ask", str(N_ASK), "--llm_strict"),
        *("--answers", str(answers)),
    ]
    assert main.main([*flags, "--llm_url", url, "--savedir", "first"]) == 0

    stored = answers.read_text(encoding="utf-8")
    replies: dict[str, list[str]] = {}
    for entry in map(json.loads, stored.splitlines()):
        assert (entry["model"], entry["temperature"]) == (MODEL, 1.0)
        replies.setdefault(entry["scene"], []).append(entry["reply"])
    asked = [scene for scene in PLANS if scene in replies]
    assert len(asked) == len(replies)
    assert len(asked) >= 3
    learned = {reply for lesson in lessons() for reply in lesson["replies"]}
    given = [reply for texts in replies.values() for reply in texts]
    assert sum(reply in learned for reply in given) > 0.9 * len(given)

    config = runs.read_config(runs_of(tmp_path) / "first" / CONFIG)
    planner = Parts(config, ExitStack()).planner(answers)
    likely = {}
    for scene, answer in zip(asked, planner.answers(asked), strict=True):
        plans = plans_of(replies[scene], planner.nouns)
        counted = {plan: count / N_ASK for plan, count in Counter(plans).items()}
        assert {plan: p for p, plan in answer or ()} == counted
        likely[scene] = sum(describe(plan) == PLANS[scene][0] for plan in plans)
        assert_likely(likely[scene], N_ASK)
    assert_likely(sum(likely.values()), N_ASK * len(asked))
    assert planner.counts()["Requests"] == 0

    # A second run with the same answers does not need the server.
    (closed,) = free_ports(1)
    nowhere = f"http://127.0.0.1:{closed}/v1/chat/completions"
    assert main.main([*flags, "--llm_url", nowhere, "--savedir", "second"]) == 0
    assert answers.read_text(encoding="utf-8") == stored


def plans_of(replies: list[str], nouns: Sequence[str]) -> list[Plan]:
    """The plans that count: those of the first replies that have one."""
    plans = (parse_reply(reply, nouns) for reply in replies)
    return [only_clear(plan, nouns) for plan in plans if plan is not None][:N_ASK]


def assert_likely(count: int, n: int) -> None:
    """The first plan's count among n is one that its share makes likely."""
    low, high = binom.ppf(SELDOM, n, SHARE - OFF), binom.isf(SELDOM, n, SHARE + OFF)
    assert low <= count <= high, f"{count} of {n}, not {low:.0f} to {high:.0f}"
