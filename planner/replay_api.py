"""A server that answers with recorded plans, or with rules, in OpenAI's style: it needs no model.

python3 -m planner.replay_api [--port PORT] [--task SimpleDoorKey | --plans FILE]
"""

import random
import re
import sys
import threading
from pathlib import Path

from planner.chat_server import ChatRequest, Replies, add_address_flags, chat_app, serve
from planner.plans import plan_shares
from planner.recorded_plans import Plans, load_plans
from planner.rules import RulesPlanner
from planner.task import load_task
from utils.command_line import Parser, run

PORT = 3300
"""The port of `--llm vicuna`."""
SCENE = re.compile(
    r"(?:Mission: [^.]{0,200}\. )?Agent (?:sees|is) [^.]{0,1000}, holds <[^<>.]{0,100}>\."
)
"""A scene of any domain. The bounds keep the search linear in the length of the text."""
SENTENCES = (
    "{scene} So the next thing to do is plain.\nAction: {{{plan}}}",
    "Step by step: {scene} From there this should work.\n\nAction: {{{plan}}}",
    "Let me think. {scene} I would do this now.\n**Actions:** {{{plan}}}",
)
UNKNOWN = "I do not know what to do in this scene."


class Replayer:
    """Draws plans with their recorded probabilities, or answers by rules if there are none. The
    k-th reply about a scene depends on the seed alone, not on the client or the time."""

    def __init__(self, plans: Plans | None, seed: int) -> None:
        self.plans = plans
        self.seed = seed
        self._draws: dict[str, random.Random] = {}
        self._lock = threading.Lock()

    def answer(self, request: ChatRequest) -> Replies:
        """Replies about the last scene in the last message."""
        scene = (SCENE.findall(request.messages[-1].content) or [""])[-1]
        with self._lock:
            texts = [self._reply(scene) for _ in range(request.n)]
        return Replies(texts, sum(len(text.split()) for text in texts))

    def _reply(self, scene: str) -> str:
        answer = self._answer(scene)
        if not answer:
            return UNKNOWN
        draws = self._draws.setdefault(scene, random.Random(f"{self.seed} {scene}"))
        (plan,) = draws.choices(list(answer), list(answer.values()))
        return draws.choice(SENTENCES).format(scene=scene, plan=plan)

    def _answer(self, scene: str) -> dict[str, float] | None:
        """The plans for a scene with their probabilities; None if it is unknown."""
        if self.plans is not None:
            return self.plans.get(scene)
        try:
            (answer,) = RulesPlanner().answers([scene])
        except ValueError:
            return None
        return plan_shares(answer)


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
