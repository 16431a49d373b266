"""LLM4Teach: train a small student from reward and from an LLM's plans. See README.md.

python main.py train --task SimpleDoorKey
python main.py eval
python main.py watch
python main.py export --to student.onnx
python main.py report log
python main.py record --llm vicuna
python main.py bench
python main.py reproduce configs/minigrid.yaml
python main.py list
"""

import signal

# Ctrl-C while modules load ends the program silently; later it raises KeyboardInterrupt again.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import sys
import threading
from functools import partial
from importlib import import_module

from utils import command_line

# Set before PyTorch starts its threads. Waiting threads then sleep; otherwise another busy process
# (a second run, an LLM) slows them down tenfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def report_thread_error(error: threading.ExceptHookArgs) -> None:
    # TensorBoard's writer raises the error of a full disk again at its next use.
    if not isinstance(error.exc_value, OSError):
        threading.__excepthook__(error)


def main(arguments: list[str] | None = None) -> int:
    threading.excepthook = report_thread_error
    advice = "fewer --num_envs or a smaller --batch_size need less"
    return command_line.run(partial(execute, arguments), advice)


def execute(arguments: list[str] | None) -> int:
    # Here, so that a missing package is reported as any other error.
    from commands.settings.flags import parse

    args = parse(arguments)
    from commands.run_search import check_runs
    from commands.settings.resolve import check

    # One of several ranks reports what is wrong.
    if os.environ.get("RANK", "0") == "0":
        check(args)
        check_runs(args)
    # PyTorch takes seconds to load: only when there is a command to run.
    command = import_module(f"commands.{args.command}")
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code: int = command.run(args)
    return code


if __name__ == "__main__":
    sys.exit(main())
