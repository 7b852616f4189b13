# Everything from a fresh Debian 12: each target does the set-up it needs. The CMake presets work without this file.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-debug test-tsan test-emulated cuda tidy bench install bundle clean
PREFIX ?= /usr/local

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup:  ## install what is missing (Debian packages; CUDA's headers or compiler where there is no toolkit)
	@scripts/setup.sh

build: setup  ## build everything: preset cuda where a CUDA compiler is found, else cpu
	@scripts/build.sh

demo: setup  ## train the embedded default with ugs, fpls and fls, print the comparison and make a page of it
	@scripts/python.sh
	@scripts/build.sh "" splitsim-run splitsim-sweep
	@scripts/demo.sh

test: setup  ## build and pass every test
	@scripts/setup.sh test
	@scripts/build.sh
	@scripts/python.sh tensorboard
	@scripts/test.sh

test-debug: setup  ## the same with AddressSanitizer and UndefinedBehaviorSanitizer, CPU backend
	@scripts/build.sh cpu-debug
	@scripts/test.sh cpu-debug

test-emulated: setup  ## the CUDA twins of the tests under an emulator of CUDA, where one is at hand; MINUTES=25
	@scripts/test_emulated.py $(if $(MINUTES),--minutes $(MINUTES))

test-tsan:  ## the same with ThreadSanitizer (clang), CPU backend
	@scripts/setup.sh fuzz
	@scripts/build.sh cpu-tsan
	@scripts/test.sh cpu-tsan

cuda:  ## build the CUDA backend, fetching the CUDA compiler from its wheels if there is none
	@SPLITSIM_CUDA_WHEELS=1 scripts/setup.sh
	@scripts/build.sh cuda

tidy:  ## build with clang-tidy
	@scripts/setup.sh tidy
	@scripts/build.sh tidy

bench: build  ## measure the ratios of the specification on this machine; PYTORCH=python3 adds the comparisons with it
	@source scripts/common.sh && "$$root/build/$$(pick_preset)/bin/splitsim-bench" $(if $(PYTORCH),--pytorch "$(PYTORCH)")

install: setup  ## executables, man pages, completions and experiments into PREFIX (/usr/local), below DESTDIR if that is set
	@scripts/build.sh "" product
	@source scripts/common.sh && DESTDIR="$(DESTDIR)" cmake --install "$$root/build/$$(pick_preset)" --prefix "$(PREFIX)" --component splitsim

bundle: setup  ## a relocatable archive in dist/ for a machine with a GPU
	@scripts/bundle.sh

clean:  ## remove what was built (not .deps, the fetched CUDA files)
	rm -rf build dist runs
