# Two commands: `make demo` runs the main job end to end, `make test` proves it. Both set up all they need.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help setup setup-test demo serve test check bench chaos fuzz lint types imports fast slow lock clean

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(VENV)/.demo  ## The Python environment in .venv, with .venv/bin/leadloop
setup-test: $(VENV)/.test

demo: $(VENV)/.demo  ## The whole loop on this machine; make demo ARGS=--once ends by itself
	$(BIN)/leadloop demo $(ARGS)

serve: $(VENV)/.demo  ## The service, scheduler and worker
	$(BIN)/leadloop serve $(ARGS)

test: setup-test lint types imports fast slow  ## Everything: lint, types, imports and all tests, the real n8n included

check: setup-test lint types imports fast  ## Lint, types, imports and the fast tests

bench: setup-test  ## Benchmarks; make bench ARGS=models (or rungs, noise) measures the models against their peers
	$(BIN)/python -m tests.bench $(ARGS)

chaos: setup-test  ## 50,000 events under fire: bad habits on, processes and database killed (an hour on each database)
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: setup-test  ## 100,000 malformed, mutated and hostile requests (some minutes)
	$(BIN)/python -m tests.fuzz $(ARGS)

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-test
	$(BIN)/mypy

imports: setup-test
	$(BIN)/lint-imports --no-logo

fast: setup-test
	$(BIN)/pytest -n auto --dist worksteal -m "not slow and not n8n" $(ARGS)

# One more at a time than there are cores: many of these wait for other processes.
slow: setup-test
	PYTEST_XDIST_AUTO_NUM_WORKERS=$$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) \
	$(BIN)/pytest -n auto --dist worksteal -m "slow and not n8n" $(ARGS)
	$(BIN)/pytest -m n8n $(ARGS)

lock:  ## Pin the requirements anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build --extra demo pyproject.toml -o requirements/demo.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build --extra demo --extra test pyproject.toml -o requirements/test.txt
	for peer in flaml autogluon; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header tests/bench/models/requirements-$$peer.in -o tests/bench/models/requirements-$$peer.txt; done

clean:  ## Remove what was made, but for your data
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.demo: requirements/demo.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Leadloop needs Python 3.11 or newer: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@
