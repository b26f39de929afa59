"""Console output of a run that nobody follows: a line where a step ends, and a summary with the figures at the end.

``nrdfer run`` follows its runs and prints its own; this is for ``dagster job execute``, whose own lines are Dagster's
events. Keep out: what stopped a run (``last_words.py``).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from nrdfer.core.redaction import hide
from pipelines import run_progress

REPORT = "report"  # the step after which there are figures to print


@contextlib.contextmanager
def printing(run_id: str, profile: Callable[[], str | None]) -> Iterator[None]:
    """Print the steps of the block's run, and how it ended; nothing if this process follows it in another way.

    Args:
        run_id: of Dagster's run.
        profile: name of the one that the run has used; None if it has none. Asked at the end.
    """
    if run_progress.is_followed():
        yield
        return
    begun, lines = time.monotonic(), run_progress.StepLines(_print)
    end = run_progress.subscribe(lines)
    try:
        with lines.watched():
            yield
    finally:
        end()
        failed = f", {len(lines.failed)} failed" if lines.failed else ""
        _print(f"run {run_id[:8]}: {len(lines.done)} steps done{failed}, {time.monotonic() - begun:.0f} s")
    if REPORT in lines.done and not lines.failed:
        _print_figures(profile())


def _print(line: str) -> None:
    # a terminal that is gone, or a full disk behind it, must not end the run
    with contextlib.suppress(OSError):
        print(hide(line), file=sys.stderr, flush=True)


def _print_figures(profile: str | None) -> None:
    """Print the closing table; what prevents it is no failure of the run."""
    from nrdfer.commands.results import print_results
    from nrdfer.reporting.results import last_results

    try:
        print_results(last_results(profile))
    except (Exception, SystemExit) as error:  # the last by rich, where nobody reads the output any more
        _print(f"the figures cannot be printed: {error}")
