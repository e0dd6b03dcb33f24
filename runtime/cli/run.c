/*
 * `run` and `create`: what a container is made of, and for `run` its first start.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "prompt.h"
#include "runtime/base/io.h"
#include "runtime/engine/client.h"
#include "runtime/state/certificates.h"
#include "runtime/state/restart_policy.h"

struct values {
	bool interactive, tty, detach, rm, read_only, init, quiet, sig_proxy, rosetta, watch;
	const char *restart;
	struct cli_health_flags health;
	struct cli_network_flags network;
	const char *name, *workdir, *user, *entrypoint, *cpus, *memory, *disk_size, *hostname, *platform, *pull,
		*downloads, *kernel, *cidfile, *log_driver, *detach_keys;
	struct mvm_strv env, env_files, labels, log_options, ca_certificates;

	bool privileged;
	const char *domainname, *stop_signal, *stop_timeout, *pids_limit, *oom_score_adj, *cpu_shares, *shm_size,
		*memory_reservation;
	bool ssh;
	struct mvm_strv publish_sockets;
	struct mvm_strv cap_add, cap_drop, security_opt, ulimits, sysctls, group_add, tmpfs, annotations, devices,
		volumes, mounts, volumes_from, translate;
	const char *volume_driver;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"add-host", 0, CLI_LIST, AT(network.extra_hosts), "NAME:ADDRESS", "One more name, or NAME:host-gateway"},
	{"annotation", 0, CLI_LIST, AT(annotations), "KEY=VALUE", "Add an annotation"},
	{"ca-certificate", 0, CLI_LIST, AT(ca_certificates), "FILE", "Trust this authority inside, too (PEM)",
	 .complete = cli_complete_files},
	{"cap-add", 0, CLI_LIST, AT(cap_add), "CAPABILITY", "Add a capability, or ALL",
	 .complete = cli_complete_capabilities},
	{"cap-drop", 0, CLI_LIST, AT(cap_drop), "CAPABILITY", "Drop a capability, or ALL",
	 .complete = cli_complete_capabilities},
	{"cidfile", 0, CLI_STRING, AT(cidfile), "FILE", "Write the container's ID to a new file",
	 .complete = cli_complete_files},
	{"cpu-shares", 'c', CLI_STRING, AT(cpu_shares), "N", "Weight of the container in its machine"},
	{"cpus", 0, CLI_STRING, AT(cpus), "N", "Processors, such as 2 or 0.5"},
	{"detach", 'd', CLI_FLAG, AT(detach), NULL, "Run in the background and print the ID"},
	{"device", 0, CLI_LIST, AT(devices), "PATH", "Refused: a machine has its own devices"},
	{"detach-keys", 0, CLI_STRING, AT(detach_keys), "KEYS", "Leave by these keys (default ctrl-p,ctrl-q)",
	 CLI_WORDS("ctrl-")},
	{"disk-size", 0, CLI_STRING, AT(disk_size), "SIZE", "Size of the root disk (default 64g, sparse)"},
	{"dns", 0, CLI_LIST, AT(network.dns), "ADDRESS", "Ask this server for names"},
	{"dns-option", 0, CLI_LIST, AT(network.dns_options), "OPTION", "An option of resolv.conf"},
	{"dns-search", 0, CLI_LIST, AT(network.dns_search), "DOMAIN", "Look names up in this domain, too"},
	{"domainname", 0, CLI_STRING, AT(domainname), "NAME", "NIS domain name inside"},
	{"entrypoint", 0, CLI_STRING, AT(entrypoint), "PROGRAM", "Replace the image's entrypoint"},
	{"env", 'e', CLI_LIST, AT(env), "NAME[=VALUE]", "Set a variable, or pass one of yours on",
	 .complete = cli_complete_env},
	{"env-file", 0, CLI_LIST, AT(env_files), "FILE", "Read variables from a file", .complete = cli_complete_files},
	{"expose", 0, CLI_LIST, AT(network.expose), "PORT[/PROTO]",
	 "Note that the program listens at a port, or a range"},
	{"group-add", 0, CLI_LIST, AT(group_add), "GROUP", "One more group, by name or number"},
	{"health-cmd", 0, CLI_STRING, AT(health.command), "COMMAND", "Check by this command, run by a shell"},
	{"health-interval", 0, CLI_STRING, AT(health.interval), "TIME", "Time between checks (default 30s)"},
	{"health-retries", 0, CLI_STRING, AT(health.retries), "N", "Failures in a row that are too many (default 3)"},
	{"health-start-interval", 0, CLI_STRING, AT(health.start_interval), "TIME",
	 "Time between checks while it starts (default 5s)"},
	{"health-start-period", 0, CLI_STRING, AT(health.start_period), "TIME",
	 "Time to start in, when failures do not count"},
	{"health-timeout", 0, CLI_STRING, AT(health.timeout), "TIME", "Time for one check (default 30s)"},
	{"hostname", 'h', CLI_STRING, AT(hostname), "NAME", "Host name inside"},
	{"init", 0, CLI_FLAG, AT(init), NULL, "Put a reaper before the program"},
	{"interactive", 'i', CLI_FLAG, AT(interactive), NULL, "Keep stdin open"},
	{"ip", 0, CLI_STRING, AT(network.ip), "ADDRESS", "IPv4 address on its network"},
	{"ip6", 0, CLI_STRING, AT(network.ip6), "ADDRESS", "IPv6 address on its network"},
	{"kernel", 0, CLI_STRING, AT(kernel), "FILE|ARCH|KERNEL", "Boot another kernel",
	 .complete = cli_complete_kernel_option},
	{"label", 'l', CLI_LIST, AT(labels), "KEY[=VALUE]", "Set a label"},
	{"log-driver", 0, CLI_STRING, AT(log_driver), "NAME", "json-file (the default), local or none",
	 CLI_WORDS("json-file", "local", "none")},
	{"log-opt", 0, CLI_LIST, AT(log_options), "KEY=VALUE", "max-size=10m, max-file=3",
	 CLI_WORDS("max-file=", "max-size=")},
	{"mac-address", 0, CLI_STRING, AT(network.mac), "MAC", "Ethernet address, such as 92:d0:c6:0a:29:33"},
	{"max-concurrent-downloads", 0, CLI_STRING, AT(downloads), "N", "Layers to fetch at once (default 3)"},
	{"memory", 'm', CLI_STRING, AT(memory), "SIZE", "Memory limit (default 1g)"},
	{"memory-reservation", 0, CLI_STRING, AT(memory_reservation), "SIZE", "Memory left to it when there is little"},
	{"mount", 0, CLI_LIST, AT(mounts), "TYPE=VALUE,...", "Mount a volume, a folder or file of the host, or a tmpfs",
	 CLI_WORDS("type=bind,source=", "type=tmpfs,target=", "type=volume,source=")},
	{"name", 0, CLI_STRING, AT(name), "NAME", "Name the container"},
	{"network", 0, CLI_LIST, AT(network.networks), "NETWORK", "Be on this network, or none",
	 .complete = cli_complete_networks},
	{"network-alias", 0, CLI_LIST, AT(network.aliases), "NAME", "One more name on its network"},
	{"no-healthcheck", 0, CLI_FLAG, AT(health.none), NULL, "Do without the image's health check"},
	{"oom-score-adj", 0, CLI_STRING, AT(oom_score_adj), "N", "Who is killed first without memory, -1000 to 1000"},
	{"pids-limit", 0, CLI_STRING, AT(pids_limit), "N", "Processes and threads (-1: no limit)"},
	{"platform", 0, CLI_STRING, AT(platform), "OS/ARCH", "Take the image for this platform", CLI_PLATFORMS},
	{"privileged", 0, CLI_FLAG, AT(privileged), NULL, "All capabilities, devices and settings of its machine"},
	{"publish", 'p', CLI_LIST, AT(network.publish), "[IP:][PORT:]PORT[/PROTO]",
	 "Make a port reachable at one of the host"},
	{"publish-all", 'P', CLI_FLAG, AT(network.publish_all), NULL,
	 "Publish all exposed ports at free ones of the host"},
	{"publish-socket", 0, CLI_LIST, AT(publish_sockets), "HOST.sock:/GUEST.sock",
	 "Make a unix socket reachable at one of the host", .complete = cli_complete_files},
	{"pull", 0, CLI_STRING, AT(pull), "WHEN", "always, missing (the default) or never",
	 CLI_WORDS("always", "missing", "never")},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Pull without a word"},
	{"read-only", 0, CLI_FLAG, AT(read_only), NULL, "Mount the root read-only"},
	{"restart", 0, CLI_STRING, AT(restart), "POLICY", "no, always, unless-stopped, on-failure or on-failure:N",
	 CLI_WORDS("always", "no", "on-failure", "unless-stopped")},
	{"rm", 0, CLI_FLAG, AT(rm), NULL, "Remove the container when it has ended"},
	{"rosetta", 0, CLI_FLAG, AT(rosetta), NULL, "Run amd64 programs, too: --translate=amd64"},
	{"security-opt", 0, CLI_LIST, AT(security_opt), "OPTION", "no-new-privileges, systempaths=unconfined",
	 CLI_WORDS("no-new-privileges", "systempaths=unconfined")},
	{"shm-size", 0, CLI_STRING, AT(shm_size), "SIZE", "Size of /dev/shm (default 64m)"},
	{"sig-proxy", 0, CLI_FLAG, AT(sig_proxy), NULL, "Pass signals on to the process (default true)"},
	{"ssh", 0, CLI_FLAG, AT(ssh), NULL, "Pass your ssh-agent on"},
	{"stop-signal", 0, CLI_STRING, AT(stop_signal), "SIGNAL", "What a stop sends (default the image's, or TERM)",
	 .complete = cli_complete_signals},
	{"stop-timeout", 0, CLI_STRING, AT(stop_timeout), "SECONDS", "Patience of a stop (default 10, -1: for ever)"},
	{"sysctl", 0, CLI_LIST, AT(sysctls), "NAME=VALUE", "Set a kernel parameter"},
	{"tmpfs", 0, CLI_LIST, AT(tmpfs), "FOLDER[:OPTIONS]", "Mount a tmpfs"},
	{"translate", 0, CLI_LIST, AT(translate), "[=ARCH]", "Run programs of another processor, too",
	 .complete = cli_complete_translators, .implied = ""},
	{"tty", 't', CLI_FLAG, AT(tty), NULL, "Give it a terminal"},
	{"ulimit", 0, CLI_LIST, AT(ulimits), "NAME=SOFT[:HARD]", "Limit a resource of each process",
	 CLI_WORDS("core=", "cpu=", "data=", "fsize=", "locks=", "memlock=", "msgqueue=", "nice=", "nofile=", "nproc=",
		   "rss=", "rtprio=", "rttime=", "sigpending=", "stack=")},
	{"user", 'u', CLI_STRING, AT(user), "USER[:GROUP]", "Run as this user, by name or number"},
	{"volume", 'v', CLI_LIST, AT(volumes), "[SOURCE:]TARGET[:OPTIONS]",
	 "Mount a volume, or a folder or file of the host", .complete = cli_complete_mount},
	{"volume-driver", 0, CLI_STRING, AT(volume_driver), "DRIVER",
	 "Of volumes that are made: disk (the default) or shared", CLI_WORDS("disk", "shared")},
	{"volumes-from", 0, CLI_LIST, AT(volumes_from), "CONTAINER[:ro]", "Mount what this container mounts",
	 .complete = cli_complete_containers},
	{"watch", 0, CLI_FLAG, AT(watch), NULL, "Tell the container what changes on the host in all that is mounted"},
	{"workdir", 'w', CLI_STRING, AT(workdir), "FOLDER", "Working folder inside"},
	CLI_OPTIONS_END,
};

/* Rights and limits. */
static int confine_request(const struct values *values, struct mvm_create_request *request, struct mvm_error **err)
{
	if (values->devices.count)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"--device %s: devices of the host cannot be passed into a virtual machine; "
				"--privileged gives all that the machine has",
				values->devices.items[0]);
	if (cli_parse_number("pids-limit", values->pids_limit, &request->pids_limit, err) < 0 ||
	    cli_parse_number("oom-score-adj", values->oom_score_adj, &request->oom_score_adj, err) < 0 ||
	    cli_parse_number("cpu-shares", values->cpu_shares, &request->cpu_shares, err) < 0 ||
	    cli_parse_number("stop-timeout", values->stop_timeout, &request->stop_timeout, err) < 0 ||
	    cli_parse_bytes("shm-size", values->shm_size, &request->shm_size, err) < 0)
		return -1;
	request->has_stop_timeout = values->stop_timeout != NULL;
	request->privileged = values->privileged;
	request->cap_add = &values->cap_add;
	request->cap_drop = &values->cap_drop;
	request->security_opt = &values->security_opt;
	request->ulimits = &values->ulimits;
	request->sysctls = &values->sysctls;
	request->group_add = &values->group_add;
	request->tmpfs = &values->tmpfs;
	request->volumes = &values->volumes;
	request->mounts = &values->mounts;
	request->volumes_from = &values->volumes_from;
	request->volume_driver = values->volume_driver;
	request->annotations = &values->annotations;
	request->domainname = values->domainname;
	return mvm_engine_check(request, err);
}

