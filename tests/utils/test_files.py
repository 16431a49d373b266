"""Folders that are replaced whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.files import replace_folder


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
