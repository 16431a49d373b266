"""Sequences as paths in a tree."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from planner.token_tree import TokenTree

Sequences = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=6)


@given(sequences=Sequences)
def test_paths_spell_the_sequences(sequences: list[list[int]]) -> None:
    tree = TokenTree(sequences)
    assert [tree.tokens[path].tolist() for path in tree.paths] == sequences
    for path in tree.paths:
        assert tree.depths[path].tolist() == list(range(len(path)))
        assert tree.parents[path].tolist() == [-1, *path[:-1]]


@given(sequences=Sequences)
def test_each_beginning_is_there_once(sequences: list[list[int]]) -> None:
    beginnings = {tuple(s[: end + 1]) for s in sequences for end in range(len(s))}
    assert len(TokenTree(sequences).tokens) == len(beginnings)


@given(sequences=Sequences)
def test_a_token_follows_those_before_it_on_its_path(sequences: list[list[int]]) -> None:
    tree = TokenTree(sequences)
    mask = tree.mask()
    assert mask.dtype == torch.bool
    for path in tree.paths:
        for place, token in enumerate(path):
            assert set(mask[token].nonzero().flatten().tolist()) == set(path[: place + 1])
