# make train TASK=SimpleDoorKey   sets up on a fresh machine and trains
# make test                       sets up and runs the tests
# make test-slow                  the same as some of those, of very much more
# make test-browser               looks at pages in Chromium (Debian: chromium and chromium-driver)
# make test-fastchat              sets up FastChat beside it and asks a tiny Vicuna there
# make test-habitat HABITAT_PYTHON=…  tests what needs habitat-sim, with the Python that has it

PYTHON ?= python3
VENV ?= .venv
FASTCHAT_VENV ?= $(VENV)-fastchat
TASK ?= SimpleDoorKey
ARGS ?=
BIN = $(VENV)/bin
CHROMIUM ?= $(shell command -v chromium)
CHROMEDRIVER ?= $(shell command -v chromedriver)

.PHONY: train test test-slow test-browser test-fastchat test-habitat lint clean

train: $(VENV)/.ready
	$(BIN)/python main.py train --task $(TASK) --config configs/best.yaml $(ARGS)

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2

test-slow: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2 -m slow

test-browser: $(VENV)/.ready-dev
	@test -n "$(CHROMIUM)" -a -n "$(CHROMEDRIVER)" || { \
		echo "needs Chromium and ChromeDriver: apt-get install chromium chromium-driver," \
			"or name the programs: make test-browser CHROMIUM=… CHROMEDRIVER=…"; exit 1; }
	CHROMIUM=$(CHROMIUM) CHROMEDRIVER=$(CHROMEDRIVER) $(BIN)/python -m pytest -m browser

test-fastchat: $(VENV)/.ready-dev $(FASTCHAT_VENV)/.ready
	FASTCHAT_PYTHON=$(abspath $(FASTCHAT_VENV)/bin/python) $(BIN)/python -m pytest -m fastchat

test-habitat:
	@test -n "$(HABITAT_PYTHON)" || { echo "HABITAT_PYTHON: name a Python that has habitat-sim; see docs/habitat.md" >&2; exit 2; }
	$(HABITAT_PYTHON) -m pytest -m habitat

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

# FastChat lives apart, as the server of an LLM does: the project itself needs none of it.
$(FASTCHAT_VENV)/bin/python:
	$(PYTHON) -m venv $(FASTCHAT_VENV)

$(FASTCHAT_VENV)/.ready: requirements-fastchat.txt | $(FASTCHAT_VENV)/bin/python
	$(FASTCHAT_VENV)/bin/python -m pip install --quiet --use-pep517 -r requirements-fastchat.txt
	touch $@

clean:
	rm -rf $(VENV) $(FASTCHAT_VENV)
