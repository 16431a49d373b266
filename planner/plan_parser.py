"""Parsing: from the words of a plan, or the free text of a reply, to options."""

import re
from collections.abc import Sequence

from planner.plans import DROP, EXPLORE, GO_TO, OPEN, PICK_UP, WAIT, Option, Plan

# The words of each verb. If an option holds several verbs, the first in this order counts.
VERBS = {
    EXPLORE: r"explor|\bsearch|\blook around",
    GO_TO: (
        r"\b(?:go|going|move|moving|walk|head|navigate)[ _](?:back )?(?:to|towards?)(?!\w)"
        r"|\bapproach"
    ),
    PICK_UP: r"\bpick(?:ing)?[ _-]?up(?!\w)|\bpick the\b|\b(?:grab|collect|take)\b|\bget (?!to\b)",
    DROP: r"\bdrop|\bput down\b|\bput\b.{0,80}\bnext to\b",
    OPEN: r"\bopen|\bunlock|\btoggle|\buse\b.{0,80}\b(?:door|key)",
}
WORDS = {verb: re.compile(pattern) for verb, pattern in VERBS.items()}

# The plan in a reply follows its last "Action:" or "Plan:".
HEADING = re.compile(r"\b(?:actions?|plans?)\b[\s*_`\"']{0,8}[:=：]", re.IGNORECASE)
MAX_PLAN, MAX_OPTIONS = 4000, 32
"""Characters and options of a plan; the rest is not read."""
MARKUP = re.compile(r"[*_`\"']{0,4}\s{0,200}[_`\"']{0,4}")
ITEM = re.compile(r"^\s{0,20}(?:[-*•]\s|\(?\d{1,3}[.):]|step \d{1,3}\b)", re.IGNORECASE)
SEPARATOR = re.compile(r"[,;\n]|->|→|\bthen\b|(?<![\w.])\(?\d{1,3}[.)](?=[\sA-Za-z<])")
BRACKETED = {
    "{": re.compile(r"\{[^{}]*(?:\}\s{0,20}[,;]?\s{0,20}\{[^{}]*)*"),
    "[": re.compile(r"\[[^\[\]]*(?:\]\s{0,20}[,;]?\s{0,20}\[[^\[\]]*)*"),
}
LISTS = re.compile(r"\{[^{}]*\}(?:\s{0,20}[,;]?\s{0,20}\{[^{}]*\})*")


def parse_reply(reply: str, nouns: Sequence[str]) -> Plan | None:
    """The plan in an LLM's reply: what follows the last "Action:" or "Plan:", with or without
    braces; or else the last list in braces, if it names a known verb.

    Returns None if there is none. Takes any text, in time linear in its length.
    """
    return _headed_plan(reply, nouns) or _last_list(reply, nouns)


def _headed_plan(reply: str, nouns: Sequence[str]) -> Plan | None:
    begin = max((match.end() for match in HEADING.finditer(reply)), default=None)
    if begin is None:
        return None
    words = MARKUP.sub("", reply[begin : begin + MAX_PLAN], count=1)
    if bracketed := BRACKETED.get(words[:1]):
        groups = bracketed.match(words)
        return parse_plan(_without_braces(groups[0]), nouns) if groups else None
    lines = words.splitlines()
    # Without braces a plan is one line or a list of lines.
    count = 1
    while count < len(lines) and ITEM.match(lines[0]) and ITEM.match(lines[count]):
        count += 1
    return parse_plan("\n".join(lines[:count]), nouns)


def _last_list(reply: str, nouns: Sequence[str]) -> Plan | None:
    """The plan in the last groups in braces, such as {go to <key>}, {pick up <key>}."""
    *_, last = ["", *LISTS.findall(reply)]
    plan = parse_plan(_without_braces(last[:MAX_PLAN]), nouns)
    return plan if any(option.verb != WAIT for option in plan) else None


def _without_braces(groups: str) -> str:
    return re.sub(r"[{}\[\]]", "\n", groups)


def parse_plan(words: str, nouns: Sequence[str]) -> Plan:
    """Options separated by commas, lines, numbers or "then" -> a plan."""
    parts = [part for part in SEPARATOR.split(words) if re.search(r"\w", part)][:MAX_OPTIONS]
    clauses = [clause for part in parts for clause in _clauses(part, nouns)]
    return tuple(parse_option(clause, nouns) for clause in clauses[:MAX_OPTIONS])


def parse_option(words: str, nouns: Sequence[str]) -> Option:
    """Words such as "go to <red key>" -> an option. Words without a known verb are a wait.

    The thing is the first noun in the words; to open, it is the first door. If no noun is there,
    it is what stands in <>, unless the verb is "explore", which needs no thing. To drop, the other
    thing stands behind "next to".
    """
    words = " ".join(words.lower().split())
    verb = _verb(words)
    if verb == WAIT:
        return Option(WAIT)
    words, _, next_to = words.partition(" next to ") if verb == DROP else (words, "", "")
    noun = _noun(words, nouns, doors_first=verb == OPEN)
    if verb == OPEN and noun and re.search(r"\buse\b", words):
        # "use <red key>" opens <red door>, if the task has one.
        noun = noun.replace("key", "door")
        return Option(OPEN, noun) if noun in nouns else Option(WAIT)
    if verb == EXPLORE:
        return Option(EXPLORE, noun)
    other = _noun(next_to, nouns, doors_first=False) or _marked(next_to)
    return Option(verb, noun or _marked(words), other)


def _marked(words: str) -> str | None:
    """What stands in the first <>."""
    found = re.search(r"<\s*([^<>]*?)\s*>", words)
    return found.group(1) if found else None


def _clauses(part: str, nouns: Sequence[str]) -> list[str]:
    """ "go to <key> and pick up <key>" holds two options, "go to and open <door>" only one."""
    first, _, second = part.partition(" and ")
    both = [_noun(first.lower(), nouns, doors_first=False), _verb(first), _verb(second)]
    if WAIT in both or None in both:
        return [part]
    return [first, *_clauses(second, nouns)]


def _noun(words: str, nouns: Sequence[str], doors_first: bool) -> str | None:
    """The first noun in the words; with `doors_first`, the first in the order of `nouns`.

    A noun inside another one does not count, such as "door" in "locked door".
    """
    found = {noun: re.search(rf"\b{re.escape(noun)}\b", words) for noun in nouns}
    spans = {noun: match.span() for noun, match in found.items() if match}
    places = {
        noun: begin
        for noun, (begin, end) in spans.items()
        if not any(a <= begin and end <= b and (a, b) != (begin, end) for a, b in spans.values())
    }
    if doors_first:
        return next(iter(places), None)
    return min(places, key=places.__getitem__, default=None)


def _verb(words: str) -> str:
    words = words.lower()
    return next((verb for verb, pattern in WORDS.items() if pattern.search(words)), WAIT)
