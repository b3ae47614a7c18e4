# Everything starts here: `make` alone lists the commands.

.DEFAULT_GOAL := help
.PHONY: help setup bench flash kernels-bench quick test test-all check format docs changelog lock readme clean distclean

# Options count only when given to make itself: PORT and the like may stand in anybody's
# environment. They reach the scripts through the environment, where no quoting can go wrong.
OPTIONS := BOARD MODEL MODELS PORT POWER BACKEND MLPERF
$(foreach name,$(OPTIONS),$(if $(filter environment,$(origin $(name))),$(eval $(name) :=)))
export $(OPTIONS)

help:
	@echo 'npubench: neural networks on microcontrollers, measured end to end'
	@echo ''
	@echo '  make bench    set up what is missing, run the quick suite, write the report'
	@echo '                the networks kws, vww, ic and ad on the emulated boards qemu-m4 and qemu-m55,'
	@echo '                and on qemu-m55-u55 with its NPU and without'
	@echo '  make bench MODEL=path.tflite BOARD=qemu-m7 [BACKEND=...] [MLPERF=ic01]'
	@echo '  make bench BOARD=nucleo-l4r5zi MODEL=kws PORT=/dev/ttyACM0 [POWER=...]'
	@echo '  make flash BOARD=nucleo-l4r5zi [MODEL=path.tflite]'
	@echo '                build, flash, and check that the right firmware answers'
	@echo ''
	@echo '  make kernels-bench MODELS=folder'
	@echo '                the CPU engine on the MLPerf Tiny networks, beside other engines'
	@echo ''
	@echo '  make setup    set up everything, TensorFlow and the test tools included; leaves .venv/bin/npubench'
	@echo '  make quick    the unit tests that are quick'
	@echo '  make test     set up everything and run the tests'
	@echo '  make test-all  the same with the long random runs'
	@echo '  make check    ruff, mypy, import-linter and the form of the C sources alone'
	@echo '  make format   bring Python and C into their form'
	@echo '  make docs     the documentation as a site, in dist/docs'
	@echo '  make changelog  gather changes/ into CHANGELOG.md for a release'
	@echo '  make lock     refresh the pinned versions (needs uv)'
	@echo '  make readme   refresh the table of boards in README.md'
	@echo '  make clean    remove caches, build products and the report; .venv and runs are kept'
	@echo '  make distclean  remove .venv, too'

setup:
	@sh scripts/setup.sh all

bench:
	@sh scripts/setup.sh bench
	@sh scripts/run.sh bench

flash:
	@sh scripts/setup.sh bench
	@sh scripts/run.sh flash

kernels-bench: setup
	@.venv/bin/python scripts/kernels_bench.py "$$MODELS"

test: setup
	.venv/bin/python -m pytest -n 2

quick: setup
	.venv/bin/python -m pytest -n 2 tests/unit -m 'not long and not slow'

test-all: setup
	.venv/bin/python -m pytest -n 2 -m ''

check: setup
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo pyproject.toml
	.venv/bin/python scripts/format_c.py --check

format: setup
	.venv/bin/ruff format
	.venv/bin/python scripts/format_c.py

docs: setup
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs dist/docs
	@echo 'dist/docs/index.html'

changelog: setup
	.venv/bin/towncrier build --yes

lock:
	@sh scripts/lock.sh --upgrade

readme: setup
	.venv/bin/python scripts/readme.py

clean:
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	rm -rf npubench-report.html npubench-report
	find . -name __pycache__ -type d -not -path './.git/*' -not -path './.venv/*' \
		-not -path './runs/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
