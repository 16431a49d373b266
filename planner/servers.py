"""LLM servers that are known by name."""

from typing import Literal, NamedTuple

LLM = Literal["vicuna", "chatglm", "openai"]
KEY_VARIABLE = "LLM_API_KEY"
"""Of the environment: the one place for a key."""


class Server(NamedTuple):
    """Where completions are to be had, of which model, and of how many tokens at most."""

    url: str
    model: str
    max_tokens: int | None = None


# FastChat, if it is not told the most tokens, lets a reply ramble to the end of the context, and
# drops the prompt's first token.
SERVERS: dict[LLM, Server] = {
    "vicuna": Server("http://localhost:3300/v1/chat/completions", "vicuna-33b", 512),
    "chatglm": Server("http://localhost:3301/v1/chat/completions", "glm-4.5-flash"),
    "openai": Server("https://api.openai.com/v1/chat/completions", "gpt-4o-mini"),
}
