"""Folders that are replaced whole or not at all, and what JSON cannot say."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.files import replace_folder, write_json


def interrupted(part: Path) -> None:
    (part / "new").touch()
    raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "place" / "old").mkdir(parents=True)
    return tmp_path / "place"


def test_all_of_the_old_goes(folder: Path) -> None:
    replace_folder(folder, lambda part: (part / "new").touch())
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("write", "error"),
    [
        (interrupted, KeyboardInterrupt),
        # What is to be moved is not there any more, when the old one has been moved away.
        (Path.rmdir, UserError),
    ],
)
def test_the_old_stays_where_the_new_cannot_be(
    folder: Path, write: Callable[[Path], None], error: type[BaseException]
) -> None:
    with pytest.raises(error):
        replace_folder(folder, write)
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert list(folder.parent.iterdir()) == [folder]


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"episodes": [{"return": math.nan}, {"return": 1.5}], "measures": (math.inf,)})

    def refuse(name: str) -> None:
        raise ValueError(name)

    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content == {"episodes": [{"return": None}, {"return": 1.5}], "measures": [None]}
