"""Starts MiniStack in folders of its own, with the patience that a busy machine needs.

MiniStack reads what a function wrote until the pipe has been quiet for 5 ms after the response. On
a machine whose cores are all busy that is too short: the last lines would stand in the next
invocation's log, or nowhere. The waits are default arguments, so they are lengthened here, and only
where they are the ones that this was written for (1.5.33).
"""

import os

# Before the import, which looks at them.
for variable in ("HOME", "TMPDIR"):
    os.makedirs(os.environ[variable], exist_ok=True)

from ministack.app import main
from ministack.core.lambda_runtime import Worker

EXPECTED = (0.050, 0.005, 0.250)
# First line, quiet after a line, ceiling; in seconds.
PATIENT = (0.100, 0.060, 2.000)

if Worker._drain_stderr_bounded.__defaults__ == EXPECTED:
    Worker._drain_stderr_bounded.__defaults__ = PATIENT

main()
