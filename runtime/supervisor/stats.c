/*
 * The request "stats": what the guest says of the container, and what the VM takes of the host.
 */
#include "internal.h"

#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/base/process.h"

struct ask {
	struct supervisor *supervisor;
	struct relay *relay;
};

/* The processes that make up the VM. */
static uint64_t host_memory(const struct supervisor *supervisor)
{
	pid_t machine = supervisor->machine ? supervisor->backend->pid(supervisor->machine) : 0;
	pid_t vsock = supervisor->vsock ? mvm_vsock_pid(supervisor->vsock) : 0;

	return mvm_process_memory(getpid()) + (machine > 0 ? mvm_process_memory(machine) : 0) +
	       (vsock > 0 ? mvm_process_memory(vsock) : 0);
}

static json_t *stats_json(const struct supervisor *supervisor)
{
	const struct mvm_proto_figures *figures = agent_figures(supervisor->agent);
	const struct {
		const char *key;
		uint64_t value;
	} fields[] = {
		{"at", figures->uptime},
		{"cpu", figures->cpu_time},
		{"memory", figures->memory_used},
		{"memory_inactive", figures->memory_inactive},
		{"memory_limit", figures->memory_limit},
		{"net_received", figures->net_received},
		{"net_sent", figures->net_sent},
		{"block_read", figures->block_read},
		{"block_written", figures->block_written},
		{"pids", figures->pids},
		{"host_memory", host_memory(supervisor)},
	};
	json_t *stats = json_object();

	/* A guest may claim anything; what JSON cannot hold becomes the most that it can. */
	for (size_t i = 0; i < MVM_COUNT(fields); i++)
		json_object_set_new(
			stats, fields[i].key,
			json_integer((json_int_t)(fields[i].value > INT64_MAX ? INT64_MAX : fields[i].value)));
	return json_pack("{sb, so}", "ok", 1, "stats", stats);
}

static void done(void *arg, const struct mvm_error *error)
{
	struct ask *ask = arg;

	if (error) {
		relayed(ask->relay, error);
	} else {
		relay_message(ask->relay, stats_json(ask->supervisor), NULL, 0);
		relay_release(ask->relay);
	}
	free(ask);
}

void stats_answer(struct supervisor *supervisor, struct relay *relay)
{
	struct ask *ask = mvm_alloc(sizeof(*ask));

	*ask = (struct ask){supervisor, relay};
	agent_stats(supervisor->agent, done, ask);
}
