# Everything here runs with the Rust toolchain, a C compiler and make; tools are fetched as crates.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Where tools are kept between checkouts, keyed by version.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mesh
CARGO ?= cargo
# Cargo.lock decides the versions, everywhere.
LOCKED := --locked
# The binaries that ship, each built alone so that none takes on the features of another's dependencies.
SHIPPED := mesh-proxy mesh-controller mesh-identity mesh

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Run ---------------------------------------------------------------------------------------------

# `quick` is release without the slow link; `make demo PROFILE=release` for the figures of the shipped binaries.
PROFILE ?= quick
ARGS ?=
# Where cargo puts them.
BINARIES = $(or $(CARGO_TARGET_DIR),target)/$(HOST)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

.PHONY: demo
demo: ## Run the whole mesh on this machine (ARGS="--duration 5s --rps 200 --keep --json")
	@$(CARGO) run $(LOCKED) --profile $(PROFILE) -p mesh -- demo $(ARGS)

# An own network, so that it runs beside a demo. The control plane dies for 30 s, replicas restart, certificates rotate
# ten times, endpoints come and go: about 13 minutes, or one with ARGS="all --short".
.PHONY: endurance
endurance: ## Prove that nothing is dropped (ARGS="outage|restart|rotate|churn|all --short --rps 500 --json")
	@$(CARGO) build $(LOCKED) --profile $(PROFILE) -p mesh -p mesh-bench --bin mesh --bin endurance
	@$(BINARIES)/endurance $(or $(ARGS),all)

# Proxies are compared as they ship, so ours is built alone and takes on no features of another's dependencies.

.PHONY: bench
bench: bench-build ## Measure against HAProxy, nginx and Envoy, no root needed (ARGS="--quick --filter grpc --json FILE")
	@$(BINARIES)/bench $(ARGS)

# The figures that are kept are in benches/results: `make bench-controller ARGS="--results benches/results"`.
.PHONY: bench-controller
bench-controller: ## Measure the controller with 2 000 Services and proxies, no root needed (ARGS="--quick --json FILE", or --smoke)
	@$(CARGO) build $(LOCKED) --profile $(PROFILE) -p mesh-controller --bin mesh-controller
	@$(CARGO) build $(LOCKED) --profile $(PROFILE) -p mesh-bench --bin bench-controller
	@$(BINARIES)/bench-controller $(ARGS)

# A moment of every kind of load with every peer, so that the harness can't rot; its figures mean nothing.
.PHONY: bench-smoke
bench-smoke: bench-build $(OHA) ## Check that the benchmark works, in under 3 minutes
	@MESH_OHA=$(OHA) $(CARGO) test $(LOCKED) -p mesh-bench --test load -- --ignored
	@$(BINARIES)/bench --smoke --results $(BINARIES)/bench-smoke $(ARGS)

.PHONY: bench-build
bench-build:
	@$(CARGO) build $(LOCKED) --profile $(PROFILE) -p mesh-proxy
	@$(CARGO) build $(LOCKED) --profile $(PROFILE) -p mesh-controller -p mesh-identity -p mesh-bench \
		--bin mesh-controller --bin mesh-identity --bin bench --bin floor

## Check -------------------------------------------------------------------------------------------

# Rings that need more than the toolchain come last; each target says what it lacks.
# The third wants root, Go and minutes, which CI has to have.
RINGS := test-unit test-pods test-kubernetes

.PHONY: test
test: $(RINGS) ## Run every test ring

# One total at the end, because cargo prints one per test binary; a run of no test is a failure.
# In bash, because awk may hold back what it reads from a pipe, and some tests take minutes.
COUNTS := ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored
SUM = { passed=0 failed=0 skipped=0 counts='$(COUNTS)'; \
	while IFS= read -r line; do \
		printf '%s\n' "$$line"; \
		if [[ $$line =~ ^test\ result:.*\ $$counts ]]; then \
			passed=$$((passed + BASH_REMATCH[1])); failed=$$((failed + BASH_REMATCH[2])); \
			skipped=$$((skipped + BASH_REMATCH[3])); \
		fi; \
	done; \
	echo "$(1): $$passed passed, $$failed failed, $$skipped skipped"; \
	[ $$((passed + skipped)) -gt 0 ]; }

.PHONY: test-unit
test-unit: ## Ring 1: unit tests and those of several processes, no root needed (ARGS="-p mesh-proxy detect")
	@$(CARGO) test $(LOCKED) --no-fail-fast $(or $(ARGS),--workspace) 2>&1 | $(call SUM,unit)

# Nothing else takes Go, so without it h2spec is left out; not under CI.
H2SPEC_VERSION := 2.2.1
H2SPEC := $(CACHE)/h2spec-$(H2SPEC_VERSION)/h2spec
GO := $(shell command -v go)

