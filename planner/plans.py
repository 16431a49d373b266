"""Plans: what a planner answers about a scene, and how its words become options."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from env.symbols import COLORS
from utils.errors import UserError

EXPLORE, GO_TO, PICK_UP, DROP, OPEN, WAIT = "explore", "go to", "pick up", "drop", "open", "wait"

NOTHING = "nothing"
"""What a scene's text says is seen or held where nothing is."""

# The words of each verb; of the verbs in an option the first in this order counts.
VERBS = {
    EXPLORE: r"explor|\bsearch|\blook around",
    GO_TO: (
        r"\b(?:go|going|move|moving|walk|head|navigate)[ _](?:back )?(?:to|towards?)(?!\w)"
        r"|\bapproach"
    ),
    PICK_UP: r"\bpick(?:ing)?[ _-]?up(?!\w)|\bpick the\b|\b(?:grab|collect|take)\b|\bget (?!to\b)",
    DROP: r"\bdrop|\bput down\b",
    OPEN: r"\bopen|\bunlock|\btoggle|\buse\b.{0,80}\b(?:door|key)",
}
WORDS = {verb: re.compile(pattern) for verb, pattern in VERBS.items()}

# A plan follows the last "Action:"; it is at most this long, with at most this many options.
ACTION = re.compile(r"\bactions?\b[\s*_`\"']{0,8}[:=：]", re.IGNORECASE)
MAX_PLAN, MAX_OPTIONS = 4000, 32
MARKUP = re.compile(r"[*_`\"']{0,4}\s{0,200}[_`\"']{0,4}")
ITEM = re.compile(r"^\s{0,20}(?:[-*•]\s|\(?\d{1,3}[.):]|step \d{1,3}\b)", re.IGNORECASE)
SEPARATOR = re.compile(r"[,;\n]|->|→|\bthen\b|(?<![\w.])\(?\d{1,3}[.)](?=[\sA-Za-z<])")
BRACKETED = {
    "{": re.compile(r"\{[^{}]*(?:\}\s{0,20}[,;]?\s{0,20}\{[^{}]*)*"),
    "[": re.compile(r"\[[^\[\]]*(?:\]\s{0,20}[,;]?\s{0,20}\[[^\[\]]*)*"),
}


class Option(NamedTuple):
    """One thing to do, such as "go to <key>"; `thing` is None where the words name none."""

    verb: str
    thing: str | None = None

    def __str__(self) -> str:
        return self.verb if self.thing is None else f"{self.verb} <{self.thing}>"


Plan = tuple[Option, ...]
Answer = tuple[tuple[float, Plan], ...]
"""Plans with their probabilities, which add up to 1."""


class Planner(Protocol):
    """Whatever says which plans to follow in a scene: recorded answers, an LLM."""

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        """The answer to each scene, None where there is none."""

    def counts(self) -> dict[str, float]:
        """What answering has cost so far, by name; empty if it is free."""

    def news(self) -> dict[str, dict[str, float]]:
        """All that was learned by asking, as scene text -> plan -> probability, if that has grown
        since the last call; else nothing."""


def parse_option(words: str, nouns: Sequence[str]) -> Option:
    """Turn words such as "go to <red key>" into an option; what has no plain verb is a wait.

    Its thing is the first of the `nouns` in the words, or, to open, the first door; else what
    stands in <>, unless it is to explore, which needs no thing.
    """
    words = " ".join(words.lower().split())
    verb = _verb(words)
    if verb == WAIT:
        return Option(WAIT)
    noun = _noun(words, nouns, doors_first=verb == OPEN)
    if verb == OPEN and noun and re.search(r"\buse\b", words):
        # A key is used on the door of its name, if there is one.
        noun = noun.replace("key", "door")
        return Option(OPEN, noun) if noun in nouns else Option(WAIT)
    marked = None if verb == EXPLORE else re.search(r"<\s*([^<>]*?)\s*>", words)
    return Option(verb, noun or (marked.group(1) if marked else None))


def _noun(words: str, nouns: Sequence[str], doors_first: bool) -> str | None:
    """The first of the nouns in the words; they are in an order that has doors first."""
    found = {noun: re.search(rf"\b{re.escape(noun)}\b", words) for noun in nouns}
    places = {noun: match.start() for noun, match in found.items() if match}
    if doors_first:
        return next(iter(places), None)
    return min(places, key=places.__getitem__, default=None)


def parse_plan(words: str, nouns: Sequence[str]) -> Plan:
    """Turn a list of options, separated by commas, lines, numbers or "then", into a plan."""
    parts = [part for part in SEPARATOR.split(words) if re.search(r"\w", part)][:MAX_OPTIONS]
    clauses = [clause for part in parts for clause in _clauses(part, nouns)]
    return tuple(parse_option(clause, nouns) for clause in clauses[:MAX_OPTIONS])


def _clauses(part: str, nouns: Sequence[str]) -> list[str]:
    """ "go to <key> and pick up <key>" is two options, "go to and open <door>" is one."""
    first, _, second = part.partition(" and ")
    both = [_noun(first.lower(), nouns, doors_first=False), _verb(first), _verb(second)]
    if WAIT in both or None in both:
        return [part]
    return [first, *_clauses(second, nouns)]


