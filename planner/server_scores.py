"""Scores of plans from a chat-completions server that tells probabilities of tokens.

Three ways, the best first:

- Log-probabilities of the prompt, as vLLM gives them: the plan is the end of the prompt.
- A grammar that allows a single reply, and the log-probabilities of its tokens, as llama.cpp gives
  them: they are those from before the grammar has cut others out.
- The plans as a list with letters, and the log-probabilities of the first token of the reply. The
  list is rotated until each plan has had each letter, because models prefer some letters.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from string import ascii_uppercase
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from planner.llm import ChatClient, Prompt
from planner.llm_errors import LLMError, RefusedError
from planner.replies import read_reply
from planner.wordings import answer_with
from utils.errors import UserError

SECONDS = 300.0
"""How long an answer may take: a server may still be loading its model."""
MOST_TOP = 20
"""Tokens of which a server tells the probability, at most."""
LEAST = 1e-6
"""The probability of a letter that is not among them."""
CHOOSE = "\n\nWhich of these plans is the best one now?\n{plans}\nAnswer with its letter alone."


class LikelyToken(BaseModel):
    """A token with its log-probability."""

    token: str
    logprob: float


class Token(LikelyToken):
    """A token of a reply, and the likeliest tokens in its place."""

    top_logprobs: list[LikelyToken] | None = None


class PromptToken(BaseModel):
    """A token of a prompt with its log-probability."""

    decoded_token: str
    logprob: float


TOKENS, PROMPT_TOKEN = TypeAdapter(list[Token]), TypeAdapter(dict[str, PromptToken])
Way = Callable[["ServerScorer", Prompt, Sequence[str]], list[float] | None]


class ServerScorer:
    """Scores plans on the server of a client. The first way that works is kept.

    UserError if the server tells no probabilities.
    """

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        self.model = client.model
        self.usage = client.usage
        self._way: Way | None = None

    def scores(self, prompt: Prompt, plans: Sequence[str]) -> list[float]:
        """The log-likelihood of each plan as the whole reply to a prompt, or the logarithm of the
        probability of its letter."""
        if self._way:
            scores = self._way(self, prompt, plans)
            if scores is None:
                raise LLMError(f"{self.client.url} tells no log-probabilities any more", 200)
            return scores
        why = ""
        for way in WAYS:
            try:
                scores = way(self, prompt, plans)
            # The server refuses what it does not know, but also a prompt that is too long.
            except RefusedError as error:
                why = f" ({error})"
                continue
            if scores is not None:
                self._way = way
                return scores
        raise UserError(
            f"--llm_mode score: {self.client.url} tells no log-probabilities of {self.model}{why}; "
            "take a server that does, such as vLLM or llama.cpp, or --llm_mode sample"
        )

    def ends_of_prompts(self, prompt: Prompt, plans: Sequence[str]) -> list[float] | None:
        """Scores by log-probabilities of the prompt; None if the server has none."""
        scores = []
        for plan in plans:
            reply = answer_with(plan)
            answer = self._ask(
                messages=[*prompt.messages, {"role": "assistant", "content": reply}],
                add_generation_prompt=False,
                continue_final_message=True,
                prompt_logprobs=0,
                max_tokens=1,
            )
            score = _end(answer.get("prompt_logprobs"), reply)
            if score is None:
                return None
            scores.append(score)
        return scores

    def single_replies(self, prompt: Prompt, plans: Sequence[str]) -> list[float] | None:
        """Scores by grammars; None if the server does not keep to them."""
        scores = []
        for plan in plans:
            reply = answer_with(plan)
            answer = self._ask(
                messages=prompt.messages,
                # A token is at least one character.
                max_tokens=len(reply),
                logprobs=True,
                # llama-cpp-python gives none without it.
                top_logprobs=1,
                temperature=0,
                grammar=f"root ::= {json.dumps(reply)}",
            )
            # llama-server adds the end of the reply as an empty token; other ways leave it out.
            tokens = [token for token in _tokens(answer) if token.token]
            if "".join(token.token for token in tokens) != reply:
                return None
            scores.append(sum(token.logprob for token in tokens))
        return scores

    def letters(self, prompt: Prompt, plans: Sequence[str]) -> list[float] | None:
        """Scores by letters; None if the server tells no log-probabilities of letters."""
        letters = ascii_uppercase[: len(plans)]
        shares = [0.0] * len(plans)
        for turn in range(len(plans)):
            turned = [*plans[turn:], *plans[:turn]]
            listed = "\n".join(
                f"{letter}. {plan}" for letter, plan in zip(letters, turned, strict=True)
            )
            question = prompt.user + CHOOSE.format(plans=listed)
            answer = self._ask(
                messages=Prompt(prompt.system, question).messages,
                max_tokens=1,
                logprobs=True,
                top_logprobs=MOST_TOP,
                temperature=0,
            )
            tokens = _tokens(answer)
            if not tokens or not tokens[0].top_logprobs:
                return None
            if not (found := _letters(tokens[0].top_logprobs, letters)):
                return None
            for place, letter in enumerate(letters):
                share = found.get(letter, LEAST) / sum(found.get(each, LEAST) for each in letters)
                shares[(place + turn) % len(plans)] += share / len(plans)
        return [log(share) for share in shares]

    def _ask(self, **body: Any) -> Mapping[str, Any]:
        """The server's answer; empty if it cannot be read."""
        content = self.client.post({"model": self.model, **body}, SECONDS)
        self.usage.add(tokens=read_reply(content)[1])
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            return {}
        return answer if isinstance(answer, dict) else {}


WAYS: tuple[Way, ...] = (
    ServerScorer.ends_of_prompts,
    ServerScorer.single_replies,
    ServerScorer.letters,
)


def _tokens(answer: Mapping[str, Any]) -> list[Token]:
    """The tokens of the first reply; empty if the server tells nothing about them."""
    try:
        return TOKENS.validate_python(answer["choices"][0]["logprobs"]["content"])
    except (KeyError, IndexError, TypeError, ValidationError):
        return []


def _end(prompt: Any, reply: str) -> float | None:
    """The log-likelihood of a reply at the end of a prompt, if these are the prompt's tokens: each
    a dict that holds one token by its number. Spaces do not count: vLLM decodes each token alone,
    and some tokenizers then drop its space."""
    score, left = 0.0, _without_spaces(reply)
    try:
        for entry in reversed(prompt):
            (token,) = PROMPT_TOKEN.validate_python(entry).values()
            score += token.logprob
            text = _without_spaces(token.decoded_token)
            if not left.endswith(text):
                return None
            left = left.removesuffix(text)
            if not left:
                return score
    except (TypeError, ValueError):
        pass
    return None


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _letters(top: Sequence[LikelyToken], letters: str) -> dict[str, float]:
    """Letter -> its probability, as far as a list of likely tokens tells it."""
    found = dict[str, float]()
    for each in top:
        letter = each.token.strip()
        if letter in set(letters):
            found[letter] = found.get(letter, 0.0) + exp(each.logprob)
    return found
