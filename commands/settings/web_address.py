"""The address of an LLM's server: config.json shows it, so it may hold no secret."""

import re
from urllib.parse import parse_qsl, urlsplit

from planner.servers import KEY_VARIABLE

SECRET = re.compile("key|token|secret|pass|auth|sig|credential", re.IGNORECASE)
"""In the name of a parameter that may be a key."""
NAMED = re.compile(r"(api[-_]?)?(key|token|secret|password)s?[/=][^/]", re.IGNORECASE)
"""A key in a path, after its name."""
LOOKS_RANDOM = re.compile(
    r"(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{20,}"
    r"|(?<!\w)sk-[\w-]{6,}"
)
"""A key in a path, without a name."""


def check_address(url: str) -> str:
    """The same address; ValueError if it is not one, or holds something like a key."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be like http://localhost:8000/v1/chat/completions")
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    in_path = NAMED.search(parts.path) or LOOKS_RANDOM.search(parts.path)
    if parts.username or parts.password or in_path or any(map(SECRET.search, names)):
        raise ValueError(
            "must hold no password and no key, because the run's config.json would show it; "
            f"set {KEY_VARIABLE} in the environment instead"
        )
    return url
