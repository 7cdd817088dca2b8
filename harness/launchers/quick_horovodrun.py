"""`horovodrun` with less of a wait: `python -m harness.launchers.quick_horovodrun ARGUMENTS...`.

To learn what Horovod was built with, horovodrun imports the frameworks one after the other until one answers, and asks
TensorFlow, which takes seconds to import, before PyTorch. Here PyTorch is asked first; all else is horovodrun's.
"""

from __future__ import annotations

import sys

from horovod.common import util
from horovod.runner.launch import run_commandline


def main() -> None:
    util.EXTENSIONS.sort(key=lambda name: name != "torch")  # the list that its checks go through
    sys.argv[0] = "horovodrun"
    run_commandline()


if __name__ == "__main__":
    main()
