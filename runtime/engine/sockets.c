/*
 * Unix sockets across the machine's boundary, as the user asked for them.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	for (size_t i = 0; i < config->host_sockets.count; i++)
		if (!strcmp(config->host_sockets.items[i], MVM_SSH_AGENT_PLACE))
			return mvm_fail(err, MVM_ERR_USAGE, "Duplicate mount point: " MVM_SSH_AGENT_PLACE);
	config->ssh_agent = mvm_strdup(path);
	return 0;
}

static int check_count(const struct mvm_container_config *config, size_t more, struct mvm_error **err)
{
	if (config->host_sockets.count + (config->ssh_agent != NULL) + more <= MVM_SOCKETS_MAX)
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "more than %d sockets of the host cannot be mounted", MVM_SOCKETS_MAX);
}

int engine_note_host_socket(const char *target, struct mvm_container_config *config, struct mvm_error **err)
{
	if (check_count(config, 1, err) < 0)
		return -1;
	mvm_strv_add(&config->host_sockets, target);
	return 0;
}

int engine_add_host_socket(const char *source, const char *target, struct mvm_container_config *config,
			   struct mvm_error **err)
{
	if (strlen(source) > MVM_HOST_SOCKET_PATH_MAX)
		return mvm_fail(
			err, MVM_ERR_USAGE,
			"%s: the path of a socket may be %d bytes long; name it by a shorter one, such as a link",
			source, MVM_HOST_SOCKET_PATH_MAX);
	if (access(source, W_OK) < 0)
		return mvm_fail_errno(err, errno, "cannot connect to %s", source);
	return engine_note_host_socket(target, config, err);
}

int engine_set_sockets(const struct mvm_create_request *request, struct mvm_container_config *config,
		       struct mvm_error **err)
{
	for (size_t i = 0; request->publish_sockets && i < request->publish_sockets->count; i++)
		if (mvm_host_socket_parse(request->publish_sockets->items[i], &config->published_sockets, err) < 0)
			return -1;
	if (config->published_sockets.count > MVM_SOCKETS_MAX)
		return mvm_fail(err, MVM_ERR_USAGE, "more than %d sockets cannot be published", MVM_SOCKETS_MAX);
	if (!request->ssh)
		return 0;
	return check_count(config, 1, err) < 0 ? -1 : set_ssh_agent(config, err);
}
