"""The numbers of an iteration, by the names that TensorBoard shows."""

from algos.evaluator import Evaluation
from algos.protocols import Advice, Learner
from algos.rollout import Rollout
from algos.selection import Selection

TAGS = {
    "loss": "Loss",
    "entropy": "Mean Entropy",
    "distillation": "Kickstarting Loss",
    "policy": "Policy Loss",
    "value": "Value Loss",
    "approx_kl": "Approx KL",
    "largest_kl": "Approx KL Largest",
    "clip_fraction": "Clip Fraction",
    "explained_variance": "Explained Variance",
    "gradient_norm": "Gradient Norm",
    "teacher_share": "Teacher's Share of the Gradient",
    "weight_norm": "Weight Norm",
}
"""A learner's diagnostic -> the tag that TensorBoard shows."""
MEASURE = "measure "


def episode_sums(rollout: Rollout) -> dict[str, float]:
    returns = rollout.returns.double()
    sums = {
        "episodes": len(rollout.lengths),
        "steps": len(rollout),
        "return": float(returns.sum()),
        "squared return": float(returns.square().sum()),
        "successes": float(rollout.success.sum()),
        "timed out": float((~rollout.terminated & ~rollout.success).sum()),
        **{f"{MEASURE}{name}": float(each.sum()) for name, each in rollout.measures.items()},
    }
    if "chosen" in rollout.steps:
        sums["choices"] = int(rollout.steps["chosen"].sum())
    return sums


def advice_sums(learner: Learner, rollout: Rollout, advice: Advice | None) -> dict[str, float]:
    """How often the student would do what its teacher advises, and what had no answer."""
    if advice is None:
        return {}
    answered = int(advice.weights.any(1).sum())
    return {
        "agreeing": float(learner.agreement(rollout, advice).sum()),
        "answered": answered,
        "unanswered": len(rollout) - answered,
        "unanswered scenes": advice.unanswered_scenes,
    }


def train_scalars(
    sums: dict[str, float], diagnostics: dict[str, float], k: float
) -> dict[str, float]:
    """Of an iteration: what its episodes were like, and what a learner says of itself, by its tag
    or under its own name."""
    episodes = sums["episodes"]
    mean = sums["return"] / episodes
    return {
        "Train/Return Mean": mean,
        "Train/Return Std": max(sums["squared return"] / episodes - mean**2, 0) ** 0.5,
        "Train/Eplen": sums["steps"] / episodes,
        "Train/Success Rate": sums["successes"] / episodes,
        "Train/Timed Out": sums["timed out"] / episodes,
        "Train/Failed Early": (episodes - sums["timed out"] - sums["successes"]) / episodes,
        "Train/Kickstarting Coef": k,
        **({"Train/Steps a Choice": sums["steps"] / sums["choices"]} if "choices" in sums else {}),
        **{f"Train/{TAGS.get(name, name)}": number for name, number in diagnostics.items()},
        **{
            name.replace(MEASURE, "Train/Measures/", 1): total / episodes
            for name, total in sums.items()
            if name.startswith(MEASURE)
        },
    }


def teacher_scalars(sums: dict[str, float]) -> dict[str, float]:
    if "answered" not in sums:
        return {}
    return {
        "Train/Agreement": sums["agreeing"] / max(sums["answered"], 1),
        "Train/Unanswered Steps": sums["unanswered"],
        "Train/Unanswered Scenes": sums["unanswered scenes"],
    }


def test_scalars(sampled: Evaluation, deterministic: Evaluation) -> dict[str, float]:
    """Of a student that samples its actions, and of the same one that takes the likeliest."""
    summary, failures = sampled.summary(), sampled.failures()
    return {
        "Test/Return": summary["return"][0],
        "Test/Eplen": summary["length"][0],
        "Test/Success Rate": summary["success"][0],
        "Test/Success Rate Deterministic": deterministic.summary()["success"][0],
        "Test/Timed Out": failures["timed out"],
        "Test/Failed Early": failures["failed early"],
        **{f"Test/Measures/{name}": mean for name, (mean, _) in sampled.measured().items()},
    }


def selection_scalars(selection: Selection) -> dict[str, float]:
    """How the last evaluations together compare to the best that there were."""
    if selection.best < 0:
        return {}
    return {
        "Test/Success Rate Smoothed": selection.mean,
        "Test/Success Rate of the Best": selection.best,
        "Test/Fallen Below the Best": float(selection.fallen),
    }
