# `make demo` and `make test` need nothing but make, and set up everything else.
.DEFAULT_GOAL := help
BIN := .venv/bin
WORKERS ?= auto

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

venv: .venv/.done ## make .venv with the locked packages

.venv/.done: requirements.lock pyproject.toml scripts/venv
	scripts/venv

demo: venv ## engine, registry, base, lock, Dockerfiles and the four images of the debian family
	scripts/demo

check: venv lint types drift ## the fast loop: lint, types, drift, unit and golden tests
	$(BIN)/pytest tests/unit tests/golden -n $(WORKERS)

library: venv ## the whole component library: every version, the product of what the rules allow, what they refuse
	$(BIN)/pytest tests/library -n $(WORKERS)

test: check library demo ## everything: check, library, demo, end-to-end tests with a real engine and registry
	$(BIN)/pytest tests/e2e -n 2 --dist loadfile --durations 15

lint: venv
	$(BIN)/ruff format --check generator tests benchmarks
	$(BIN)/ruff check generator tests benchmarks
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m tests.support.habits
	$(BIN)/shellcheck scripts/venv scripts/demo scripts/actionlint .ci/run
	scripts/actionlint
	$(BIN)/zizmor --offline --quiet --persona=pedantic .github
	find dockerfiles -name Dockerfile -print0 | xargs -0 $(BIN)/hadolint

types: venv
	$(BIN)/mypy

drift: venv
	$(BIN)/bakestone validate
	$(BIN)/bakestone generate --check

bench: venv ## measure against HPCCM
	$(BIN)/python benchmarks/generate.py

lock-dependencies: venv ## refresh requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 --upgrade --output-file requirements.lock

.PHONY: help venv demo check library test lint types drift bench lock-dependencies
