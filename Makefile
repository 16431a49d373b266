# make train TASK=SimpleDoorKey   sets up on a fresh machine and trains
# make test                       sets up and runs the tests

PYTHON ?= python3
VENV ?= .venv
TASK ?= SimpleDoorKey
ARGS ?=
BIN = $(VENV)/bin

.PHONY: train test lint clean

train: $(VENV)/.ready
	$(BIN)/python main.py train --task $(TASK) $(ARGS)

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV)
