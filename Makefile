GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TESTFLAGS ?= -timeout 25m
FUZZTIME ?= 20000x
WORLDS ?= 10000
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# A static binary: no cgo. The version comes from here alone, so that equal sources make equal binaries.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"

LINT_VERSION := v2.15.0
LINT := bin/golangci-lint-$(LINT_VERSION)

# Folders whose tests have golden files, and files that have fuzz targets.
GOLDEN_DIRS = $(shell grep -rlE --include='*_test.go' '^(var)?[[:space:]]*update[[:space:]]+= flag\.Bool' . | xargs -r -n1 dirname | sort -u)
FUZZ_FILES = $(shell grep -rl --include='*_test.go' '^func Fuzz' . | sort)

.DEFAULT_GOAL := help
.PHONY: help demo build test oracle race lint fmt fuzz golden golden-clean contract killtest pairs memory simulate bench cover tidy cross check clean

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15

demo: build ## Build, and run the whole product on the sandbox; no account needed
	./tieout demo

build: ## Build ./tieout, static
	$(BUILD) -o tieout ./cmd/tieout

test: ## Run all tests
	$(GO) test $(TESTFLAGS) ./...

oracle: ## Hold all checks against a slow oracle over WORLDS random worlds (`make test` does so over 1000)
	$(GO) test $(TESTFLAGS) ./reconcile -run '^TestOracle$$' -worlds $(WORLDS) -v

# The detector watches everything but SQLite's own C code, made Go, and the C library that it calls: its connections are guarded
# by database/sql, which is watched, and it alone would take two thirds of the time. The driver, modernc.org/sqlite, must be
# watched: it uses sync.Map, and the linker would take its unwatched copy of that for everybody, which makes races of none.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory
RACEFLAGS := -race $(UNWATCHED:%=-gcflags=%=-race=false)
race: ## Run all tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(MAKE) --no-print-directory test TESTFLAGS="$(RACEFLAGS) $(TESTFLAGS)"

lint: $(LINT) ## Vet, format check and linters; installs the pinned linter into bin/
	$(GO) vet ./...
	$(LINT) run ./...

fmt: $(LINT) ## Format all Go files
	$(LINT) fmt

$(LINT):
	GOBIN=$(CURDIR)/bin CGO_ENABLED=0 $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

fuzz: ## Run each fuzz target FUZZTIME: a count such as 20000x, or a time such as 1m
	@set -e; for file in $(FUZZ_FILES); do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$(dirname $$file); \
		done; \
	done

KILLS    ?= 200
KILLSEED ?= 1
SEEDS  ?= 300
FROM   ?= 1
PGSEEDS ?= 60
NIGHTS ?= 4
simulate: ## Live SEEDS simulated lives of NIGHTS nights each, with operations, faults and kills, from seed FROM on; PGSEEDS of them on PostgreSQL; and a year of serve in four zones
	bash -o pipefail -c "$(GO) test ./cmd/tieout -run TestSimulation -v -timeout 0 -simulate.seeds $(SEEDS) -simulate.from $(FROM) \
		-simulate.nights $(NIGHTS) | grep -v -e '^=== ' -e '--- PASS: TestSimulation/'"
	bash -o pipefail -c "$(GO) test ./cmd/tieout -run '^TestSimulation$$' -v -timeout 0 -simulate.postgres -simulate.seeds $(PGSEEDS) -simulate.from $(FROM) \
		-simulate.nights $(NIGHTS) | grep -v -e '^=== ' -e '--- PASS: TestSimulation/'"
	bash -o pipefail -c "$(GO) test ./cmd/tieout -count=1 -v -run '^TestServe_ThroughNightsOff$$' -serve.days 365 | grep -v '^=== '"

killtest: ## Kill tieout sync KILLS times at moments drawn by KILLSEED, and print how many hit
	$(GO) test $(TESTFLAGS) -count=1 -v -run '^TestSync_KilledAtRandomMoments$$' ./cmd/tieout -kills $(KILLS) -killseed $(KILLSEED)

contract: ## Compare our requests with the OpenAPI documents of Slash and Whop, in the folder that TIEOUT_OPENAPI names
	$(GO) test -count=1 -v -run '^TestContract$$' ./extract/all

MEMORY ?= 1000000
memory: ## Print how much memory is held at most: under a gzip bomb and a page of 100 MB; by sync, reconcile and reports of MEMORY entries
	bash -o pipefail -c "$(GO) test -count=1 -v -run '^TestMemory_StaysBounded$$' ./cmd/tieout | grep -v '^=== RUN'"
	bash -o pipefail -c "$(GO) test $(TESTFLAGS) -count=1 -v -run '^TestMemory_IsBounded$$' ./cmd/bench -memory.entries $(MEMORY) | grep -v '^=== RUN'"

PAIRS ?= 100
pairs: ## Start two syncs of one ledger at the same instant PAIRS times: one works, the other says which one does
	$(GO) test $(TESTFLAGS) -count=1 -v -run '^TestSync_OneOfTwoProcesses$$' ./cmd/tieout -pairs $(PAIRS)

golden: ## Rewrite the golden files; look at the difference before you commit it
	$(GO) test $(TESTFLAGS) $(filter-out ./cmd/tieout,$(GOLDEN_DIRS)) -update
	$(GO) test $(TESTFLAGS) ./cmd/tieout -run '^(TestNotify_Webhook|TestNightly_ThatCannotRunIsToldOf|TestNightly_OnADiskThatFailsIsToldOf)$$' -update

golden-clean: ## Fail when rewriting the golden files changes one
	.ci/golden-clean $(MAKE) --no-print-directory golden

ENTRIES ?= 10000,100000,1000000
ROUNDS  ?= 5
ONLY    ?=
bench: ## Measure each stage (or ONLY some) on ENTRIES transactions, ROUNDS times in turn with the tools that do the same work
	$(GO) run ./cmd/bench -entries $(ENTRIES) -rounds $(ROUNDS) -only '$(ONLY)'

cover: ## Show how much of each package the tests reach
	$(GO) test $(TESTFLAGS) -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -n 1

tidy: ## Fail when go.mod or go.sum is not tidy or a module was altered
	$(GO) mod tidy -diff
	$(GO) mod verify

cross: ## Build for every platform, without cgo
	@set -e; for platform in $(PLATFORMS); do \
		echo "$$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(BUILD) -o /dev/null ./cmd/tieout; \
	done

check: lint tidy race golden-clean cross fuzz ## Everything that CI runs

clean: ## Remove what was built and what the demo wrote
	rm -rf tieout demo cover.out bin
