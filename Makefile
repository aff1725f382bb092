# The two commands: make demo, make test. Each line is plain "python -m …"; README.md gives them for Windows.
# make test takes as many processes as there are cores, four at most; make test JOBS=1 takes one.
PYTHON ?= python3
PY     := .venv/bin/python
JOBS   ?= auto

.PHONY: demo test test-all test-matrix lint clean

demo: .venv/bin/python
	@begin=$$(date +%s); set -e; \
	rm -f .venv/development; \
	$(PY) -m pip install --quiet .; \
	installed=$$(date +%s); \
	$(PY) examples/make_film.py out/demo/portraits.mp4; \
	$(PY) -m tronie predict examples/samples out/demo/portraits.mp4 --out out/demo/expressions.csv; \
	end=$$(date +%s); \
	$(PY) tools/core_size.py; \
	echo "demo: $$((end - begin)) s wall, of which $$((installed - begin)) s to install; table: out/demo/expressions.csv"

test: .venv/development
	$(PY) -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile

test-all: .venv/development
	$(PY) -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile -m "slow or not slow"

test-matrix: .venv/development
	$(PY) tools/test_matrix.py

lint: .venv/development
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) tools/floors.py

clean:
	rm -rf .venv out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/development: .venv/bin/python pyproject.toml
	$(PY) -m pip install --quiet --editable ".[dev,train,table,plot]"
	@touch $@
