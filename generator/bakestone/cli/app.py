"""The command `bakestone`: how every command ends, and where each is."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from bakestone import __version__
from bakestone.cli import INTERRUPTED, archive, begin, build, library, matrix, pins
from bakestone.cli.options import FORMAT, command, epilog, option
from bakestone.errors import ENVIRONMENT, BakestoneError, Finding, fail, visible

_NAME = 200
"""Characters of a path that are shown."""
_OF_A_PATH = {
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE),
}
"""What the system answers of a path that somebody named, and of a disk: no fault of ours."""
DEBUG = "bakestone.debug"
"""Key of click's context under which it is kept whether errors are told with what led to them."""


class _Commands(click.Group):
    """A group that shows `BakestoneError` as findings and exits with its code."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command line; a disk that is full, also that of its output, is a message."""
        try:
            return super().main(*args, **options)
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            from bakestone.cli.terminal import warn

            warn([Finding("cannot write: no space is left on the device", "make room")])
            # what the output still holds goes nowhere, or Python would complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(ENVIRONMENT)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """What is wrong in the words before a command is told without accounts and control
        characters, as all messages are.
        """
        try:
            return super().make_context(*args, **options)
        except click.UsageError as problem:
            raise _masked(problem) from problem

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; wrong input, and a fault of ours, is a message, never a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as problem:
            click.echo(INTERRUPTED, err=True)
            raise click.exceptions.Exit(130) from problem
        except click.UsageError as problem:
            raise _masked(problem) from problem
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click's own
        except Exception as problem:
            if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
                raise
            from bakestone.cli.views import problems

            told = problem if isinstance(problem, BakestoneError) else _told(ctx, problem)
            problems.findings(told.findings, as_json=ctx.meta.get(FORMAT) == "json")
            if ctx.meta.get(DEBUG):
                problems.what_led_to(problem)
            raise click.exceptions.Exit(told.code) from problem


def _masked(problem: click.UsageError) -> click.UsageError:
    """The same, with the words of others as they may go out."""
    return click.UsageError(visible(problem.format_message()), problem.ctx)


def _told(ctx: click.Context, problem: Exception) -> BakestoneError:
    if isinstance(problem, OSError) and problem.errno in _OF_A_PATH:
        name = str(problem.filename or "the output")
        why = f"the system cannot use it: {problem.strerror}"
        shown = name if len(name) <= _NAME else f"{name[:_NAME]}..."
        return fail(why, "is it the right place?", name=shown, code=ENVIRONMENT)
    again = f"bakestone --debug {ctx.invoked_subcommand or ''}".strip()
    message = (
        f"a fault of bakestone itself ({type(problem).__name__}):"
        f" please report what `{again} ...` shows"
    )
    return fail(message, code=ENVIRONMENT)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=epilog(
        "bakestone validate                       is images.yaml right?",
        "bakestone list 'cuda=12.*' mpi=openmpi   which variants are there?",
        "bakestone lock && bakestone generate     pin everything, write dockerfiles/",
        "bakestone build --push                   build, measure, publish",
    ),
)
@click.version_option(__version__, prog_name="bakestone")
@option(
    "--debug",
    "After an error, also show what led to it.",
    is_flag=True,
    expose_value=False,
    callback=lambda ctx, _param, value: ctx.meta.update({DEBUG: value}),
)
def main() -> None:
    """One YAML matrix in, pinned Dockerfiles and verified base images out."""


@command(
    "Print the completion script of a shell.",
    'eval "$(bakestone completion bash)"',
    "bakestone completion fish > ~/.config/fish/completions/bakestone.fish",
    group=main,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; variant names are completed too."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    kind = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    click.echo(kind(main, {}, "bakestone", "_BAKESTONE_COMPLETE").source())


for module in (archive, begin, build, library, matrix, pins):
    for each in module.COMMANDS:
        main.add_command(each)

if __name__ == "__main__":
    main()
