#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/log.h"

enum { STDERR_KEPT = 4096, CHUNK = 16384 };

ssize_t output_read_some(int fd, void *data, size_t length)
{
	ssize_t n;

	do
		n = read(fd, data, length);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno != EAGAIN ? 0 : n;
}

int output_read_console(struct mvm_machine *machine)
{
	char data[CHUNK];
	ssize_t n = output_read_some(machine->console_fd, data, sizeof(data));

	if (n > 0) {
		machine->kvm_trial = false;
		boot_log_write(&machine->boot_log, data, (size_t)n);
	}
	return (int)n;
}

int output_read_stderr(struct mvm_machine *machine)
{
	struct mvm_buf *kept = &machine->stderr_text;
	char data[1024];
	ssize_t n = output_read_some(machine->stderr_fd, data, sizeof(data));

	if (n > 0) {
		mvm_log(MVM_LOG_INFO, "QEMU: %.*s", (int)n, data);
		mvm_buf_add(kept, data, (size_t)n);
	}
	if (kept->length > STDERR_KEPT)
		mvm_buf_consume(kept, kept->length - STDERR_KEPT);
	return (int)n;
}

char *output_last_line(const struct mvm_machine *machine)
{
	const char *text = machine->stderr_text.data;
	size_t end = machine->stderr_text.length, start;
	char *line;

	while (end > 0 && strchr("\r\n ", text[end - 1]))
		end--;
	for (start = end; start > 0 && text[start - 1] != '\n'; start--)
		continue;
	line = mvm_strndup(text ? text + start : "", end - start);
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f)
			*at = '?';
	return line;
}
