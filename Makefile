# Zennet. `make` alone prints this help; `make demo` and `make test` do all the set-up.
SHELL := /bin/bash
export PATH := $(PATH):/usr/local/go/bin
export GOTOOLCHAIN := local
GO ?= go
BINARIES := zennet-job zennetd xencoind zennet-worker
MAINS := ./jobrunner/cmd/zennet-job ./jobrunner/cmd/zennetd ./ledger/cmd/xencoind
WORKER := ./provider/cmd/zennet-worker
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 20s
MIB ?= 256

.DEFAULT_GOAL := help
.PHONY: help deps test-deps build demo test soak lint bench bench-mapreduce fuzz dist clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that Zennet runs on (idempotent; as root)
	@scripts/deps.sh

test-deps: ## and those that tests and benchmarks need besides
	@scripts/deps.sh test

build: ## build every program into bin/
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) build -ldflags "-s -w" -o bin/ $(WORKER)
	@$(GO) build -o bin/ $(MAINS)

demo: deps build ## fold a small protein on the embedded network: containers, payments, ledger, report
	@scripts/demo.sh

# The tests of the whole programs come last, with the machine to themselves.
test: test-deps build ## run every test (needs root: real containers, gromacs, ledger)
	@$(MAKE) --no-print-directory lint
	$(GO) test -timeout 40m $$($(GO) list ./... | grep -v /e2e$$)
	$(GO) test -timeout 40m ./jobrunner/e2e

soak: test-deps build ## every test five times over: what fails once in a while shows here
	ZENNET_SOAK=1 $(GO) test -count=5 -timeout 120m ./...

lint: ## formatting and vet
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt-ed: $$out"; exit 1; fi
	@$(GO) vet ./...

bench: test-deps build ## the ratios that the README claims, each in one run
	@scripts/bench.sh

bench-mapreduce: test-deps build ## MapReduce beside Hadoop on YARN and beside plain pipes, over MIB (256) MiB; ONLY=few, words, tera or python
	ZENNET_BENCH_MIB=$(MIB) $(GO) test ./jobrunner/e2e -run '^TestBenchMapReduce$$$(addprefix /,$(ONLY))' -v -count=1 -timeout 60m | grep -v '^PASS\|^ok\|^=== '

fuzz: ## fuzz every decoder, FUZZTIME (20s) each
	@scripts/fuzz.sh $(FUZZTIME)

dist: build ## pack the programs and docs into dist/
	@mkdir -p dist
	@tar -czf dist/zennet-$(VERSION)-linux-$$($(GO) env GOARCH).tar.gz --transform 's,^,zennet-$(VERSION)/,' bin README.md LICENSE jobs/examples
	@ls -l dist

clean: ## remove what was built
	rm -rf bin dist
