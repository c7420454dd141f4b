# SPDX-License-Identifier: GPL-2.0-only
#
# The one front door.  `make help` tells what can be asked for.

KERNELS ?= 6.1 6.12 7.3
SECONDS ?= $(if $(filter check-debug,$(MAKECMDGOALS)),300,600)
PREFIX ?= /usr/local

BUILD := $(CURDIR)/build

all: user guest

help:
	@echo 'make              build the library, the command and the test programs'
	@echo 'make demo         see the pages of a running redis-server move, by physical address'
	@echo 'make check        prove that it is right: unit tests, then 6.1, 6.12 and 7.3 in a VM'
	@echo 'make check-all    that, and each source on each kernel, the testbed and the packages'
	@echo 'make stress       only the stress test, SECONDS=$(SECONDS) on each of KERNELS'
	@echo 'make check-debug  conformance and stress, SECONDS=300, on kernels with KASAN and lockdep'
	@echo "make selftests    the kernel's own tests of migration, before the patch series and after"
	@echo 'make check-mutants  show that removing any check of the core fails a test'
	@echo 'make bench        measure what a move costs, beside what else there is; QUICK=1 in 3 minutes'
	@echo 'make module       build the module for the running kernel (KDIR=... for another)'
	@echo 'make install      command, library, manual pages, module source for DKMS (PREFIX, DESTDIR)'
	@echo 'make uninstall    remove what make install put there'
	@echo 'make deb          Debian packages of it all, in build/deb'
	@echo 'make lint         shell, licence and kernel style checks'
	@echo 'make clean        remove build/ (the cache of kernels stays)'
	@echo
	@echo 'KERNELS="6.12"    restricts check and stress to some kernels, or names those for check-mutants'

user: $(BUILD)/user/build.ninja
	@ninja -C $(BUILD)/user

$(BUILD)/user/build.ninja:
	meson setup $(BUILD)/user

guest:
	@$(MAKE) --no-print-directory -C tests/guest

module:
	@$(MAKE) --no-print-directory -C kernel/module

install uninstall:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install $@

deb:
	@scripts/deb

demo:
	@scripts/demo

check:
	@scripts/check $(KERNELS)

check-all:
	@scripts/check --all $(KERNELS)

stress:
	@scripts/check --stress $(SECONDS) $(KERNELS)

check-debug:
	@scripts/check --debug $(SECONDS) $(KERNELS)

selftests:
	@tests/intree/run-selftests $(or $(filter-out 6.1,$(KERNELS)),$(error \
		KERNELS=$(KERNELS): there are patch series for 6.12 and 7.3 only))

# On 6.12 alone unless told: ten minutes a kernel.
check-mutants:
	@scripts/check-mutants $(if $(filter file,$(origin KERNELS)),,$(KERNELS))

bench:
	@scripts/bench $(if $(QUICK),--quick) $(if $(filter file,$(origin KERNELS)),,--kernel $(KERNELS))

lint:
	@scripts/lint

clean:
	rm -rf $(BUILD)

.PHONY: all help user guest module install uninstall deb demo check check-all stress check-debug \
	selftests check-mutants bench lint clean
