"""Classify the images of a bucket or of a folder that have no result yet. `--help` explains how."""

import os
import sys
from collections.abc import Sequence

from backfill.command_line import read_command
from backfill.job import ConfigurationError
from backfill.run import JobEndedError, run


def main(arguments: Sequence[str]) -> int:
    """Run a command and return the exit status that `--help` explains."""
    try:
        command = read_command(arguments, os.environ)
        return run(command)
    except ConfigurationError as error:
        print(f"backfill: {error}", file=sys.stderr)
        return 2
    except JobEndedError as error:
        print(f"backfill: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where this one stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
