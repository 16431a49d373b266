"""What students see homes with, and how they act there."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from algos.cuda_rollout import CudaRollout
from algos.student import NetworkSpec, Student
from algos.vision import FEATURES, OF_STATE, CameraEncoder, resnet18_trunk
from commands.domains.networks import make_encoder
from env.nav_pick.robot_state import ACTIONS, STATE_SIZE
from env.nav_pick.tensor_homes import NavPickHomes
from tests.graph_replay import Replayed
from utils.tensors import Tensors, rows
from utils.timing import Stopwatch

CPU = torch.device("cpu")
NETWORKS = ["small", "resnet18"]


def make_spec(network: str, size: int = 8, **kind: Any) -> NetworkSpec:
    obs = {"depth": (size, size, 1), "state": (STATE_SIZE,)}
    return NetworkSpec(obs, len(ACTIONS), continuous=True, network=network, **kind)


@cache
def encoder(network: str, size: int) -> CameraEncoder:
    torch.manual_seed(0)
    made = make_encoder(make_spec(network, size))
    assert isinstance(made, CameraEncoder)
    return made


def make_student(
    network: str, size: int = 8, bf16: bool = False, recurrent: bool = False
) -> Student:
    """One that has learned nothing, the same each time."""
    spec = make_spec(network, size, recurrent=recurrent)
    torch.manual_seed(0)
    return Student(spec, make_encoder(spec), bf16)


def views(count: int, size: int = 8) -> Tensors:
    draws = torch.Generator().manual_seed(0)
    depth = torch.rand(count, size, size, 1, generator=draws)
    return {"depth": depth, "state": torch.randn(count, STATE_SIZE, generator=draws)}


def weights(module: nn.Module) -> list[Tensor]:
    return list(module.parameters())


@pytest.mark.parametrize("size", [8, 64, 65])
@pytest.mark.parametrize("network", NETWORKS)
def test_views_of_any_size_become_the_same_number_of_features(network: str, size: int) -> None:
    found = encoder(network, size)(views(2, size))
    assert found.shape == (2, FEATURES + OF_STATE)
    assert encoder(network, size).features == FEATURES + OF_STATE


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_made_of_a_view_does_not_depend_on_the_others(network: str) -> None:
    seen, chosen = views(5, 64), torch.tensor([3, 1])
    with torch.no_grad():
        together, alone = (encoder(network, 64)(obs) for obs in (seen, rows(seen, chosen)))
    torch.testing.assert_close(alone, together[chosen])
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("network", NETWORKS)
def test_depth_and_state_are_both_learned_from_and_both_matter(network: str) -> None:
    made = encoder(network, 64)
    obs = {name: tensor.requires_grad_() for name, tensor in views(3, 64).items()}
    wanted = [*obs.values(), *weights(made)]
    for gradient in torch.autograd.grad(made(obs).square().sum(), wanted):
        assert gradient.isfinite().all()
        assert gradient.any()


def test_resnet18_is_one_of_half_the_width() -> None:
    trunk = resnet18_trunk(1)
    sides = [m.kernel_size for m in trunk.modules() if isinstance(m, nn.Conv2d)]
    # One that looks at the view, two in each of eight blocks, one around three of these.
    assert sorted(sides) == [(1, 1)] * 3 + [(3, 3)] * 16 + [(7, 7)]
    assert sum(tensor.numel() for tensor in weights(trunk)) == 2_795_744
    usual = sum(tensor.numel() for tensor in weights(resnet18_trunk(3, 64)))
    # As in torchvision's resnet18, but for its last layer.
    assert usual == 11_689_512 - 513 * 1000


@pytest.mark.parametrize("network", NETWORKS)
def test_a_student_in_bf16_says_and_learns_about_the_same(network: str) -> None:
    obs, lengths = views(6, 64), torch.tensor([2, 4])
    told, gradients = [], []
    for bf16 in (False, True):
        student = make_student(network, 64, bf16=bf16)
        outputs, values = student(obs, lengths)
        assert outputs.dtype == values.dtype == torch.float32
        (outputs.square().sum() + values.square().sum()).backward()
        told.append(outputs.detach())
        learned = [tensor.grad.flatten() for tensor in weights(student) if tensor.grad is not None]
        gradients.append(torch.cat(learned))
    assert not torch.equal(*told)
    torch.testing.assert_close(*told, atol=0.05, rtol=0.05)
    assert (gradients[1] - gradients[0]).norm() < 0.25 * gradients[0].norm()


@pytest.mark.parametrize(
    ("network", "recurrent"), [("small", False), ("small", True), ("resnet18", False)]
)
def test_a_wave_of_homes_can_be_replayed(network: str, recurrent: bool) -> None:
    """Bit for bit, and without a look at a value: it may be a CUDA graph."""
    student = make_student(network, recurrent=recurrent)
    homes = [NavPickHomes(4, layouts=0, depth_size=8, max_steps=10) for _ in range(2)]
    players = [CudaRollout(each, student, CPU) for each in homes]
    players[1]._advance = Replayed(players[1]._step)
    draws = [torch.Generator().manual_seed(0) for _ in players]
    moved = []
    for wave_number in range(2):
        seeds = torch.arange(4) + wave_number
        pairs = zip(players, draws, strict=True)
        eager, replayed = (player.play(seeds, draw, Stopwatch()) for player, draw in pairs)
        for part in ("obs", "last_obs", "last_state", "steps", "measures"):
            for name, values in getattr(eager, part).items():
                assert torch.equal(getattr(replayed, part)[name], values), name
        assert torch.equal(replayed.reward, eager.reward)
        moved.append(eager.measures["path_length"])
    assert not torch.equal(*moved)
    assert all((length > 0).all() for length in moved)
