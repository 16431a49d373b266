"""The page of `watch`: the data of its episodes, in an HTML template that draws them."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from algos.evaluation import Evaluation
from commands.answer_sources import describe_source
from commands.last_advice import doubt_in_words, doubt_of
from commands.observers.tags import K
from commands.run_files import METRICS, read_lines
from commands.subject import Subject, doubt_in_run
from commands.viewer.replay import Moment, Replay
from env.drawing import Drawing
from utils.errors import UserError
from utils.files import strict

PAGE = "watch.html"
TEMPLATE = Path(__file__).with_name(PAGE)
DATA = "{{data}}"
"""Where the data goes in the template."""
rounded = partial(strict, digits=4)
"""Makes plain values of anything, with numbers as the page shows them."""
COLUMNS = 16
MOST_PIXELS = 160
"""The longer side of a picture in a sheet; larger ones are scaled down."""
COLORS = 64


def page_content(
    subject: Subject,
    evaluation: Evaluation,
    replays: Sequence[Replay[Drawing]],
    actions: Sequence[str],
) -> dict[str, Any]:
    """The data of a page: a subject's evaluation, and some of its episodes step by step."""
    config, option = subject.config, subject.config.train_option
    teacher = describe_source(config)
    if subject.student:
        teacher += doubt_in_words(doubt_of(config, doubt_in_run(subject.folder)))
    return {
        "task": config.task.name + (f" ({option})" if option else ""),
        "run": str(subject.folder) if subject.student else None,
        "model": subject.model,
        "iteration": subject.iteration,
        "teacher": teacher,
        "k": teacher_weight(subject) if subject.student else None,
        "hard": config.hard,
        "memory": config.memory,
        "played": len(evaluation.seeds),
        "summary": {name: rounded([*estimate]) for name, estimate in evaluation.summary().items()},
        "scenes": advice_by_scene(replays) if subject.student else [],
        "actions": actions,
        "episodes": [episode_content(replay) for replay in replays],
    }


def choose(success: Sequence[bool], count: int) -> list[int]:
    """The indices of at most `count` episodes. Failures come first; successes fill at least half
    of the places, if there are so many."""
    failed = [i for i, good in enumerate(success) if not good]
    solved = [i for i, good in enumerate(success) if good]
    failures = max(min(len(failed), (count + 1) // 2), count - len(solved))
    return failed[:failures] + solved[: count - failures]


def teacher_weight(subject: Subject) -> dict[str, Any] | None:
    """The teacher's weight k, and its iteration, as last logged before the model was saved; None
    if no log says it."""
    found = None
    with suppress(UserError, ValueError, TypeError):
        for line in read_lines(subject.folder / METRICS):
            k, iteration = line.get(K), line["iteration"]
            of_model = subject.iteration is None or iteration <= subject.iteration
            if of_model and k is not None and isfinite(k):
                found = {"value": k, "iteration": iteration}
    return found


def advice_by_scene(replays: Sequence[Replay[Drawing]]) -> list[dict[str, Any]]:
    """Of each scene with advice: its `steps` in these episodes, and at how many of them a plan
    advised the action that was `taken`. Scenes in which this was not so most often come first."""
    steps, taken = Counter[str](), Counter[str]()
    for replay in replays:
        for moment in replay.moments:
            if moment.plans:
                steps[moment.scene] += 1
                taken[moment.scene] += any(moment.followed)
    found = [{"scene": scene, "steps": steps[scene], "taken": taken[scene]} for scene in steps]
    return sorted(found, key=lambda each: each["taken"] - each["steps"])


def episode_content(replay: Replay[Drawing]) -> dict[str, Any]:
    """An episode as plain values. Each step holds only what differs from the step before."""
    first, drawings = replay.views[0], replay.views
    sheets = {name: as_sheet([each.pictures[name] for each in drawings]) for name in first.pictures}
    return {
        "seed": replay.seed,
        "success": replay.success,
        "outcome": replay.outcome,
        "return": rounded(replay.total),
        "length": len(replay.moments),
        "kind": first.kind,
        "place": first.place,
        "sheets": sheets,
        "steps": list(changes(step_contents(replay))),
    }


def as_sheet(pictures: Sequence[np.ndarray]) -> dict[str, Any]:
    """Put pictures of one size into one image, row by row. Similar pictures compress well together.

    Returns the PNG as a data URL (`src`), the number of pictures in a row (`columns`), and the size
    of each (`width`, `height`).
    """
    images = [Image.fromarray(picture) for picture in pictures]
    if max(images[0].size) > MOST_PIXELS:
        images = [ImageOps.contain(image, (MOST_PIXELS, MOST_PIXELS)) for image in images]
    width, height = images[0].size
    columns = min(COLUMNS, len(images))
    sheet = Image.new("RGB", (columns * width, -(-len(images) // columns) * height))
    for number, image in enumerate(images):
        sheet.paste(image, (number % columns * width, number // columns * height))
    content = BytesIO()
    # This method keeps the colours of small objects.
    few = sheet.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(content, "PNG", optimize=True)
    src = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    return {"src": src, "columns": columns, "width": width, "height": height}


def step_contents(replay: Replay[Drawing]) -> Iterator[dict[str, Any]]:
    """Everything that the page shows of each step. The last one shows the end, where nothing is
    done any more."""
    total = 0.0
    for drawing, moment in zip(replay.views, replay.moments, strict=False):
        total += moment.reward
        yield {**drawing.now, **rounded(moment._asdict()), "return": rounded(total)}
    nothing = dict.fromkeys(Moment._fields)
    yield {**replay.views[-1].now, **nothing, "return": rounded(total)}


def changes(steps: Iterator[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What differs from the step before, for each step."""
    before: Mapping[str, Any] = {}
    for step in steps:
        yield {k: v for k, v in step.items() if k not in before or before[k] != v}
        before = step


def as_page(content: Mapping[str, Any]) -> str:
    """The template with its data. No text in the data can end the script."""
    data = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return TEMPLATE.read_text(encoding="utf-8").replace(DATA, data)
