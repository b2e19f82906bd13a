# Two commands for a newcomer: `make run` and `make test`. Everything they need goes into .venv.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: run serve test interop check fix bench mirror clean

run: .venv/run.stamp
	@$(BIN)/canaries run

test: .venv/dev.stamp
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --ignore tests/interop -m 'not alone'
	$(BIN)/python -m pytest --ignore tests/interop -m alone

# LiteLLM, Portkey and claude-code-router in front of the mirror: what they break, beside tests/interop/expected.yml,
# which UPDATE=1 writes
interop: .venv/dev.stamp
	@.ci/peers
	UPDATE=$(UPDATE) $(BIN)/python -m pytest -q -s tests/interop

check: .venv/dev.stamp
	$(BIN)/ruff check exporter tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/canaries check

fix: .venv/dev.stamp
	$(BIN)/ruff check --fix exporter tests

# figures into build/bench/NAME.json; quiet machine, a quarter of an hour; prepares the peers that are not there yet
bench: .venv/dev.stamp
	@.ci/prometheus
	$(BIN)/python tests/bench/bench_sidecar.py
	$(BIN)/python tests/bench/bench_rules.py
	$(BIN)/python tests/bench/bench_process.py
	$(BIN)/python tests/bench/bench_core.py
	$(BIN)/python tests/bench/bench_gateways.py gateways

serve: .venv/run.stamp
	@$(BIN)/canaries serve

mirror: .venv/run.stamp
	@$(BIN)/canaries mirror

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try: make run PYTHON=python3.12" >&2; exit 1; }
	@echo "Creating .venv …"
	@$(PYTHON) -m venv .venv

.venv/run.stamp: pyproject.toml | .venv/bin/python
	@echo "Installing …"
	@$(PIP) --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	@echo "Installing with what the tests need …"
	@$(PIP) --editable '.[test,dev]'
	@touch $@ .venv/run.stamp
