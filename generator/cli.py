"""The command `bakestone`: one function a command; parse, call, print."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from generator import __version__
from generator.errors import BakestoneError, fail, render

_F = TypeVar("_F", bound=Callable[..., Any])
_FORMAT = "bakestone.format"


class _Commands(click.Group):
    """A group that shows `BakestoneError` as findings and exits with its code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; wrong input is a message, never a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted; nothing is half done: run it again to go on", err=True)
            raise click.exceptions.Exit(128 + signal.SIGINT) from None
        except BakestoneError as problem:
            if ctx.meta.get(_FORMAT) == "json":
                click.echo(json.dumps({"findings": [f.as_dict() for f in problem.findings]}, indent=2))
            else:
                click.echo(render(problem.findings), err=True)
                count = sum(f.severity == "error" for f in problem.findings)
                if count > 1:
                    click.echo(f"{count} errors", err=True)
            raise click.exceptions.Exit(problem.code) from None


def _remember_format(ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Errors are told in the form that was asked for."""
    ctx.meta[_FORMAT] = value
    return value


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _project_options(command: _F) -> _F:
    for option in (
        click.option(
            "-f", "--file", "matrix_path", type=click.Path(path_type=Path), default=Path("images.yaml"), show_default=True, help="The matrix."
        ),
        click.option(
            "--site",
            "site_path",
            type=click.Path(path_type=Path),
            envvar="BAKESTONE_SITE",
            help="The site file: mirrors, registry, CA. Also BAKESTONE_SITE.",
        ),
        click.option("--lock", "lock_path", type=click.Path(path_type=Path), help="The lock.  [default: images.lock.yaml beside the matrix]"),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="The generated folder.  [default: dockerfiles beside the matrix]"),
        click.option("--registry", "registry_override", default="", metavar="HOST/PATH", help="Where images go, instead of the file's registry."),
    ):
        command = option(command)
    return command


def _project(matrix_path: Path, site_path: Path | None, lock_path: Path | None, output: Path | None, registry_override: str) -> Any:
    from generator.project import Project
    from generator.schema import check_value

    if registry_override:
        check_value(registry_override, "images", "registry", "--registry")
    lock = lock_path or matrix_path.with_name(matrix_path.stem + ".lock.yaml")
    return Project(matrix_path, lock, output or matrix_path.parent / "dockerfiles", site_path, registry_override)


def _complete_variants(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Variant names for the shell's completion; silent when images.yaml is not right."""
    try:
        path = ctx.params.get("matrix_path") or Path("images.yaml")
        return [v.name for v in _project(path, None, None, None, "").matrix.variants if v.name.startswith(incomplete)]
    except BakestoneError:
        return []


_selectors = click.argument("selectors", nargs=-1, shell_complete=_complete_variants)
_format = click.option(
    "--format",
    "output_format",
    callback=_remember_format,
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_examples(
        "bakestone validate                       is images.yaml right?",
        "bakestone list 'cuda=12.*' mpi=openmpi   which variants are there?",
        "bakestone lock && bakestone generate     pin everything, write dockerfiles/",
        "bakestone build --push                   build, measure, publish",
    ),
)
@click.version_option(__version__, prog_name="bakestone")
def main() -> None:
    """One YAML matrix in, pinned Dockerfiles and verified base images out."""


@main.command(short_help="Check the matrix.", epilog=_examples("bakestone validate", "bakestone validate -f team/images.yaml --format json"))
@_project_options
@_format
def validate(output_format: str, **paths: Any) -> None:
    """Check the matrix: schema, names, versions, rules, excludes."""
    project = _project(**paths)
    matrix, warnings = project.matrix, project.warnings()
    if output_format == "json":
        click.echo(json.dumps({"variants": len(matrix.variants), "findings": [w.as_dict() for w in warnings]}, indent=2))
        return
    if warnings:
        click.echo(render(warnings), err=True)
    families = ", ".join(f"{f.name} {sum(v.family is f for v in matrix.variants)}" for f in matrix.spec.families)
    click.echo(f"{project.matrix_path}: {len(matrix.variants)} variants ({families}), {len(matrix.excluded)} combinations left out")


@main.command(
    "list",
    short_help="Show the variants.",
    epilog=_examples("bakestone list", "bakestone list family=debian --format json", "bakestone list 'cuda=>=12.0,<13'"),
)
@_selectors
@_project_options
@_format
def list_variants(selectors: tuple[str, ...], output_format: str, **paths: Any) -> None:
    """Show the variants that SELECTORS name: name globs, slot=pattern, family=name."""
    from generator import show

    project = _project(**paths)
    show.variants(project, project.select(selectors), as_json=output_format == "json")


@main.command(
    short_help="Say where each pin comes from, or why a variant is left out.",
    epilog=_examples("bakestone explain openmpi3.1.2-cuda10.1-cudnn7-ubuntu16.04", "bakestone explain intelmpi2018.3-cuda10.1-cudnn7-ubuntu16.04"),
)
@click.argument("variant", shell_complete=_complete_variants)
@_project_options
@_format
def explain(variant: str, output_format: str, **paths: Any) -> None:
    """Say where each pin of VARIANT comes from, or which rule leaves it out."""
    from generator import show
    from generator.explain import explain as facts

    sentence, lines = facts(_project(**paths), variant)
    show.facts(sentence, lines, as_json=output_format == "json")


@main.command(
    short_help="Resolve every name to a digest, checksum or exact version.",
    epilog=_examples("bakestone lock", "bakestone lock --update", "bakestone lock family=debian --lock build/demo/images.lock.yaml"),
)
@_selectors
@click.option("--update", is_flag=True, help="Resolve everything again, not only what is missing.")
@_project_options
def lock(selectors: tuple[str, ...], update: bool, **paths: Any) -> None:
    """Resolve every name to a digest, a checksum or an exact version; write the lock.

    Base images are asked of their registry (or its mirror); where none answers, the
    component library's digest is taken and the lock says so.
    """
    from generator.pins import resolve

    project = _project(**paths)
    report = resolve.resolve(project, selectors, update=update, say=lambda text: click.echo(text, err=True))
    click.echo(f"{project.lock_path}: {report}")


@main.command(
    short_help="Write the Dockerfiles from the matrix and the lock.",
    epilog=_examples(
        "bakestone generate", "bakestone generate --check", "bakestone generate --lock build/demo/images.lock.yaml -o build/demo/dockerfiles"
    ),
)
@click.option("--check", is_flag=True, help="Write nothing; fail and name the files that are not up to date.")
@_project_options
def generate(check: bool, **paths: Any) -> None:
    """Write the Dockerfiles and docker-bake.json from the matrix and the lock. Needs no network."""
    project = _project(**paths)
    if check:
        project.require_generated()
        click.echo(f"{project.output}: {len(project.texts())} files are up to date")
        return
    written, removed = project.generate()
    for path in written:
        click.echo(f"wrote {path}")
    for path in removed:
        click.echo(f"removed {path}")
    click.echo(f"{project.output}: {len(project.texts())} files, {len(written)} written, {len(removed)} removed")


@main.command(
    short_help="Build, measure and publish.",
    epilog=_examples(
        "bakestone build                                  build and verify everything, publish nothing",
        "bakestone build family=debian --push             publish what is not in the registry yet",
        "bakestone build openmpi5.0.10-debian12 --load    into the local engine",
    ),
)
@_selectors
@click.option("--push", is_flag=True, help="Push; move the floating tags when every selected variant is there.")
@click.option("--tags/--no-tags", default=True, show_default=True, help="With --push: move the floating tags and write the release.")
@click.option("--load", is_flag=True, help="Load the images into the local engine.")
@click.option("--keep-going/--fail-fast", default=True, show_default=True, help="After a failure, build the others all the same.")
@click.option("--jobs", type=click.IntRange(1, 100), default=100, show_default=True, help="Variants handed to BuildKit in one call.")
@click.option("--release", "release_path", type=click.Path(path_type=Path), help="Where release.json goes.  [default: release.json beside the lock]")
@_project_options
def build(
    selectors: tuple[str, ...], push: bool, tags: bool, load: bool, keep_going: bool, jobs: int, release_path: Path | None, **paths: Any
) -> None:
    """Build the variants that SELECTORS name; each is measured against its name.

    What is already in the registry under its fingerprint is not built again.
    """
    from generator.build import run

    if push and load:
        raise fail("--push and --load exclude each other", "push first; then `docker pull` loads the image", code=2)
    project = _project(**paths)
    release = release_path or project.lock_path.with_name("release.json")
    options = run.Options(push=push, tags=tags, load=load, keep_going=keep_going, chunk=jobs, release=release)
    run.build(project, selectors, options)


@main.group()
def export() -> None:
    """Write the matrix in the form that another tool reads."""


@export.command(epilog=_examples("bakestone export github >> matrix.json", "bakestone export github family=debian --changed-since origin/main"))
@_selectors
@click.option("--changed-since", metavar="COMMIT", help="Only variants whose Dockerfile differs from that commit.")
@click.option("--max-jobs", type=click.IntRange(1, 256), default=256, show_default=True, help="Variants are shared out over at most this many jobs.")
@_project_options
def github(selectors: tuple[str, ...], changed_since: str | None, max_jobs: int, **paths: Any) -> None:
    """A matrix for GitHub Actions: strategy.matrix with fromJSON."""
    from generator.export import github as export_github

    project = _project(**paths)
    click.echo(export_github.matrix(project, project.select(selectors), changed_since, max_jobs))


@main.command(
    short_help="Print the completion script of a shell.",
    epilog=_examples('eval "$(bakestone completion bash)"', "bakestone completion fish > ~/.config/fish/completions/bakestone.fish"),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; variant names are completed too."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise fail(f"no completion for {shell}", code=2)
    click.echo(kind(main, {}, "bakestone", "_BAKESTONE_COMPLETE").source())


if __name__ == "__main__":
    main()
