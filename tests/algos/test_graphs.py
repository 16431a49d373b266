import pytest
import torch

from algos.cuda_graphs import Graphed


def test_a_graph_takes_no_tensor_of_another_shape_or_type() -> None:
    double = Graphed(lambda given: {"y": 2 * given["x"]}, torch.device("cpu"))
    assert double({"x": torch.ones(2, 3)})["y"].sum() == 12
    for other in (torch.ones(1, 3), torch.ones(3), torch.ones(2, 3, dtype=torch.int64)):
        with pytest.raises(ValueError, match="x is torch"):
            double({"x": other})
