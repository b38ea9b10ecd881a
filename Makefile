# make run     shows the camera of this machine, or the test pattern, in a window; headless without a screen
# make test    everything that proves the project, as CI runs it
# make help    the rest

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory

# A cargo that rustup has installed a moment ago is found, before one of the system, which may be too old; and so is a libclang
# where its crate does not look.
export PATH := $(HOME)/.cargo/bin:$(PATH)
ifndef LIBCLANG_PATH
LIBCLANG_PATH := $(shell scripts/setup --libclang)
endif
ifneq ($(LIBCLANG_PATH),)
export LIBCLANG_PATH
endif

.PHONY: help setup setup-test build run test check unit examples page python fuzz window rigs endurance bench deny deb binaries try-packages

help: ## this
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 22

setup: ## installs what is missing to build and run
	@scripts/setup build

setup-test:
	@scripts/setup test

build: setup ## builds the three programs into target/release
	@cargo build --release --locked --bins

run: setup ## builds what a first picture needs, and shows the camera, or the test pattern
	@scripts/run

test: setup-test check unit examples page python fuzz ## everything that proves the project

check: ## formatting, lints and documentation; each program alone
	@cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	for program in hub send view; do
		cargo clippy --locked --no-default-features --features $$program -- -D warnings
	done
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --lib
	# Links between private items are checked as well.
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --quiet --locked --no-deps --document-private-items
	# Nothing that needs more than a Rust compiler and a linker gets into the hub.
	tree=$$(cargo tree --locked --no-default-features --features hub --edges normal,build)
	! grep -E '(turbojpeg|nokhwa|minifb|bindgen|cmake)' <<<"$$tree"

unit: ## unit, integration and doc tests, and each bench once
	@cargo test --locked
	cargo test --locked --bench '*'

examples: ## runs the examples that end by themselves
	@cargo run -q --locked --example loopback -- --for 2
	echo "examples: ok"

page: ## the web page: types, lints, a real Chromium; and ffmpeg as a player
	@cargo build -q --locked --bins
	scripts/try-page

python: ## the package for Python and its examples: types, and tests with a real hub
	@cargo build -q --locked --bins
	scripts/try-python

FUZZ_SECONDS ?= 5
fuzz: ## every fuzz target for FUZZ_SECONDS (5)
	@fuzz/run $(FUZZ_SECONDS)

window: build ## the window under Xvfb: starts it, looks, presses keys, saves a picture, quits
	@scripts/try-window

rigs: build ## cameras and eyes of ../shared, where they are
	@scripts/try-rigs

deny: ## licences and sources of the dependencies; installs cargo-deny where it is missing (ten minutes)
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --all-features check licenses bans sources

deb: setup ## the Debian package, in target/debian
	@scripts/setup package
	scripts/build-deb

binaries: setup ## programs for older machines and for 64-bit ARM, in target/binaries
	@scripts/build-binaries

try-packages: ## package, units, image and binaries, each in a system of its own; as root, half an hour
	@scripts/try-deb
	scripts/try-units
	scripts/try-docker
	scripts/build-binaries
	scripts/try-binaries

ENDURANCE ?= 60
endurance: build ## five people in a room, in a real Chromium, for ENDURANCE minutes (60)
	@[ -d web/node_modules ] || (cd web && npm ci --no-audit --no-fund --silent)
	node web/browser/endurance.js $(ENDURANCE)

bench: ## criterion benches
	@cargo bench --locked
