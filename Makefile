# Two commands: `make demo` shows it, `make test` proves it. Each makes what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test bench bench-supervise clean

demo: $(VENV)/.installed
	$(BIN)/python -m context_bus demo

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

bench: $(VENV)/.installed-test
	$(BIN)/python -m tests.benchmarks.bus
	$(BIN)/python -m tests.benchmarks.context

# Beside circus, supervisord and pm2, which are installed into a temporary directory; about 45 minutes.
bench-supervise: $(VENV)/.installed-test
	$(BIN)/python -m tests.benchmarks.supervise --peers

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: setup.cfg | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
