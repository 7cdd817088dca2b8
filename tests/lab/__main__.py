"""`python -m tests.lab COMMAND...`: the command on the head of a lab, which is built before it and torn down after it.

    python -m tests.lab --rate 100mbit hvdbench run suites/network.yaml \
        -H lab1:1,lab2:1 --launch-args '--network-interfaces lab0'
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys

import psutil

from harness import doctor
from tests.lab.machines import Lab, LabError, network_lab


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=2, help="how many; they are called lab1, lab2, ...")
    parser.add_argument("--rate", help="of each host's link in each direction, e.g. 100mbit; not limited unless given")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run on the head")
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is missing, e.g. hvdbench run ...")
    possible = doctor.network_lab()
    if not possible.present:
        parser.error(f"{possible.found}; {possible.mend}")
    try:
        with network_lab(options.hosts, rate=options.rate) as lab:
            return run_on_head(lab, options.command)
    except LabError as error:
        print(f"tests.lab: {error}", file=sys.stderr)
        return 2


def run_on_head(lab: Lab, command: list[str]) -> int:
    """Its exit code. Ctrl-C and SIGTERM are the command's to handle: the lab lasts until it has ended."""
    with subprocess.Popen(lab.argv(*command), env=lab.environ(), start_new_session=True) as nsenter:

        def hand_on(number: int, _: object) -> None:
            for process in psutil.Process(nsenter.pid).children():  # nsenter itself would end and leave it behind
                process.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, hand_on)
        return nsenter.wait()


if __name__ == "__main__":
    sys.exit(main())
