from pathlib import Path

import pytest
import torch
from torch import nn

from algos.student import read_student, save_student
from commands.domains.networks import make_encoder
from tests.env.test_egocentric import random_maps
from tests.students import make_student

CPU = torch.device("cpu")


@pytest.mark.parametrize(("side", "left"), [(3, 5), (10, 5), (20, 5), (40, 10)])
def test_an_egocentric_student_of_any_map_has_a_small_network(side: int, left: int) -> None:
    student = make_student(side=side, network="egocentric")
    head = student.actor[0]
    assert isinstance(head, nn.Linear)
    assert head.in_features == 64 * left**2
    obs = {"image": random_maps(2, side, side, 0)}
    step, _ = student.act(obs, student.initial_state(2, CPU), torch.Generator())
    assert step["policy"].shape == (2, 7)


def test_what_an_egocentric_student_says_does_not_depend_on_the_corner_of_the_compass() -> None:
    student = make_student(network="egocentric")
    maps = random_maps(5, 10, 10, 0)
    turned = maps.transpose(1, 2).flip(1).clone()
    heading = turned[..., 3]
    turned[..., 3] = torch.where(heading == 4, heading, (heading + 1) % 4)
    ones = torch.ones(5)
    assert torch.equal(student({"image": maps}, ones)[0], student({"image": turned}, ones)[0])


@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_a_student_that_was_saved_is_the_same(network: str, tmp_path: Path) -> None:
    student = make_student(network=network)
    save_student(tmp_path / "a.pt", "SimpleDoorKey", 7, student.spec, student.state_dict())
    again, task, iteration = read_student(tmp_path / "a.pt", CPU, make_encoder)
    assert (task, iteration, again.spec) == ("SimpleDoorKey", 7, student.spec)
    obs = {"image": random_maps(5, 10, 10, 0)}
    assert torch.equal(again(obs, torch.ones(5))[0], student(obs, torch.ones(5))[0])
