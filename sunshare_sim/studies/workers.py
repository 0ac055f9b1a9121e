"""Local worker processes: one thread here waits on each; a task whose worker dies is given to a new one."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import IO, Final

from sunshare_sim.studies.task import Outcome, Task, perform

REQUEUED: Final = 3
ONE_THREAD: Final = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
    ),
    "1",
)  # fmt: skip
STDERR_TAIL: Final = 600


class WorkerDiedError(Exception):
    """Say how a worker process ended that should not have."""


class Worker:
    """Hold one worker process."""

    def __init__(self) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sunshare_sim.studies.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
        )

    def ask(self, task: Task) -> Outcome:
        """Return the outcome of a task.

        Raises
        ------
        WorkerDiedError
            When the process ends before it has answered.
        """
        requests, replies = self._pipes()
        try:
            pickle.dump(task, requests)
            requests.flush()
            outcome: Outcome = pickle.load(replies)  # noqa: S301 - from our own worker process
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise WorkerDiedError(self._last_words()) from error
        return outcome

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in self._pipes():
            with suppress(OSError):  # what was still to be sent has nobody to read it
                pipe.close()
        self._process.wait()
        self._stderr.close()

    def kill(self) -> None:
        """End the process at once; whoever waits on it gets `WorkerDiedError`."""
        self._process.kill()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        requests, replies = self._process.stdin, self._process.stdout
        assert requests is not None  # noqa: S101 - Popen gives both when asked for pipes
        assert replies is not None  # noqa: S101
        return requests, replies

    def _last_words(self) -> str:
        code = self._process.wait()
        self._stderr.seek(0)
        words = self._stderr.read()[-STDERR_TAIL:].decode(errors="replace").strip()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the worker process died ({how})" + (f": {words}" if words else "")


class Pool:
    """Share tasks among worker processes; outcomes arrive in the order in which they are made.

    Parameters
    ----------
    tasks : iterable of Task
        What is to be done, in this order.
    workers : int
        Number of processes.
    """

    def __init__(self, tasks: Iterable[Task], workers: int) -> None:
        self._tasks: Iterator[Task] = iter(tasks)
        self._lock, self._stop = Lock(), Event()
        self._outcomes: SimpleQueue[Outcome | BaseException | None] = SimpleQueue()
        self._workers: dict[int, Worker] = {}
        self._threads = [Thread(target=self._serve, args=(i,), daemon=True) for i in range(workers)]

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Yield what became of each task, as it is known."""
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        try:
            while running:
                outcome = self._outcomes.get()
                if outcome is None:
                    running -= 1
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    yield outcome
        finally:
            self._end()

    def _end(self) -> None:
        self._stop.set()
        with self._lock:
            for worker in self._workers.values():
                worker.kill()
        for thread in self._threads:
            thread.join()

    def _next(self) -> Task | None:
        with self._lock:
            return None if self._stop.is_set() else next(self._tasks, None)

    def _serve(self, number: int) -> None:
        try:
            while (task := self._next()) is not None:
                outcome = self._perform(number, task)
                if outcome is not None:
                    self._outcomes.put(outcome)
        except BaseException as error:  # noqa: BLE001 - a fault of ours belongs to the thread that waits for us
            self._outcomes.put(error)
        finally:
            self._drop(number)
            self._outcomes.put(None)

    def _perform(self, number: int, task: Task) -> Outcome | None:
        """Return the outcome, after as many workers as it takes; None when the study is over."""
        words = ""
        for _ in range(1 + REQUEUED):
            worker = self._worker(number)
            if worker is None:
                return None
            try:
                return worker.ask(task)
            except WorkerDiedError as death:
                words = str(death)
                self._drop(number)
        if self._stop.is_set():
            return None
        text = f"{words}, {1 + REQUEUED} times in a row"
        return Outcome(task.variant, task.seed, " ".join(text.split()), text)

    def _worker(self, number: int) -> Worker | None:
        with self._lock:
            if self._stop.is_set():
                return None
            if number not in self._workers:
                self._workers[number] = Worker()
            return self._workers[number]

    def _drop(self, number: int) -> None:
        with self._lock:
            worker = self._workers.pop(number, None)
        if worker is not None:
            worker.close()


def run_here(tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
    """Perform tasks in this process, one after the other: for a debugger, or strategies made in a notebook."""
    for task in tasks:
        yield perform(task)


def run_locally(tasks: Iterable[Task], workers: int) -> Generator[Outcome, None, None]:
    """Perform tasks on worker processes, or in this one if there are to be none."""
    return Pool(tasks, workers).outcomes() if workers else run_here(tasks)


def default_workers() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
