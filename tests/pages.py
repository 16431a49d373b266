"""Pages of `main.py watch`, made as users make them, and what stands on them."""

import json
import re
from pathlib import Path
from typing import Any

import main

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def watch(logdir: Path, *flags: str) -> int:
    return main.main(["watch", "--logdir", str(logdir), "--threads", "1", *flags])


def read_page(path: Path) -> dict[str, Any]:
    """What a browser finds there; each step of an episode whole, as the page's script makes it."""
    found = DATA.search(path.read_text(encoding="utf-8"))
    assert found
    content: dict[str, Any] = json.loads(found[1])
    for episode in content["episodes"]:
        moment: dict[str, Any] = {}
        episode["moments"] = [moment := moment | change for change in episode["steps"]]
    return content
