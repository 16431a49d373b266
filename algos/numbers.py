"""The numbers that describe an iteration, by name."""

from algos.evaluation import Evaluation
from algos.protocols import Advice, Learner
from algos.rollout import Rollout
from algos.selection import Selection
from utils.tensors import rows

MEASURE = "measure/"
"""Begins the name of what an environment measures."""
TEST = "test/"
"""Begins the name of a number of an evaluation."""


def episode_sums(rollout: Rollout) -> dict[str, float]:
    """The number of steps of a rollout, and sums over the episodes that ended in it, each of them
    whole."""
    ended = rollout.ended
    returns, success = rollout.returns[ended].double(), rollout.success[ended]
    measures = rows(rollout.measures, ended)
    sums = {
        "steps": len(rollout),
        "episodes": len(returns),
        "length": int(rollout.episode_lengths[ended].sum()),
        "return": float(returns.sum()),
        "squared return": float(returns.square().sum()),
        "successes": float(success.sum()),
        "timed out": float((~rollout.terminated[ended] & ~success).sum()),
        **{f"{MEASURE}{name}": float(values.sum()) for name, values in measures.items()},
    }
    if "chosen" in rollout.steps:
        sums["choices"] = int(rollout.steps["chosen"].sum())
    return sums


def advice_sums(learner: Learner, rollout: Rollout, advice: Advice | None) -> dict[str, float]:
    """How many steps have an answer, and at how many the student would follow it."""
    if advice is None:
        return {}
    answered = int(advice.weights.any(1).sum())
    return {
        "agreeing": float(learner.agreement(rollout, advice).sum()),
        "answered": answered,
        "unanswered": len(rollout) - answered,
        "unanswered scenes": advice.unanswered_scenes,
    }


def training_numbers(sums: dict[str, float], k: float) -> dict[str, float]:
    """The numbers of an iteration, from sums over all ranks. If no episode ended, there are no
    means over episodes."""
    numbers = {**(_episode_means(sums) if sums["episodes"] else {}), "k": k}
    if "choices" in sums:
        numbers["steps a choice"] = sums["steps"] / sums["choices"]
    if "answered" in sums:
        numbers["agreement"] = sums["agreeing"] / max(sums["answered"], 1)
        numbers["unanswered steps"] = sums["unanswered"]
        numbers["unanswered scenes"] = sums["unanswered scenes"]
    return numbers


def _episode_means(sums: dict[str, float]) -> dict[str, float]:
    episodes = sums["episodes"]
    mean = sums["return"] / episodes
    return {
        "return mean": mean,
        "return std": max(sums["squared return"] / episodes - mean**2, 0) ** 0.5,
        "length": sums["length"] / episodes,
        "success": sums["successes"] / episodes,
        "timed out": sums["timed out"] / episodes,
        "failed early": (episodes - sums["timed out"] - sums["successes"]) / episodes,
        **{name: sum / episodes for name, sum in sums.items() if name.startswith(MEASURE)},
    }


def evaluation_numbers(
    sampled: Evaluation, deterministic: Evaluation, selection: Selection
) -> dict[str, float]:
    """Means over the episodes of an evaluation, and how the last few compare with the best."""
    summary, failures = sampled.summary(), sampled.failures()
    numbers = {
        "return": summary["return"].value,
        "length": summary["length"].value,
        "success": summary["success"].value,
        "success deterministic": deterministic.summary()["success"].value,
        "timed out": failures["timed out"],
        "failed early": failures["failed early"],
        **{f"{MEASURE}{name}": each.value for name, each in sampled.measured().items()},
    }
    if selection.best >= 0:
        numbers["success smoothed"] = selection.mean
        numbers["success of the best"] = selection.best
        numbers["fallen"] = float(selection.fallen)
    return {f"{TEST}{name}": number for name, number in numbers.items()}
