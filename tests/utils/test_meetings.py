from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

from utils.errors import UserError
from utils.ranks import Ranks, together


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_an_error_of_our_own_is_not_another_ranks_death() -> None:
    with pytest.raises(RuntimeError, match="cannot be multiplied"), together():
        torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.usefixtures("alone")
def test_a_failed_meeting_is_another_ranks_death() -> None:
    with pytest.raises(UserError, match="another rank has died"), together():
        raise dist.DistNetworkError("the other side is gone")


def test_a_numbered_gpu_is_not_for_several_ranks() -> None:
    ranks = Ranks()
    assert ranks.place("cuda:0") == torch.device("cuda:0")
    ranks.count = 2
    with pytest.raises(UserError, match="each rank needs a GPU of its own"):
        ranks.place("cuda:0")
