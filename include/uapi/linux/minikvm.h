/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * minikvm.h - the userspace interface of minikvm
 *
 * It is KVM's own, number for number and struct for struct: include this (or
 * just <linux/kvm.h>), open MINIKVM_DEVICE instead of /dev/kvm, and go on as
 * with KVM.  Nothing of <linux/kvm.h> is repeated here.
 */
#ifndef _UAPI_LINUX_MINIKVM_H
#define _UAPI_LINUX_MINIKVM_H

#include <linux/kvm.h>

#define MINIKVM_NAME	"minikvm"
#define MINIKVM_DEVICE	"/dev/minikvm"

#endif
