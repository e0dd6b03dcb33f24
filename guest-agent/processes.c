#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "guest-agent/proto/message.h"
#include "job.h"
#include "procinfo.h"
#include "sys.h"
#include "users.h"

enum {
	TEXT_SIZE = 4096, /* stat and status have some 1,500 bytes at most */
	NAME_SIZE = 64,	  /* of users and groups */
	LINE_SIZE = 1024, /* all but the arguments */
	ARGS_SIZE = 32768,
};

struct list {
	int proc, stream;
	struct text passwd, group;
};

static struct text image_file(int root, const char *path)
{
	int fd = sys_open_inside(root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct text text = {NULL, 0};

	if (fd < 0)
		return text;
	text = file_text_of(fd);
	close(fd);
	return text;
}

static void read_name(struct text file, uint32_t id, char name[NAME_SIZE])
{
	users_name(file, id, name, NAME_SIZE);
	procinfo_clean(name, strlen(name));
}

/* "" where there are none: a process that is about to go, or one of the kernel's. */
static size_t read_args(const struct list *list, const char *pid, char *args)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "%.20s/cmdline", pid);
	length = file_read_at(list->proc, path, args, ARGS_SIZE);
	while (length > 0 && !args[length - 1])
		length--;
	if (length <= 0)
		return 0;
	procinfo_clean(args, (size_t)length);
	return (size_t)length;
}

static int send_process(const struct list *list, const char *pid)
{
	static char stat[TEXT_SIZE], status[TEXT_SIZE], line[LINE_SIZE + ARGS_SIZE + 1];
	char user[NAME_SIZE], group[NAME_SIZE], path[64];
	struct procinfo info;
	size_t length;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	if (file_read_at(list->proc, path, stat, sizeof(stat)) < 0)
		return 0;
	snprintf(path, sizeof(path), "%.20s/status", pid);
	/* What has gone meanwhile is left out. */
	if (file_read_at(list->proc, path, status, sizeof(status)) < 0 || !procinfo_read(stat, status, &info))
		return 0;
	procinfo_clean(info.name, strlen(info.name));
	read_name(list->passwd, info.uid, user);
	read_name(list->group, info.gid, group);
	length = procinfo_print(&info, user, group, line, LINE_SIZE);
	length += read_args(list, pid, line + length);
	line[length++] = '\n';
	return file_append(list->stream, line, length);
}

static int send_machine(const struct list *list)
{
	unsigned long long hz = (unsigned long long)sysconf(_SC_CLK_TCK);
	unsigned long long memory =
		(unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);
	char line[96];
	int length = snprintf(line, sizeof(line), "%llu\t%llu\t%llu\n",
			      (unsigned long long)(uptime_ns() / 1000000) * hz / 1000, hz, memory / 1024);

	return file_append(list->stream, line, (size_t)length);
}

static int send_all(const struct list *list)
{
	DIR *folder = fdopendir(list->proc);
	struct dirent *entry;
	int rc = folder ? send_machine(list) : -1;

	while (rc == 0 && (entry = readdir(folder)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			rc = send_process(list, entry->d_name);
	return rc;
}

static int carry_out(const void *arg, struct job_answer *answer, struct failure *failure)
{
	const struct mvm_proto_processes *order = arg;
	struct list list = {.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	int root = job_open_root(false, failure);

	if (root < 0)
		return -1;
	list.passwd = image_file(root, "/etc/passwd");
	list.group = image_file(root, "/etc/group");
	list.stream = job_connect(order->port, false, failure);
	if (list.stream < 0)
		return -1;
	if (list.proc < 0 || send_all(&list))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot list the processes");
	close(list.stream);
	return 0;
}

int processes_start(const struct mvm_proto_processes *order, uint32_t request, struct failure *failure)
{
	return job_start(carry_out, order, NULL, request, failure);
}
