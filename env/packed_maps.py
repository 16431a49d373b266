"""Many maps at once, as integers: one per column, with a bit per cell.

Packed cells are (S, W) int16, int32 or int64, whatever holds a column. Bit y of column x is the
cell (x, y).
"""

import torch
from torch import Tensor
from torch.nn import functional

from env.spec import MAX_SIDE


def pack(cells: Tensor) -> Tensor:
    """(S, W, H) bool -> packed cells. ValueError if the map is higher than `MAX_SIDE`."""
    return _planes(cells.view(torch.uint8), 1, padding=0)[0]


def pack_each(numbers: Tensor, *values: int) -> list[Tensor]:
    """The cells with each of these values, packed.

    `numbers` (S, W, H) uint8 have no more binary digits than the largest value. The cost hardly
    depends on how many values there are.
    """
    bits = max(values).bit_length()
    planes = _planes(numbers, bits, padding=255)
    found = list[Tensor]()
    for value in values:
        cells = torch.full_like(planes[0], -1)
        for bit, plane in enumerate(planes):
            cells &= plane if value >> bit & 1 else ~plane
        found.append(cells)
    return found


def _planes(numbers: Tensor, count: int, padding: int) -> list[Tensor]:
    """The lowest `count` bits of numbers (S, W, H) uint8, each as packed cells. Bits above the map
    are those of the `padding`."""
    height = numbers.shape[2]
    if height > MAX_SIDE:
        raise ValueError(f"maps are at most {MAX_SIDE} cells high, not {height}")
    # The sign and one more bit stay free.
    dtypes = (torch.int16, torch.int32, torch.int64)
    dtype = next(dtype for dtype in dtypes if height <= 8 * dtype.itemsize - 2)
    padded = functional.pad(numbers, (0, 8 * dtype.itemsize - height), value=padding)
    planes = list[Tensor]()
    for bit in range(count):
        eights = padded.view(torch.int64) >> bit
        eights &= 0x0101010101010101
        # The product moves the lowest bits of eight bytes into the highest byte.
        eights *= 0x0102040810204080
        eights >>= 56
        planes.append(eights.to(torch.uint8).view(dtype)[..., 0])
    return planes


def pack_one(x: Tensor, y: Tensor, like: Tensor) -> Tensor:
    """(S,) int64 each -> packed cells of the shape of `like`, with the one cell (x, y) on each
    map."""
    cells = torch.zeros_like(like)
    bit = torch.ones_like(cells[:, 0]) << y.to(cells)
    return cells.scatter_(1, x[:, None], bit[:, None])


def pack_cell(cell: Tensor, height: int, like: Tensor) -> Tensor:
    """(S,) int64, x * H + y, or negative for no cell -> packed cells of the shape of `like`."""
    known = cell.clamp(min=0)
    cells = pack_one(known // height, known % height, like)
    return cells * (cell >= 0)[:, None]


def bits_of(cells: Tensor) -> int:
    """The most cells of a column."""
    return 8 * cells.element_size() - 2


def unpack(cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Packed cells -> the map, x and y of each cell, (K,) int64 each."""
    rows = torch.arange(bits_of(cells), device=cells.device)
    map_number, x, y = (cells[..., None] >> rows & 1).nonzero(as_tuple=True)
    return map_number, x, y


def is_in(cells: Tensor, row: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(K,) bool: whether the cell (x, y) is one of these packed cells, on the map of this row."""
    return ((cells[row, x] >> y.to(cells)) & 1).bool()


def beside(cells: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The cells whose neighbour to the east, south, west, north is one of these.

    Cells below the map may be among them, so take them together with cells of the map.
    """
    edge = torch.zeros_like(cells[:, :1])
    west_of, east_of = torch.cat([cells[:, 1:], edge], 1), torch.cat([edge, cells[:, :-1]], 1)
    return west_of, cells >> 1, east_of, cells << 1


def touched(cells: Tensor) -> Tensor:
    """The cells with one of these next to them. Cells below the map may be among them."""
    found = (cells >> 1) | (cells << 1)
    found[:, :-1] |= cells[:, 1:]
    found[:, 1:] |= cells[:, :-1]
    return found


def flood(passable: Tensor, cells: Tensor) -> Tensor:
    """These cells, and the passable ones that can be reached from them."""
    while True:
        grown = cells | (touched(cells) & passable)
        if torch.equal(grown, cells):
            return cells
        cells = grown
