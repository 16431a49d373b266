"""Replies that a model in this process draws; it is tiny and made on the spot."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from planner.llm import PLAN, Prompt

pytest.importorskip("transformers", reason="needs pip install -r requirements-local.txt")
pytest.importorskip("gguf", reason="needs pip install -r requirements-local.txt")

from planner.local_model import LocalModel
from tests.planner.tiny_llm import write_tiny_llm

TURNS = (("Agent sees <door>.", "Action: {explore}"),)
PROMPT = Prompt("You advise an agent.", "Agent sees <key>, holds <nothing>.", TURNS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llm(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def test_replies_are_as_many_as_asked_for_and_no_longer_than_allowed(path: Path) -> None:
    model = LocalModel(str(path), temperature=1.0, max_tokens=8)
    replies = model.request(PROMPT, 5, seconds=60)
    assert len(replies) == 5
    assert len(set(replies)) > 1
    assert all(len(reply) <= 8 for reply in replies)


def test_replies_repeat_in_a_new_process_and_differ_in_this_one(path: Path) -> None:
    models = [LocalModel(str(path), max_tokens=8) for _ in range(2)]
    state = torch.random.get_rng_state()
    first, second = ([model.request(PROMPT, 2, 60, at) for at in range(2)] for model in models)
    assert first == second
    assert first[0] != first[1]
    # Training draws from the same generator.
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_reply_is_drawn_from_all_tokens(path: Path) -> None:
    """Not only from the likeliest ones: rare plans have their share."""
    model = LocalModel(str(path), temperature=1000.0, max_tokens=1)
    model.request(PROMPT, 1, 60)
    tokenizer, network = model._loaded
    drawn = set[int]()
    network.register_forward_hook(
        lambda _, given, kwargs, out: drawn.update(kwargs["input_ids"][:, -1].tolist()),
        with_kwargs=True,
    )
    model.max_tokens = 2
    model.request(PROMPT, 600, 60)
    assert len(drawn) > len(tokenizer) / 2


def test_without_a_temperature_replies_are_equal(path: Path) -> None:
    model = LocalModel(str(path), temperature=0.0, max_tokens=8)
    assert len(set(model.request(PROMPT, 3, 60))) == 1


def test_in_a_schema_each_token_is_drawn_from_those_that_a_plan_goes_on_with(path: Path) -> None:
    plans = ("explore", "go to <key>", "go to <key>, pick up <key>")
    asked = PROMPT._replace(plans=plans)
    for temperature in (1.0, 0.0):
        model = LocalModel(str(path), temperature)
        tokenizer, network = model._loaded
        texts = [json.dumps({PLAN: plan}) for plan in plans]
        begin = tokenizer(model._chat(asked.messages), add_special_tokens=False).input_ids
        replies = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
        shares = []
        for reply in replies:
            with torch.no_grad():
                values = network(torch.tensor([begin + reply])).logits[0].log_softmax(-1)
            share = 1.0
            for at, token in enumerate(reply):
                allowed = {other[at] for other in replies if other[:at] == reply[:at]}
                odds = (values[len(begin) + at - 1, [token, *(allowed - {token})]]).exp()
                share *= float(odds[0] / odds.sum()) if temperature else float(odds.argmax() == 0)
            shares.append(share)
        drawn = Counter(model.request(asked, 1000, 60))
        assert drawn.keys() <= {*texts}
        assert sum(shares) == pytest.approx(1, abs=1e-3)
        for text, share in zip(texts, shares, strict=True):
            assert drawn[text] / 1000 == pytest.approx(share, abs=0.06)


def test_the_seed_of_a_reply_is_its_own(path: Path) -> None:
    """Not that of a later request with another seed."""
    replies = [
        LocalModel(str(path), max_tokens=8, seed=seed).request(PROMPT, 2, 60, number)
        for seed, number in ((7, 1), (8, 0))
    ]
    assert replies[0] != replies[1]
