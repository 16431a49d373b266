"""A server that answers with recorded plans, in OpenAI's style: it needs no model.

python3 -m planner.replay_api [--port PORT] [--task SimpleDoorKey | --plans FILE]
"""

import random
import re
import sys
import threading
from collections import defaultdict
from pathlib import Path

from planner.chat_server import ChatRequest, Replies, add_address_flags, chat_app, serve
from planner.recorded_plans import load_plans
from planner.task import load_task
from utils.command_line import Parser, run

PORT = 3300
"""The port of `--llm vicuna`."""
SCENE = re.compile(r"Agent (?:sees|is) [^.]{0,1000}, holds <[^<>.]{0,100}>\.")
"""A scene of any domain. The bounds keep the search linear in the length of the text."""
SENTENCES = (
    "{scene} So the next thing to do is plain.\nAction: {{{plan}}}",
    "Step by step: {scene} From there this should work.\n\nAction: {{{plan}}}",
    "Let me think. {scene} I would do this now.\n**Actions:** {{{plan}}}",
)
UNKNOWN = "I do not know what to do in this scene."


class Replayer:
    """Draws plans with their recorded probabilities. The k-th reply about a scene depends on the
    seed alone, not on the client or the time."""

    def __init__(self, plans: dict[str, dict[str, float]], seed: int) -> None:
        self.plans = plans
        self._draws = defaultdict[str, random.Random](random.Random)
        for scene in plans:
            self._draws[scene].seed(f"{seed} {scene}")
        self._lock = threading.Lock()

    def answer(self, request: ChatRequest) -> Replies:
        """Replies about the last scene in the last message."""
        scene = (SCENE.findall(request.messages[-1].content) or [""])[-1]
        with self._lock:
            texts = [self._reply(scene) for _ in range(request.n)]
        return Replies(texts, sum(len(text.split()) for text in texts))

    def _reply(self, scene: str) -> str:
        answer = self.plans.get(scene)
        if not answer:
            return UNKNOWN
        draws = self._draws[scene]
        (plan,) = draws.choices(list(answer), list(answer.values()))
        return draws.choice(SENTENCES).format(scene=scene, plan=plan)


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python3 -m planner.replay_api", description=__doc__)
    add_address_flags(parser, PORT)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--task", default="SimpleDoorKey", help="default SimpleDoorKey")
    source.add_argument("--plans", type=Path, help="a file of plans, as `main.py record` writes it")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws; default 0")
    args = parser.parse_args(arguments)

    def start() -> int:
        plans = load_plans(args.plans) if args.plans else load_task(args.task).plans
        replayer = Replayer(plans, args.seed)
        return serve(chat_app("recorded plans", replayer.answer), args.host, args.port)

    return run(start)


if __name__ == "__main__":
    sys.exit(main())
