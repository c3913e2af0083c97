# Everything is made in virtual environments of the interpreter PYTHON: one with all that the tests
# and tools need, and one with nothing but pytest and the plugin. There the example starts fastest.
PYTHON ?= python3
VENV ?= .venv
LEAN_VENV ?= .venv-example
BIN = $(abspath $(VENV))/bin
READY = $(VENV)/.ready

# Not in the ini file, as the example runs where nobody knows pytest-asyncio's option.
TEST_OPTIONS = -n auto --dist loadfile --durations=40 \
    -o asyncio_default_fixture_loop_scope=function
# Not among the requirements, as a debug build of Python would have to compile it.
NUMPY = 'numpy<2.4; python_version < "3.14"'

.PHONY: example test test-all test-native lint format bench docs site site-serve wheel tables clean

## Set up, and run the nine tests of the example with each engine: natively some fail, and under
## valgrind four, as they should.
example: $(LEAN_VENV)/.ready
	cd example && { $(abspath $(LEAN_VENV))/bin/pytest --heapcheck; test $$? -eq 1; }
	cd example && { $(abspath $(LEAN_VENV))/bin/pytest --valgrind; test $$? -eq 1; }

## Set up, and run the tests: all but those that take long and seldom break.
test: $(READY)
	$(BIN)/pip install --quiet $(NUMPY)
	$(BIN)/pytest $(TEST_OPTIONS) -m 'not slow'

## Run these as well. It takes two to three times as long, and is done every night.
test-all: $(READY)
	$(BIN)/pip install --quiet $(NUMPY)
	$(BIN)/pytest $(TEST_OPTIONS)

## The native engine's tests with another interpreter, in a minute or two: PYTHON says which, and
## VENV where its environment is made.
test-native: EXTRAS = [test]
test-native: $(READY)
	$(BIN)/pytest -n auto --dist loadfile -o asyncio_default_fixture_loop_scope=function \
	    tests/integration/test_heapcheck_planted.py tests/integration/test_heapcheck_pinpoint.py \
	    tests/integration/test_memory_check.py

## Style, types, and the C compiler's warnings.
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for file in tests/suites/*/conftest.py; do $(BIN)/mypy $$file || exit 1; done
	for file in csrc/*.c tests/extensions/*.c; do \
	    cc -O2 -Wall -Wextra -Werror -fsyntax-only -DPy_LIMITED_API=0x030A0000 \
	        -Wno-use-after-free -Wno-free-nonheap-object \
	        -Icsrc -I$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))') \
	        $$file || exit 1; \
	done

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## What checking costs, side by side with plain valgrind and with 0.2.0.
bench: $(READY)
	$(BIN)/python benchmarks/bench.py

## Put real output into README.md and docs/.
docs: $(READY)
	PYTHONPATH=. $(BIN)/cog -r README.md docs/*.md

## docs/ as a site, in build/site. What it warns of (a dead link, a page in no menu) is an error.
site: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

## The same at http://127.0.0.1:8000, made anew when a page changes.
site-serve: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

wheel: $(READY)
	$(BIN)/pip wheel --no-deps -w dist .

## The tables of docs/: the example on every interpreter, real bugs (CASES is the folder that
## describes them), planted defects, the false-positive check, every kind of defect, lost
## references to every kind of object (on other distributions, too: by debootstrap, as root), the same
## with pytest-leaks, other distributions, and speed. It takes hours.
CASES ?= ../shared/cases
CATALOGUE ?= ../shared/catalogue
tables: $(READY)
	$(BIN)/python evaluation/interpreters.py > docs/tables/interpreters.md
	$(BIN)/python evaluation/real_bugs.py $(CASES) > docs/tables/real-bugs.md
	$(BIN)/python evaluation/real_bugs.py $(CASES) --engine heapcheck > docs/tables/real-bugs-heap.md
	$(BIN)/python evaluation/catalogue.py $(CATALOGUE) > docs/tables/catalogue.md
	$(BIN)/python evaluation/hunt_catalogue.py $(CATALOGUE) > docs/tables/hunt-catalogue.md
	$(BIN)/python evaluation/hunt_naming.py > docs/tables/hunt-naming.md
	$(BIN)/python evaluation/bitarray_defects.py > docs/tables/bitarray-defects.md
	$(BIN)/python evaluation/packages.py > docs/tables/packages.md
	$(BIN)/python evaluation/packages.py --engine heapcheck > docs/tables/packages-heap.md
	$(BIN)/python evaluation/planted_defects.py > docs/tables/planted-defects.md
	$(BIN)/python evaluation/references.py > docs/tables/references.md
	$(BIN)/python evaluation/crashes.py > docs/tables/crashes.md
	$(BIN)/python evaluation/compare_pytest_leaks.py > docs/tables/pytest-leaks.md
	$(BIN)/python evaluation/compare_pytest_memray.py > docs/tables/pytest-memray.md
	$(BIN)/python evaluation/compare_psleak.py > docs/tables/psleak.md
	$(BIN)/python evaluation/distributions.py > docs/tables/distributions.md
	$(BIN)/python benchmarks/bench.py > docs/tables/speed.md
	$(BIN)/python benchmarks/bench.py --suite trivial multidict numpy-linalg heap \
	    --runner native malloc heapcheck heapcheck-one-run heapcheck-no-guards ours both \
	    --once ours both \
	    > docs/tables/heapcheck.md
	$(BIN)/python benchmarks/bench.py --suite trivial --tests 2000 \
	    --runner native resources memory-log limits hunt > docs/tables/checks.md
	$(BIN)/python benchmarks/bench.py --suite trivial --runner ours ours-limits \
	    > docs/tables/valgrind-limits.md
	$(BIN)/python benchmarks/workers.py > docs/tables/workers.md
	$(BIN)/python benchmarks/parts.py > docs/tables/parts.md

EXTRAS = [test,lint,docs]
$(LEAN_VENV)/.ready: EXTRAS =
$(READY) $(LEAN_VENV)/.ready: pyproject.toml setup.py $(wildcard csrc/*)
	tools/install-valgrind.sh
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/pip install --quiet --editable '.$(EXTRAS)'
	touch $@

clean:
	rm -rf $(VENV) $(LEAN_VENV) build dist *.egg-info pytest_valgrind/*.so pytest_valgrind/_client.c
