# demo · test · check · bench · fuzz: everything is set up on the way, into .venv/ only.
PORT ?= 8000
VISITORS ?= 0
SECONDS ?= 3600
KILLS ?= 500
ENGINES ?= firefox webkit
# Tests wait more than they work: so many processes of tests are right for two cores.
WORKERS ?= 6
PYTHON := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Otherwise each of the hundreds of servers that the tests start compiles all of csapp again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench faults chaos engines fuzz pictures fix clean

demo: .venv/runtime.stamp
	@$(PYTHON) -m flask --app csapp chat demo --port $(PORT) --visitors $(VISITORS)

# Files run beside each other, each in one process (ARGS="-n 0" for one after the other).
test: .venv/dev.stamp .venv/system.stamp
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 20 $(ARGS)

check: .venv/dev.stamp .venv/system.stamp
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) -m pytest -q tests/test_docs.py tests/test_budgets.py tests/test_catalogues.py tests/test_vendored.py tests/test_syntax.py

bench: .venv/dev.stamp
	$(PYTHON) -m bench $(ARGS)

faults: .venv/dev.stamp .venv/system.stamp
	$(PYTHON) -m pytest tests/faults $(ARGS)

# All tests of the pages in the other engines (ENGINES=webkit for one of them). What the driver of
# an engine cannot do is skipped, with the reason.
engines: .venv/dev.stamp .venv/system.stamp
	ENGINES="$(ENGINES)" $(PYTHON) -m pytest tests/browser -n 3 --dist loadfile $(ARGS)

# KILLS at random moments while people talk; ARGS=--postgres for the other database,
# ARGS=--redis for two servers of two workers and a Redis that suffers as well.
chaos: .venv/dev.stamp
	$(PYTHON) -m tests.chaos --kills $(KILLS) $(ARGS)

# Coverage-guided, SECONDS for each target; what was learnt is kept in .fuzz/.
fuzz: .venv/dev.stamp
	@mkdir -p .fuzz
	@for target in decoder frames session; do \
		echo "fuzz: $$target for $(SECONDS) s" && \
		$(PYTHON) -m tests.fuzz.fuzz_$$target -max_total_time=$(SECONDS) \
			-artifact_prefix=.fuzz/$$target- .fuzz/$$target || exit 1; \
	done

# The documentation's pictures, taken anew by the tests in a real browser.
pictures: .venv/dev.stamp .venv/system.stamp
	PICTURES=1 $(PYTHON) -m pytest tests/browser -m browser $(ARGS)

fix: .venv/dev.stamp
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(PYTHON):
	sh setup/venv.sh .venv

.venv/runtime.stamp: $(PYTHON) requirements.txt
	$(PYTHON) -m pip install -q -r requirements.txt
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp requirements-dev.txt requirements-fuzz.txt
	$(PYTHON) -m pip install -q -r requirements-dev.txt
	@touch $@

.venv/system.stamp: $(PYTHON) setup/system.sh
	sh setup/system.sh .venv
	@touch $@
