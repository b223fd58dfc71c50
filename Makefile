# Needs Python 3.11 or newer, make and a package index. Everything else goes into .venv, once,
# and again when pyproject.toml changes.

PYTHON ?= python3
PYTEST_ARGS ?=
PEERS ?=
BENCH ?= tutorials
BENCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin

# Fewer of TensorFlow's notices about the machine at hand (2.21 prints some all the same).
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two pips must not write into one environment, also under `make -j`.
.NOTPARALLEL:
.PHONY: help demo test lint docs bench bench-peers clean

help:
	@echo "make demo   fit and show a forecast"
	@echo "make test   the whole test suite        (PYTEST_ARGS='-m \"not slow\"')"
	@echo "make lint   ruff and mypy"
	@echo "make docs   the manual, in docs/_build/html"
	@echo "make bench  a script in benchmarks/     (BENCH=training BENCH_ARGS=...)"
	@echo "make bench-peers  environments for what is compared with (PEERS='torch darts')"
	@echo "make clean  remove all that was made here, .venv too"

demo: $(VENV)/.ready-progress
	$(BIN)/python examples/demo.py

# A worker holds about 1 GB at first, and as TensorFlow does not give back what it compiled, several
# in the end: never more than four of them, and new ones for each part of the suite.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal
FIRST := $(wildcard tests/test_[a-e]*.py)
SECOND := $(wildcard tests/test_[f-o]*.py)

test: $(VENV)/.ready-test
	$(PYTEST) $(PYTEST_ARGS) $(FIRST) || [ $$? -eq 5 ]  # 5: PYTEST_ARGS leave none of them
	$(PYTEST) $(PYTEST_ARGS) $(SECOND) || [ $$? -eq 5 ]
	$(PYTEST) $(PYTEST_ARGS) $(addprefix --ignore=,$(FIRST) $(SECOND)) || [ $$? -eq 5 ]

lint: $(VENV)/.ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ready-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.ready-progress
	$(BIN)/python benchmarks/$(BENCH).py $(BENCH_ARGS)

bench-peers: $(VENV)/.made
	$(BIN)/python benchmarks/environments/make.py $(PEERS)

clean:
	rm -rf $(VENV) $(VENV)-bench build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst
	rm -f skrnn_demo.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each extra, so that a target installs no more than it needs.
$(VENV)/.ready-%: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install -q -e ".[$*]"
	@touch $@

$(VENV)/.made:
	@command -v "$(PYTHON)" > /dev/null || { \
	  echo "No '$(PYTHON)' was found. skrnn needs Python 3.11 or newer; name one: make PYTHON=..." >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit("skrnn needs Python 3.11 or newer, but $(PYTHON) is %d.%d. Name another one: make PYTHON=..." % sys.version_info[:2])'
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

.PRECIOUS: $(VENV)/.ready-%
