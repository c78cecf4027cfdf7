# The commands of this repository. The work is in ci/.

SHELL := /bin/bash
DESTDIR ?=
PREFIX ?= /usr
# A folder of hw/boards, for what differs between boards.
BOARD ?=
# 1: the demo with two uplinks.
NET ?=
# 1: the demo with a USB stick.
STICK ?=
# The rig: which board, a short run (1), which tests.
TARGET ?=
SMOKE ?=
TEST ?=
# The arguments of ci/release.
RELEASE ?=
# The folder of the programs to install.
BUILD ?= $(or $(CARGO_TARGET_DIR),target)/release

# Only as given here: a shell may have a variable of this name too.
ifeq ($(origin SECONDS),command line)
demo_seconds := $(SECONDS)
endif
unexport SECONDS

.PHONY: help demo test rig bench build install image board release

help:
	@echo 'make demo             plays a simulated robot in your browser, through robocast and a media server'
	@echo 'make demo SECONDS=20  the same, ends by itself; fails unless pictures came out of the server'
	@echo 'make demo NET=1       the same over two uplinks, one of which is cut again and again (root)'
	@echo 'make demo STICK=1     a box without settings gets them from a USB stick, and writes a receipt onto it'
	@echo 'make test             checks and tests everything that needs no emulated board'
	@echo 'make rig TARGET=container   the suite of the rig on a board in a container; TEST=test_1_streaming.py for a part of it (root)'
	@echo 'make rig TARGET=virtual     the same in QEMU, with its kernel and boot chain; SMOKE=1: one boot (root)'
	@echo 'make image BOARD=virtual   builds an image to flash; BOARD is a folder of hw/boards'
	@echo 'make release RELEASE="--images FOLDER"   checks, describes and signs images that are built; docs/release.md'
	@echo 'make board            boots the virtual board with a robot, a media server and a page'
	@echo 'make bench            measures'
	@echo 'make build            builds the programs for use'
	@echo 'make install          installs them below $$(DESTDIR)$$(PREFIX), default /usr'

demo:
	@ci/demo$(if $(filter 1,$(NET)),-net)$(if $(filter 1,$(STICK)),-stick) $(demo_seconds)

test:
	@ci/test

rig:
	@SMOKE="$(SMOKE)" ci/rig "$(TARGET)" "$(TEST)"

bench:
	@ci/bench
	@ci/bench-network
	@ci/bench-settings

build:
	@ci/packages build run
	@. ci/toolchain.sh && cargo build --release --locked --workspace --bins

install:
	@hw/install "$(DESTDIR)" "$(PREFIX)" "$(BUILD)" "$(BOARD)"

image:
	@ci/image "$(BOARD)"

release:
	@ci/release $(RELEASE)

board:
	@ci/board $(demo_seconds)
