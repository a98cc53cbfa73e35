# SPDX-License-Identifier: GPL-2.0
#
# What one does with minikvm, each a target; "make help" lists them.  The work is
# in Kbuild (the modules) and in the scripts of tools/testhost.
#
# Variables: KDIR    the headers to build against (default: the running kernel's)
#            KERNEL  6.1 or 6.12, the test host's kernel        (run, shell, bench)
#            CPUS    1 or 2, the test host's CPUs               (run, shell, bench)
#            VENDOR  intel or amd, whose virtualization         (run, shell, bench)
#            HOST    kvm, tcg or bochs, what gives it           (run, shell, bench)
#            VMM     qemu or minivmm, the small one of this tree             (run)
#            CPU     host, qemu64, ...: QEMU's -cpu for the guest            (run)
#            SMP     the guest's CPUs                                        (run)
#            IRQCHIP on, split or off: QEMU's kernel-irqchip, else its default (run)

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.1
CPUS ?= 1
HOST ?= auto
VENDOR ?=
VMM ?= qemu
CPU ?= host
SMP ?= 1
IRQCHIP ?=
DESTDIR ?=
PREFIX ?= /usr

TESTHOST := tools/testhost
export KERNEL CPUS HOST VENDOR VMM CPU SMP IRQCHIP

.DEFAULT_GOAL := all
.PHONY: all run check check-upstream shell bench unit selftests minivmm lint install clean help kdir

all: kdir ## build the modules for the running kernel, or KDIR=
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

kdir:
	@test -f $(KDIR)/Makefile || { \
		echo "No kernel headers at $(KDIR): install them (on Debian" >&2; \
		echo "linux-headers-\$$(uname -r)), or name others with KDIR=." >&2; \
		exit 1; }

run: ## boot a guest on minikvm, in the test host, to its prompt
	@$(TESTHOST)/run

check: ## every test, on both vendors and kernels, with one and two CPUs
	@$(TESTHOST)/deps
	@$(TESTHOST)/check

check-upstream: ## the kernel's own KVM selftests, on both vendors and kernels
	@$(TESTHOST)/deps run bochs upstream
	@$(TESTHOST)/check-upstream

shell: ## a shell in the test host, modules loaded
	@$(TESTHOST)/deps run
	@$(TESTHOST)/testhost --shell --add "$$($(TESTHOST)/minivmm)"

bench: ## what each kind of exit costs, beside the stock KVM
	@$(TESTHOST)/bench

unit: ## the pure cores in userspace: unit tests, fuzzers, differential test
	@$(MAKE) -C tools/unit

selftests: ## build the selftest programs
	@$(TESTHOST)/deps run check
	@$(TESTHOST)/selftests

minivmm: ## build the small VMM, tools/minivmm
	@$(TESTHOST)/minivmm

lint: ## checkpatch, sparse, W=1, shellcheck, Python checkers
	@$(TESTHOST)/lint

install: all ## install modules, udev rule and header (DESTDIR=, PREFIX=)
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) \
		CONFIG_MODULE_SIG_ALL= modules_install
	$(if $(DESTDIR),,depmod $$(cat $(KDIR)/include/config/kernel.release))
	install -D -m 644 60-minikvm.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-minikvm.rules
	install -D -m 644 include/uapi/linux/minikvm.h $(DESTDIR)$(PREFIX)/include/linux/minikvm.h

clean: ## remove everything built in this tree (the cache outside stays)
	rm -rf build
	find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name '.*.d' -o -name modules.order \
		-o -name Module.symvers \) -type f -print0 | xargs -0 rm -f

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24
	@sed -n '/^# Variables/,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))
