"""An LSTM without PyTorch's fused operation, which the pretend accelerator lacks."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence


def plain_lstm(
    lstm: nn.LSTM, steps: Tensor | PackedSequence, state: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
    """`nn.LSTM.forward` written out."""
    if isinstance(steps, PackedSequence):
        rows, order = steps.data, steps.sorted_indices
        sizes = steps.batch_sizes.tolist()
    else:
        rows, order = steps.flatten(0, 1), None
        sizes = [steps.shape[1]] * len(steps)
    zero = rows.new_zeros(lstm.num_layers, sizes[0], lstm.hidden_size)
    hidden, cell = state or (zero, zero)
    if order is not None:
        hidden, cell = hidden[:, order], cell[:, order]
    last = []
    for layer, weights in enumerate(lstm.all_weights):
        of_input, of_hidden, input_bias, hidden_bias = weights
        h, c, made = hidden[layer], cell[layer], list[Tensor]()
        for row in rows.split(sizes):
            h, c = h[: len(row)], c[: len(row)]
            gates = functional.linear(row, of_input, input_bias)
            gates = gates + functional.linear(h, of_hidden, hidden_bias)
            take, keep, new, show = gates.chunk(4, 1)
            c = keep.sigmoid() * c + take.sigmoid() * new.tanh()
            h = show.sigmoid() * c.tanh()
            made.append(h)
        rows = torch.cat(made)
        last.append((h, c))
    carried = tuple(torch.stack(each) for each in zip(*last, strict=True))
    if isinstance(steps, PackedSequence):
        return steps._replace(data=rows), carried
    return rows.view(len(steps), -1, lstm.hidden_size), carried
