"""Run one command of `python -m export`."""

import os
import sys

# TensorFlow's notices of missing graphics cards would bury the figures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from .bundled import BUILD, STEPS, BundledOptions
from .command_line import Options, parse
from .conversion.options import ConvertOptions, QuantizeOptions
from .errors import ExportError
from .review.run import CollectOptions
from .review.run import run as run_review


def _run(command: str, options: Options) -> None:
    if isinstance(options, BundledOptions):
        STEPS[command].run(options)
        return
    if isinstance(options, CollectOptions):
        run_review(options)
        return
    from .conversion.custom_model import convert_custom, quantize_custom, verify_custom  # imports TensorFlow

    if isinstance(options, ConvertOptions):
        convert_custom(options, BUILD)
    elif isinstance(options, QuantizeOptions):
        quantize_custom(options)
    else:
        verify_custom(options)


def main() -> None:
    """Run the command; exit with the message of an `ExportError`, or of a file that cannot be read or written."""
    try:
        _run(*parse(sys.argv[1:]))
    except ExportError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error}: check that the path exists, that you may read and write it, and that the disk has room")


if __name__ == "__main__":
    main()
