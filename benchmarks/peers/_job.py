"""Shared utilities of the peer scripts, which read a job from stdin and print the result as JSON.

Only the standard library is used, because each script runs in the environment of its library.

A job contains `series` (a list of scaled values), `cell` ("lstm" or "gru"), `units` (a list with
one entry per layer), `window_length`, `epochs` and `batch_size`.
"""

import json
import sys
from importlib.metadata import version


def read_job():
    return json.load(sys.stdin)


def print_result(*packages, **results):
    """Print the results and the versions of the packages."""
    results["versions"] = {package: version(package) for package in packages}
    # Start a new line, because a library may have printed an incomplete line.
    print("\n" + json.dumps(results))
