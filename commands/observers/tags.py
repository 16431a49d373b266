"""The names under which TensorBoard, metrics.jsonl and Weights & Biases show numbers."""

from collections.abc import Mapping

K, AGREEMENT = "Train/Kickstarting Coef", "Train/Agreement"
FOLLOWED = "Train/Advice Followed"
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
    "agreement": AGREEMENT,
    "unanswered steps": "Train/Unanswered Steps",
    "unanswered scenes": "Train/Unanswered Scenes",
    "steps": "Train/Steps",
    "learner/loss": "Train/Loss",
    "learner/entropy": "Train/Mean Entropy",
    "learner/distillation": "Train/Kickstarting Loss",
    "learner/policy": "Train/Policy Loss",
    "learner/value": "Train/Value Loss",
    "learner/approx_kl": "Train/Approx KL",
    "learner/largest_kl": "Train/Approx KL Largest",
    "learner/clip_fraction": "Train/Clip Fraction",
    "learner/explained_variance": "Train/Explained Variance",
    "learner/gradient_norm": "Train/Gradient Norm",
    "learner/teacher_share": "Train/Teacher's Share of the Gradient",
    "learner/advice_followed": FOLLOWED,
    "learner/weight_norm": "Train/Weight Norm",
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
    "learner/": "Train/",
    "measure/": "Train/Measures/",
    "test/measure/": "Test/Measures/",
    "cost/": "LLM/",
    "speed/": "Speed/",
}
"""Prefix of a name -> prefix of its tag."""


def tag(name: str) -> str:
    """The tag of a number; a learner's other diagnostics are shown under their names."""
    if name in TAGS:
        return TAGS[name]
    begin = next(begin for begin in GROUPS if name.startswith(begin))
    rest = name.removeprefix(begin)
    return GROUPS[begin] + (rest.title() if begin == "speed/" else rest)


def tagged(numbers: Mapping[str, float]) -> dict[str, float]:
    """The same numbers by their tags."""
    return {tag(name): number for name, number in numbers.items()}
