"""Zhipu's GLM models behind an OpenAI-style server, for `--llm chatglm`.

python3 -m planner.chatglm_server [--host HOST] [--port PORT]
"""

import os
import re
import sys
from functools import partial

from planner.chat_server import (
    PACKAGES,
    ChatError,
    ChatRequest,
    Replies,
    add_address_flags,
    chat_app,
    serve,
)
from utils.command_line import Parser, packages_of, run
from utils.errors import UserError

with packages_of(PACKAGES):
    from zai import ZaiClient, ZhipuAiClient
    from zai.core import APIStatusError, APITimeoutError, ZaiError
    from zai.core._errors import APIConnectionError
    from zai.types.chat.chat_completion import Completion

Service = ZhipuAiClient | ZaiClient
# Each key has its service: Zhipu's in China, or its international one, Z.ai.
SERVICES: dict[str, type[ZhipuAiClient] | type[ZaiClient]] = {
    "ZHIPUAI_API_KEY": ZhipuAiClient,
    "ZAI_API_KEY": ZaiClient,
}
KEY = re.compile(r"[^\s.]+\.[^\s.]+", re.ASCII)
PORT = 3301
SECONDS = 120
# HTTP's 424 (Failed Dependency): clients do not ask again.
BAD_KEY = 424


def connect() -> Service:
    """The service whose key is in the environment. UserError if no key is set, or it looks like
    none."""
    for variable, service in SERVICES.items():
        if key := os.environ.get(variable):
            if not KEY.fullmatch(key):
                raise UserError(
                    f"{variable} in the environment is not a key; a key looks like id.secret"
                )
            # Our client retries by itself.
            return service(api_key=key, timeout=SECONDS, max_retries=0)
    raise UserError(f"no key: set {' or '.join(SERVICES)} in the environment")


def ask(client: Service, request: ChatRequest) -> Replies:
    """One reply of the service. Raises ChatError without the service's own message, which may
    repeat the key."""
    if request.n > 1:
        raise ChatError(400, "the service gives one choice a request")
    try:
        completion = client.chat.completions.create(
            model=request.model,
            messages=[message.model_dump() for message in request.messages],
            temperature=request.temperature,
        )
    except APIStatusError as error:
        after = error.response.headers.get("Retry-After")
        headers = {"Retry-After": after} if after else None
        if error.status_code in (401, 403):
            # The client's own key is fine: this server's key is not.
            variable = next(name for name in SERVICES if os.environ.get(name))
            message = f"the service refuses the key in {variable}, {error.status_code}"
            raise ChatError(BAD_KEY, message) from error
        message = f"the service answers {error.status_code}"
        raise ChatError(error.status_code, message, headers) from error
    except APITimeoutError as error:
        raise ChatError(504, "the service does not answer in time") from error
    except APIConnectionError as error:
        raise ChatError(502, "the service cannot be reached") from error
    except (ZaiError, ValueError, RecursionError) as error:
        raise ChatError(502, "the service's answer cannot be understood") from error
    if not isinstance(completion, Completion):
        raise ChatError(502, "the service answers with a stream")
    # The SDK does not check replies against its types.
    try:
        text: object = completion.choices[0].message.content or ""
        tokens: object = completion.usage.total_tokens if completion.usage else 0
    except (AttributeError, TypeError, LookupError):
        text = tokens = None
    if not isinstance(text, str):
        raise ChatError(502, "the service's answer is not what it should be")
    return Replies([text], tokens if isinstance(tokens, int) else 0)


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python3 -m planner.chatglm_server", description=__doc__)
    add_address_flags(parser, PORT)
    args = parser.parse_args(arguments)

    def start() -> int:
        client = connect()
        return serve(chat_app("ChatGLM", partial(ask, client)), args.host, args.port)

    return run(start)


if __name__ == "__main__":
    sys.exit(main())
