#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/mac.h"
#include "net/process.h"
#include "net/resolv_conf.h"
#include "runtime/base/control.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "runtime/state/net_endpoint.h"
#include "runtime/state/network.h"

enum {
	RETRY_MS = 20,		/* while a process is on its way out */
	RETRY_LIMIT_MS = 10000, /* altogether */
	LEAVE_LIMIT_MS = 1000,	/* it takes 1 */
	SOCKET_BUFFER = 1 << 20,
};

/* One network that the container is on. */
struct place {
	struct network *network;
	struct mvm_network *config;
	struct mvm_net_endpoint endpoint; /* asked for; once joined, what it has */
	uint8_t mac[MVM_MAC_SIZE];
	int machine_fd, network_fd; /* the two ends of the wire; both stay open here, for either side may be replaced */
	struct mvm_control control;
	bool connected;
	struct mvm_watch *watch;
	struct mvm_timer *retry;
	uint64_t since_ns; /* when it began to try */
	bool joined;	   /* once at least */
	int64_t mtu;
};

struct network {
	struct supervisor *supervisor;
	struct place *places;
	size_t count;
	size_t out; /* the place of the default route */
	char *resolv_conf;
	bool ndots;
};

static void try_join(struct place *place);

static void disconnect(struct place *place)
{
	if (!place->connected)
		return;
	mvm_watch_remove(place->watch);
	mvm_control_finish(&place->control);
	place->connected = false;
}

/* A machine that runs goes on without this network; one that does not yet, does not start. */
static void fail(struct place *place, struct mvm_error *error)
{
	struct supervisor *supervisor = place->network->supervisor;

	disconnect(place);
	mvm_error_wrap(&error, "network %s", place->config->name);
	if (place->joined) {
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(error));
		mvm_error_free(error);
		return;
	}
	supervisor_failed(supervisor, error);
	supervisor_event(supervisor, EVENT_FAILURE);
}

static void retry_later(struct place *place)
{
	struct mvm_error *err = NULL;

	if ((mvm_now_ns() - place->since_ns) / 1000000 < supervisor_patience(RETRY_LIMIT_MS)) {
		mvm_timer_start(place->retry, RETRY_MS);
		return;
	}
	mvm_fail(&err, MVM_ERR_TIMEOUT, "its process does not answer");
	fail(place, err);
}

static void keep(char **member, const json_t *answer, const char *key, const char *prefix_key)
{
	const char *text = json_string_value(json_object_get(answer, key));
	json_int_t prefix = prefix_key ? json_integer_value(json_object_get(answer, prefix_key)) : 0;

	free(*member);
	*member = !text ? NULL : prefix ? mvm_format("%s/%d", text, (int)prefix) : mvm_strdup(text);
}

static void note_joined(struct place *place, const json_t *answer)
{
	struct mvm_net_endpoint *endpoint = &place->endpoint;
	bool first = !place->joined;

	keep(&endpoint->ip, answer, "ip", "prefix");
	keep(&endpoint->gateway, answer, "gateway", NULL);
	keep(&endpoint->ip6, answer, "ip6", "prefix6");
	keep(&endpoint->gateway6, answer, "gateway6", NULL);
	place->mtu = json_integer_value(json_object_get(answer, "mtu"));
	place->joined = true;
	mvm_log(MVM_LOG_INFO, "phase network %s joined as %s", place->config->name, endpoint->ip);
	if (first && network_is_ready(place->network))
		supervisor_event(place->network->supervisor, EVENT_NETWORK_READY);
}

static void got_answer(struct place *place, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	struct mvm_error *err = NULL;

	if (error) {
		mvm_control_error_from_json(error, &err);
		fail(place, err);
	} else {
		note_joined(place, answer);
	}
}

/* The process's end: there will be another, which gets the same wire. */
static void lost(struct place *place)
{
	disconnect(place);
	if (place->joined)
		mvm_log(MVM_LOG_WARN, "the process of network %s has ended; it is started again", place->config->name);
	place->since_ns = mvm_now_ns();
	retry_later(place);
}

static void place_ready(void *arg, int fd, short revents)
{
	struct place *place = arg;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *answer MVM_CLEAN_JSON = NULL;
	int result = mvm_control_receive(&place->control, &answer, &err);

	if (result == 0)
		got_answer(place, answer);
	else if (result != MVM_CONTROL_AGAIN)
		lost(place);
}

/* "192.168.127.2/24" is asked for as an address alone. */
static json_t *plain(const char *address)
{
	return address ? json_stringn(address, strcspn(address, "/")) : NULL;
}