const char *cli_default_kernel(void)
{
	const char *path = getenv("MVM_KERNEL");

	return path && *path ? path : NULL;
}

static int check_restart(const struct values *values, struct mvm_error **err)
{
	const char *name;
	int64_t max;

	if (mvm_restart_policy_parse(values->restart, &name, &max, err) < 0)
		return -1;
	if (values->rm && strcmp(name, "no") != 0)
		return mvm_fail(err, MVM_ERR_USAGE, "conflicting options: cannot specify both --restart and --rm");
	return 0;
}

/* What a request borrows. */
struct made {
	struct mvm_strv env, entrypoint, command, networks, translate, warnings;
	struct mvm_health_check health;
	struct mvm_buf certificates; /* PEM */
};

static void made_finish(struct made *made)
{
	mvm_strv_finish(&made->env);
	mvm_strv_finish(&made->entrypoint);
	mvm_strv_finish(&made->command);
	mvm_strv_finish(&made->networks);
	mvm_strv_finish(&made->translate);
	mvm_strv_finish(&made->warnings);
	mvm_strv_finish(&made->health.test);
	mvm_buf_finish(&made->certificates);
}

static int read_certificates(const struct mvm_strv *files, struct mvm_buf *pem, struct mvm_error **err)
{
	for (size_t i = 0; i < files->count; i++)
		if (mvm_certificates_read(files->items[i], pem, err) < 0)
			return mvm_error_wrap(err, "--ca-certificate");
	return 0;
}

