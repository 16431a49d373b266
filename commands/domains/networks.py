"""The networks that a student may see with, by name."""

from collections.abc import Callable

from algos.encoders import Encoder, MapEncoder
from algos.student import NetworkSpec
from algos.vision import CameraEncoder, resnet18_trunk, small_trunk
from env.egocentric import EgocentricView


def make_encoder(spec: NetworkSpec) -> Encoder:
    """The encoder of a network's name. KeyError if there is none of it, or it cannot see what is
    observed."""
    return NETWORKS[spec.network](spec)


def paper_encoder(spec: NetworkSpec) -> MapEncoder:
    """The paper's: maps as they are, codes as magnitudes."""
    return MapEncoder(map_shape(spec))


def egocentric_encoder(spec: NetworkSpec) -> MapEncoder:
    """Maps as the agent sees them from where it stands."""
    shape = map_shape(spec)
    return MapEncoder(shape, EgocentricView(shape))


def map_shape(spec: NetworkSpec) -> tuple[int, int, int]:
    """(W, H, C), the frames before it included."""
    width, height, channels = spec.obs["image"]
    return width, height, channels + spec.obs.get("before", (0,))[-1]


def small_encoder(spec: NetworkSpec) -> CameraEncoder:
    """Depth through three convolutions."""
    depth = spec.obs["depth"]
    return CameraEncoder(small_trunk(depth[-1]), depth, *spec.obs["state"])


def resnet18_encoder(spec: NetworkSpec) -> CameraEncoder:
    """Depth through a residual network, as the paper's options have it."""
    depth = spec.obs["depth"]
    return CameraEncoder(resnet18_trunk(depth[-1]), depth, *spec.obs["state"])


NETWORKS: dict[str, Callable[[NetworkSpec], Encoder]] = {
    "paper": paper_encoder,
    "egocentric": egocentric_encoder,
    "small": small_encoder,
    "resnet18": resnet18_encoder,
}
