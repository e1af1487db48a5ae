# Everything a fresh machine needs is Python 3.11 or newer and make. `make help` lists the targets.
VENV := .venv
BIN := $(VENV)/bin
# In CI the exact versions of constraints.txt, and no copies of 3 GB for a next time; elsewhere the ranges of pyproject.toml.
IN_CI := $(if $(CI),--constraint constraints.txt --no-cache-dir)
INSTALL := $(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check $(IN_CI)
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help fit test slow notebooks prove versions lint format clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

fit: $(VENV)/installed ## train the default method on the default data; ARGS="--model.lr 1e-4 ..." changes it
	$(BIN)/python -m fit $(ARGS)

PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test: $(VENV)/installed-dev ## run the tests; ARGS="tests/fit -k video" picks some
	$(PYTEST) -m 'not prove and not slow' $(ARGS)

slow: $(VENV)/installed-dev ## the tests that start whole runs, compilers and notebooks (minutes); CI runs them too
	$(PYTEST) -m 'slow and not prove' $(ARGS)

notebooks: $(VENV)/installed-dev ## execute the notebooks one after the other (minutes); what they show goes to runs/notebooks
	@mkdir -p runs/notebooks
	for book in notebooks/*.ipynb; do \
		echo "$$book ..." && $(BIN)/python -m jupyter execute --timeout=1200 --output="$(CURDIR)/runs/notebooks/$$(basename $$book)" "$$book" || exit 1; done

prove: $(VENV)/installed-dev ## the long proofs, training at full length among them (hours); ARGS=tests/test_learning.py picks one
	$(BIN)/python -m pytest -s -m 'prove and not versions' $(ARGS)

versions: $(VENV)/installed-dev ## train and repaint with the lowest and the newest versions allowed (minutes, 6 GB each, removed again)
	$(BIN)/python -m pytest -s -m versions tests/test_versions.py $(ARGS)

lint: $(VENV)/installed-dev ## style, types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and caches, not the runs
	rm -rf $(VENV) .ruff_cache .mypy_cache .pytest_cache .import_linter_cache *.egg-info

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "make: expected Python 3.11 or newer on the path, found none;" \
		"install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make environments (no ensurepip);" \
		"on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing into $(VENV), once (about two minutes; 6 GB where PyTorch comes with CUDA) ..."
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing into $(VENV), once (about two minutes; 6 GB where PyTorch comes with CUDA) ..."
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/installed
