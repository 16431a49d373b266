"""The planner that the settings of a run ask for."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from commands.settings.config import Config
from planner.answers import AnswerStore
from planner.asking import AskingPlanner
from planner.backoff import Patience
from planner.llm import ChatClient
from planner.plans import Planner, RecordedPlanner
from planner.request_pool import Asker
from planner.servers import KEY_VARIABLE, LLM, SERVERS
from planner.task import Task
from utils.errors import UserError
from utils.terminal import say, waiting


def make_planner(
    config: Config,
    nouns: Sequence[str],
    answers: Path,
    owned: ExitStack,
    asks: bool = True,
) -> Planner:
    """The planner that the settings ask for, of things that are called by these nouns; an LLM's
    replies are kept in `answers` if they name no other place; the file, and connections, are
    closed with `owned`. One that does not ask has just those that are there."""
    recorded = RecordedPlanner(config.task.plans, nouns)
    if not config.llm:
        if doubts := recorded.doubts:
            more = f" (and {len(doubts) - 1} more like it)" if len(doubts) > 1 else ""
            say(f"warning: plans of {config.task.name}: {doubts[0]}{more}")
        return recorded
    store = AnswerStore(Path(config.answers or answers), say if asks else lambda _: None)
    owned.callback(store.close)
    planner = make_asking_planner(config, config.llm, nouns, store, asks)
    owned.callback(planner.asker.client.close)
    return planner


def check_instructions(task: Task) -> None:
    """UserError if a task does not say what an LLM is to be told."""
    if not task.instructions:
        raise UserError(
            f"the task {task.name} has no instructions for an LLM in its file; "
            "give it a goal (and an example), or instructions"
        )


def make_asking_planner(
    config: Config, llm: LLM, nouns: Sequence[str], store: AnswerStore, asks: bool = True
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
        store=store,
        task=config.task.name,
        instructions=config.task.instructions,
        nouns=nouns,
        n=config.n_ask,
        retries=config.llm_retries,
        strict=config.llm_strict,
        optional=config.llm_optional,
        tell=say,
        progress=waiting,
        asks=asks,
    )
