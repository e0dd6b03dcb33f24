/*
 * The boot log's writer: what the guest prints on its console, into a file that
 * never grows past MVM_BOOT_LOG_MAX. Reading is mvm_boot_log_tail() in backend.h.
 *
 * The supervisor writes, whoever likes reads. A write that fails is dropped: a full
 * disk must not end the machine whose console this is.
 */
#ifndef MVM_BACKEND_BOOT_LOG_H
#define MVM_BACKEND_BOOT_LOG_H

#include <stddef.h>
#include <stdint.h>

struct mvm_error;

struct boot_log {
	int fd; /* -1 while closed */
	size_t size;
	uint64_t dropped; /* bytes taken out of the middle so far */
};

/* Makes or empties the file. */
int boot_log_open(struct boot_log *log, const char *path, struct mvm_error **err);
void boot_log_write(struct boot_log *log, const void *data, size_t length);
void boot_log_close(struct boot_log *log);

#endif
