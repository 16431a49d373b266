import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from utils import tensors
from utils.tensors import Tensors

names = st.text("ab/", min_size=1, max_size=4)
numbers = st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(torch.tensor)
named = st.dictionaries(names, numbers, max_size=4)


def same(one: Tensors, other: Tensors) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@given(first=named, second=named)
def test_groups_are_taken_out_as_they_were_put_in(first: Tensors, second: Tensors) -> None:
    both = {**tensors.under("one", first), **tensors.under("other", second)}
    assert len(both) == len(first) + len(second)
    assert same(tensors.group("one", both), first)
    assert same(tensors.group("other", both), second)
    assert tensors.group("none", both) == {}


@given(
    parts=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    chosen=st.lists(st.integers(0, 99), max_size=6),
)
def test_rows_are_joined_chosen_and_put_back(parts: list[int], chosen: list[int]) -> None:
    whole = sum(parts)
    each = {"x": torch.arange(whole), "y": torch.rand(whole, 2, 3)}
    pieces = zip(*(tensor.split(parts) for tensor in each.values()), strict=True)
    joined = tensors.join([dict(zip(each, piece, strict=True)) for piece in pieces])
    assert same(joined, each)
    assert tensors.count(joined) == whole
    index = torch.tensor([number % whole for number in chosen if whole], dtype=torch.int64).unique()
    taken = tensors.rows(joined, index)
    assert all(torch.equal(taken[name], each[name][index]) for name in each)
    blank: Tensors = tensors.each(torch.zeros_like, each)
    held = dict(blank)
    tensors.put(blank, index, taken)
    assert all(blank[name] is tensor for name, tensor in held.items())
    inside = torch.zeros(whole, dtype=torch.bool).index_fill(0, index, True)
    for name, tensor in blank.items():
        assert torch.equal(tensor[inside], each[name][inside])
        assert not tensor[~inside].any()


def test_what_is_copied_stays_where_it_is() -> None:
    target = {"x": torch.zeros(2), "y": torch.ones(3)}
    held = dict(target)
    values: Tensors = {"x": torch.tensor([1.0, 2.0]), "y": torch.full((3,), 7.0)}
    tensors.copy(target, values)
    assert all(target[name] is tensor for name, tensor in held.items())
    assert same(target, values)
    target["x"].fill_(0)
    assert values["x"].tolist() == [1, 2]


def test_a_function_of_several_is_applied_by_name() -> None:
    one: Tensors = {"x": torch.ones(1), "y": torch.zeros(1)}
    other: Tensors = {"y": torch.ones(1), "x": torch.full((1,), 2.0)}

    def less(here: Tensor, there: Tensor) -> Tensor:
        return here - there

    assert same(tensors.each(less, one, other), {"x": torch.tensor([-1.0]), "y": -torch.ones(1)})
    assert tensors.each(less, {}, {}) == {}
