"""Methods: what defines one stands, and of all else that is said the weightier word counts."""

import json
from pathlib import Path

import pytest

import main
from commands.settings.methods import load_method, method_names
from commands.settings.presets import read_preset
from commands.settings.resolve import check_flags, resolve
from planner.task import load_task
from tests.running import settings_of
from utils.errors import UserError

LITTLE = ["--n_itr", "0", "--device", "cpu", "--num_eval", "1"]


def train(logdir: Path, *flags: str) -> int:
    return main.main(["train", "--logdir", str(logdir), *LITTLE, *flags])


def test_the_methods_that_come_along() -> None:
    assert method_names() == [
        *("hierarchical", "imitation", "ppo", "ppo-adaptive", "ppo-alone", "ppo-hard")
    ]
    fixed = {name: load_method(name).fixed for name in method_names()}
    acts_itself, in_full = {"hierarchical": False}, {"advisor_alpha": 0}
    alone = {"kl_start": 0, "llm": None, "uniform_share": 0, **in_full}
    assert fixed == {
        "hierarchical": {"hierarchical": True, **alone},
        "imitation": {
            **dict.fromkeys(("policy_coef", "value_coef", "entropy_coef"), 0),
            **{"schedule": "constant", "kl_start": 1, "uniform_share": 0, **in_full, **acts_itself},
        },
        "ppo": {"hard": False, **acts_itself},
        "ppo-adaptive": {"schedule": "adaptive", **acts_itself},
        "ppo-alone": {**alone, **acts_itself},
        "ppo-hard": {"hard": True, **in_full, **acts_itself},
    }
    for name in method_names():
        settings = resolve({"policy": load_method(name.upper())}, {})
        assert settings["policy"].name == name
        assert settings.items() >= fixed[name].items()


def test_precedence(tmp_path: Path) -> None:
    """Default < task < preset < method's settings < flags < what is fixed."""
    said = {"gamma": 0.1, "lam": 0.1, "clip": 0.1, "epochs": 1, "n_itr": 1}
    task = load_task("TwoDoor").model_copy(update={"settings": said})
    preset = {"lam": 0.2, "clip": 0.2, "epochs": 2, "n_itr": 2}
    file = tmp_path / "way.yaml"
    file.write_text("description: a way\nsettings: {clip: 0.3, epochs: 3}\nfixed: {n_itr: 5}")
    flags = {"task": task, "policy": load_method(str(file)), "epochs": 4, "n_itr": 4}
    settings = resolve(flags, preset)
    names = ("batch_size", "gamma", "lam", "clip", "epochs", "n_itr")
    assert [settings[name] for name in names] == [128, 0.1, 0.2, 0.3, 4, 5]


