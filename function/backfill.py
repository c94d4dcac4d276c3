"""Classifies the images of a bucket or of a folder that have no result yet; `--help` says how.

The program beside the functions, on Apache Beam: backfill_job/ has its parts, flowers/ all that they share.
"""

import os
import sys
from collections.abc import Sequence

from backfill_job.command_line import read_command
from backfill_job.job import ConfigurationError
from backfill_job.run import JobEndedError, run


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit status that `--help` explains."""
    try:
        command = read_command(arguments, os.environ)
        return run(command)
    except ConfigurationError as error:
        print(f"backfill.py: {error}", file=sys.stderr)
        return 2
    except JobEndedError as error:
        print(f"backfill.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where this one stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
