"""The names under which TensorBoard, metrics.jsonl and Weights & Biases show numbers."""

from collections.abc import Mapping

K = "Train/Kickstarting Coef"
TRAIN_RETURN, TRAIN_SUCCESS = "Train/Return Mean", "Train/Success Rate"
TAGS = {
    "return mean": TRAIN_RETURN,
    "return std": "Train/Return Std",
    "length": "Train/Eplen",
    "success": TRAIN_SUCCESS,
    "timed out": "Train/Timed Out",
    "failed early": "Train/Failed Early",
    "k": K,
    "steps a choice": "Train/Steps a Choice",
    "agreement": "Train/Agreement",
    "unanswered steps": "Train/Unanswered Steps",
    "unanswered scenes": "Train/Unanswered Scenes",
    "steps": "Train/Steps",
    "loss": "Train/Loss",
    "entropy": "Train/Mean Entropy",
    "distillation": "Train/Kickstarting Loss",
    "policy": "Train/Policy Loss",
    "value": "Train/Value Loss",
    "approx_kl": "Train/Approx KL",
    "largest_kl": "Train/Approx KL Largest",
    "clip_fraction": "Train/Clip Fraction",
    "explained_variance": "Train/Explained Variance",
    "gradient_norm": "Train/Gradient Norm",
    "teacher_share": "Train/Teacher's Share of the Gradient",
    "weight_norm": "Train/Weight Norm",
    "seconds": "Speed/Seconds",
    "test/return": "Test/Return",
    "test/length": "Test/Eplen",
    "test/success": "Test/Success Rate",
    "test/success deterministic": "Test/Success Rate Deterministic",
    "test/timed out": "Test/Timed Out",
    "test/failed early": "Test/Failed Early",
    "test/success smoothed": "Test/Success Rate Smoothed",
    "test/success of the best": "Test/Success Rate of the Best",
    "test/fallen": "Test/Fallen Below the Best",
}
"""Name of a number -> its tag."""
GROUPS = {
    "measure/": "Train/Measures/",
    "test/measure/": "Test/Measures/",
    "cost/": "LLM/",
    "speed/": "Speed/",
}
"""Begin of a name -> begin of its tag."""


def tag(name: str) -> str:
    """The tag of a number; a learner's own diagnostics are shown under their names."""
    for begin, group in GROUPS.items():
        if name.startswith(begin):
            rest = name.removeprefix(begin)
            return group + (rest.title() if begin == "speed/" else rest)
    return TAGS.get(name, f"Train/{name}")


def tagged(numbers: Mapping[str, float]) -> dict[str, float]:
    """The same numbers by their tags."""
    return {tag(name): number for name, number in numbers.items()}