/* Everything that can be refused without looking at an image. */
static int make_request(const struct values *values, char **args, struct made *made, struct mvm_create_request *request,
			struct mvm_error **err)
{
	struct cli_detach detach;

	*request = (struct mvm_create_request){
		.image = {.reference = args[0], .platform = values->platform},
		.name = values->name,
		.install_rosetta = cli_install_rosetta,
		.command = &made->command,
		.entrypoint = values->entrypoint ? &made->entrypoint : NULL,
		.env = &made->env,
		.labels = &values->labels,
		.working_dir = values->workdir,
		.user = values->user,
		.hostname = values->hostname,
		.kernel = values->kernel ? values->kernel : cli_default_kernel(),
		.log_driver = values->log_driver,
		.log_options = &values->log_options,
		.tty = values->tty,
		.open_stdin = values->interactive,
		.stdin_once = values->interactive && !values->detach,
		.init = values->init,
		.read_only = values->read_only,
		.auto_remove = values->rm,
		.restart = values->restart,
		.stop_signal = values->stop_signal,
		.health_check = &made->health,
		.certificates = &made->certificates,
		.publish_sockets = &values->publish_sockets,
		.ssh = values->ssh,
		.translate = &made->translate,
		.watch = values->watch,
		.warnings = &made->warnings,
	};
	if (cli_detach_init(&detach, values->detach_keys, err) < 0 || check_restart(values, err) < 0 ||
	    cli_parse_pull_policy(values->pull, &request->image.pull, err) < 0 ||
	    cli_parse_downloads(values->downloads, &request->image.downloads, err) < 0 ||
	    cli_parse_cpus(values->cpus, &request->nano_cpus, err) < 0 ||
	    cli_parse_bytes("memory", values->memory, &request->memory, err) < 0 ||
	    cli_parse_bytes("memory-reservation", values->memory_reservation, &request->memory_reservation, err) < 0 ||
	    cli_parse_bytes("disk-size", values->disk_size, &request->disk_size, err) < 0 ||
	    cli_parse_networks(&values->network, &made->networks, request, err) < 0 ||
	    confine_request(values, request, err) < 0 || cli_parse_health(&values->health, &made->health, err) < 0 ||
	    read_certificates(&values->ca_certificates, &made->certificates, err) < 0 ||
	    cli_read_env(&values->env_files, &values->env, &made->env, err) < 0)
		return -1;
	if (values->entrypoint)
		mvm_strv_add(&made->entrypoint, values->entrypoint);
	for (char **arg = args + 1; *arg; arg++)
		mvm_strv_add(&made->command, *arg);
	for (size_t i = 0; i < values->translate.count; i++)
		mvm_strv_add(&made->translate, values->translate.items[i]);
	if (values->rosetta)
		mvm_strv_add(&made->translate, "amd64");
	return 0;
}

