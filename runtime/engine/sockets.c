/*
 * Unix sockets across the machine's boundary, as the user asked for them.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "guest-agent/proto/proto.h"
#include "runtime/base/error.h"
#include "runtime/state/host_socket.h"

static int set_ssh_agent(struct mvm_container_config *config, struct mvm_error **err)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	struct stat status;

	if (!path || !*path)
		return mvm_fail(err, MVM_ERR_USAGE,
				"--ssh: SSH_AUTH_SOCK is not set, so there is no ssh-agent to pass on; start one with "
				"'eval \"$(ssh-agent)\"'");
	if (*path != '/' || stat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return mvm_fail(err, MVM_ERR_USAGE,
				"--ssh: SSH_AUTH_SOCK is %s, where no ssh-agent's socket is; start one with "
				"'eval \"$(ssh-agent)\"'",
				path);
	config->ssh_agent = mvm_strdup(path);
	return 0;
}

int engine_set_sockets(const struct mvm_create_request *request, struct mvm_container_config *config,
		       struct mvm_error **err)
{
	for (size_t i = 0; request->publish_sockets && i < request->publish_sockets->count; i++)
		if (mvm_host_socket_parse(request->publish_sockets->items[i], &config->published_sockets, err) < 0)
			return -1;
	if (config->published_sockets.count > MVM_SOCKETS_MAX)
		return mvm_fail(err, MVM_ERR_USAGE, "more than %d sockets cannot be published", MVM_SOCKETS_MAX);
	return request->ssh ? set_ssh_agent(config, err) : 0;
}
