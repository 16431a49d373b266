"""Settings: declared once, written by group, read in either form; and the page that lists them."""

import json
import re
from pathlib import Path

import pytest

import main
from commands.settings.config import SETTINGS, Config
from commands.settings.groups import GROUPS
from commands.settings.methods import load_method
from commands.settings.page import page
from commands.settings.presets import read_preset
from commands.settings.resolve import resolve
from commands.settings.setting import flatten
from planner.task import load_task
from tests.running import ROOT, runs_of, settings_of, train, write_format_2
from utils.errors import UserError
from utils.files import write_json


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_every_setting_is_declared_once_with_its_help() -> None:
    assert SETTINGS.keys() == Config.model_fields.keys()
    assert {setting.group for setting in SETTINGS.values()} == {*GROUPS}
    assert all(setting.help for setting in SETTINGS.values())


def test_a_config_holds_its_settings_by_group(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "0", "--savedir", "run") == 0
    content = json.loads((runs_of(tmp_path) / "run" / "config.json").read_text())
    assert [*content] == ["format", *GROUPS, "history", "provenance"]
    for heading in GROUPS:
        assert {SETTINGS[name].group for name in content[heading]} == {heading}
    assert flatten(content).keys() >= SETTINGS.keys()


def test_a_run_of_format_2_goes_on_as_one_of_format_3(tmp_path: Path) -> None:
    for name in ("new", "old"):
        assert train(tmp_path, "--n_itr", "1", "--savedir", name) == 0
    new, old = (runs_of(tmp_path) / name for name in ("new", "old"))
    write_format_2(old, {})
    assert json.loads((old / "config.json").read_text())["gamma"] == 0.99
    for name in ("new", "old"):
        where = ["--logdir", str(tmp_path), "--savedir", name]
        assert main.main(["train", *where, "--resume", "--n_itr", "2"]) == 0
    first, second = (settings_of(folder) for folder in (new, old))
    assert first["format"] == second["format"] == 3
    assert all(first[name] == second[name] for name in SETTINGS)
    assert (new / "acmodel.pt").read_bytes() == (old / "acmodel.pt").read_bytes()


def test_a_setting_under_another_heading_is_refused_with_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset, method = tmp_path / "preset.yaml", tmp_path / "way.yaml"
    preset.write_text("ppo: {n_itr: 5}")
    method.write_text("description: a way\nfixed: {ppo: {n_itr: 5}}")
    train_flags = ["train", "--logdir", str(tmp_path / "log")]
    for flag, path in (("--config", preset), ("--policy", method)):
        assert main.main([*train_flags, flag, str(path)]) == 1
        error = only_line(capsys)
        assert str(path) in error
        assert "ppo: n_itr belongs under run" in error
    assert not (tmp_path / "log").exists()


GROUPED = """
task: {task: TwoDoor}
student: {frame_stack: 2}
ppo: {gamma: 0.5}
llm: {llm: vicuna, n_ask: 3}
num_eval: 7
tasks: {TwoDoor: {teacher: {kl_min: 0.2}}}
"""
FLAT = """
{task: TwoDoor, frame_stack: 2, gamma: 0.5, llm: vicuna, n_ask: 3, num_eval: 7, kl_min: 0.2}
"""


def test_files_hold_settings_by_group_or_flat(tmp_path: Path) -> None:
    preset, method = tmp_path / "preset.yaml", tmp_path / "way.yaml"
    found = []
    for text, said in ((GROUPED, "{run: {n_itr: 3}}"), (FLAT, "{n_itr: 3}")):
        preset.write_text(text)
        method.write_text(f"description: a way\nfixed: {said}\nsettings: {{ppo: {{lam: 0.3}}}}")
        flags = {"policy": load_method(str(method))}
        found.append(resolve(flags, read_preset(preset, None)))
    assert found[0] == found[1]
    assert (found[0]["n_itr"], found[0]["lam"], found[0]["kl_min"]) == (3, 0.3, 0.2)
    task = load_task("TwoDoor")
    for said in ({"gamma": 0.4}, {"ppo": {"gamma": 0.4}}):
        own = task.model_copy(update={"settings": said})
        assert resolve({"task": own}, {})["gamma"] == 0.4


def test_a_setting_that_is_there_twice_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("gamma: 0.5\nppo: {gamma: 0.6}")
    assert main.main(["train", "--logdir", str(tmp_path), "--config", str(preset)]) == 1
    assert f"{preset}: gamma is there twice; leave one out" in only_line(capsys)


def test_a_run_remembers_what_was_changed_when_it_was_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "1", "--anneal", "--savedir", "run") == 0
    where = ["train", "--logdir", str(tmp_path), "--savedir"]
    folder = runs_of(tmp_path) / "run"
    assert settings_of(folder)["history"] == []
    again = [*where, "again", "--config", str(folder / "config.json"), "--overwrite"]
    capsys.readouterr()
    assert main.main(again) == 0
    assert "resumed with other settings" not in capsys.readouterr().out
    assert main.main([*where, "run", "--resume", "--n_itr", "3", "--num_eval", "1"]) == 0
    assert main.main([*where, "run", "--resume", "--n_itr", "4"]) == 0
    changed = [{"n_itr": [1, 3], "num_eval": [2, 1]}, {"n_itr": [3, 4]}]
    assert settings_of(folder)["history"] == [
        {"iteration": iteration, "changed": each}
        for iteration, each in zip((1, 3), changed, strict=True)
    ]
    capsys.readouterr()
    assert main.main(again) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "resumed with" in line]
    changes = "(num_eval 2 to 1 at iteration 1, n_itr 1 to 3 at iteration 1, n_itr 3 to 4 at iterat"
    assert changes in note
    assert "the new run has the last ones from the start" in note
    assert settings_of(folder.with_name("again"))["history"] == []


