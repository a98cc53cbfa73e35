/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cgroup_util.h - a test's process in a memory cgroup of its own
 *
 * Reclaim can then be asked for, and finds nothing but the VMM; and what the VMM is charged
 * for can be read.  A test enters the cgroup first and leaves it last; the next test's
 * process begins with a new one.
 */
#ifndef CGROUP_UTIL_H
#define CGROUP_UTIL_H

#include <sys/mount.h>
#include <sys/stat.h>

#include "minikvm_util.h"

#define SWAPDISK	"/dev/swapdisk"		/* the test host's, a real disk */
#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/minikvm"

/* False: the host has no memory cgroups of version 2. */
static inline bool enter_group(void)
{
	if (access(CGROUPS "/cgroup.procs", F_OK) &&
	    mount("cgroup", CGROUPS, "cgroup2", 0, NULL))
		return false;
	if (write_text(CGROUPS "/cgroup.subtree_control", "+memory"))
		return false;
	mkdir(GROUP, 0755);
	return !write_text(GROUP "/cgroup.procs", "0");
}

/* False: something is charged to it still, or somebody lives in it. */
static inline bool leave_group(void)
{
	write_text(GROUP "/memory.max", "max");
	if (write_text(CGROUPS "/cgroup.procs", "0"))
		return false;
	for (int i = 0; i < 100 && rmdir(GROUP); i++)
		usleep(10000);
	return access(GROUP, F_OK) != 0;
}

/* Bytes of a kind in memory.stat. */
static inline long charged(const char *kind)
{
	return number_after(GROUP "/memory.stat", kind);
}

/*
 * Is the charge within these limits, or does it come to be?  The kernel adds up memory.stat
 * every two seconds, and charges in steps of 64 pages for each CPU.
 */
static inline bool charge_comes_to(const char *kind, long least, long most)
{
	long n = -1;

	for (int i = 0; i < 50; i++) {
		n = charged(kind);
		if (n >= least && n <= most)
			return true;
		usleep(100000);
	}
	printf("# %s: %ld, wanted: %ld to %ld\n", kind, n, least, most);
	return false;
}

#endif
