"""What a run says at its end: how good its students are, and what became of the advice."""

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from algos.schedule import MatchedSchedule
from commands.last_advice import last_advice
from commands.observers.metrics import Metrics
from commands.run_files import METRICS, read_lines
from tests.running import runs_of, train
from utils import seeding


def test_a_run_ends_with_a_verdict_in_three_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "5", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    verdict = json.loads((folder / "verdict.json").read_text())
    out = capsys.readouterr().out.splitlines()
    # What lasts is announced.
    trial = out.index("run: trying the teacher alone in 100 episodes")
    assert out[trial + 1].startswith("teacher alone in 100 episodes: success ")
    title = out.index("run: judging its students in 100 episodes each") + 1
    rows = {line.split("  ")[0]: " ".join(line.split()) for line in out[title + 1 :]}
    best = f"best, of iteration {verdict['best']['iteration']}"
    assert rows["actor"] == f"actor last student {best} teacher alone"
    outcomes = [verdict[who] for who in ("last", "best", "teacher")]
    for name in ("success", "return"):
        means = [
            f"{outcome[name]['mean']:.3f} [{outcome[name]['low']:.3f}, {outcome[name]['high']:.3f}]"
            for outcome in outcomes
        ]
        assert rows[name] == " ".join([name, *means])
    judged, tried = seeding.FIRST_VERDICT_SEED, seeding.FIRST_TRIAL_SEED
    for outcome, first in zip(outcomes, (judged, judged, tried), strict=True):
        episodes = outcome["episodes"]
        assert outcome["success"]["mean"] == sum(e["success"] for e in episodes) / 100
        assert [e["seed"] for e in episodes] == seeding.numbered(first, 100)
    assert verdict["teacher"]["success"]["mean"] == 1


def test_a_run_tells_until_when_its_student_followed_advice_and_why_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "3", "--kl_until", "2", "--savedir", "run") == 0
    folder, out = runs_of(tmp_path) / "run", capsys.readouterr().out.splitlines()
    assert "run: k is 0 from now on: --kl_until is 2" in out
    rows = read_lines(folder / METRICS)
    agreed = rows[1]["Train/Agreement"]
    advice = json.loads((folder / "verdict.json").read_text())["advice"]
    of_advice = {"iteration": 2, "agreed": agreed, "counted": None, "ended": "--kl_until is 2"}
    assert advice == of_advice | {"every_plan_alike": 0, "only_memory": False}
    assert (
        f"run: advice was given until iteration 2; the student agreed with {agreed:.0%} of it "
        "then; it ended because --kl_until is 2"
    ) in out
    events = EventAccumulator(str(folder))
    events.Reload()
    news = events.Tensors("News/text_summary")
    assert [event.step for event in news] == [0, 2]

    assert train(tmp_path, "--n_itr", "1", "--savedir", "taught") == 0
    assert train(tmp_path, "--n_itr", "1", "--savedir", "alone", "--policy", "ppo-alone") == 0
    out = capsys.readouterr().out
    assert "taught: advice was given until iteration 1; the student agreed with " in out
    assert "ended" not in out
    assert "alone: advice" not in out
    assert "k is 0" not in out


def test_the_reason_is_that_of_the_end_of_the_advice(tmp_path: Path) -> None:
    """Not one that would have held later, too."""
    log = Metrics(tmp_path / METRICS)
    for iteration, k in enumerate((3.0, 1.0, 0.0, 0.0), start=1):
        log.write(iteration, {"Train/Kickstarting Coef": k, "Train/Agreement": 0.5})
    log.ended()
    matched = MatchedSchedule(3.0, until=3, teacher=0.5, success=0.6, lacking=0.0)
    advice = last_advice(tmp_path, matched, done=4)
    assert advice["iteration"] == 2
    assert advice["ended"] == "the student succeeds as often as the advice alone does at least, 50%"
