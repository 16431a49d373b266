"""Students of MiniGrid and BabyAI tasks: what they see, and that they heed their missions."""

import numpy as np
import pytest
import torch

from algos.mission_encoder import MissionEncoder
from algos.student import NetworkSpec, Student
from commands.domains.networks import make_encoder
from env.missions import MOST_CLAUSES, MOST_WORDS, VOCABULARY, to_numbers
from env.worlds import Memory, make_world
from tests.graph_replay import Recording
from utils.tensors import Tensors, rows

CPU = torch.device("cpu")
SEEN: dict[Memory, tuple[str, ...]] = {
    "map": ("image", "mission", "done", "start"),
    "none": ("view", "mission"),
}


def observations(memory: Memory = "map", count: int = 4) -> Tensors:
    """What students see at the start of some episodes."""
    world = make_world("BabyAI-PickupLoc-v0", memory)
    seen = [world.reset(seed=seed)[0] for seed in range(count)]
    return {
        name: torch.from_numpy(np.stack([each[name] for each in seen])) for name in SEEN[memory]
    }


def make_student(obs: Tensors, bf16: bool = False, recurrent: bool = False) -> Student:
    """One that has learned nothing, the same each time."""
    shapes = {name: tuple(part.shape[1:]) for name, part in obs.items()}
    spec = NetworkSpec(shapes, 7, recurrent=recurrent, network="window")
    torch.manual_seed(0)
    return Student(spec, make_encoder(spec), bf16)


def outputs(student: Student, obs: Tensors) -> torch.Tensor:
    return student(obs, torch.ones(len(obs["mission"]), dtype=torch.int64))[0]


@pytest.mark.parametrize("memory", ["map", "none"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_a_step_does_not_depend_on_the_others_of_its_batch(memory: Memory, recurrent: bool) -> None:
    obs = observations(memory)
    student = make_student(obs, recurrent=recurrent)
    together = outputs(student, obs)
    assert together.shape == (4, 7)
    for number in range(4):
        alone = outputs(student, rows(obs, torch.tensor([number])))
        torch.testing.assert_close(alone[0], together[number])


@pytest.mark.parametrize("memory", ["map", "none"])
def test_two_missions_give_two_policies(memory: Memory) -> None:
    obs = observations(memory)
    student = make_student(obs)
    missions = ["go to the red ball", "go to the blue ball", "pick up the red ball"]
    policies = []
    for mission in missions:
        words = torch.from_numpy(to_numbers(mission)).expand(4, -1)
        policies.append(outputs(student, {**obs, "mission": words}))
    for one, other in zip(policies, policies[1:] + policies[:1], strict=True):
        assert ((one - other).abs().amax(1) > 1e-4).all()


def test_the_order_of_words_and_what_is_done_matter() -> None:
    obs = observations()
    student = make_student(obs)
    both = "put the red ball next to the blue box", "put the blue ball next to the red box"
    one, other = (torch.from_numpy(to_numbers(words)).expand(4, -1) for words in both)
    assert sorted(one[0].tolist()) == sorted(other[0].tolist())
    first = outputs(student, {**obs, "mission": one})
    assert ((first - outputs(student, {**obs, "mission": other})).abs().amax(1) > 1e-4).all()
    done = torch.eye(4, MOST_CLAUSES, dtype=torch.uint8)
    later = outputs(student, {**obs, "mission": one, "done": done})
    assert ((first - later).abs().amax(1) > 1e-4).all()


def test_no_word_says_nothing() -> None:
    encoder = make_student(observations()).encoder
    assert isinstance(encoder, MissionEncoder)
    assert encoder.words.num_embeddings == MOST_WORDS * len(VOCABULARY) + 1
    assert not encoder.words(torch.zeros(1, MOST_WORDS, dtype=torch.int32)).any()


def test_a_students_weights_do_not_grow_with_its_map() -> None:
    small = observations()
    large = {**small, "image": torch.nn.functional.pad(small["image"], (0, 0, 0, 17, 0, 17))}
    counts = [sum(w.numel() for w in make_student(obs).parameters()) for obs in (small, large)]
    assert counts[0] == counts[1]


def test_every_weight_learns() -> None:
    obs = observations() | {"done": torch.eye(4, MOST_CLAUSES, dtype=torch.uint8)}
    student = make_student(obs)
    logits, values = student(obs, torch.ones(4, dtype=torch.int64))
    (logits.square().sum() + values.square().sum()).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in student.parameters())


def test_bf16_rounds_little() -> None:
    obs = observations()
    exact, rounded = (outputs(make_student(obs, bf16), obs) for bf16 in (False, True))
    assert exact.dtype == rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.02)


def test_an_encoder_looks_at_no_value() -> None:
    obs = observations()
    student = make_student(obs)
    with Recording(), torch.no_grad():
        student.encoder(obs)