static int make_cidfile(const char *path, int *fd, struct mvm_error **err)
{
	if (!path)
		return 0;
	*fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (*fd < 0 && errno == EEXIST)
		return mvm_fail(err, MVM_ERR_EXISTS,
				"container ID file found, make sure the other container isn't running or delete %s",
				path);
	if (*fd < 0)
		return mvm_fail_errno(err, errno, "failed to create the container ID file %s", path);
	return 0;
}

static int write_cidfile(const char *path, int fd, const char *id, struct mvm_error **err)
{
	if (path && mvm_write_full(fd, id, strlen(id)) < 0)
		return mvm_fail_errno(err, errno, "failed to write the container ID to %s", path);
	return 0;
}

static int run_attached(struct mvm_client *client, const struct values *values, int *exit_code, struct mvm_error **err)
{
	struct cli_attach attach = {
		.tty = values->tty, .stdin_on = values->interactive, .sig_proxy = values->sig_proxy};

	if (cli_detach_init(&attach.detach, values->detach_keys, err) < 0)
		return -1;
	return cli_attach_and_start(client, &attach, exit_code, err);
}

static int run_detached(struct mvm_client *client, const char *id, struct mvm_error **err)
{
	mvm_client_on_event(client, cli_print_event, NULL);
	if (mvm_client_call(client, "start", NULL, NULL, err) < 0)
		return -1;
	puts(id);
	return 0;
}