/* What it can be found by: docker's names of a container. */
static json_t *names_of(const struct place *place)
{
	const struct mvm_container_config *config = &place->network->supervisor->container->config;
	json_t *names = json_array();

	json_array_append_new(names, json_string(config->name));
	for (size_t i = 0; i < place->endpoint.aliases.count; i++)
		json_array_append_new(names, json_string(place->endpoint.aliases.items[i]));
	json_array_append_new(names, json_stringn(config->id, MVM_SHORT_ID_LENGTH));
	if (strcmp(config->hostname, config->name) != 0)
		json_array_append_new(names, json_string(config->hostname));
	return names;
}

static json_t *join_request(const struct place *place)
{
	const struct mvm_network *network = place->config;
	const struct mvm_container_config *config = &place->network->supervisor->container->config;

	return json_pack("{ss, si, s:{ss, ss, ss, ss*, ss*, sI, sb}, ss, so, ss, so*, so*, so, sb, sb}", "op", "join",
			 "id", 1, "network", "name", network->name, "subnet", network->subnet, "gateway",
			 network->gateway, "subnet6", network->subnet6, "gateway6", network->gateway6, "mtu",
			 (json_int_t)network->mtu, "internal", (int)network->internal, "container", config->id, "names",
			 names_of(place), "mac", place->endpoint.mac, "ip", plain(place->endpoint.ip), "ip6",
			 plain(place->endpoint.ip6), "dns", mvm_json_from_strings(&config->dns), "another",
			 (int)(place != &place->network->places[place->network->out]), "ndots",
			 (int)place->network->ndots);
}

/* Takes fd. */
static int ask_to_join(struct place *place, int fd, struct mvm_error **err)
{
	mvm_control_init(&place->control, fd);
	mvm_set_nonblock(fd, true);
	place->connected = true;
	place->watch = mvm_loop_watch(place->network->supervisor->loop, fd, POLLIN, place_ready, place);
	return mvm_control_send(&place->control, join_request(place), &place->network_fd, 1, err);
}

static void process_ended(void *arg, pid_t pid, int status)
{
}

static int spawn_process(struct place *place, int lock, int listening, struct mvm_error **err)
{
	const struct supervisor *supervisor = place->network->supervisor;
	const char *name = place->config->name;
	char *program MVM_CLEAN_FREE = NULL;
	char *socket MVM_CLEAN_FREE = mvm_network_socket(supervisor->state, place->config);
	char *leases MVM_CLEAN_FREE = mvm_network_path(supervisor->state, name, "leases.json");
	char *log_path MVM_CLEAN_FREE = mvm_network_path(supervisor->state, name, "net.log");
	int log MVM_CLEAN_FD = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	const struct mvm_spawn_fd fds[] = {
		{lock, MVM_NET_LOCK_FD}, {listening, MVM_NET_LISTEN_FD}, {log, STDERR_FILENO}};
	char *argv[] = {(char *)"mvm-net", socket, leases, NULL};
	struct mvm_spawn child = {
		.argv = argv, .fds = fds, .fd_count = MVM_COUNT(fds) - (log < 0), .new_session = true};
	pid_t pid;

	if (mvm_own_file("mvm-net", &program, err) < 0)
		return -1;
	child.program = program;
	if (mvm_spawn(&child, &pid, err) < 0)
		return -1;
	mvm_loop_child(supervisor->loop, pid, process_ended, NULL);
	return 0;
}

/* 0: one is there now, and listens; 1: another is on its way in or out. */
static int start_process(struct place *place, struct mvm_error **err)
{
	const struct supervisor *supervisor = place->network->supervisor;
	char *path MVM_CLEAN_FREE = mvm_network_socket(supervisor->state, place->config);
	int lock MVM_CLEAN_FD = -1, listening MVM_CLEAN_FD = -1;
	int busy = mvm_network_lock(supervisor->state, place->config->name, &lock, err);

	if (busy)
		return busy;
	mvm_network_clear_sockets(supervisor->state, place->config);
	if (mvm_control_listen(path, &listening, err) < 0)
		return -1;
	return spawn_process(place, lock, listening, err);
}

static void try_join(struct place *place)
{
	char *path MVM_CLEAN_FREE = mvm_network_socket(place->network->supervisor->state, place->config);
	struct mvm_error *err = NULL;
	int fd = -1, busy = 0;

	if (mvm_control_connect(path, &fd, NULL) < 0) {
		busy = start_process(place, &err);
		if (busy == 0 && mvm_control_connect(path, &fd, &err) < 0)
			busy = -1;
	}
	if (busy > 0)
		retry_later(place);
	else if (busy < 0 || ask_to_join(place, fd, &err) < 0)
		fail(place, err);
}

