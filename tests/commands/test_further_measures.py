"""Success without a contact and success of likeliest actions, beside success in a report."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from commands.build import Parts
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from planner.task import load_task
from tests.trees import RISING, numbers, report, write_evaluation, write_run
from utils.statistics import mean_of_runs, share_of

CLEAN, LIKELIEST = "final clean_success", "final success of likeliest actions"


def write_pair(logdir: Path, method: str, with_measures: bool = True) -> None:
    """Two runs: of ten episodes eight succeed, five without a contact, nine of likeliest ones."""
    for seed in (0, 1):
        run = write_run(logdir, f"{seed}", RISING, method=method, task="NavPick", seed=seed)
        last = {"model": "acmodel.pt", "iteration": len(RISING), "task": "NavPick"}
        write_evaluation(run, "unseen", [1] * 8 + [0] * 2, **last)
        if with_measures:
            file = run / "unseen" / "eval.json"
            clean = dict(zip(("mean", "low", "high"), share_of(5, 10), strict=True))
            content = json.loads(file.read_text()) | {"measures": {"clean_success": clean}}
            file.write_text(json.dumps(content))
            write_evaluation(run, "likeliest", [1] * 9 + [0], **last, deterministic=True)


def test_they_have_columns_of_their_own_and_stay_in_records(tmp_path: Path) -> None:
    write_pair(tmp_path / "log", "ppo")
    write_pair(tmp_path / "log", "ppo-alone", with_measures=False)
    assert report(tmp_path / "log") == 0
    folder = tmp_path / "log" / "report"
    again = tmp_path / "again"
    assert report(folder / "records.jsonl", "--out", again) == 0
    for place in (folder, again):
        found = numbers(place, "final", group="ppo")
        assert found["final success"] == pytest.approx(mean_of_runs([share_of(8, 10)] * 2))
        assert found[CLEAN] == pytest.approx(mean_of_runs([share_of(5, 10)] * 2))
        assert found[LIKELIEST] == pytest.approx(mean_of_runs([share_of(9, 10)] * 2))
        assert numbers(place, "final", group="ppo-alone")[CLEAN] == [None, None, None]
    assert (folder / "figures" / "final-clean_success.png").is_file()


def test_without_such_evaluations_there_are_no_such_columns(tmp_path: Path) -> None:
    write_pair(tmp_path / "log", "ppo", with_measures=False)
    assert report(tmp_path / "log") == 0
    found = numbers(tmp_path / "log" / "report", "final", group="ppo")
    assert found.keys() == {"final success", "final return"}


@pytest.mark.parametrize(("given", "most"), [({}, 50), ({"max_contacts": 1}, 1)])
def test_a_setting_says_how_many_contacts_end_an_episode(given: dict[str, int], most: int) -> None:
    flags = {"task": load_task("NavPick"), "device": "cpu", **given}
    with ExitStack() as owned:
        parts = Parts(make_config(fresh_settings(flags), "settings"), owned)
        (contacts,) = {
            homes.max_collisions
            for homes in (
                parts.domain.environments(1, torch.device("cpu")),
                parts.domain.single_environments(1),
            )
        }
        assert contacts == most