/* Nothing is left of a container that could not even be given to a supervisor. */
static void drop_container(struct mvm_engine *engine, const struct mvm_container *container)
{
	mvm_engine_remove(engine, container->config.id, true, true, NULL);
}

/* A container with its ID in the cidfile. The lock is held. */
static int create(struct mvm_engine *engine, const struct values *values, const struct mvm_create_request *request,
		  int cid_fd, struct mvm_container **container, int *lock, struct mvm_error **err)
{
	if (mvm_engine_create(engine, request, container, lock, err) < 0)
		return -1;
	for (size_t i = 0; i < request->warnings->count; i++)
		fprintf(stderr, "WARNING: %s\n", request->warnings->items[i]);
	if (write_cidfile(values->cidfile, cid_fd, (*container)->config.id, err) == 0)
		return 0;
	mvm_close(lock);
	drop_container(engine, *container);
	return -1;
}

static int create_only(struct mvm_engine *engine, const struct values *values, const struct mvm_create_request *request,
		       int cid_fd, int *exit_code, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	int lock MVM_CLEAN_FD = -1;

	if (create(engine, values, request, cid_fd, &container, &lock, err) < 0)
		return -1;
	puts(container->config.id);
	return 0;
}

static int create_and_run(struct mvm_engine *engine, const struct values *values,
			  const struct mvm_create_request *request, int cid_fd, int *exit_code, struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	int lock = -1;

	if (create(engine, values, request, cid_fd, &container, &lock, err) < 0)
		return -1;
	if (mvm_engine_supervise(engine, container, lock, &client, err) < 0) {
		drop_container(engine, container);
		return -1;
	}
	if (values->detach)
		return run_detached(client, container->config.id, err);
	return run_attached(client, values, exit_code, err) < 0 ? -1 : 0;
}

