"""A real Slurm with one node, this machine, whose programs belong to the test that starts them."""

import getpass
import os
import platform
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PATIENCE = 60
"""Seconds for Slurm to start."""
REQUEUE_DELAY = 10
"""Seconds until a job that is queued again may start; two minutes if nothing is set."""
PATHS = f"{os.environ['PATH']}:/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={delay}
StateSaveLocation={folder}
SlurmdSpoolDir={folder}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=test Nodes=ALL Default=YES
"""


def missing() -> list[str]:
    """The programs of Slurm and Munge that are not installed."""
    return [name for name in PROGRAMS if not shutil.which(name, path=PATHS)]


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Slurm while the block runs, with its files in a folder; gives the environment in which
    `sbatch` and the others find it."""
    folder.mkdir()
    configuration = folder / "slurm.conf"
    host = platform.node().split(".")[0]
    ports = {"controller_port": free_port(), "node_port": free_port()}
    values = {"host": host, "user": getpass.getuser(), "cpus": os.cpu_count(), **ports}
    text = CONFIGURATION.format(folder=folder, delay=REQUEUE_DELAY, **values)
    configuration.write_text(text)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    files = {
        "key-file": key,
        "socket": folder / "munge.socket",
        "pid-file": folder / "munged.pid",
        "log-file": folder / "munged.log",
        "seed-file": folder / "munge.seed",
    }
    # Munge would refuse a folder under /tmp without --force.
    munged = ["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items())]
    environment = os.environ | {"SLURM_CONF": str(configuration), "PATH": PATHS}
    with ExitStack() as running:
        for command in (munged, ["slurmctld", "-D", "-c"], ["slurmd", "-D"]):
            output = running.enter_context((folder / f"{command[0]}.output").open("wb"))
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
            running.callback(end, process)
        wait_for_node(folder, environment)
        # Before the programs end: a job would outlive them.
        running.callback(cancel_all, environment)
        yield environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_node(folder: Path, environment: dict[str, str]) -> None:
    """Until a job can run."""
    for _ in range(PATIENCE):
        ask = ["sinfo", "--noheader", "--format=%T"]
        answer = subprocess.run(ask, env=environment, capture_output=True, text=True)
        if answer.stdout.strip() == "idle":
            return
        time.sleep(1)
    logs = "\n".join(path.read_text(errors="replace") for path in folder.glob("*.log"))
    raise AssertionError(f"Slurm does not start: {answer.stderr}\n{logs}")


def cancel_all(environment: dict[str, str]) -> None:
    """Cancel every job, and wait until their processes have ended."""
    subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=environment, check=True)
    for _ in range(PATIENCE):
        ask = ["squeue", "--noheader"]
        if not subprocess.run(ask, env=environment, capture_output=True, text=True).stdout:
            return
        time.sleep(1)