def test_a_run_of_a_method_lies_under_its_name_and_is_found_there(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("hard: false\ngamma: 0.5")
    assert train(tmp_path, "--policy", "PPO-Hard", "--config", str(preset)) == 0
    folder = tmp_path / "ppo-hard" / "simpledoorkey" / "run1"
    content = settings_of(folder)
    assert (content["hard"], content["gamma"]) == (True, 0.5)
    assert content["policy"]["name"] == "ppo-hard"
    where = ["--logdir", str(tmp_path), "--policy", "ppo-hard"]
    assert main.main(["eval", *where, "--num_eval", "1"]) == 0
    assert (folder / "eval" / "eval.json").is_file()
    assert main.main(["eval", *where, "--eval_teacher", "--num_eval", "1"]) == 0
    teacher = json.loads((folder.parent / "teacher" / "eval" / "eval.json").read_text())
    assert teacher["hard"] is True
    assert main.main(["train", *where, "--resume", "--n_itr", "0"]) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--policy", "ppo-hard", "--soft_planner"],
            "--soft_planner: the method ppo-hard is defined by --hard;",
        ),
        (
            ["--policy", "ppo-alone", "--kl_start", "3"],
            "--kl_start 3.0: the method ppo-alone is defined by --kl_start 0.0;",
        ),
        (
            ["--policy", "ppo-alone", "--llm", "vicuna"],
            "--llm vicuna: the method ppo-alone is defined by --offline_planner;",
        ),
        (
            ["--policy", "ppo-adaptive", "--schedule", "linear"],
            "--schedule linear: the method ppo-adaptive is defined by --schedule adaptive;",
        ),
        (["--policy", "ppo", "--hard"], "--hard: the method ppo is defined by --soft_planner;"),
        (["--hierarchical"], "--hierarchical: the method ppo is defined by --no_hierarchical;"),
        (
            ["--kl_start", "0"],
            "--kl_start 0: the method ppo learns from a teacher; give another --policy, such as",
        ),
        (["--policy", "sarsa"], "unknown method 'sarsa'; give one of hierarchical, imitation, ppo"),
        (["--policy", "../base"], "unknown method '../base'; give one of"),
        (["--policy", "none.yaml"], "cannot read none.yaml"),
    ],
)
def test_a_flag_against_its_method_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert train(tmp_path, *flags) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {words}")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def against(name: str, value: object) -> object:
    """Another value of a setting than the one that a method fixes."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return {"schedule": "matched", "llm": "vicuna"}[name]


DEFINED = [(method, name) for method in method_names() for name in load_method(method).fixed]


@pytest.mark.parametrize(("method", "name"), DEFINED)
def test_nothing_overrides_what_defines_a_method(method: str, name: str) -> None:
    fixed = load_method(method).fixed
    other = {name: against(name, fixed[name])}
    preset = read_preset(Path("configs/best.yaml"), "TwoDoor")
    task = load_task("TwoDoor").model_copy(update={"settings": other})
    flags = {"policy": load_method(method), "task": task}
    for said in (preset, preset | other):
        assert resolve(flags, said).items() >= fixed.items()
    with pytest.raises(UserError, match=f"the method {method} is defined by"):
        check_flags(flags | other, resolve(flags | other, preset))


@pytest.mark.parametrize("method", ["ppo", "ppo-hard", "ppo-adaptive"])
def test_no_preset_takes_away_the_teacher_of_a_method_that_has_one(method: str) -> None:
    preset = read_preset(Path("configs/best.yaml"), "TwoDoor") | {"kl_start": 0.0}
    with pytest.raises(UserError, match=f"--config: kl_start 0: the method {method} learns from"):
        resolve({"policy": load_method(method)}, preset)


def test_a_flag_that_says_what_its_method_says_is_fine() -> None:
    for name, flags in (("ppo-hard", {"hard": True}), ("ppo-alone", {"kl_start": 0.0})):
        given = {"policy": load_method(name), **flags}
        check_flags(given, resolve(given, {}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("fixed: {hard: true}", "description: is missing"),
        (
            "description: x\nfixed: {hrad: true}",
            "method way: fixed: hrad: there is no such setting",
        ),
        ("description: x\nfixed: {hard: 7}", "method way: fixed: hard: must be"),
        ("description: x\nsettings: {task: TwoDoor}", "the command line chooses the task"),
        (
            "description: x\nsettigns: {}",
            "settigns: there is no such setting; do you mean settings?",
        ),
        ("description: x\nfixed: {hierarchical: true}", "fixes kl_start: 0, as --policy hier"),
        ("- a list", "it must hold names and values"),
    ],
)
def test_what_is_wrong_with_a_methods_file_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, words: str
) -> None:
    file = tmp_path / "way.yaml"
    file.write_text(content)
    assert train(tmp_path, "--policy", str(file)) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_run_is_started_again_with_the_method_and_the_settings_that_it_had(
    tmp_path: Path,
) -> None:
    file = tmp_path / "way.yaml"
    file.write_text("description: a way\nsettings: {gamma: 0.3, lam: 0.3}\nfixed: {hard: true}")
    assert train(tmp_path, "--policy", str(file), "--gamma", "0.4") == 0
    first = tmp_path / "way" / "simpledoorkey" / "run1"
    file.unlink()
    again = ["--config", str(first / "config.json")]
    assert train(tmp_path, *again) == 0
    second = settings_of(first.with_name("run2"))
    del second["provenance"]
    assert second.items() <= settings_of(first).items()
    assert (second["gamma"], second["lam"], second["hard"]) == (0.4, 0.3, True)
    assert train(tmp_path, *again, "--soft_planner") == 1


@pytest.mark.parametrize("name", sorted({*method_names()} - {"ppo"}))
def test_what_a_method_fixed_in_a_run_does_not_count_with_another(
    tmp_path: Path, name: str
) -> None:
    assert train(tmp_path, "--policy", name, "--gamma", "0.4") == 0
    run = tmp_path / name / "simpledoorkey" / "run1" / "config.json"
    assert train(tmp_path, "--config", str(run), "--policy", "ppo") == 0
    other = settings_of(tmp_path / "ppo" / "simpledoorkey" / "run1")
    assert other["policy"]["name"] == "ppo"
    assert (other["gamma"], other["kl_start"]) == (0.4, 10)
    assert (other["hard"], other["schedule"]) == (False, "linear")


def test_a_run_started_again_by_the_name_of_its_method_keeps_its_settings(tmp_path: Path) -> None:
    file = tmp_path / "way.yaml"
    file.write_text("description: a way\nsettings: {gamma: 0.3}\nfixed: {hard: true}")
    folder = tmp_path / "way" / "simpledoorkey"
    assert train(tmp_path, "--policy", str(file), "--gamma", "0.4") == 0
    again = ["--config", str(folder / "run1" / "config.json"), "--policy", str(file)]
    assert train(tmp_path, *again) == 0
    assert settings_of(folder / "run2")["gamma"] == 0.4
    # A file that has come to define something else is another method.
    file.write_text("description: a way\nsettings: {gamma: 0.3}\nfixed: {lam: 0.2}")
    assert train(tmp_path, *again) == 0
    third = settings_of(folder / "run3")
    assert (third["gamma"], third["lam"], third["hard"]) == (0.3, 0.2, False)


def test_a_resumed_run_keeps_the_method_that_it_began_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "way.yaml"
    file.write_text("description: a way\nfixed: {num_eval: 1, kl_min: 0.2}")
    assert train(tmp_path, "--policy", str(file)) == 0
    resume = ["train", "--logdir", str(tmp_path), "--policy", str(file), "--resume"]
    capsys.readouterr()
    assert main.main(resume) == 0
    assert "fixed when it began" not in capsys.readouterr().out
    file.write_text("description: a way\nfixed: {eval_interval: 5}")
    assert main.main([*resume, "--eval_interval", "7"]) == 0
    said = capsys.readouterr().out
    assert "run1 keeps what way fixed when it began, not what its file fixes now" in said
    assert main.main([*resume, "--num_eval", "3"]) == 1
    words = "error: --num_eval 3: the method way is defined by --num_eval 1;"
    assert capsys.readouterr().err.startswith(words)


def test_a_method_can_fix_that_a_run_starts_from_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "way.yaml"
    file.write_text("description: from scratch\nfixed: {warm_start: null}")
    flags = ["--policy", str(file), "--savedir"]
    assert train(tmp_path, *flags, "first") == 0
    assert train(tmp_path, *flags, "second", "--loaddir", "first") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --loaddir ")
    assert "the method way leaves warm_start unset; leave it out" in error
    assert not (tmp_path / "way" / "simpledoorkey" / "second").exists()


def test_a_flag_against_a_setting_that_is_left_unset_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "way.yaml"
    file.write_text("description: a way\nfixed: {num_envs: null}")
    assert train(tmp_path, "--policy", str(file), "--num_envs", "3") == 1
    words = "error: --num_envs 3: the method way leaves num_envs unset; leave it out, or give"
    assert capsys.readouterr().err.startswith(words)


def test_without_a_teacher_its_weight_is_never_above_0(tmp_path: Path) -> None:
    small = ["--traj_per_itr", "2", "--batch_size", "64", "--threads", "1", "--n_itr", "2"]
    assert train(tmp_path, "--policy", "ppo-alone", "--config", "configs/best.yaml", *small) == 0
    lines = tmp_path / "ppo-alone" / "simpledoorkey" / "run1" / "metrics.jsonl"
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["Train/Kickstarting Coef"] for row in rows] == [0, 0]
