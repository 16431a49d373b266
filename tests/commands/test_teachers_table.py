"""The report's table of teachers: what each source of answers costs, and what it is worth."""

import json
from pathlib import Path

import pytest

from planner.servers import UNIFORM_MEANS
from tests.trees import RISING, report, table, write_evaluation, write_run

SAMPLED, SCORED = "gpt-4o-mini, sampled", "models/small.gguf, scored"


def add_costs(run: Path, **costs: float) -> None:
    """As a run logs them: each iteration has what all have added until then."""
    path = run / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, row in enumerate(rows, start=1):
        row |= {f"LLM/{name.replace('_', ' ')}": number * cost for name, cost in costs.items()}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    """Five teachers, no teacher, and one that was only tried alone."""
    log = tmp_path / "log"
    write_run(log, "recorded", RISING, final=[1, 1])
    write_run(log, "uniform", RISING[:8], llm="uniform")
    for seed in (0, 1):
        run = write_run(log, f"asked-{seed}", RISING, llm="openai", seed=seed)
        # The second one found all answers in a file.
        add_costs(run, Scenes=1 - seed, Replies=10 - 10 * seed, Tokens=1e5 * (1 - seed))
    run = write_run(
        log, "scored", RISING, llm="local", llm_mode="score", llm_model="models/small.gguf"
    )
    add_costs(run, Scenes=1, Scores=5, Tokens=100, Seconds_Waited=2)
    write_run(log, "other", RISING, llm="local", llm_mode="score", llm_model="mine/small.gguf")
    write_run(log, "alone", RISING, method="ppo-alone")
    traits = {"name": "local", "model": "models/small.gguf", "llm_mode": "schema", "Scenes": 6}
    write_evaluation(run.parent / "teacher", "schema", [1, 0], actor="teacher", llm=traits)
    return log


def rows(folder: Path) -> dict[str, dict[str, float | None]]:
    """Teacher -> column -> number."""
    found = dict[str, dict[str, float | None]]()
    for line in table(folder):
        if line["table"] == "teachers":
            value = float(line["value"]) if line["value"] else None
            found.setdefault(line["teacher"], {})[line["number"]] = value
    return found


def test_each_source_of_answers_is_a_row_with_its_costs_and_its_student(logdir: Path) -> None:
    assert report(logdir, "--llm_price", "0.5") == 0
    found = rows(logdir / "report")
    assert found.keys() == {
        *("recorded plans", UNIFORM_MEANS, SAMPLED, SCORED, "no teacher"),
        *("models/small.gguf, in a schema", "mine/small.gguf, scored"),
    }
    asked, scored = found[SAMPLED], found[SCORED]
    iterations = len(RISING)
    assert (asked["scenes"], asked["replies or scores"]) == (iterations, 10 * iterations)
    assert asked["tokens"] == 1e5 * iterations
    assert asked["money"] == pytest.approx(0.05 * iterations)
    assert (scored["replies or scores"], scored["seconds"]) == (5 * iterations, 2 * iterations)
    assert scored["money"] == 0
    assert {found[name]["tokens"] for name in ("recorded plans", UNIFORM_MEANS)} == {None}
    assert found["recorded plans"]["teacher's success"] == 0.75
    assert found["recorded plans"]["student's success"] == 1
    assert found["recorded plans"]["steps to 0.95"] == 1100
    assert found[UNIFORM_MEANS]["steps to 0.95"] is None
    tried = found["models/small.gguf, in a schema"]
    assert (tried["teacher's success"], tried["student's success"]) == (0.5, None)
    assert tried["scenes"] == 6
    assert found["no teacher"]["teacher's success"] is None


def test_other_plans_are_another_teacher(logdir: Path) -> None:
    teacher = logdir / "ppo" / "simpledoorkey" / "teacher"
    write_evaluation(teacher, "mine", [0] * 9, actor="teacher", plans="0123456789ab")
    assert report(logdir) == 0
    found = rows(logdir / "report")
    assert found["plans 012345"]["teacher's success"] == 0
    assert found["recorded plans"]["teacher's success"] == 0.75


def test_a_teacher_with_students_is_not_one_that_was_asked_otherwise(tmp_path: Path) -> None:
    """However many episodes that one has."""
    asked = {"llm": "local", "llm_mode": "score", "llm_model": "models/small.gguf"}
    run = write_run(tmp_path, "run", RISING, **asked, score_temperature=2.0, final=[1, 1])
    for temperature in (0.5, 1.0):
        llm = {"name": "local", "model": "models/small.gguf"}
        llm |= {"llm_mode": "score", "score_temperature": temperature}
        folder = run.parent / "teacher"
        write_evaluation(folder, f"at-{temperature}", [0] * 9, actor="teacher", llm=llm)
    recorded = {"actor": "teacher", "plans": "those of another file"}
    write_run(tmp_path, "recorded", RISING, final=[1, 1])
    write_evaluation(folder, "other-plans", [0] * 9, **recorded)
    assert report(tmp_path) == 0
    assert {name: row["teacher's success"] for name, row in rows(tmp_path / "report").items()} == {
        "recorded plans": 0.75,
        "plans those ": 0,
        f"{SCORED} --score_temperature 2.0": 0.75,
        f"{SCORED} --score_temperature 0.5": 0,
        SCORED: 0,
    }


def test_records_keep_the_costs(logdir: Path, tmp_path: Path) -> None:
    assert report(logdir) == 0
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes((logdir / "report" / "records.jsonl").read_bytes())
    assert report(kept) == 0
    assert rows(tmp_path / "kept-report") == rows(logdir / "report")


def test_without_another_source_there_is_no_such_table(tmp_path: Path) -> None:
    write_run(tmp_path, "recorded", RISING)
    write_run(tmp_path, "alone", RISING, method="ppo-alone")
    assert report(tmp_path) == 0
    assert not rows(tmp_path / "report")


@pytest.mark.parametrize("price", ["-1", "nan", "inf"])
def test_what_is_no_price_is_refused(
    logdir: Path, price: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(logdir, "--llm_price", price) == 1
    assert capsys.readouterr().err.startswith("error: --llm_price: ")
