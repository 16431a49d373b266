"""Several frames as one observation."""

from typing import Any

import torch

from env.drawing import Drawing
from env.vector import RestingEnv, Seeds, Step
from utils.tensors import Tensors, choose, copy, each


class FrameStack(RestingEnv):
    """Adds the k - 1 earlier images to each `image`, as `before`: joined along the channels, oldest
    first. After a reset the first image is repeated."""

    def __init__(self, inner: RestingEnv, frames: int) -> None:
        if frames < 2:
            raise ValueError(f"a stack has at least 2 frames, not {frames}")
        super().__init__(inner.num_envs, inner.described.stacked(frames))
        self.inner = inner
        self.render_mode = inner.render_mode
        self.capturable, self.device = inner.capturable, inner.device
        self.frames = frames
        self.state: Tensors = {}

    def pictures(self) -> dict[str, Any]:
        return self.inner.pictures()

    def drawing(self) -> Drawing:
        return self.inner.drawing()

    def render(self) -> tuple[Any, ...] | None:
        return self.inner.render()

    def close_extras(self, **kwargs: Any) -> None:
        self.inner.close(**kwargs)

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        options = {} if mask is None else {"reset_mask": mask}
        obs, _ = self.inner.reset(seed=seed, options=options)
        image = obs["image"]
        fresh = {
            "image": image,
            "before": image.repeat(*[1] * (image.dim() - 1), self.frames - 1),
            "resting": torch.zeros(self.num_envs, dtype=torch.bool, device=image.device),
        }
        if self.state:
            whole = torch.ones_like(fresh["resting"])
            where = whole if mask is None else torch.as_tensor(mask).to(whole)
            copy(self.state, choose(where, fresh, self.state))
        else:
            self.state = each(torch.clone, fresh)
        return {**obs, "before": self.state["before"].clone()}

    def step(self, actions: Any) -> Step:
        obs, reward, terminated, truncated, info = self.inner.step(actions)
        frames = torch.cat([self.state["before"], self.state["image"]], -1)
        new = {
            "image": obs["image"],
            "before": frames[..., obs["image"].shape[-1] :],
            "resting": terminated | truncated,
        }
        copy(self.state, choose(~self.state["resting"], new, self.state))
        obs = {**obs, "before": self.state["before"].clone()}
        return obs, reward, terminated, truncated, info
