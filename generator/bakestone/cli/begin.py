"""Commands of the first hour: `init`, and `schema` for editors."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bakestone.cli.options import command, option, several
from bakestone.cli.terminal import put_line

STARTERS = {
    "cpu": "MPI on Debian, by wheel",
    "cuda": "CUDA 13, cuDNN, NCCL, Open MPI on Debian: devel and runtime",
    "azureml": "for Azure Machine Learning: Open MPI, conda and git on Ubuntu",
    "python": "conda on Debian",
}
"""What there is to begin with, in a person's words."""
SCHEMAS = ("images", "lock", "site", "component", "versions", "index", "profile", "release")
"""What there is a schema of."""
LOCAL = "localhost:5000/base"


@command(
    "Begin: write an images.yaml.",
    "bakestone init                                        asks, on a terminal",
    "bakestone init --template cpu --registry ghcr.io/acme/base",
    "bakestone init --template cuda --accept nvidia-eula",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("."))
@option("--template", "What to begin with.", type=click.Choice(list(STARTERS)), default=None)
@option("--registry", f"Where images will go.  [default: {LOCAL}]", metavar="HOST/PATH")
@several("--accept accepted", "TERMS", "Terms that you have read and accept, by name.")
def init(folder: Path, template: str | None, registry: str, accepted: tuple[str, ...]) -> None:
    """Write images.yaml into FOLDER, and what git has to know of the files beside it.

    On a terminal it asks for what is not said. What is there already is left as it is.
    """
    from bakestone.jobs.begin import begin

    asks = sys.stdin.isatty() and sys.stdout.isatty()
    agreed = list(accepted)
    if template is None and asks:
        for name, text in STARTERS.items():
            put_line(f"  {name:<9}{text}")
        template = click.prompt("What to begin with", "cpu", type=click.Choice(list(STARTERS)))
        registry = registry or click.prompt("Where images will go", LOCAL)
    template = template or "cpu"
    for terms in begin.asked(template) if asks else ():
        if terms.id not in agreed:
            put_line(f"{terms.title}: {terms.because}\n  {terms.url}")
            if click.confirm("Do you accept these terms?"):
                agreed.append(terms.id)
    made = begin.begin(folder, template, registry or LOCAL, agreed)
    for name in made.written:
        put_line(f"wrote {folder / name}")
    for name in made.kept:
        put_line(f"{folder / name} has what is needed")
    into = [] if folder == Path(".") else [f"cd {folder}"]
    put_line("next:")
    for line in (*into, "bakestone validate", "bakestone lock", "bakestone generate"):
        put_line(f"  {line}")


@command("Print the JSON Schema of a file.", "bakestone schema images > images.schema.json")
@click.argument("name", type=click.Choice(SCHEMAS))
def schema(name: str) -> None:
    """Print the JSON Schema of a file, for editors and for tools: every key with what it does."""
    from bakestone.core.documents.schema import text

    click.echo(text(name), nl=False)


COMMANDS = (init, schema)
