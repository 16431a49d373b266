"""Checkpoints in the layout in which habitat-baselines keeps its skills, made on the spot."""

import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

JOINTS = 7
KNOWN = {"navigate": 2 + JOINTS, "pick": 7 + JOINTS}
ACTIONS = {"navigate": 3, "pick": JOINTS + 3}


def skill_weights(name: str, depth: int, seed: int = 0) -> dict[str, Tensor]:
    """By the names and with the shapes that its policy has there: ResNet-18 of half the usual
    width, an LSTM of two layers, a Gaussian head."""
    draws = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}

    def add(name: str, *shape: int) -> None:
        scale = 1 / max(1, torch.Size(shape[1:]).numel()) ** 0.5
        found[name] = torch.randn(shape, generator=draws) * scale

    def add_norm(name: str, width: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = torch.ones(width), torch.zeros(width)

    net, eye = "net", "net.visual_encoder"
    add(f"{net}.prev_action_embedding.weight", 32, ACTIONS[name])
    add(f"{net}.prev_action_embedding.bias", 32)
    add(f"{eye}.backbone.conv1.0.weight", 32, 1, 7, 7)
    add_norm(f"{eye}.backbone.conv1.1", 32)
    inner = 32
    for stage, outer in enumerate((32, 64, 128, 256)):
        for block in range(2):
            place = f"{eye}.backbone.layer{stage + 1}.{block}"
            add(f"{place}.convs.0.weight", outer, inner, 3, 3)
            add_norm(f"{place}.convs.1", outer)
            add(f"{place}.convs.3.weight", outer, outer, 3, 3)
            add_norm(f"{place}.convs.4", outer)
            if inner != outer:
                add(f"{place}.downsample.0.weight", outer, inner, 1, 1)
                add_norm(f"{place}.downsample.1", outer)
            inner = outer
    side = -(-(depth // 2) // 32)
    channels = round(2048 / side**2)
    add(f"{eye}.compression.0.weight", channels, 256, 3, 3)
    add_norm(f"{eye}.compression.1", channels)
    add(f"{net}.visual_fc.1.weight", 512, channels * side**2)
    add(f"{net}.visual_fc.1.bias", 512)
    for layer, size in enumerate((512 + KNOWN[name] + 32, 512)):
        add(f"{net}.state_encoder.rnn.weight_ih_l{layer}", 2048, size)
        add(f"{net}.state_encoder.rnn.weight_hh_l{layer}", 2048, 512)
        add(f"{net}.state_encoder.rnn.bias_ih_l{layer}", 2048)
        add(f"{net}.state_encoder.rnn.bias_hh_l{layer}", 2048)
    add("action_distribution.std", ACTIONS[name])
    add("action_distribution.mu_maybe_std.weight", ACTIONS[name], 512)
    add("action_distribution.mu_maybe_std.bias", ACTIONS[name])
    add("critic.fc.weight", 1, 512)
    add("critic.fc.bias", 1)
    return found


def write_skill(path: Path, weights: dict[str, Tensor], config: Any = None) -> None:
    """With a configuration, which there is an object of a class of omegaconf's."""
    content = {"state_dict": weights, "config": config, "extra_state": {"step": 100}}
    if config is not None:
        torch.save(content, path)
        return
    module = ModuleType("omegaconf.dictconfig")
    kind = type("DictConfig", (), {"__module__": module.__name__})
    module.DictConfig = kind  # type: ignore[attr-defined]
    modules = {"omegaconf": ModuleType("omegaconf"), module.__name__: module}
    with patch.dict(sys.modules, modules):
        content["config"] = kind()
        cached = defaultdict(dict, {"oc.env": {"seed": 0}})
        content["config"].habitat = {"gym": {"obs_keys": ["head_depth"]}, "cache": cached}
        torch.save(content, path)
