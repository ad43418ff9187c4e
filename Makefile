# `make demo` and `make test` do all set-up on a fresh machine with Python 3.11, and repeat in seconds.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow bench soak lint setup
.DELETE_ON_ERROR:

setup: $(READY)

$(READY): constraints.txt pyproject.toml infra/setup.sh
	PYTHON="$(PYTHON)" infra/setup.sh $(VENV)
	touch $@

demo: setup
	$(BIN)/sluice demo

# Two at a time, each with one thread: most tests wait for processes that they started.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --durations=60

test-slow: setup
	$(BIN)/python -m pytest -m slow

bench: setup
	$(BIN)/python -m tests.benchmarks

soak: setup
	$(BIN)/python -m tests.soak

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.types $(BIN)/mypy -p sluice
