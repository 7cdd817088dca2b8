# Every target sets up first; a set-up that is up to date takes a moment.
# The first that will do: that of the environment, once it is made; a name on the PATH may be a shim of pyenv that refuses.
IS_FOR_SETUP := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in .venv/bin/python python3.11 python3.12 python3.13; do \
	$$name -c "$(IS_FOR_SETUP)" 2>/dev/null && echo $$name && exit; done; echo python3)
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup bench claims test lab gpu gpu-kit check check-evidence report-evidence picture perf dist pythons release-check lint format lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## the environment in .venv: exact pins, Horovod built once and cached
	@$(PYTHON) -c '$(IS_FOR_SETUP)' 2>/dev/null || { echo "set-up: no Python 3.11 to 3.13: \
	apt-get install python3.11 python3.11-venv python3.11-dev, or make PYTHON=where-it-is" >&2; exit 2; }
	@$(PYTHON) -m harness.bootstrap

bench: bench-cost setup  ## the quick suite and its report, in about ten minutes
	@$(BIN)/hvdbench run suites/quick.yaml; run=$$?; test $$run -le 1 || exit $$run; \
	$(BIN)/hvdbench parity --dataset digits --results results/quick; parity=$$?; test $$parity -le 1 || exit $$parity; \
	$(BIN)/hvdbench report results/quick -o reports/quick || exit $$?; exit $$((run | parity))

claims: setup  ## what is said of asynchronous updating, tested claim by claim, in about a quarter of an hour
	@$(BIN)/hvdbench claims suites/claims.yaml -H localhost:4

# No first comparison while Horovod is built: nothing is timed beside a compiler.
bench-cost:
	@echo "bench: ten minutes of runs on two cores, and set-up before it: where Horovod has to be built, 4 to 15 minutes"

test: setup lint  ## lint and all tests, in three processes; a file's tests share what they launch
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lab: setup  ## runs over several hosts, emulated on this machine as network namespaces; needs root
	@$(BIN)/python -m pytest -m lab tests/lab

gpu: setup  ## its tests and the speed over a bare loop, on a CUDA GPU; in another environment: tests/gpu/on_machine.sh
	@$(BIN)/python -m pytest -n 4 --dist loadfile -m gpu tests/gpu && $(BIN)/python -m tests.gpu

gpu-kit:  ## for a CUDA machine without network: make gpu-kit KIT_PYTHON=3.12 KIT_TORCH=2.11.0 KIT_ARCH=9.0
	@$(PYTHON) -m tests.gpu.kit --python '$(KIT_PYTHON)' --torch '$(KIT_TORCH)' --arch '$(KIT_ARCH)' \
	--cuda '$(KIT_CUDA)' --index '$(KIT_INDEX)' --has '$(KIT_HAS)'

check: setup  ## is the working tree slower, hungrier or less accurate than the last commit?
	@$(BIN)/hvdbench check suites/smoke.yaml --a ref=HEAD --b here

check-evidence: setup  ## what proves the check: about three hours, goes on where it was interrupted
	@$(BIN)/python -m tests.evidence

report-evidence: setup  ## what proves the report's claims and those of suites: thousands of simulated pages, in two minutes
	@$(BIN)/python -m tests.report_evidence --into README.md
	@$(BIN)/python -m tests.claims_evidence --into README.md

picture: setup  ## the picture of the sample report that README opens with
	@$(BIN)/python -m tests.report.screenshot reports/sample

perf: setup  ## the harness' own speed, as ratios of interleaved runs
	@$(BIN)/python -m tests.perf

dist: setup  ## the source archive and the wheel, in dist/
	@$(BIN)/python -m tests.release dist

pythons: setup  ## the tests that need no framework, with every other Python found here; what CI runs after `make test`
	@$(BIN)/python -m tests.release pythons

release-check: setup  ## archive and wheel are whole, install into empty environments, and README's commands run
	@$(BIN)/python -m pytest tests/release && $(BIN)/python -m tests.release check

lint: setup
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && $(BIN)/mypy

format: setup  ## format the code
	@$(BIN)/ruff format -q . && $(BIN)/ruff check --fix -q .

lock: setup  ## rewrite the transitive pins from what is installed
	@$(PYTHON) -m harness.bootstrap --lock

clean:  ## remove the environment; results stay
	rm -rf .venv build dist *.egg-info
