"""The `sunshare` command: the only place that speaks to a person.

Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 internal fault (with traceback), 2 usage or
invalid scenario, 3 some runs failed, 4 verification mismatch, 130 interrupted. Heavy imports wait for their command.
"""

from sunshare_sim.cli import report, shards, study
from sunshare_sim.cli.commands import main

__all__ = ["main", "report", "shards", "study"]
