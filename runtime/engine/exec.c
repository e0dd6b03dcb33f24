/*
 * A process beside the container's own.
 */
#include "internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"

static bool has_term(const struct mvm_strv *env)
{
	for (size_t i = 0; i < env->count; i++)
		if (!strncmp(env->items[i], "TERM=", 5))
			return true;
	return false;
}

static void make_env(const struct mvm_container_config *config, const struct mvm_exec_request *request,
		     struct mvm_strv *env)
{
	for (size_t i = 0; i < config->env.count; i++)
		mvm_strv_add(env, config->env.items[i]);
	if (request->tty && !has_term(env))
		mvm_strv_add(env, "TERM=xterm");
	for (size_t i = 0; request->env && i < request->env->count; i++)
		engine_set_env(env, request->env->items[i]);
}

static const char *first_of(const char *given, const char *container)
{
	return given && *given ? given : container ? container : "";
}

static int make_fields(const struct mvm_container_config *config, const struct mvm_exec_request *request,
		       const bool wanted[3], json_t **fields, struct mvm_error **err)
{
	struct mvm_strv env MVM_CLEAN_STRV = {0};

	make_env(config, request, &env);
	*fields = json_pack("{so, so, ss, ss, sb, sb, si, si, sb, sb, sb}", "args",
			    mvm_json_from_strings(request->command), "env", mvm_json_from_strings(&env), "cwd",
			    first_of(request->working_dir, config->working_dir), "user",
			    first_of(request->user, config->user), "tty", (int)request->tty, "privileged",
			    (int)request->privileged, "rows", request->rows, "cols", request->cols, "stdin",
			    (int)wanted[0], "stdout", (int)wanted[1], "stderr", (int)wanted[2]);
	if (!*fields)
		return mvm_fail(err, MVM_ERR_USAGE, "the command or its environment is not UTF-8");
	return 0;
}

int mvm_engine_exec(struct mvm_engine *engine, const struct mvm_container *container,
		    const struct mvm_exec_request *request, struct mvm_exec *exec, struct mvm_error **err)
{
	const bool wanted[3] = {request->open_stdin && !request->detach, !request->detach,
				!request->detach && !request->tty};
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_error *local MVM_CLEAN_ERROR = NULL;
	json_t *fields;

	if (mvm_engine_connect(engine, container, &client, err) < 0 ||
	    make_fields(&container->config, request, wanted, &fields, err) < 0)
		return -1;
	if (mvm_client_exec(client, fields, wanted, exec->streams, &exec->process, &local) < 0)
		return mvm_client_is_lost(client) ? engine_fail_not_running(container, err)
						  : mvm_error_move(err, &local);
	exec->client = client;
	client = NULL;
	return 0;
}

void mvm_exec_finish(struct mvm_exec *exec)
{
	for (size_t i = 0; i < MVM_COUNT(exec->streams); i++)
		mvm_close(&exec->streams[i]);
	mvm_client_destroy(exec->client);
	exec->client = NULL;
}
