# Two commands: `make run` and `make test`. Each sets up what it needs, and is quick the second time.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: help run test lint lock unit peers-latest lowest soak mutation bench clean setup-run setup-test

help:
	@echo "make run     set up .venv and run the main job: qsim run digits"
	@echo "make test    set up the rest, then lint, type-check and run every test"
	@echo "make lock    renew requirements/*.txt, the releases that run and test install"
	@echo "make peers-latest  tests/peers against the newest releases of every peer: what changed"
	@echo "make lowest  the lowest releases that pyproject.toml allows: do they work?"
	@echo "make soak    the long randomized runs (SOAK=elements per primitive and scheme, SOAK_VECTORS=per RTL)"
	@echo "make mutation mutants of every RTL module against the golden sets"
	@echo "make bench   speed ratios against torch and NumPy, and of the RTL benches"
	@echo "make clean   remove .venv and caches"

setup-run:
	@$(PYTHON) -m tools.bootstrap run

setup-test:
	@$(PYTHON) -m tools.bootstrap test

run: setup-run
	@$(BIN)/qsim run digits

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python -m tools.lock --check
	$(BIN)/python -m tools.evidence --check

lock: setup-test
	$(BIN)/python -m tools.lock

unit: setup-test
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --durations=30 -m "not soak"

test: lint unit

peers-latest: setup-test
	$(BIN)/python -m tools.peers_latest

lowest: setup-test
	$(BIN)/python -m tools.lowest

soak: setup-test
	$(BIN)/pytest -m soak

mutation: setup-test
	$(BIN)/python -m tools.mutation

bench: setup-test
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
