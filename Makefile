# Requires Python 3.11 or newer, make and a package index. Everything else is installed into .venv,
# and again when pyproject.toml changes.

PYTHON ?= python3
PYTEST_ARGS ?=
PEERS ?=
BENCH ?= tutorials
BENCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin

# Silences most of the messages of TensorFlow about the machine.
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two pips must not write to the same environment, also under `make -j`.
.NOTPARALLEL:
.PHONY: help demo test test-slow lint typecheck docs bench bench-peers clean

help:
	@echo "make demo   fit a model and plot its forecast"
	@echo "make test   the fast tests              (PYTEST_ARGS='-k windows')"
	@echo "make test-slow  the other tests"
	@echo "make lint   ruff, mypy and import-linter"
	@echo "make typecheck  user code against the wheel, with mypy and pyright"
	@echo "make docs   the manual, in docs/_build/html"
	@echo "make bench  a script in benchmarks/     (BENCH=training BENCH_ARGS=...)"
	@echo "make bench-peers  environments of the peer libraries  (PEERS='torch darts')"
	@echo "make clean  remove everything that was built, including .venv"

demo: $(VENV)/.ready-progress
	$(BIN)/python examples/demo.py

# Each worker of the test suite takes 1 GB at first, and more with each compiled network.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

test: $(VENV)/.ready-test
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-slow: $(VENV)/.ready-test
	$(PYTEST) -m slow $(PYTEST_ARGS)

lint: $(VENV)/.ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# User code is type-checked against the wheel, installed without its dependencies into an
# environment of its own, which finds them in the environment above.
WHEEL := build/wheel
typecheck: $(VENV)/.ready-types
	rm -rf $(WHEEL)
	$(BIN)/python -m build --wheel --outdir $(WHEEL) . > /dev/null
	$(BIN)/python -m venv --without-pip $(WHEEL)/venv
	$(BIN)/python -m pip --python $(WHEEL)/venv/bin/python install -q --no-deps $(WHEEL)/*.whl
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" \
	  > "$$($(WHEEL)/venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/deps.pth"
	cp tests/typing/* $(WHEEL)  # away from the sources of the package
	cd $(WHEEL) && $(CURDIR)/$(BIN)/mypy --strict --python-executable venv/bin/python *.py
	cd $(WHEEL) && $(CURDIR)/$(BIN)/basedpyright --pythonpath venv/bin/python *.py

docs: $(VENV)/.ready-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.ready-progress $(VENV)/.ready-scikeras
	$(BIN)/python benchmarks/$(BENCH).py $(BENCH_ARGS)

bench-peers: $(VENV)/.made
	$(BIN)/python benchmarks/environments/make.py $(PEERS)

clean:
	rm -rf $(VENV) $(VENV)-bench build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst
	rm -f skrnn_demo.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each extra, so that a target installs only what it needs.
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
