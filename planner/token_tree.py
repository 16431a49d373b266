"""A tree of tokens: sequences that begin alike share the tokens of their beginning."""

from collections.abc import Sequence

import torch
from torch import Tensor


class TokenTree:
    """N tokens in which each of several sequences is a path from the root.

    tokens: (N,) int64
    parents: (N,) int64, the token before each one; -1 at the root's children
    depths: (N,) int64, the number of tokens before each one on its path
    paths: the indices of each sequence's tokens, in order
    """

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        numbers = dict[tuple[int, int], int]()
        depths = list[int]()
        self.paths: list[list[int]] = []
        for sequence in sequences:
            path, at = list[int](), -1
            for depth, token in enumerate(sequence):
                if (at, token) not in numbers:
                    numbers[at, token] = len(numbers)
                    depths.append(depth)
                at = numbers[at, token]
                path.append(at)
            self.paths.append(path)
        self.parents = torch.tensor([parent for parent, _ in numbers])
        self.tokens = torch.tensor([token for _, token in numbers])
        self.depths = torch.tensor(depths)

    def mask(self) -> Tensor:
        """(N, N) bool: the tokens that each token follows on its path, and itself."""
        follows = torch.eye(len(self.tokens), dtype=torch.bool)
        for token, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                follows[token] |= follows[parent]
        return follows
