# What this project can be asked to do. `make` alone lists it.
# setup.sh makes what is missing first: .venv, and RabbitMQ where it is needed. The second time it only looks.
# The project is not installed into .venv: everything runs from this folder, so nothing has to be built.

PYTHON ?= python3
ARGS ?=
export PYTHON
# Tests start a thousand programs: each would compile the project anew where the caller's environment keeps it
# from leaving bytecode. What is left, .gitignore knows and `make clean` removes.
export PYTHONDONTWRITEBYTECODE :=

PY := .venv/bin/python
# A file on one worker: its tests share brokers, a cluster, what was measured. In the order of tests/conftest.py.
# Eight workers on two cores: most tests wait most of the time. With six a quarter of the processors' time was idle.
PARALLEL := -n 8 --dist loadfile --no-loadscope-reorder

define OLDEST
import re, tomllib
for each in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]:
    print(re.sub(">=([^,]+).*", r"==\1", each))
endef
export OLDEST

.PHONY: help compare test test-suite test-oldest conformance ladder check mutants bench publish soak report constraints clean venv setup pictures

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

compare: setup ## ask all three implementations, side by side, and print one table
	$(PY) -m benchmarks.compare $(ARGS)

test: setup ## run the whole suite; ARGS go to pytest: make test ARGS="--backend raw_pika -q"
	$(PY) -m pytest $(PARALLEL) $(ARGS)

test-oldest: setup ## run the suite on the oldest pika, kombu and Celery that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv/oldest
	$(PY) -c "$$OLDEST" > .venv/oldest/constraints.txt
	.venv/oldest/bin/python -m pip install --quiet --constraint .venv/oldest/constraints.txt --editable '.[dev]'
	.venv/oldest/bin/python -m tests.versions $(PARALLEL) $(ARGS)

test-suite: setup ## test the suite itself: does it catch all that is broken, does it survive what hangs? five minutes
	$(PY) -m pytest $(PARALLEL) -m suite tests $(ARGS)

conformance: setup ## run the conformance suite and write what became of it into docs/contract.md
	$(PY) -m pytest $(PARALLEL) tests --conformance-json docs/conformance.json
	$(PY) -m tests.conformance_report

ladder: venv ## print what each step from the tutorial to the contract keeps, as last measured
	$(PY) -m ladder.report --print

check: pictures ## lint, format, types, import rules, and whether what is generated is up to date; needs no RabbitMQ
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m tests.conformance_report --check
	$(PY) -m tests.sentences
	$(PY) -m ladder.report --check
	$(PY) -m benchmarks.report --check
	$(PY) -m tests.versions --check

mutants: venv ## change the machinery in 1,900 places, one at a time; say which change no test notices; an hour
	$(PY) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  print(*p["optional-dependencies"]["mutants"], sep="\n")' | xargs -d '\n' $(PY) -m pip install --quiet
	nice -n 10 .venv/bin/mutmut run $(ARGS)
	$(PY) -m tests.mutants

bench: setup pictures ## measure everything (seven minutes), and write out/report.html
	$(PY) -m pytest --benchmark $(ARGS)

publish: setup pictures ## the same on a quiet machine, and publish: tables, pictures and page
	$(PY) -m pytest --benchmark-publish $(ARGS)

soak: setup ## the long tests, which `make test` leaves out
	$(PY) -m pytest -m soak --timeout=3600 --capture=no $(ARGS)

report: pictures ## make tables, pictures and pages anew from saved data, and the excerpts in the documents
	$(PY) -m benchmarks.report $(ARGS)
	$(PY) -m tests.conformance_report
	$(PY) -m tests.documents

constraints: venv ## write constraints.txt anew: the newest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv/fresh
	$(PY) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' > .venv/fresh/wanted.txt
	.venv/fresh/bin/python -m pip install --quiet --requirement .venv/fresh/wanted.txt
	.venv/fresh/bin/python -m pip freeze --all --exclude pip > constraints.txt
	.venv/fresh/bin/python -m pip install --quiet matplotlib
	.venv/fresh/bin/python -m pip freeze --all --exclude pip | grep -vxFf constraints.txt > constraints-pictures.txt
	rm -rf .venv/fresh

clean: ## remove .venv, caches and whatever else was generated (but not RabbitMQ)
	rm -rf .venv .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
	  .ruff_cache build dist mutants out *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@./setup.sh

setup:
	@./setup.sh rabbitmq

pictures:
	@./setup.sh pictures
