BIN := .venv/bin

.PHONY: all format lint types tests docs quickstart bench

all: format lint types tests

.venv/made: pyproject.toml constraints.txt
	python3 -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	touch $@

format: .venv/made
	$(BIN)/ruff format .

lint: .venv/made
	$(BIN)/ruff check .

types: .venv/made
	$(BIN)/mypy

tests: .venv/made
	$(BIN)/pytest

docs: .venv/made
	$(BIN)/python tests/docs/write.py

quickstart: .venv/made
	$(BIN)/imgen train quickstart
	$(BIN)/imgen sample --fix-identity

DEVICE ?= cpu
RECORD := tests/benchmarks/records/$(shell date +%F)-$(DEVICE)

bench: .venv/made
	$(BIN)/python tests/benchmarks/speed.py --device $(DEVICE) --seconds 12 --record
	$(BIN)/python tests/benchmarks/data_wait.py --device $(DEVICE) --steps 5 --warm 1 --json $(RECORD)-data.json
	$(BIN)/python tests/benchmarks/startup.py --rounds 5 --json $(RECORD)-startup.json
	$(BIN)/python tests/benchmarks/sampling.py --device $(DEVICE) --json $(RECORD)-sampling.json
	$(BIN)/python tests/benchmarks/population.py --device $(DEVICE) --json $(RECORD)-population.json
	$(BIN)/python tests/benchmarks/scaling.py --json $(RECORD)-scaling.json
	$(BIN)/python tests/benchmarks/captured.py --json $(RECORD)-captured.json
	$(BIN)/python tests/benchmarks/trainer_overhead.py --blocks 7
	$(BIN)/python tests/benchmarks/streaming.py
	$(BIN)/python tests/benchmarks/translate.py
	$(BIN)/python tests/benchmarks/editing.py
	$(BIN)/python tests/benchmarks/contrast.py
	$(BIN)/python tests/benchmarks/teapots.py
	$(BIN)/python tests/benchmarks/disentanglement.py
	$(BIN)/python tests/benchmarks/quality.py
