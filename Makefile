# `make` lists what can be made; each target sets up what it needs.
SHELL := bash
PYTHON ?= python3
VENV := .venv
CORE := .venv-core
BIN := $(VENV)/bin

# uv reads no pip settings: what pip is told about local wheels, uv is told too.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
TESTS := -m pytest -q -n auto --maxprocesses 4
# The suite runs in several processes, with one thread of linear algebra each.
check test test-core reliability test-slow: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install services demo lint check test test-core reliability test-slow format docs constraints bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/installed  ## set up .venv with every extra and the tools of development

# $(call environment,FOLDER,EXTRAS): uv takes seconds where pip takes minutes; pip stands in where
# uv cannot be had or cannot reach what pip can.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Longtale needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(1)
	{ $(1)/bin/python -m pip install -q -c constraints.txt uv \
		&& $(1)/bin/uv pip install -q --python $(1)/bin/python -c constraints.txt -e '.[$(2)]'; } \
		|| $(1)/bin/python -m pip install -q -c constraints.txt -e '.[$(2)]'
	touch $(1)/installed
endef

$(VENV)/installed: pyproject.toml constraints.txt
	$(call environment,$(VENV),all$(comma)dev)

$(CORE)/installed: pyproject.toml constraints.txt
	$(call environment,$(CORE),test)

comma := ,

services:  ## install the servers that tests start for themselves
	scripts/services.sh

demo: install  ## train on the bundled films, evaluate, recommend
	$(BIN)/longtale demo

lint: install  ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint  ## the gate: lint, and the fast tests with the documents
	$(BIN)/python $(TESTS) -m 'not slow and not torch and not realdata'

test: services lint  ## the gate with all tests but the slow ones
	$(BIN)/python $(TESTS) -m 'not slow'

test-core: services $(CORE)/installed  ## the fast tests where torch is not installed
	! $(CORE)/bin/python -c 'import torch' 2>/dev/null
	! $(CORE)/bin/python -c 'import transformers' 2>/dev/null
	$(CORE)/bin/python $(TESTS) --doctest-ignore-import-errors -m 'not slow and not torch'

# Speed is for a quiet machine: `longtale reliability run` says it, no gate asks for it.
reliability: services install  ## try what the service promises, all but speed, a little of each
	$(BIN)/longtale reliability run --quick --out build/reliability \
		--without ingest --without reads --without overload

test-slow: install  ## the tests that take minutes
	$(BIN)/python $(TESTS) -m slow

format: install  ## rewrite the code in the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## regenerate the pages that are made from the code
	$(BIN)/python scripts/reference.py

constraints: install  ## pin what the ranges of pyproject.toml resolve to; what is pinned stays
	echo uv | $(BIN)/uv pip compile -q pyproject.toml - --all-extras --python-version 3.11 \
		--no-header --no-annotate -o constraints.txt
	sed -i 's/+.*//' constraints.txt

bench: install  ## measure what docs/benchmarks.md states, on the bundled films
	$(BIN)/python benchmarks/quality.py movielens-small:time movielens-small:refit
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/encoding.py
	$(BIN)/python benchmarks/reading.py --events 1000000

clean:  ## remove the environments and caches
	rm -rf $(VENV) $(CORE) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
