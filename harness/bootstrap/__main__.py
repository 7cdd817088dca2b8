"""`python3 -m harness.bootstrap`: set-up, by a Python that it is for; any other is told so, in one message.

Pythons from 3.6 on read this file and pythons.py to the end, so both do without what is newer.
"""

import sys

from harness.bootstrap.pythons import python_obstacle


def main() -> int:
    obstacle = python_obstacle()
    if obstacle is not None:
        print(f"set-up: {obstacle}", file=sys.stderr)
        return 2
    from harness.bootstrap.set_up import main as set_up

    return set_up()


if __name__ == "__main__":
    sys.exit(main())