static void retry(void *arg)
{
	try_join(arg);
}

/* Always the same for a container on a network, so that neighbours need not learn anew: locally administered, docker's
 * prefix. */
static int choose_mac(struct place *place, struct mvm_error **err)
{
	const char *id = place->network->supervisor->container->config.id, *network = place->config->id;
	unsigned mine = 0, theirs = 0;

	if (place->endpoint.mac) {
		if (mvm_mac_parse(place->endpoint.mac, place->mac, err) < 0)
			return -1;
	} else {
		sscanf(id, "%8x", &mine);
		sscanf(network, "%8x", &theirs);
		mine ^= theirs;
		memcpy(place->mac, (const uint8_t[]){0x02, 0x42}, 2);
		for (int i = 0; i < 4; i++)
			place->mac[i + 2] = (uint8_t)(mine >> 8 * i);
	}
	free(place->endpoint.mac);
	place->endpoint.mac = mvm_alloc(MVM_MAC_TEXT);
	mvm_mac_format(place->mac, place->endpoint.mac);
	return 0;
}

static int make_wire(struct place *place, struct mvm_error **err)
{
	int ends[2], size = SOCKET_BUFFER;

	if (mvm_socketpair(SOCK_DGRAM, ends) < 0)
		return mvm_fail_errno(err, errno, "cannot make a wire to network %s", place->config->name);
	for (int i = 0; i < 2; i++) {
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(ends[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	place->machine_fd = ends[0];
	place->network_fd = ends[1];
	return 0;
}

static int make_place(struct place *place, const char *text, struct mvm_error **err)
{
	struct supervisor *supervisor = place->network->supervisor;

	if (mvm_net_endpoint_parse(text, &place->endpoint, err) < 0 ||
	    mvm_network_load(supervisor->state, place->endpoint.network, &place->config, err) < 0)
		return -1;
	return choose_mac(place, err) < 0 ? -1 : make_wire(place, err);
}

/* The first that leads out, as docker's; where none does, the first. */
static size_t find_out(const struct network *network)
{
	for (size_t i = 0; i < network->count; i++)
		if (!network->places[i].config->internal)
			return i;
	return 0;
}

/* Every network's server knows its own names. The one that leads out is asked last, for it has an answer to all. */
static void make_resolv_conf(struct network *network)
{
	const struct mvm_container_config *config = &network->supervisor->container->config;
	const char *servers[MVM_MACHINE_NICS_MAX];
	struct mvm_resolv_guest guest = {
		.servers = servers, .search = &config->dns_search, .options = &config->dns_options};
	struct mvm_resolv_conf host MVM_CLEAN_RESOLV_CONF = {.server_count = 0};
	char *text MVM_CLEAN_FREE = NULL;
	size_t length;

	for (size_t i = 0; i < network->count; i++)
		if (i != network->out)
			servers[guest.server_count++] = network->places[i].config->gateway;
	servers[guest.server_count++] = network->places[network->out].config->gateway;
	if (mvm_read_file("/etc/resolv.conf", MVM_RESOLV_CONF_SIZE, &text, &length, NULL) == 0)
		mvm_resolv_conf_parse(text, 53, &host);
	network->resolv_conf = mvm_resolv_conf_guest(&host, &guest, &network->ndots);
}

int network_join(struct supervisor *supervisor, struct network **out, struct mvm_error **err)
{
	const struct mvm_strv *wanted = &supervisor->container->config.networks;
	struct network *network;

	if (!wanted->count || supervisor->helper)
		return 0;
	if (wanted->count > MVM_MACHINE_NICS_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a container is on at most %d networks",
				MVM_MACHINE_NICS_MAX);
	network = mvm_alloc(sizeof(*network));
	network->supervisor = supervisor;
	network->places = mvm_alloc(wanted->count * sizeof(*network->places));
	for (size_t i = 0; i < wanted->count; i++) {
		struct place *place = &network->places[network->count++];

		*place = (struct place){.network = network, .machine_fd = -1, .network_fd = -1};
		place->retry = mvm_loop_timer(supervisor->loop, retry, place);
		place->since_ns = mvm_now_ns();
		if (make_place(place, wanted->items[i], err) < 0) {
			network_leave(network);
			return -1;
		}
	}
	network->out = find_out(network);
	make_resolv_conf(network);
	*out = network;
	for (size_t i = 0; i < network->count; i++)
		mvm_timer_start(network->places[i].retry, 0);
	return 0;
}

static void wait_for_end(struct place *place)
{
	int result = 0;

	mvm_set_nonblock(place->control.fd, false);
	mvm_control_set_patience(&place->control, LEAVE_LIMIT_MS);
	while (result == 0) {
		json_t *answer MVM_CLEAN_JSON = NULL;

		result = mvm_control_receive(&place->control, &answer, NULL);
	}
}

/* Until the network has seen that we are gone, and where we were the last, until its process has ended: whoever hears
 * of the container's end finds nothing of it, not even of a process that was killed. */
static void say_goodbye(struct place *place)
{
	const struct mvm_state *state = place->network->supervisor->state;
	int lock MVM_CLEAN_FD = -1;

	if (place->connected && shutdown(place->control.fd, SHUT_WR) == 0)
		wait_for_end(place);
	if (place->config && mvm_network_lock(state, place->config->name, &lock, NULL) == 0)
		mvm_network_clear_sockets(state, place->config);
}

void network_leave(struct network *network)
{
	if (!network)
		return;
	for (size_t i = 0; i < network->count; i++) {
		struct place *place = &network->places[i];

		say_goodbye(place);
		disconnect(place);
		mvm_timer_remove(place->retry);
		mvm_close(&place->machine_fd);
		mvm_close(&place->network_fd);
		mvm_net_endpoint_finish(&place->endpoint);
		mvm_network_free(place->config);
	}
	free(network->places);
	free(network->resolv_conf);
	free(network);
}

bool network_leads_out(const struct network *network)
{
	for (size_t i = 0; network && i < network->count; i++)
		if (!network->places[i].config->internal)
			return true;
	return false;
}

size_t network_nics(const struct network *network, struct mvm_machine_nic *nics)
{
	size_t count = network ? network->count : 0;

	for (size_t i = 0; i < count && i < MVM_MACHINE_NICS_MAX; i++) {
		nics[i].fd = network->places[i].machine_fd;
		memcpy(nics[i].mac, network->places[i].mac, sizeof(nics[i].mac));
	}
	return count;
}

bool network_is_ready(const struct network *network)
{
	for (size_t i = 0; network && i < network->count; i++)
		if (!network->places[i].joined)
			return false;
	return true;
}

void network_note(const struct network *network, struct mvm_strv *endpoints)
{
	mvm_strv_finish(endpoints);
	for (size_t i = 0; network && i < network->count; i++)
		mvm_strv_take(endpoints, mvm_net_endpoint_format(&network->places[i].endpoint));
}

static void describe_place(const struct place *place, size_t index, struct mvm_strv *interfaces)
{
	const struct mvm_net_endpoint *endpoint = &place->endpoint;
	struct mvm_buf text = {0};

	mvm_buf_addf(&text, "mac=%s name=eth%zu mtu=%lld ip=%s", endpoint->mac, index, (long long)place->mtu,
		     endpoint->ip);
	if (endpoint->ip6)
		mvm_buf_addf(&text, " ip=%s", endpoint->ip6);
	if (index == place->network->out && !place->config->internal) {
		mvm_buf_addf(&text, " via=%s", endpoint->gateway);
		if (endpoint->gateway6)
			mvm_buf_addf(&text, " via=%s", endpoint->gateway6);
	}
	mvm_strv_take(interfaces, mvm_buf_steal(&text));
}

static void add_host(const char *host, const char *gateway, struct mvm_strv *hosts)
{
	size_t name = strcspn(host, ":=");
	const char *address = host[name] ? host + name + 1 : "";

	mvm_strv_addf(hosts, "%s\t%.*s", strcmp(address, "host-gateway") ? address : gateway, (int)name, host);
}

void network_describe(const struct network *network, struct mvm_strv *interfaces, struct mvm_strv *hosts,
		      char **resolv_conf)
{
	const struct mvm_container_config *config;

	if (!network)
		return;
	config = &network->supervisor->container->config;
	for (size_t i = 0; i < network->count; i++) {
		describe_place(&network->places[i], i, interfaces);
		mvm_strv_addf(hosts, "%.*s\t%s", (int)strcspn(network->places[i].endpoint.ip, "/"),
			      network->places[i].endpoint.ip, config->hostname);
	}
	for (size_t i = 0; i < config->extra_hosts.count; i++)
		add_host(config->extra_hosts.items[i], network->places[network->out].config->gateway, hosts);
	*resolv_conf = mvm_strdup(network->resolv_conf);
}
