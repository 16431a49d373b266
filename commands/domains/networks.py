"""A student's encoders, by the name of the setting `network`."""

from collections.abc import Callable

from algos.encoders import Encoder, MapEncoder
from algos.student import NetworkSpec
from algos.vision import CameraEncoder, resnet18_trunk, small_trunk
from env.egocentric import EgocentricView


def make_encoder(spec: NetworkSpec) -> Encoder:
    """The encoder of a network. KeyError if its name is unknown, or the observation has not what
    it needs."""
    return NETWORKS[spec.network](spec)


def paper_encoder(spec: NetworkSpec) -> MapEncoder:
    """The paper's network: maps in their own frame, with codes as numbers."""
    return MapEncoder(map_shape(spec))


def egocentric_encoder(spec: NetworkSpec) -> MapEncoder:
    """Maps shifted and turned, so that the agent stands in the middle and looks up."""
    shape = map_shape(spec)
    return MapEncoder(shape, EgocentricView(shape))


def map_shape(spec: NetworkSpec) -> tuple[int, int, int]:
    """(W, H, C), with the channels of earlier frames."""
    width, height, channels = spec.obs["image"]
    return width, height, channels + spec.obs.get("before", (0,))[-1]


def small_encoder(spec: NetworkSpec) -> CameraEncoder:
    """Three convolutions on depth."""
    depth = spec.obs["depth"]
    return CameraEncoder(small_trunk(depth[-1]), depth, *spec.obs["state"])


def resnet18_encoder(spec: NetworkSpec) -> CameraEncoder:
    """A ResNet-18 on depth, as the paper's options have it."""
    depth = spec.obs["depth"]
    return CameraEncoder(resnet18_trunk(depth[-1]), depth, *spec.obs["state"])


NETWORKS: dict[str, Callable[[NetworkSpec], Encoder]] = {
    "paper": paper_encoder,
    "egocentric": egocentric_encoder,
    "small": small_encoder,
    "resnet18": resnet18_encoder,
}
