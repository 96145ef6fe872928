"""What a template of a team may take of memory and time."""

from __future__ import annotations

import resource

import pytest

from bakestone.clients import bounds
from bakestone.core.documents import template
from bakestone.errors import BakestoneError

GREEDY = {
    "repeated": "{{ 'a' * 10 ** 11 }}",
    "repeated name": "{{ name * 10 ** 11 }}",
    "doubled": (
        "{% set box = namespace(text='aaaaaaaa') %}"
        "{% for _ in range(60) %}{% set box.text = box.text ~ box.text %}{% endfor %}"
    ),
    "wide": "{{ name.rjust(10 ** 11) }}",
    "formatted": "{{ '%99999999999d' % 1 }}",
    "list": "{{ ([name] * 10 ** 10) | length }}",
}


@pytest.fixture(autouse=True)
def bound() -> None:
    template.bound(bounds.bounded)


@pytest.mark.parametrize("text", GREEDY.values(), ids=GREEDY)
def test_a_template_that_wants_all_memory_is_a_finding(text: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(BakestoneError) as refused:
        template.render(f"first\n{text}\n", {"name": "x"}, origin="components/own/install.j2")
    (finding,) = refused.value.findings
    assert "the template cannot be filled" in finding.message
    assert finding.where is not None
    assert (finding.where.file, finding.where.line) == ("components/own/install.j2", 2)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert template.render("{% if true %}{{ name }}{% endif %}", {"name": "x"}, origin="") == "x"


def test_a_number_of_thousands_of_digits_is_a_finding() -> None:
    with pytest.raises(BakestoneError) as refused:
        template.render(f"{{{{ 1{'0' * 4400} }}}}", {}, origin="components/own/install.j2")
    assert "the template cannot be filled" in refused.value.findings[0].message
    assert template.names(f"{{{{ 1{'0' * 4400} }}}}") == frozenset()


def test_words_that_jinja_knows_are_its_own() -> None:
    assert template.render("{{ true }}", {"true": "mine"}, origin="") == "True"


def test_a_template_that_never_ends_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SECONDS", 0.2)
    loops = "".join(f"{{% for {n} in range(99999) %}}" for n in "abc")
    text = f"{loops}{'{% endfor %}' * 3}"
    with pytest.raises(BakestoneError) as refused:
        template.render(text, {}, origin="components/own/install.j2")
    assert "it takes more than 0.2 seconds" in refused.value.findings[0].message
