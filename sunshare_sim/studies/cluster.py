"""The same tasks on a Dask cluster (extra `dask`); its workers must see the study's folder under the same path."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final

from sunshare_sim.errors import ResultError, describe
from sunshare_sim.studies.task import Outcome, Task, perform

TIMEOUT: Final = "10s"


def run_on_cluster(tasks: Iterable[Task], address: str) -> Generator[Outcome, None, None]:
    """Perform tasks on the workers of a Dask scheduler; outcomes arrive in the order in which they are made.

    A task whose worker dies is given to another one by the scheduler, up to three times (its `allowed-failures`).

    Parameters
    ----------
    tasks : iterable of Task
        What is to be done.
    address : str
        Address of the scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ResultError
        When dask.distributed is not installed, nothing answers at the address, or its workers have several threads.
    """
    client = _connect(address)
    try:
        _check_workers(client, address)
        with client.as_current():
            yield from _outcomes(client, list(tasks))
    finally:
        client.close()


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        hint = 'pip install "sunshare-sim[dask]"'
        raise ResultError(
            describe("dask.distributed is not installed", where="scheduler", hint=hint)
        ) from error
    try:
        return Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        hint = "start one with `dask scheduler`, or leave the option out to run on this machine"
        what = f"no Dask scheduler answers: {error}"
        raise ResultError(describe(what, where="scheduler", got=address, hint=hint)) from error


def _check_workers(client: Any, address: str) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(worker["nthreads"] != 1 for worker in workers):
        hint = "start them with `dask worker --nthreads 1 --nworkers N`: a run takes a process of its own"
        what = "a worker of the cluster has several threads"
        raise ResultError(describe(what, where="scheduler", got=address, hint=hint))


def _outcomes(client: Any, tasks: list[Task]) -> Iterator[Outcome]:
    from distributed import as_completed

    futures = {client.submit(perform, task, pure=False): task for task in tasks}
    try:
        for future in as_completed(list(futures), raise_errors=False):
            task = futures.pop(future)
            yield _outcome(future, task)
            future.release()
    finally:
        client.cancel(list(futures))


def _outcome(future: Any, task: Task) -> Outcome:
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception() if future.status == "error" else "cancelled"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return Outcome(task.variant, task.seed, f"the cluster gave the run up: {text}", text)
