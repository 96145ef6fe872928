"""hadolint finds nothing in any emitted Dockerfile; what is left out is in .hadolint.yaml, with the
reason.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support.samples import ROOT

HADOLINT = Path(sys.executable).parent / "hadolint"
CONFIGURATION = ROOT / ".hadolint.yaml"


def test_emitted_dockerfiles_are_clean() -> None:
    """The golden ones; `make lint` looks at the committed ones."""
    files = sorted((ROOT / "tests" / "golden" / "dockerfiles").glob("*/Dockerfile"))
    assert files
    done = subprocess.run(
        [HADOLINT, "--config", CONFIGURATION, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:4000] + done.stderr


def test_every_rule_left_out_has_its_reason() -> None:
    text = CONFIGURATION.read_text("utf-8")
    for rule in yaml.safe_load(text)["ignored"]:
        assert re.search(rf"^  - {rule}\s+# \S.{{15,}}$", text, re.MULTILINE), rule
