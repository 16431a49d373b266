import os

import pytest
from hypothesis import settings

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
# Also of the processes that tests start; as many of them run at once as there are cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Examples are the same in every run, and a slow machine is no failure.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Bit for bit the same numbers, and the machine's other cores left to others."""
    import torch

    torch.set_num_threads(1)
