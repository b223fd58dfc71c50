"""What the peers' scripts share: a job on standard input, one line of JSON as the answer.

Nothing but the standard library, as each script runs in its peer's own environment.

A job holds `series` (a list of scaled values), `cell` ("lstm" or "gru"), `units` (a list, one
entry a layer), `window_length`, `epochs` and `batch_size`.
"""

import json
import sys
from importlib.metadata import version


def read_job():
    return json.load(sys.stdin)


def answer(*packages, **results):
    """Print what was measured, and the versions of what it was measured with."""
    results["versions"] = {package: version(package) for package in packages}
    # On a line of its own, whatever a library printed before.
    print("\n" + json.dumps(results))
