"""The habits of the code hold, and each rule finds what breaks it."""

from __future__ import annotations

import pytest

from tests.support import habits

CORE, TEST = "generator/bakestone/core/one.py", "tests/unit/core/test_one.py"
BROKEN = {
    "parameters": [
        {CORE: "def f(a, b, c, d, e, f, g): ..."},
        {CORE: "class A:\n    def f(self, a, b, c, *, d, e, f, g=1): ..."},
        {TEST: "def made(a, b, c, d, e, f, *more): ..."},
    ],
    "any": [
        {CORE: "def f(a: dict[str, Any]) -> None: ..."},
        {CORE: "def f() -> list[Any]: ..."},
        {CORE: "def f(**more: 'Any') -> None: ..."},
        {CORE: "class A:\n    field: Any"},
        {CORE: "class A:\n    def f(self) -> typing.Any: ..."},
    ],
    "class-name": [{CORE: "class A: ...", "generator/bakestone/core/two.py": "class A: ..."}],
    "module-alias": [
        {CORE: "from bakestone.core.lock import lockfile as record"},
        {CORE: "import bakestone.core.lock.lockfile as record"},
        {CORE: "def f():\n    from bakestone.cli import terminal as screen"},
        {TEST: "import numpy as np"},
    ],
    "printing": [
        {CORE: "print(1)"},
        {CORE: "import sys\nsys.stdout.write('1')"},
        {CORE: "import sys\nprinted = sys.stderr"},
    ],
    "columns": [{CORE: "#" * 101}, {TEST: "#" + "é" * 50}],
    "private-name": [
        {TEST: "from bakestone.core.lock.lock import _f"},
        {TEST: "from bakestone.core.lock import model\nmodel._f()"},
        {CORE: "def f(a):\n    return a._field"},
        {TEST: "monkeypatch.setattr(model, '_f', None)"},
        {TEST: "getattr(model, '_f')()"},
        {TEST: "monkeypatch.setattr('bakestone.core.lock.lock._f', None)"},
    ],
    "test-module": [
        {TEST: "from tests.unit.core.test_two import made"},
        {TEST: "from tests.unit.core import test_two"},
        {TEST: "from tests.unit.conftest import Command"},
        {TEST: "def f():\n    import tests.unit.core.test_two"},
    ],
    "foreign-field": [
        {CORE: "def f(a):\n    a.b = 1"},
        {CORE: "def f(a):\n    a.b += [1]"},
        {CORE: "def f(a):\n    del a.b"},
        {CORE: "class A:\n    def f(self):\n        self.plan.b = 1"},
        {CORE: "from bakestone.core import lock\na = lock.Lock()\na.b = 1"},
    ],
    "docstring": [
        {CORE: "a = 1"},
        {CORE: '"""One."""\n\ndef f(): ...'},
        {CORE: '"""One."""\n\nclass A: ...'},
        {CORE: '"""One."""\n\nclass A:\n    """A."""\n    async def f(self): ...'},
    ],
    "module-name": [
        {"generator/bakestone/core/utils.py": ""},
        {"generator/bakestone/core/common/one.py": ""},
        {"tests/unit/core/lock_helpers.py": ""},
        {"generator/bakestone/core/apt_more.py": ""},
    ],
}
KEPT = {
    "parameters": [
        {CORE: "class A:\n    def f(self, a, b, c, d, e, f): ..."},
        {TEST: "def test_a(a, b, c, d, e, f, g): ..."},
        {CORE: "@click.command(short_help='x')\ndef f(a, b, c, d, e, f, g): ..."},
    ],
    "any": [{CORE: "def _f(a: Any) -> Any: ..."}, {TEST: "def f() -> Any: ..."}],
    "class-name": [{CORE: "class A: ...", TEST: "class A: ..."}],
    "module-alias": [
        {CORE: "from bakestone.core.lock import lockfile"},
        {CORE: "from bakestone.jobs.explain import explain as facts"},
    ],
    "printing": [{"generator/bakestone/cli/one.py": "print(1)"}, {TEST: "print(1)"}],
    "columns": [{CORE: "#" * 100}, {CORE: f"a = '{'a' * 100}'  # noqa: E501 - a checksum"}],
    "private-name": [
        {CORE: "class A:\n    def f(self):\n        return self._a"},
        {CORE: "class A:\n    _a: int\n    def f(self, other):\n        return other._a"},
        {CORE: "def f(a):\n    return a.__class__, a._asdict()"},
    ],
    "test-module": [
        {TEST: "from tests.e2e import conftest"},
        {TEST: "import pytest\nfrom bakestone.jobs.archive import layout"},
    ],
    "foreign-field": [
        {CORE: "class A:\n    def f(self):\n        self.a = 1\n        self._held.b = 2"},
        {CORE: "import requests\ns = requests.Session()\ns.max_redirects = 1"},
        {TEST: "def f(a):\n    a.b = 1"},
    ],
    "docstring": [{CORE: '"""One."""\n\ndef _f(): ...'}, {TEST: "def f(): ..."}],
    "module-name": [{"generator/bakestone/core/lock/demand.py": ""}],
}


@pytest.fixture(scope="session")
def code() -> habits.Files:
    return habits.read(habits.ROOT / folder for folder in habits.FOLDERS)


@pytest.mark.parametrize("rule", habits.RULES)
def test_the_code_has_the_habit(rule: str, code: habits.Files) -> None:
    found = list(habits.RULES[rule](code))
    assert not found, "\n".join(map(str, found))


def cases(table: dict[str, list[dict[str, str]]]) -> list[tuple[str, dict[str, str]]]:
    return [(rule, texts) for rule in habits.RULES for texts in table[rule]]


@pytest.mark.parametrize(("rule", "texts"), cases(BROKEN))
def test_what_breaks_a_rule_is_found(rule: str, texts: dict[str, str]) -> None:
    (found,) = habits.check(texts, rule)
    assert str(found).startswith(f"{found.path}:{found.line}: {rule}: ")
    assert found.path in texts


@pytest.mark.parametrize(("rule", "texts"), cases(KEPT))
def test_what_keeps_a_rule_is_not(rule: str, texts: dict[str, str]) -> None:
    assert habits.check(texts, rule) == []
