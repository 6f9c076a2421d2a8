# The front door. Every target is a short call of cmake or of a script in tools/; `make help` lists them.
PRESET ?= release
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
FUZZ_SECONDS ?= 60
SEEDS ?= 10000
SEED_BASE ?= 1

.DEFAULT_GOAL := all
.PHONY: all setup run run-cassandra test check format bench bench-quick bench-cassandra bench-cassandra-quick soak sim fuzz install clean help

all:          ## build the library, the program, the examples and the tests (PRESET=release)
	@tools/build $(PRESET) --jobs $(JOBS)

setup:        ## install what a bare Debian 12 needs
	@tools/setup

run:          ## the demonstration: a shop under load, a killed Collector, a killed service, nothing lost
	@tools/setup
	@tools/build release --jobs $(JOBS) arca_program examples/shop/all
	@tools/run_demo

run-cassandra: ## the same with a real Cassandra: what the Collector cannot take is parked there, looked at, and comes back
	@tools/setup
	@tools/build release --jobs $(JOBS) arca_program examples/shop/all arca_cql_driver
	@tools/run_demo_cassandra

test:         ## set up, build, run all tests; ends with "N passed, N failed"
	@tools/setup
	@tools/build $(PRESET) --jobs $(JOBS)
	@tools/run_tests $(PRESET) --jobs $(JOBS)

check:        ## format, floors, tidiness, headers alone, gcc and clang builds, clang-tidy, generated docs
	@tools/check

format:       ## rewrite the sources in the project's format
	@tools/format

bench:        ## the benchmarks beside stock opentelemetry-cpp; writes build/bench/report.json
	@tools/setup
	@tools/build release --jobs $(JOBS)
	@tools/run_bench

bench-quick:  ## the same with fewer rounds, under five minutes
	@tools/setup
	@tools/build release --jobs $(JOBS)
	@tools/run_bench --quick

bench-cassandra: ## the Cassandra tier beside the specification's design in Go; adds to build/bench/report.json
	@tools/setup
	@tools/build release --jobs $(JOBS)
	@tools/run_bench_cassandra

bench-cassandra-quick: ## the same with fewer rounds and less data
	@tools/setup
	@tools/build release --jobs $(JOBS)
	@tools/run_bench_cassandra --quick

soak:         ## 10,000 crash trials and a minute of each fuzz target
	@tools/setup
	@tools/build release --jobs $(JOBS)
	@tools/run_soak
	@tools/run_fuzz $(FUZZ_SECONDS)

sim:          ## SEEDS (10,000) simulated histories of faults from SEED_BASE (1) on
	@tools/setup
	@tools/build release --jobs $(JOBS) arca_sim
	@tools/run_sim $(SEEDS) $(SEED_BASE)

fuzz:         ## FUZZ_SECONDS (60) of each fuzz target
	@tools/setup
	@tools/run_fuzz $(FUZZ_SECONDS)

install:      ## install library, headers, program and man pages under PREFIX (/usr/local), below DESTDIR if set
	@tools/build release --jobs $(JOBS)
	@cmake --install build/release --prefix $(PREFIX)

clean:        ## remove the build directories; the Collector in .cache stays
	rm -rf build

help:         ## this list
	@awk -F ':.*## ' '/^[a-z-]+: .*## /{printf "  make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
