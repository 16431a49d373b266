"""A model in this process, tiny and made on the spot."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from planner.llm import Prompt
from planner.wordings import answer_with
from utils.errors import UserError

pytest.importorskip("transformers", reason="needs pip install -r requirements-local.txt")
pytest.importorskip("gguf", reason="needs pip install -r requirements-local.txt")

from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MistralConfig,
    MptConfig,
    PretrainedConfig,
)

from planner.local_model import LocalModel
from tests.planner.tiny_llm import TEMPLATE, write_tiny_llm

TURNS = (("Agent sees <door>.", "Action: {explore}"),)
PROMPT = Prompt("You advise an agent.", "Agent sees <key>, holds <nothing>.", TURNS)
OTHER = PROMPT._replace(user="Agent sees <door>, holds <key>.")
PLANS = ["explore", "go to <key>", "go to <key>, pick up <key>", "go to <door>"]
# fp32: sums of some thirty log-probabilities.
CLOSE = {"rel": 1e-5, "abs": 1e-3}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llm(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def model(path: Path) -> LocalModel:
    return LocalModel(str(path))


def one_by_one(model: LocalModel, prompt: str, plans: list[str], before: str = "") -> list[float]:
    """The scores of whole texts, without a tree and without kept keys and values; replies begin
    with `before`."""
    tokenizer, network = model._loaded
    begin = tokenizer(prompt, add_special_tokens=False).input_ids
    scores = []
    for plan in plans:
        reply = tokenizer(before + answer_with(plan), add_special_tokens=False).input_ids
        ids = torch.tensor([begin + reply])
        with torch.no_grad():
            values = network(ids).logits[0].log_softmax(-1)
        places = range(len(begin), ids.shape[1])
        scores.append(sum(float(values[place - 1, ids[0, place]]) for place in places))
    return scores


def chat(*messages: tuple[str, str]) -> str:
    said = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in messages)
    return f"{said}<|im_start|>assistant\n"


def test_a_score_is_the_log_likelihood_of_the_reply_in_the_models_chat(model: LocalModel) -> None:
    text = chat(
        ("system", PROMPT.system),
        ("user", TURNS[0][0]),
        ("assistant", TURNS[0][1]),
        ("user", PROMPT.user),
    )
    expected = one_by_one(model, text, PLANS)
    assert model.scores(PROMPT, PLANS) == pytest.approx(expected, **CLOSE)


def test_a_score_depends_on_nothing_that_was_asked_before(path: Path, model: LocalModel) -> None:
    fresh = LocalModel(str(path))
    expected = fresh.scores(PROMPT, PLANS)
    model.scores(OTHER, PLANS)
    model.scores(PROMPT._replace(system="Something else."), PLANS)
    assert model.scores(PROMPT, PLANS) == expected
    # Other plans in the same pass change a score only by rounding.
    alone = [model.scores(PROMPT, [plan])[0] for plan in PLANS]
    assert alone == pytest.approx(expected, **CLOSE)


def test_the_scene_matters(model: LocalModel) -> None:
    assert model.scores(PROMPT, PLANS) != pytest.approx(model.scores(OTHER, PLANS), **CLOSE)


def test_what_all_scenes_share_is_read_once(path: Path) -> None:
    model = LocalModel(str(path))
    prompt = PROMPT._replace(system="You advise an agent. " * 20)
    model.scores(prompt, PLANS)
    first = model.usage.tokens
    model.scores(prompt._replace(user=OTHER.user), PLANS)
    # A character is a token.
    assert model.usage.tokens - first < first - len(prompt.system)
    assert model.usage.requests == 2


def test_a_folder_scores_as_a_file_does(model: LocalModel, tmp_path: Path) -> None:
    tokenizer, network = model._loaded
    config = network.config.to_dict()
    del config["quantization_config"]
    unquantized = LlamaForCausalLM(LlamaConfig(**config))
    unquantized.load_state_dict(network.state_dict())
    unquantized.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    scores = LocalModel(str(tmp_path)).scores(PROMPT, PLANS)
    assert scores == pytest.approx(model.scores(PROMPT, PLANS), **CLOSE)


def test_a_base_model_gets_plain_text(tmp_path: Path) -> None:
    base = LocalModel(str(write_tiny_llm(tmp_path / "base.gguf", template="")))
    text = "\n".join([PROMPT.system, *TURNS[0], PROMPT.user, ""])
    assert base.scores(PROMPT, PLANS) == pytest.approx(one_by_one(base, text, PLANS), **CLOSE)


def test_instructions_go_to_the_user_if_a_model_knows_none(tmp_path: Path) -> None:
    refusing = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    )
    model = LocalModel(str(write_tiny_llm(tmp_path / "user.gguf", refusing + TEMPLATE)))
    text = chat(
        ("user", f"{PROMPT.system}\n\n{TURNS[0][0]}"),
        ("assistant", TURNS[0][1]),
        ("user", PROMPT.user),
    )
    assert model.scores(PROMPT, PLANS) == pytest.approx(one_by_one(model, text, PLANS), **CLOSE)


def untrained(model: LocalModel, config: PretrainedConfig, attention: str) -> LocalModel:
    """A model of another architecture, with random weights and the tokenizer of `model`."""
    tokenizer, _ = model._loaded
    other = LocalModel(str(model.path))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
        for weight in network.parameters():
            torch.nn.init.normal_(weight, 1.0 if weight.dim() == 1 else 0.0, 0.15)
    other.__dict__["_loaded"] = tokenizer, network
    return other


SMALL = {
    "vocab_size": 259,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}


@pytest.mark.parametrize(
    ("config", "attention", "takes_trees"),
    [
        (LlamaConfig(**SMALL), "sdpa", True),
        (LlamaConfig(**SMALL), "eager", True),
        (MistralConfig(**SMALL, sliding_window=32), "sdpa", False),
        (Gemma2Config(**SMALL, sliding_window=32), "eager", False),
        (BloomConfig(vocab_size=259, hidden_size=64, n_layer=2, n_head=4), "eager", False),
        # It takes the mask but counts positions by itself.
        (MptConfig(vocab_size=259, d_model=64, n_layers=2, n_heads=4), "eager", False),
        (MambaConfig(vocab_size=259, hidden_size=64, num_hidden_layers=2), "eager", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PretrainedConfig) else str(value),
)
def test_models_that_take_no_tree_are_scored_one_plan_at_a_time(
    config: PretrainedConfig, attention: str, takes_trees: bool, model: LocalModel
) -> None:
    other = untrained(model, config, attention)
    expected = one_by_one(other, other._chat(PROMPT.messages), PLANS)
    assert other.scores(PROMPT, PLANS) == pytest.approx(expected, **CLOSE)
    assert other._takes_trees is takes_trees


def test_a_tree_is_compared_again_for_longer_prompts(model: LocalModel) -> None:
    """A window of attention matters only beyond its length."""
    other = untrained(model, MistralConfig(**SMALL, sliding_window=300), "sdpa")
    for prompt in (PROMPT, PROMPT._replace(user="Agent sees <key>, <door>. " * 20)):
        expected = one_by_one(other, other._chat(prompt.messages), PLANS)
        assert other.scores(prompt, PLANS) == pytest.approx(expected, **CLOSE)


def test_a_reply_begins_as_the_template_begins_it(tmp_path: Path) -> None:
    """Some templates begin a reply with a space, others with an empty thought."""
    begun = TEMPLATE.replace(
        "{{ message['content'] }}",
        "{{ ' ' if message['role'] == 'assistant' else '' }}{{ message['content'] }}",
    )
    model = LocalModel(str(write_tiny_llm(tmp_path / "begun.gguf", begun)))
    prompt = PROMPT._replace(turns=())
    text = chat(("system", prompt.system), ("user", prompt.user))
    assert model.scores(prompt, PLANS) == pytest.approx(
        one_by_one(model, text, PLANS, " "), **CLOSE
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.scores(PROMPT, PLANS),
        lambda model: model.request(PROMPT, 2, 60),
        lambda model: model.request(PROMPT._replace(plans=(*PLANS,)), 2, 60),
    ],
    ids=["scores", "replies", "choices"],
)
def test_a_prompt_that_is_too_long_for_a_model_is_one_line(
    model: LocalModel, ask: Callable[[LocalModel], object]
) -> None:
    short = GPT2Config(vocab_size=259, n_embd=64, n_layer=2, n_head=4, n_positions=32)
    with pytest.raises(UserError, match="cannot run the model") as caught:
        ask(untrained(model, short, "sdpa"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('It takes nothing.') }}",
        "{% for message in messages %}{{ message['content'] | upper }}{% endfor %}",
        "{% for message in messages %}{{ message['content']",
    ],
    ids=["refuses", "changes replies", "is broken"],
)
def test_a_chat_template_that_cannot_be_used_is_one_line(tmp_path: Path, template: str) -> None:
    model = LocalModel(str(write_tiny_llm(tmp_path / "tiny.gguf", template)))
    with pytest.raises(UserError, match="cannot use the chat template") as caught:
        model.scores(PROMPT, PLANS)
    assert "\n" not in str(caught.value)
