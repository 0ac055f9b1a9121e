"""What runs in a worker process: ``python -m sunshare_sim.studies.worker``, tasks on stdin, outcomes on stdout.

A process of its own module, not a copy of the user's: a study can be started from a script, a notebook or a test
without a guard. It dies with its parent, whatever kills that, because then its stdin ends.
"""

import gc
import os
import pickle
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from sunshare_sim.studies.task import Task, perform


def main() -> None:
    """Perform tasks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # what a strategy prints must not get among the outcomes
    tasks: SimpleQueue[Task] = SimpleQueue()
    Thread(target=_listen, args=(requests, tasks), daemon=True).start()
    _one_thread()
    first = True
    while True:
        pickle.dump(perform(tasks.get()), replies)
        replies.flush()
        if first:  # modules and kernels stay for good: the search for what does not can pass them over
            gc.freeze()
            first = False


def _listen(requests: BinaryIO, tasks: "SimpleQueue[Task]") -> None:
    while True:
        try:
            task = pickle.load(requests)  # noqa: S301 - from the parent process alone
        except (EOFError, OSError):
            os._exit(0)  # the parent is done with us, or gone: half a run is of no use to anybody
        tasks.put(task)


def _one_thread() -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)


if __name__ == "__main__":
    main()
