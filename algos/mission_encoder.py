"""An encoder for tasks that say in words what to do."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

LAYERS = (16, 2), (32, 2), (64, 1)
"""Filters and stride of each convolution."""
WORDS = 64
"""Features of a mission."""
QUERIES = 4
"""Planes that a mission makes of those that are seen."""


class Sight(Protocol):
    """Turns observations into planes, (N, *shape) float32. It has no weights."""

    shape: tuple[int, int, int]

    def __call__(self, obs: Mapping[str, Tensor]) -> Tensor: ...


class MissionEncoder(nn.Module):
    """Three 3x3 convolutions (16-32-64) on what is seen, conditioned on a mission.

    The mission acts in two ways. It weights the planes that are seen and adds them up to a few new
    ones, in which a cell with a red ball can stand out if the mission is about a red ball. And it
    scales and shifts the outputs of each convolution (FiLM, arXiv 1709.07871; with missions: arXiv
    1810.08272).

    `mission` (N, P) uint8 holds words as numbers, 0 for none. Its features are a sum over places
    and words. `done` (N, C) uint8 says which clauses have been carried out; it may be missing.
    """

    places: Tensor

    def __init__(self, sight: Sight, obs: Mapping[str, tuple[int, ...]], words: int) -> None:
        """`obs` holds the shapes of the observations; words have the numbers 1 to `words`."""
        super().__init__()
        self.sight = sight
        (places,) = obs["mission"]
        (clauses,) = obs.get("done", (0,))
        # Row 0 stands for no word, at any place. Features of a mission of ten words are about 1.
        self.words = nn.EmbeddingBag(places * words + 1, WORDS, mode="sum", padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.3)
        self.register_buffer("places", torch.arange(places) * words, persistent=False)
        self.done = nn.Linear(clauses, WORDS, bias=False) if clauses else None
        channels, height, width = sight.shape
        self.queries = nn.Linear(WORDS, channels * QUERIES)
        channels += QUERIES
        self.convolutions, self.films = nn.ModuleList(), nn.ModuleList()
        for filters, stride in LAYERS:
            self.convolutions.append(nn.Conv2d(channels, filters, 3, stride, padding=1))
            self.films.append(nn.Linear(WORDS, 2 * filters))
            channels, height, width = filters, -(-height // stride), -(-width // stride)
        self.features = channels * height * width
        # A fifth faster on a CPU, and the layout of tensor cores.
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(N, features) float32."""
        mission = self._read(obs)
        planes = self._with_queries(self.sight(obs), mission)
        for convolution, film in zip(self.convolutions, self.films, strict=True):
            scale, shift = film(mission)[:, :, None, None].chunk(2, 1)
            planes = torch.relu(convolution(planes) * (1 + scale) + shift)
        return planes.flatten(1)

    def _read(self, obs: Mapping[str, Tensor]) -> Tensor:
        """The features (N, WORDS) of missions and of what is done."""
        words = obs["mission"].int()
        features: Tensor = self.words(torch.where(words > 0, words + self.places, 0))
        if self.done:
            features = features + self.done(obs["done"].float())
        return torch.relu(features)

    def _with_queries(self, planes: Tensor, mission: Tensor) -> Tensor:
        """The planes (N, C, H, W), and `QUERIES` more that the mission makes of them."""
        # Planes come last in memory: the fastest layout for convolutions.
        cells = planes.permute(0, 2, 3, 1)
        weights = self.queries(mission).unflatten(1, (-1, QUERIES))
        found = torch.relu(torch.bmm(cells.flatten(1, 2), weights)).view(*cells.shape[:3], QUERIES)
        return torch.cat([cells, found], 3).permute(0, 3, 1, 2)
