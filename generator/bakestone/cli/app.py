"""The command `bakestone`: how every command ends, and where each is."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

import click

from bakestone import __version__
from bakestone.cli import archive, build, library, matrix, pins
from bakestone.cli.options import FORMAT, examples
from bakestone.errors import ENVIRONMENT, USAGE, BakestoneError, Finding, fail

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

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; wrong input, and a fault of ours, is a message, never a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as problem:
            from bakestone.cli.terminal import say

            say("interrupted; nothing is half done: run it again to go on")
            raise click.exceptions.Exit(128 + signal.SIGINT) from problem
        except BakestoneError as problem:
            self._tell(ctx, problem, problem)
            raise click.exceptions.Exit(problem.code) from problem
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click's own
        except Exception as problem:
            if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
                raise
            self._tell(ctx, self._fault(ctx, problem), problem)
            raise click.exceptions.Exit(ENVIRONMENT) from problem

    def _tell(self, ctx: click.Context, told: BakestoneError, problem: Exception) -> None:
        from bakestone.cli.views import problems

        problems.findings(told.findings, as_json=ctx.meta.get(FORMAT) == "json")
        if ctx.meta.get(DEBUG):
            problems.what_led_to(problem)

    def _fault(self, ctx: click.Context, problem: Exception) -> BakestoneError:
        again = f"bakestone --debug {ctx.invoked_subcommand or ''}".strip()
        message = (
            f"a fault of bakestone itself ({type(problem).__name__}):"
            f" please report what `{again} ...` shows"
        )
        return BakestoneError([Finding(message)], ENVIRONMENT)


def _remember_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.meta[DEBUG] = value


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "bakestone validate                       is images.yaml right?",
        "bakestone list 'cuda=12.*' mpi=openmpi   which variants are there?",
        "bakestone lock && bakestone generate     pin everything, write dockerfiles/",
        "bakestone build --push                   build, measure, publish",
    ),
)
@click.version_option(__version__, prog_name="bakestone")
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember_debug,
    help="After an error, also show what led to it.",
)
def main() -> None:
    """One YAML matrix in, pinned Dockerfiles and verified base images out."""


@main.command(
    short_help="Print the completion script of a shell.",
    epilog=examples(
        'eval "$(bakestone completion bash)"',
        "bakestone completion fish > ~/.config/fish/completions/bakestone.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; variant names are completed too."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise fail(f"no completion for {shell}", code=USAGE)
    click.echo(kind(main, {}, "bakestone", "_BAKESTONE_COMPLETE").source())


for command in (
    archive.archive,
    archive.base,
    build.build,
    build.reproduce,
    build.retire,
    library.component,
    library.search,
    library.versions,
    matrix.dockerfile,
    matrix.explain,
    matrix.export,
    matrix.generate,
    matrix.list_variants,
    matrix.validate,
    pins.bump,
    pins.doctor,
    pins.lock,
    pins.outdated,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
