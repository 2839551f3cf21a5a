# What a contributor needs: `make lint types test-fast` before a commit, `make test docs` before a pull request.

.PHONY: help install lint types test-fast test docs mutate

help:
	@echo "make install | lint | types | test-fast | test | docs | mutate"

install:
	pip install --editable '.[test,docs]'

lint:
	ruff check .
	ruff format --check .
	lint-imports

types:
	mypy

# What no engine and no training is needed for.
FAST = $(addprefix tests/,api cli data docs examples files plan reports results text)
test-fast:
	pytest -q -m "not slow" -n 2 --dist worksteal $(FAST)

test:
	pytest -n 2 --dist worksteal

# The site, in site/; a dead link is an error.
docs:
	python docs/generate.py
	sphinx-build -W -q -b html docs site

# Small changes of the code that makes figures, which its tests must notice: hours (benchmarks/mutations.md).
mutate:
	python benchmarks/mutations.py