def _verb(words: str) -> str:
    words = words.lower()
    return next((verb for verb, pattern in WORDS.items() if pattern.search(words)), WAIT)


def parse_reply(reply: str, nouns: Sequence[str]) -> Plan | None:
    """The plan in an LLM's reply: what follows the last "Action:", in braces or not.

    None if there is none. Any text is taken; the time is linear in its length.
    """
    begin = max((match.end() for match in ACTION.finditer(reply)), default=None)
    if begin is None:
        return None
    words = MARKUP.sub("", reply[begin : begin + MAX_PLAN], count=1)
    if bracketed := BRACKETED.get(words[:1]):
        groups = bracketed.match(words)
        return parse_plan(re.sub(r"[{}\[\]]", "\n", groups[0]) if groups else "", nouns) or None
    lines = words.splitlines()
    # Without brackets a plan is one line, or a list of them.
    count = 1
    while count < len(lines) and ITEM.match(lines[0]) and ITEM.match(lines[count]):
        count += 1
    return parse_plan("\n".join(lines[:count]), nouns) or None


def is_plain(option: Option, nouns: Sequence[str]) -> bool:
    """Whether an option says what to do with what; where not, the teacher waits."""
    return option.verb == EXPLORE or (option.verb != WAIT and option.thing in nouns)


def made_plain(plan: Plan, nouns: Sequence[str]) -> Plan:
    """A plan with a wait for every option that is not plain. To explore, which in recorded plans
    waits for a thing that it names, is to look for it."""
    return tuple(
        Option(EXPLORE)
        if option.verb == EXPLORE
        else option
        if is_plain(option, nouns)
        else Option(WAIT)
        for option in plan
    )


def as_plans(answer: Answer | None) -> dict[str, float]:
    """An answer as a file of plans holds it: plan in words -> probability."""
    shares = dict[str, float]()
    for p, plan in answer or ():
        shares[describe(plan)] = shares.get(describe(plan), 0.0) + p
    return shares


def describe(plan: Plan) -> str:
    """A plan in the words that `parse_plan` reads."""
    return ", ".join(str(option) for option in plan)


class RecordedPlanner:
    """Answers read from a file of plans: scene text -> plan -> probability.

    Raises UserError for a plan about a thing that is none of the `nouns`. `doubts` has a line for
    each scene and each plan that is probably misspelt: such a scene never is, such an option waits.
    """

    def __init__(self, plans: Mapping[str, Mapping[str, float]], nouns: Sequence[str]) -> None:
        self.recorded: dict[str, Answer] = {}
        self.doubts: list[str] = []
        for text, answer in plans.items():
            for thing in re.findall("<(.*?)>", text):
                if thing not in (*nouns, NOTHING):
                    self.doubts.append(f"{text!r} is never seen: the task has no <{thing}>")
            parsed = tuple((p, parse_plan(words, nouns)) for words, p in answer.items())
            self.recorded[text] = parsed
            for words, (_, plan) in zip(answer, parsed, strict=True):
                if [verb for verb, _ in plan].count(WAIT) > len(re.findall(WAIT, words.lower())):
                    known = ", ".join((*VERBS, WAIT))
                    self.doubts.append(
                        f"{words!r} for {text!r}: what is no option waits; options are {known}"
                    )
                for option in plan:
                    if option.verb != WAIT and not is_plain(option, nouns):
                        raise UserError(
                            f"plans: {describe(plan)!r} for {text!r} names no thing of the task; "
                            f"things are {', '.join(nouns)}"
                        )

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        return [self.recorded.get(scene) for scene in scenes]

    def counts(self) -> dict[str, float]:
        return {}

    def news(self) -> dict[str, dict[str, float]]:
        return {}


class AnonymousColors:
    """Lets a planner speak of color1, color2, … in the order in which a scene's text names
    colours, and puts the colours back: an answer then holds for every colouring."""

    ALIASES = tuple(f"color{number}" for number in range(1, len(COLORS) + 1))

    def __init__(self, planner: Planner) -> None:
        self.planner = planner

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        aliases = [color_aliases(scene) for scene in scenes]
        hidden = [rename(scene, names) for scene, names in zip(scenes, aliases, strict=True)]
        return [
            answer and _colored(answer, {alias: color for color, alias in names.items()})
            for answer, names in zip(self.planner.answers(hidden), aliases, strict=True)
        ]

    def counts(self) -> dict[str, float]:
        return self.planner.counts()

    def news(self) -> dict[str, dict[str, float]]:
        return self.planner.news()


def _colored(answer: Answer, names: Mapping[str, str]) -> Answer:
    return tuple(
        (p, tuple(Option(verb, thing and rename(thing, names)) for verb, thing in plan))
        for p, plan in answer
    )


def color_aliases(scene: str) -> dict[str, str]:
    """Colour -> color1, color2, … in the order in which colours appear in a scene's text."""
    colors = dict.fromkeys(word for word in re.findall(r"\w+", scene) if word in COLORS)
    return {color: f"color{number}" for number, color in enumerate(colors, start=1)}


def rename(text: str, names: Mapping[str, str]) -> str:
    """Replace whole words of a text."""
    return re.sub(r"\w+", lambda word: names.get(word.group(), word.group()), text)
