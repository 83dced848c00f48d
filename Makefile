# `make demo` and `make test` set everything up in .venv by themselves.
PYTHON ?= python3
# PyTorch's build: CPU=1 for the one without a graphics card, CPU=0 for the other; unset: what suits the machine.
CPU ?=
VENV := .venv
PY := $(VENV)/bin/python
JS := tests/js

# What answers soon and still meets every room: see CONTRIBUTING.md.
QUICK := $(shell grep -v '^\#' tests/quick.txt)

# Processes that share the tests, a file of them at a time; each may hold 3 GB, and waits for much of its time. One thread
# each: threads of several processes that wait for each other take the time of those that work.
WORKERS := 3

# What meets every library, for the lowest versions that requirements.txt allows.
LOWEST := .venv-lowest
LIBRARIES := tests/detectors tests/media tests/pipeline/test_features.py tests/page/test_app.py tests/test_cli.py \
	tests/test_weights.py tests/test_pretrained.py tests/corpus tests/train/ready_made
TESTS := OMP_NUM_THREADS=1 $(PY) -m pytest

.PHONY: demo test quick lowest lint types js clean

demo: $(VENV)/.demo
	$(PY) app.py $(ARGS)

test: lint types js
	$(TESTS) -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

quick: $(VENV)/.test
	$(TESTS) -q -m "not browser and not attack" $(QUICK) $(ARGS)

# Not a part of `make test`: it installs all of it once more. PYTHON=python3.13 chooses another Python.
lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip compile --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--only-binary :all: --output-file $(LOWEST)/lowest.txt requirements.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python -r $(LOWEST)/lowest.txt -r tests/requirements.txt
	$(LOWEST)/bin/python -m pytest -q -m "not browser and not attack" $(QUICK) $(LIBRARIES) $(ARGS)

lint: $(VENV)/.test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.test
	$(PY) -m mypy

js: $(VENV)/.test $(JS)/node_modules/.package-lock.json
	mkdir -p $(JS)/build
	$(PY) -m tests.support.live_script > $(JS)/build/live.json
	npm --prefix $(JS) run --silent lint
	npm --prefix $(JS) test --silent

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements.txt | $(VENV)/bin/python
	CPU=$(CPU) $(PY) .ci/install.py
	touch $@

$(VENV)/.test: tests/requirements.txt $(VENV)/.demo
	$(PY) .ci/install.py tests/requirements.txt
	touch $@

$(JS)/node_modules/.package-lock.json: $(JS)/package-lock.json
	npm --prefix $(JS) ci --silent --no-audit --no-fund
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(JS)/node_modules $(JS)/build
