"""The planner that the settings of a run ask for."""

import os
from pathlib import Path

from planner.answers import AnswerStore
from planner.asking import AskingPlanner
from planner.llm import SERVERS, ChatClient
from planner.patience import Patience
from planner.plans import AnonymousColors, Planner, RecordedPlanner
from planner.scene import SceneReader
from planner.together import Asker
from utils.config import KEY_VARIABLE, LLM, Config, Task
from utils.errors import UserError
from utils.log import say, waiting


def make_planner(config: Config, answers: Path, asks: bool = True) -> Planner:
    """The planner that the settings ask for; an LLM's replies are kept in `answers` if they name
    no other place. One that does not ask has just those that are there."""
    recorded = make_recorded_planner(config.task)
    if not config.llm:
        return recorded
    return make_asking_planner(config, config.llm, Path(config.answers or answers), asks)


def nouns_of(task: Task) -> tuple[str, ...]:
    """The things that a planner may name."""
    reader = SceneReader(task.names)
    return reader.nouns(AnonymousColors.ALIASES) if task.anonymous_colors else reader.nouns()


def make_recorded_planner(task: Task) -> RecordedPlanner:
    return RecordedPlanner(task.plans, nouns_of(task))


def check_instructions(task: Task) -> None:
    """UserError if a task does not say what an LLM is to be told."""
    if not task.instructions:
        raise UserError(
            f"the task {task.name} has no instructions for an LLM in its file; "
            "give it a goal (and an example), or instructions"
        )


def make_asking_planner(
    config: Config, llm: LLM, answers: Path, asks: bool = True
) -> AskingPlanner:
    check_instructions(config.task)
    server = SERVERS[llm]
    key = os.environ.get(KEY_VARIABLE)
    if key and not (key.isascii() and key.isprintable()):
        raise UserError(f"{KEY_VARIABLE} in the environment holds characters that no key has")
    client = ChatClient(
        config.llm_url or server.url,
        config.llm_model or server.model,
        config.llm_temperature,
        key,
        server.max_tokens,
        config.llm_workers,
    )
    return AskingPlanner(
        asker=Asker(client, Patience(config.llm_workers, strict=config.llm_strict)),
        store=AnswerStore(answers, say if asks else lambda _: None),
        task=config.task.name,
        instructions=config.task.instructions,
        nouns=nouns_of(config.task),
        n=config.n_ask,
        retries=config.llm_retries,
        strict=config.llm_strict,
        optional=config.llm_optional,
        tell=say,
        progress=waiting,
        asks=asks,
    )
