import os

import pytest
from hypothesis import settings

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
# Examples are the same in every run, and a slow machine is no failure.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Bit for bit the same numbers, and the machine's other cores left to others."""
    import torch

    torch.set_num_threads(1)