typedef int (*create_fn)(struct mvm_engine *engine, const struct values *values,
			 const struct mvm_create_request *request, int cid_fd, int *exit_code, struct mvm_error **err);

static int with_image(const struct values *values, struct mvm_create_request *request, create_fn action, int *exit_code,
		      struct mvm_error **err)
{
	struct mvm_engine *engine;
	struct mvm_image *image = NULL;
	int cid_fd MVM_CLEAN_FD = -1;
	int result;

	if (mvm_engine_open(&engine, err) < 0)
		return -1;
	result = make_cidfile(values->cidfile, &cid_fd, err);
	if (result == 0)
		result = cli_get_image(engine, &request->image, values->quiet, &image, err);
	mvm_image_destroy(image);
	/* It is here now; what is looked up again must not be fetched again. */
	if (request->image.pull == MVM_PULL_ALWAYS)
		request->image.pull = MVM_PULL_MISSING;
	if (result == 0)
		result = action(engine, values, request, cid_fd, exit_code, err);
	if (result < 0 && cid_fd >= 0 && lseek(cid_fd, 0, SEEK_END) == 0)
		unlink(values->cidfile);
	mvm_engine_close(engine);
	return result;
}

static int make(const struct values *values, char **args, create_fn action, struct mvm_error **err)
{
	struct made made __attribute__((cleanup(made_finish))) = {0};
	struct mvm_create_request request;
	int exit_code = 0;

	if (make_request(values, args, &made, &request, err) < 0 ||
	    with_image(values, &request, action, &exit_code, err) < 0)
		return -1;
	return exit_code;
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	const struct values *values = given;

	if (values->tty && values->interactive && !values->detach && !isatty(STDIN_FILENO)) {
		/* Docker's one case of status 1 here. */
		fputs("mvm: the input device is not a TTY\n", stderr);
		return 1;
	}
	return make(values, args, create_and_run, err);
}

static int run_create(const void *given, char **args, struct mvm_error **err)
{
	return make(given, args, create_only, err);
}

static const struct values defaults = {.sig_proxy = true};

const struct cli_command cli_run = {
	.name = "run",
	.names = {"container run", "run"},
	.common = true,
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Create a container from an image and run a program in it",
	.options = options,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_image,
	.values_size = sizeof(struct values),
	.defaults = &defaults,
	.run = run,
	.status = mvm_error_run_status,
};

/* Those that are about running. */
static const char *const not_of_create[] = {"detach", "detach-keys", "sig-proxy", NULL};

const struct cli_command cli_create = {
	.name = "create",
	.names = {"container create", "create"},
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Create a container without starting it",
	.options = options,
	.without = not_of_create,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_image,
	.values_size = sizeof(struct values),
	.run = run_create,
};
