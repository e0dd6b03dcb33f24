#include "network.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"

static int bring_up_loopback(struct failure *failure)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);

	if (rc)
		failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot bring up the loopback interface");
	if (fd >= 0)
		close(fd);
	return rc;
}

int network_prepare(struct failure *failure)
{
	/* Anyone may listen on low ports and ping, since nobody else lives here. */
	static const char *const defaults[] = {"net.ipv4.ip_unprivileged_port_start=0",
					       "net.ipv4.ping_group_range=0 2147483647"};

	if (bring_up_loopback(failure))
		return -1;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (sysctl_set(defaults[i], failure))
			return -1;
	return 0;
}

int sysctl_set(const char *setting, struct failure *failure)
{
	const char *value = strchr(setting, '=');
	char path[256];
	int length;

	if (!value || value - setting > 200)
		return failure_set(failure, MVM_PROTO_MALFORMED, "%.200s is no sysctl setting", setting);
	length = snprintf(path, sizeof(path), "/proc/sys/%.*s", (int)(value - setting), setting);
	for (int i = (int)strlen("/proc/sys/"); i < length; i++)
		if (path[i] == '.')
			path[i] = '/';
	if (file_set(path, value + 1))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot set sysctl %.200s", setting);
	return 0;
}

bool sysctl_is_ipc(const char *setting)
{
	static const char *const prefixes[] = {"kernel.shm", "kernel.msg", "kernel.sem=", "fs.mqueue."};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(setting, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}
