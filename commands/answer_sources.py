"""The source of a run's answers: recorded plans, written rules, all legal plans, or an LLM."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from commands.domains.domain import Domain
from commands.settings.config import Config
from commands.teacher_identity import RECORDED, source
from planner.answers import AnswerStore
from planner.asking import AskingPlanner
from planner.backoff import Backoff
from planner.llm import ChatClient
from planner.local_model import LocalModel
from planner.mixture import AUTO, MixedPlanner
from planner.plans import Planner
from planner.recorded_plans import RecordedPlanner
from planner.request_pool import RequestPool
from planner.rules import RulesPlanner
from planner.scoring import ScoringPlanner
from planner.server_scores import ServerScorer
from planner.servers import KEY_VARIABLE, LOCAL, SERVERS, UNIFORM
from planner.task import RULES, Task
from planner.uniform import UniformPlanner
from planner.wrong_plans import WrongPlanner
from utils.errors import UserError
from utils.terminal import say, waiting

SAMPLING = ("llm_top_p", "llm_max_tokens", "llm_seed")
"""Settings of how an LLM writes, beside the temperature."""


def make_planner(
    config: Config,
    domain: Domain,
    answers: Path,
    owned: ExitStack,
    asks: bool = True,
) -> Planner:
    """The planner that the settings ask for, about the scenes of a domain; wrong where they ask for
    that.

    An LLM's replies go to the file `answers`, unless the settings name another. The file and the
    connections are closed with `owned`. With `asks` off, the planner is a silent second one: it
    asks no LLM and repeats no warning. UserError if the task has no instructions for an LLM, or
    the LLM cannot be asked.
    """
    planner = right_planner(config, domain, answers, owned, asks)
    if config.wrong_plans:
        planner = WrongPlanner(planner, domain.legal_plans, config.wrong_plans, config.seed)
    share = config.uniform_share
    if not share or (config.llm == UNIFORM and not config.wrong_plans):
        return planner
    if share != AUTO:
        return MixedPlanner(planner, domain.legal_plans, share)
    # Without advice there is nothing to doubt.
    return MixedPlanner(planner, domain.legal_plans, learns=True) if config.kl_start else planner


def right_planner(
    config: Config, domain: Domain, answers: Path, owned: ExitStack, asks: bool
) -> Planner:
    """The planner of `make_planner` before anything is made wrong."""
    own = own_planner(config.task, domain.nouns, warns=asks and not config.llm)
    if not config.llm:
        return own
    if config.llm == UNIFORM:
        return UniformPlanner(domain.legal_plans)
    check_instructions(config.task)
    store = AnswerStore(Path(config.answers or answers), say if asks else lambda _: None)
    owned.callback(store.close)
    client = make_client(config, owned)
    # A model in this process writes one reply at a time, and its errors do not pass.
    is_local = config.llm == LOCAL
    backoff = Backoff(1 if is_local else config.llm_workers, strict=config.llm_strict or is_local)
    shared: dict[str, Any] = {
        "store": store,
        "backoff": backoff,
        "instructions": config.task.instructions,
        "strict": config.llm_strict,
        "optional": config.llm_optional,
        "tell": say,
        "progress": waiting,
        "asks": asks,
    }
    if config.llm_mode == "score":
        return ScoringPlanner(
            scorer=client if isinstance(client, LocalModel) else ServerScorer(client),
            legal_plans=domain.legal_plans,
            temperature=config.score_temperature,
            **shared,
        )
    return AskingPlanner(
        pool=RequestPool(client, backoff),
        nouns=domain.nouns,
        n=config.n_ask,
        retries=config.llm_retries,
        legal_plans=domain.legal_plans if config.llm_mode == "schema" else None,
        samples=", ".join(
            f"{name} {value}" for name in SAMPLING if (value := getattr(config, name)) is not None
        ),
        **shared,
    )


def make_client(config: Config, owned: ExitStack) -> LocalModel | ChatClient:
    """The LLM. UserError if the key in the environment cannot be one."""
    if config.llm == LOCAL:
        return LocalModel(
            config.llm_model or "",
            config.llm_temperature,
            config.llm_max_tokens,
            config.llm_top_p,
            config.llm_seed or 0,
        )
    assert config.llm
    server, key = SERVERS[config.llm], os.environ.get(KEY_VARIABLE)
    if key and not (key.isascii() and key.isprintable()):
        raise UserError(f"{KEY_VARIABLE} in the environment holds characters that no key has")
    client = ChatClient(
        config.llm_url or server.url,
        config.llm_model or server.model,
        config.llm_temperature,
        key,
        config.llm_max_tokens or server.max_tokens,
        config.llm_workers,
        top_p=config.llm_top_p,
        seed=config.llm_seed,
    )
    owned.callback(client.close)
    return client


def describe_source(config: Config) -> str:
    """Where a run's plans come from, in a few words, and what is unusual about its teacher."""
    return source(dict(config), RULES if config.task.plans is None else RECORDED)


def own_planner(task: Task, nouns: Sequence[str], warns: bool) -> Planner:
    """The planner that a task brings along: written rules, or recorded plans."""
    if task.plans is None:
        return RulesPlanner()
    recorded = RecordedPlanner(task.plans, nouns)
    if warns and (doubts := recorded.doubts):
        more = f" (and {len(doubts) - 1} more like it)" if len(doubts) > 1 else ""
        say(f"warning: plans of {task.name}: {doubts[0]}{more}")
    return recorded


def check_instructions(task: Task) -> None:
    """UserError if a task has no instructions for an LLM."""
    if not task.instructions:
        raise UserError(
            f"the task {task.name} has no instructions for an LLM in its file; "
            "give it a goal (and an example), or instructions"
        )
