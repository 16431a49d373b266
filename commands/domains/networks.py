"""A student's encoders, by the name of the setting `network`."""

from collections.abc import Callable

from algos.encoders import Encoder, MapEncoder, View
from algos.mission_encoder import MissionEncoder
from algos.student import NetworkSpec
from algos.vision import CameraEncoder, resnet18_trunk, small_trunk
from env.egocentric import EgocentricView
from env.missions import VOCABULARY
from env.window import SightView, WindowView

VIEWS: dict[str, Callable[[tuple[int, int, int]], View | None]] = {
    "paper": lambda shape: None,
    "egocentric": EgocentricView,
}
"""Network -> what maps of a shape (W, H, C) are turned into. The paper's takes them as they are."""
TRUNKS = {"small": small_trunk, "resnet18": resnet18_trunk}
"""Network -> its convolutions on a camera's depth: three, or a ResNet-18 as the paper's options
have it."""


def make_encoder(spec: NetworkSpec) -> Encoder:
    """The encoder of a network. KeyError if its name is unknown, or if it needs an observation that
    is not there."""
    if spec.network == "window":
        sight = (
            WindowView(spec.obs["image"]) if "image" in spec.obs else SightView(spec.obs["view"])
        )
        return MissionEncoder(sight, spec.obs, len(VOCABULARY))
    if "image" not in spec.obs:
        depth = spec.obs["depth"]
        return CameraEncoder(TRUNKS[spec.network](depth[-1]), depth, *spec.obs["state"])
    width, height, channels = spec.obs["image"]
    # Earlier frames stand in further channels.
    shape = width, height, channels + spec.obs.get("before", (0,))[-1]
    return MapEncoder(shape, VIEWS[spec.network](shape))