$(H2SPEC):
	@$(if $(GO),,echo "make: h2spec takes Go 1.24 or newer to be built" >&2; exit 1)
	@echo "Building h2spec $(H2SPEC_VERSION) into $(CACHE), once"
	cd integration/h2spec && CGO_ENABLED=0 go build -trimpath -o $@ github.com/summerwind/h2spec/cmd/h2spec

# A load generator of others: a client of ring 2, and what ours is compared with. Without optimisation, for the same reason as cargo-deny.
OHA_VERSION := 1.9.0
OHA := $(CACHE)/oha-$(OHA_VERSION)/bin/oha

$(OHA):
	@echo "Installing oha $(OHA_VERSION) into $(CACHE), once"
	CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 $(CARGO) install --quiet --debug --locked \
		--version $(OHA_VERSION) --root $(CACHE)/oha-$(OHA_VERSION) oha

# The binaries under test are the ones that ship, from the same profile as their tests.
.PHONY: test-pods
test-pods: $(if $(GO)$(CI),$(H2SPEC)) $(OHA) ## Ring 2: real programs in pods, no root needed (ARGS="postgres --test-threads 1"); see docs/testing.md
	@$(CARGO) build $(LOCKED) -p mesh-proxy -p mesh-controller -p mesh-identity
	@MESH_PODS_TOOLS=$(OHA)$(if $(GO),:$(H2SPEC)) $(CARGO) test $(LOCKED) -p mesh-integration --test pods -- $(ARGS) 2>&1 | $(call SUM,pods)

# Not part of ring 1, which has no use for Go otherwise.
.PHONY: test-helm
test-helm: ## The Helm chart renders what `mesh install` prints; needs Go, no root and no cluster
	@$(CARGO) build $(LOCKED) -p mesh
	@$(CARGO) test $(LOCKED) -p mesh-integration --test helm -- $(ARGS) 2>&1 | $(call SUM,helm)

# Cargo builds the binary of its pods along with the tests. With ARGS, only part of it is wanted.
.PHONY: test-kubernetes
test-kubernetes: $(if $(ARGS),,$(if $(GO)$(CI),test-helm)) ## Ring 3: a real Kubernetes; root, or MESH_TEST_KUBECONFIG (ARGS="services --keep"); see docs/testing.md
	@$(CARGO) build $(LOCKED) $(addprefix -p ,$(SHIPPED))
	@$(CARGO) test $(LOCKED) -p mesh-integration --test kubernetes -- $(ARGS)

.PHONY: lint
lint: lint-fmt lint-clippy lint-docs lint-deps ## Format, clippy, rustdoc and dependencies, warnings denied

.PHONY: lint-fmt
lint-fmt:
	$(CARGO) fmt --all -- --check

# Rings 2 and 3 by name: cargo takes targets that are no part of a plain `cargo test` for none of all.
.PHONY: lint-clippy
lint-clippy:
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) -p mesh-integration --test pods --test kubernetes --test helm -- -D warnings

# Private items too: most of what is documented is pub(crate).
.PHONY: lint-docs
lint-docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps --document-private-items

# Built without optimisation: 49 s instead of 200 on two cores, for a check that takes 2 s.
DENY_VERSION := 0.20.2
DENY := $(CACHE)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny

$(DENY):
	@echo "Installing cargo-deny $(DENY_VERSION) into $(CACHE), once"
	CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 $(CARGO) install --quiet --debug --locked --no-default-features \
		--version $(DENY_VERSION) --root $(CACHE)/cargo-deny-$(DENY_VERSION) cargo-deny

.PHONY: lint-deps
lint-deps: $(DENY)
	$(DENY) $(LOCKED) check --hide-inclusion-graph --deny warnings bans licenses sources

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

## Build -------------------------------------------------------------------------------------------

HOST = $(shell rustc --print host-tuple)
RELEASE = $(or $(CARGO_TARGET_DIR),target)/$(HOST)/release

.PHONY: build
build: ## Build the release binaries and print their sizes
	@for name in $(SHIPPED); do $(CARGO) build $(LOCKED) --release -p $$name; done
	@cd $(RELEASE) && ls -l $(SHIPPED) | awk '{ printf "%5.1f MB  $(RELEASE)/%s\n", $$5 / 1e6, $$NF }'

# Any builder that takes Docker's arguments. BUILDER is the base image of the build stage, where
# Docker Hub's Debian is not to be had: scripts/base-image.sh makes one from packages.
BUILD_IMAGE ?= buildah bud --isolation chroot --storage-driver vfs
BUILDER ?=
TAG ?= dev
IMAGES := proxy controller identity

.PHONY: images
images: ## Build the container images (BUILD_IMAGE="docker build" BUILDER=localhost/mesh-builder TAG=dev)
	@for name in $(IMAGES); do \
		$(BUILD_IMAGE) $(if $(BUILDER),--build-arg BUILDER=$(BUILDER)) --target $$name --tag localhost/mesh-$$name:$(TAG) .; \
	done
