/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MINIKVM_HOST_WORK_H
#define MINIKVM_HOST_WORK_H

int kvm_xfer_to_guest_mode_handle_work(void);

#endif
