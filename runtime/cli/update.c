#include "cli.h"

#include <stddef.h>

#include "runtime/base/text.h"
#include "runtime/state/restart_policy.h"
#include "runtime/state/update.h"

struct values {
	const char *memory, *memory_reservation, *memory_swap, *cpus, *cpu_shares, *pids_limit, *restart;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpuset_cpus, *cpuset_mems; /* refused */
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"blkio-weight", 0, CLI_STRING, AT(blkio_weight), "N", "Refused: a container has its disk to itself"},
	{"cpu-period", 0, CLI_STRING, AT(cpu_period), "MICROSECONDS", "Refused: use --cpus"},
	{"cpu-quota", 0, CLI_STRING, AT(cpu_quota), "MICROSECONDS", "Refused: use --cpus"},
	{"cpu-shares", 'c', CLI_STRING, AT(cpu_shares), "N", "Weight of the container in its machine"},
	{"cpus", 0, CLI_STRING, AT(cpus), "N", "Processors, such as 2 or 0.5"},
	{"cpuset-cpus", 0, CLI_STRING, AT(cpuset_cpus), "LIST", "Refused: a machine has processors of its own"},
	{"cpuset-mems", 0, CLI_STRING, AT(cpuset_mems), "LIST", "Refused: a machine has memory of its own"},
	{"memory", 'm', CLI_STRING, AT(memory), "SIZE", "Memory limit"},
	{"memory-reservation", 0, CLI_STRING, AT(memory_reservation), "SIZE", "Memory left to it when there is little"},
	{"memory-swap", 0, CLI_STRING, AT(memory_swap), "SIZE", "Without effect: a machine has no swap"},
	{"pids-limit", 0, CLI_STRING, AT(pids_limit), "N", "Processes and threads (-1: no limit)"},
	{"restart", 0, CLI_STRING, AT(restart), "POLICY", "no, always, unless-stopped, on-failure or on-failure:N",
	 CLI_WORDS("always", "no", "on-failure", "unless-stopped")},
	CLI_OPTIONS_END,
};

static int check_refused(const struct values *values, struct mvm_error **err)
{
	const struct {
		const char *flag, *value, *why;
	} refused[] = {
		{"blkio-weight", values->blkio_weight,
		 "each container has a disk of its own, which it shares with none"},
		{"cpu-period", values->cpu_period, "use --cpus, such as --cpus 0.5 for half a processor"},
		{"cpu-quota", values->cpu_quota, "use --cpus, such as --cpus 0.5 for half a processor"},
		{"cpuset-cpus", values->cpuset_cpus,
		 "a container's virtual machine has processors of its own, not the host's; use --cpus"},
		{"cpuset-mems", values->cpuset_mems,
		 "a container's virtual machine has memory of its own, not the host's"},
	};

	for (size_t i = 0; i < MVM_COUNT(refused); i++)
		if (refused[i].value)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "--%s %s: %s", refused[i].flag, refused[i].value,
					refused[i].why);
	return 0;
}

/* The rest of what docker takes, checked and no more. */
static int check_swap(const struct values *values, uint64_t memory, struct mvm_error **err)
{
	uint64_t swap = 0;
	int64_t unlimited;

	if (values->memory_swap && mvm_parse_int(values->memory_swap, -1, -1, &unlimited))
		return 0;
	if (cli_parse_bytes("memory-swap", values->memory_swap, &swap, err) < 0)
		return -1;
	if (memory && swap && swap < memory)
		return mvm_fail(err, MVM_ERR_INVALID,
				"Minimum memoryswap limit should be larger than memory limit, see usage");
	return 0;
}

static bool is_empty(const struct values *values)
{
	const char *const *given = (const char *const *)values;

	for (size_t i = 0; i < sizeof(*values) / sizeof(*given); i++)
		if (given[i])
			return false;
	return true;
}

static int read_values(const struct values *values, struct mvm_container_update *update, struct mvm_error **err)
{
	uint64_t reservation = 0;

	if (is_empty(values))
		return mvm_fail(err, MVM_ERR_CONFLICT, "you must provide one or more flags when using this command");
	if (check_refused(values, err) < 0 || cli_parse_bytes("memory", values->memory, &update->memory, err) < 0 ||
	    cli_parse_bytes("memory-reservation", values->memory_reservation, &reservation, err) < 0 ||
	    check_swap(values, update->memory, err) < 0 || cli_parse_cpus(values->cpus, &update->nano_cpus, err) < 0 ||
	    cli_parse_number("cpu-shares", values->cpu_shares, &update->cpu_shares, err) < 0 ||
	    cli_parse_number("pids-limit", values->pids_limit, &update->pids_limit, err) < 0)
		return -1;
	if (values->restart && *values->restart &&
	    mvm_restart_policy_parse(values->restart, &update->restart_policy, &update->restart_max, err) < 0)
		return -1;
	update->memory_reservation = (int64_t)reservation;
	/* As docker: 0 is what was not given. */
	update->has_pids_limit = update->pids_limit != 0;
	return 0;
}

static int update_one(struct mvm_engine *engine, const char *arg, void *context, struct mvm_error **err)
{
	if (mvm_engine_update(engine, arg, context, err) < 0)
		return -1;
	puts(arg);
	return 0;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct mvm_container_update update = {0};

	return read_values(given, &update, err) < 0 ? -1 : cli_for_each(args, update_one, &update, err);
}

const struct cli_command cli_update = {
	.name = "update",
	.names = {"container update", "update"},
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Change limits and restart policy of containers",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.complete = cli_complete_containers,
	.values_size = sizeof(struct values),
	.run = run,
};
