"""A matrix for GitHub Actions: `strategy: matrix: ${{ fromJSON(...) }}`.

Limits (docs.github.com, "usage limits"): 256 jobs a matrix, 1 MB a job's outputs.
"""

from __future__ import annotations

import json

from bakestone.clients import git
from bakestone.core.documents.yaml import Json
from bakestone.core.render import bakefile, family
from bakestone.core.render.plan import BuildPlan, PlannedVariant
from bakestone.errors import fail
from bakestone.jobs.publish.order import order
from bakestone.project import BAKE_FILE

MAX_OUTPUT = 1_000_000
"""Bytes of a job's outputs."""


def matrix(plan: BuildPlan, changed_since: str | None, max_jobs: int) -> str:
    """One line of JSON: `include` with a name and the selectors of each job.

    Variants that share stages come into the same job when there are more
    variants than jobs. With `changed_since`, only variants that have another
    stage or other annotations than at that commit. An empty matrix is `{"include": []}`; a workflow
    skips the job then, because GitHub refuses an empty one.
    """
    chosen = order(plan.variants)
    if changed_since is not None:
        before = _targets(chosen[0], changed_since) if chosen else {}
        chosen = [v for v in chosen if _differs(v, changed_since, before)]
    jobs = min(max_jobs, len(chosen))
    include: list[dict[str, str]] = []
    for index in range(jobs):
        start, end = index * len(chosen) // jobs, (index + 1) * len(chosen) // jobs
        part = chosen[start:end]
        name = part[0].name if len(part) == 1 else f"{part[0].name} and {len(part) - 1} more"
        variants = " ".join(v.name for v in part)
        platforms = ",".join(sorted({p for v in part for p in v.platforms}))
        include.append({"name": name, "variants": variants, "platforms": platforms})
    text = json.dumps({"include": include}, separators=(",", ":"))
    if len(text) > MAX_OUTPUT:  # all of it is ASCII
        said = f"the matrix has {len(text)} bytes, GitHub takes {MAX_OUTPUT}"
        raise fail(said, "select fewer variants, or fewer with a selector a family")
    return text


def _targets(variant: PlannedVariant, commit: str) -> Json:
    """The targets of the committed bake file at `commit`; none where there was no such file."""
    path = variant.path.parent.parent / BAKE_FILE
    try:
        targets = json.loads(git.before(path, commit, "--changed-since"))["target"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return targets if isinstance(targets, dict) else {}


def _differs(variant: PlannedVariant, commit: str, targets: Json) -> bool:
    """Whether a variant's own stages, or its annotations, are others than at `commit`, or were not
    there.
    """
    old = git.before(variant.path, commit, "--changed-since")
    before = family.reachable(old.decode("utf-8", "replace"), variant.stage)
    if before != family.reachable(variant.file.text, variant.stage):
        return True
    target = targets.get(variant.target)
    said = target.get("annotations", []) if isinstance(target, dict) else []
    own = {"annotations": bakefile.manifest_annotations(variant.variant)}
    return bool(said != json.loads(bakefile.dump(own))["annotations"])
