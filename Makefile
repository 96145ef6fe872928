# `make demo` and `make test` need nothing but make, and set up everything else.
.DEFAULT_GOAL := help
BIN := .venv/bin
# Processes that tests run in: as many as there are cores.
WORKERS ?= auto
# Containers often set it: each process that a test starts would then compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
# For each reader that the campaign tries; the same seed has the same inputs.
INPUTS ?= 3500
SEED ?= 0
# A line a test while it runs, with its seconds.
E2E := $(BIN)/pytest tests/e2e -v -o "addopts=--strict-markers --strict-config" -rRs --durations 15
# Runs a phase; says at its end how long it took and how much room is left.
PHASE := scripts/phase

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28

venv: .venv/.done ## make .venv with the locked packages

.venv/.done: requirements.lock pyproject.toml scripts/venv
	$(PHASE) venv scripts/venv

demo: venv ## engine, registry, base, lock, Dockerfiles and the four images of the debian family
	$(PHASE) demo scripts/demo

check: venv ## the fast loop, under two minutes: lint, types, drift, unit and golden tests
	$(MAKE) --jobs=2 --output-sync=target lint types drift
	$(MAKE) unit

unit: venv ## unit and golden tests
	$(PHASE) unit $(BIN)/pytest tests/unit tests/golden -n $(WORKERS) --dist worksteal --durations 5

library: venv ## the whole component library: every version, what the rules allow, what they refuse
	$(PHASE) library $(BIN)/pytest tests/library -n $(WORKERS) --dist worksteal

campaign: venv ## hostile input by the hundred thousand: INPUTS for each reader, SEED; a slice is in `make test`
	-$(PHASE) "what harms system calls and clocks" scripts/tools strace faketime
	$(PHASE) campaign $(BIN)/pytest tests/campaign -n $(WORKERS) --dist worksteal --inputs $(INPUTS) \
	  --hypothesis-seed $(SEED)

conformance: venv ## the registry client against real registries and stand-ins of vendors'
	$(PHASE) "registries to test with" scripts/tools docker-registry
	-$(PHASE) "what Go has to build" scripts/tools distribution oras regctl
	-$(PHASE) "others that read SBOMs" scripts/tools syft osv-scanner
	$(PHASE) conformance $(BIN)/pytest tests/conformance -n $(WORKERS) -rs

e2e: venv ## end-to-end tests with a real engine and registry
	-$(PHASE) "the newer registry, where Go can build it" scripts/tools distribution
	-$(PHASE) "others that read SBOMs" scripts/tools syft osv-scanner
	$(PHASE) e2e $(E2E) -n 2 --dist loadfile --no-loadscope-reorder -m "not compiles"

e2e-compile: venv ## end-to-end tests that compile MPI for minutes each; not in `make test`
	$(PHASE) e2e-compile $(E2E) -m compiles

# One after the other, whatever -j says: they share the cores and the engine.
test: ## everything: check, library, a slice of the campaign, conformance, demo, end-to-end tests
	$(MAKE) check
	$(MAKE) library
	$(MAKE) campaign INPUTS=60
	$(MAKE) conformance
	$(MAKE) demo
	$(MAKE) e2e

lint: venv ## format and lint of Python, shell, workflows and Dockerfiles
	$(PHASE) lint scripts/lint

types: venv ## mypy, strict
	$(PHASE) types $(BIN)/mypy

drift: venv ## images.yaml is right, and the committed Dockerfiles are what it says
	$(PHASE) validate $(BIN)/bakestone validate
	$(PHASE) drift $(BIN)/bakestone generate --check

bench: venv ## measure against HPCCM
	$(PHASE) bench $(BIN)/python benchmarks/generate.py
	$(PHASE) bench-scale $(BIN)/python benchmarks/scale.py

bench-build: venv ## measure exports and cold builds, after make demo; takes long
	scripts/engine up
	eval "$$(scripts/engine env)" && $(PHASE) bench-build $(BIN)/python benchmarks/build.py

tools: venv ## build what tests and checks use and takes minutes to build, once
	$(PHASE) tools scripts/tools docker-registry actionlint distribution cosign oras \
	  osv-scanner regctl syft

lock-dependencies: venv ## refresh requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 --upgrade --output-file requirements.lock

.PHONY: help venv demo check unit library campaign conformance e2e e2e-compile test lint types drift bench bench-build tools \
  lock-dependencies
