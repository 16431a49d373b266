"""The choices of `--llm`: servers, a model in this process, and the control without an LLM."""

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


# Without a limit FastChat lets a reply run to the end of the context, and drops the prompt's first
# token.
SERVERS: dict[LLM, Server] = {
    "vicuna": Server("http://localhost:3300/v1/chat/completions", "vicuna-33b", 512),
    "chatglm": Server("http://localhost:3301/v1/chat/completions", "glm-4.5-flash"),
    "openai": Server("https://api.openai.com/v1/chat/completions", "gpt-4o-mini"),
}