def test_a_damaged_history_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "0", "--savedir", "run") == 0
    path = runs_of(tmp_path) / "run" / "config.json"
    content = json.loads(path.read_text())
    for history in (7, [7], [{"iteration": 1, "changed": {"n_itr": 7}}]):
        path.write_text(json.dumps(content | {"history": history}))
        resume = ["--savedir", "run", "--resume", "--n_itr", "1"]
        for flags in (resume, ["--config", str(path), "--savedir", "new"]):
            assert main.main(["train", "--logdir", str(tmp_path), *flags]) == 1
            assert f"{path}: history" in only_line(capsys)
    assert not (path.parent.parent / "new").exists()


def test_hard_alone_chooses_its_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "--n_itr", "0", "--hard", "--savedir", "run") == 0
    assert "--hard without --policy: the method is ppo-hard" in capsys.readouterr().out
    assert settings_of(runs_of(tmp_path, "ppo-hard") / "run")["hard"] is True
    resume = ["--logdir", str(tmp_path), "--savedir", "run", "--resume"]
    assert main.main(["train", "--hard", *resume]) == 0
    assert train(tmp_path, "--n_itr", "0", "--hard", "--policy", "ppo-hard") == 0
    assert "without --policy" not in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("flag", ["task", "config", "policy", "savedir", "loaddir", "logdir"])
@pytest.mark.parametrize("command", ["train", "eval"])
def test_an_empty_flag_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, flag: str
) -> None:
    for typed in ([f"--{flag}", ""], [f"--{flag}="]):
        assert main.main([command, "--logdir", str(tmp_path / "log"), *typed]) == 1
        assert only_line(capsys) == f"error: --{flag} is empty; leave it out\n"
    assert not (tmp_path / "log").exists()


TASK = "name: X\nenv_id: X\nplans: {}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gamma: 0.5\nlam: 0.9\ngamma: 0.6", "gamma is there twice, in lines 1 and 3"),
        ("tasks:\n  TwoDoor: {lam: 1}\n  TwoDoor: {}", "TwoDoor is there twice, in lines 2 and 3"),
        ("n_itr: true", "--config: n_itr: must be a number, not true or false"),
        ("run: {n_itr: yes}", "--config: n_itr: must be a number, not true or false"),
        ("gamma: true", "--config: gamma: must be a number, not true or false"),
        ("env_seed_list: [true]", "--config: env_seed_list: must be a number, not true or false"),
        ("env_seed_list: [1, 1, 1]", "--config: env_seed_list: names a seed twice"),
        ("frame_stack: 100000", "--config: frame_stack: must be less than or equal to 64"),
        ('answers: ""', "--config: answers: is empty; leave it out"),
    ],
)
def test_what_a_file_of_settings_gets_wrong_is_not_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text(text)
    assert main.main(["train", "--logdir", str(tmp_path / "log"), "--config", str(preset)]) == 1
    assert words in only_line(capsys)


def test_a_task_with_a_truth_for_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(f"{TASK}domain: {{kind: nav_pick, rewards: {{progress: true}}}}")
    with pytest.raises(UserError, match=r"domain\.rewards\.progress: must be a number"):
        load_task(str(path))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("fixed: {lam: 0.3}\nsettings: {lam: 0.4}", "settings: lam is fixed, too; leave one"),
        ("name: PPO", "PPO is a method of this project; give yours a new name"),
    ],
)
def test_a_method_that_contradicts_itself_or_takes_a_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str, words: str
) -> None:
    path = tmp_path / "way.yaml"
    path.write_text(f"description: a way\n{method}")
    assert main.main(["train", "--logdir", str(tmp_path / "log"), "--policy", str(path)]) == 1
    assert words in only_line(capsys)


def test_a_task_that_takes_a_name_is_told_where_its_runs_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    write_json(path, load_task("TwoDoor").model_dump())
    flags = ["--task", str(path), "--logdir", str(tmp_path), "--n_itr", "0", "--device", "cpu"]
    assert main.main(["train", *flags]) == 0
    words = f"{path} has the name of the built-in task TwoDoor: their runs lie together"
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("v1/sk-abcdef1234", True),
        ("key/hunter2/v1", True),
        ("v1;token=hunter2", True),
        ("aB3dE5fG7hI9jK1lM3nO5/v1", True),
        ("v1/0123456789abcdef0123456789abcdef/gateway", False),
        ("models/Meta-Llama-3.1-8B-Instruct/v1", False),
        ("oauth2/v1/chat/completions", False),
    ],
)
def test_an_address_with_a_key_in_its_path_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, secret: bool
) -> None:
    url = f"http://localhost:9/{path}"
    code = main.main(
        ["record", "--dry_run", "--llm", "vicuna", "--llm_url", url, "--episodes", "0"]
    )
    error = only_line(capsys)
    assert code == 1
    assert ("must hold no password and no key" in error) is secret
    assert not secret or path not in error


def test_the_page_of_settings_is_the_programs() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert text == page(), "write it with: python -m commands.settings.page > docs/settings.md"
    assert len(re.sub(r"[|]|---", " ", text).split()) <= 1200
