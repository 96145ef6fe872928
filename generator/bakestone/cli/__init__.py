"""The commands: parse, call a job, print."""

import gc
import sys

INTERRUPTED = "interrupted; nothing is half done: run it again to go on"


def main() -> None:
    """Run the command line; Ctrl-C has its sentence also while the commands are being loaded."""
    # what a command makes lives until it ends: looking for garbage among it finds next to none
    gc.set_threshold(100_000, 50, 100)
    try:
        from bakestone.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.exit(130)  # as shells count: 128 and the number of SIGINT
