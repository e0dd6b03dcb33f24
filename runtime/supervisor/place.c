/*
 * One place on a network: a wire, and joining the network's process, which is started where none runs and again when it
 * has died.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/process.h"
#include "network_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

enum {
	RETRY_MS = 20,		/* while a process is on its way out */
	RETRY_LIMIT_MS = 10000, /* altogether */
	LEAVE_LIMIT_MS = 1000,	/* it takes 1 */
	SOCKET_BUFFER = 1 << 20,
};

static void disconnect(struct place *place)
{
	if (!place->connected)
		return;
	mvm_watch_remove(place->watch);
	mvm_control_finish(&place->control);
	place->connected = false;
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
 * of the container's end, or that it has left the network, finds nothing of it, not even of a process that was killed.
 */
static void say_goodbye(struct place *place)
{
	const struct mvm_state *state = place->network->supervisor->state;
	int lock MVM_CLEAN_FD = -1;

	if (place->connected && shutdown(place->control.fd, SHUT_WR) == 0)
		wait_for_end(place);
	if (place->config && mvm_network_lock(state, place->config->name, &lock, NULL) == 0)
		mvm_network_clear_sockets(state, place->config);
}

/* A machine that runs goes on without this network; one that does not yet, does not start. */
static void fail(struct place *place, struct mvm_error *error)
{
	struct supervisor *supervisor = place->network->supervisor;

	if (!place->joined)
		say_goodbye(place);
	disconnect(place);
	mvm_error_wrap(&error, "network %s", place->config->name);
	if (place->joined) {
		mvm_log(MVM_LOG_ERROR, "%s", mvm_error_message(error));
		mvm_error_free(error);
	} else if (place->new) {
		change_failed(place, error);
	} else {
		supervisor_failed(supervisor, error);
		supervisor_event(supervisor, EVENT_FAILURE);
	}
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
	if (first && place->new)
		change_joined(place);
	else if (first && network_is_ready(place->network))
		supervisor_event(place->network->supervisor, EVENT_NETWORK_READY);
}

/* Its answer to "revise" tells nothing. */
static void got_answer(struct place *place, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	struct mvm_error *err = NULL;

	if (error) {
		mvm_control_error_from_json(error, &err);
		fail(place, err);
	} else if (json_object_get(answer, "ip")) {
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
			 (int)(place != place->network->out), "ndots", (int)place->network->ndots);
}

/* Takes fd. */
static int ask_to_join(struct place *place, int fd, struct mvm_error **err)
{
	mvm_control_init(&place->control, fd);
	mvm_set_nonblock(fd, true);
	place->connected = true;
	place->watch = mvm_loop_watch(place->network->supervisor->loop, fd, POLLIN, place_ready, place);
	return mvm_control_send(&place->control, join_request(place), &place->nic->network_fd, 1, err);
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

void place_join(struct place *place)
{
	place->since_ns = mvm_now_ns();
	mvm_timer_start(place->retry, 0);
}

void place_revise(struct place *place)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *request;

	if (!place->connected || !place->joined)
		return;
	request = json_pack("{ss, si, sb}", "op", "revise", "id", 2, "another", (int)(place != place->network->out));
	if (mvm_control_send(&place->control, request, NULL, 0, &err) < 0)
		mvm_log(MVM_LOG_WARN, "network %s: %s", place->config->name, mvm_error_message(err));
}

/* Always the same for a container on a network, so that neighbours need not learn anew: locally administered, docker's
 * prefix. */
static int choose_mac(struct place *place, uint8_t mac[MVM_MAC_SIZE], struct mvm_error **err)
{
	const char *id = place->network->supervisor->container->config.id, *network = place->config->id;
	unsigned mine = 0, theirs = 0;

	if (place->endpoint.mac) {
		if (mvm_mac_parse(place->endpoint.mac, mac, err) < 0)
			return -1;
	} else {
		sscanf(id, "%8x", &mine);
		sscanf(network, "%8x", &theirs);
		mine ^= theirs;
		memcpy(mac, (const uint8_t[]){0x02, 0x42}, 2);
		for (int i = 0; i < 4; i++)
			mac[i + 2] = (uint8_t)(mine >> 8 * i);
	}
	return 0;
}

static int make_wire(struct nic *nic, struct mvm_error **err)
{
	/* Apple wants more room for what is received, by the file handle attachment: best four times of it. */
	int ends[2], size = SOCKET_BUFFER, received = 4 * SOCKET_BUFFER;

	if (mvm_socketpair(SOCK_DGRAM, ends) < 0)
		return mvm_fail_errno(err, errno, "cannot make a wire");
	for (int i = 0; i < 2; i++) {
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(ends[i], SOL_SOCKET, SO_RCVBUF, &received, sizeof(received));
	}
	nic->machine_fd = ends[0];
	nic->network_fd = ends[1];
	return 0;
}

/* What its last network has not taken any more is none of the next one's. */
static void drain(const struct nic *nic)
{
	char byte;

	while (recv(nic->network_fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		continue;
}

/* Such as a card that came from a place on this very network and has another now. */
static bool is_mac_used(const struct network *network, const uint8_t mac[MVM_MAC_SIZE])
{
	for (size_t i = 0; i < MVM_COUNT(network->nics); i++) {
		const struct nic *nic = &network->nics[i];

		if ((nic->inside || nic->taken) && memcmp(nic->mac, mac, MVM_MAC_SIZE) == 0)
			return true;
	}
	return false;
}

static struct nic *find_nic(struct network *network, bool inside)
{
	for (size_t i = 0; i < MVM_COUNT(network->nics); i++)
		if (!network->nics[i].taken && network->nics[i].inside == inside)
			return &network->nics[i];
	return NULL;
}

int place_take_nic(struct place *place, struct mvm_error **err)
{
	struct nic *nic = find_nic(place->network, true);
	uint8_t mac[MVM_MAC_SIZE];

	if (nic)
		drain(nic);
	else
		nic = find_nic(place->network, false);
	if (!nic)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "a container is on at most %d networks",
				MVM_MACHINE_NICS_MAX);
	if (nic->machine_fd < 0 && make_wire(nic, err) < 0)
		return -1;
	if (!nic->inside) {
		if (choose_mac(place, mac, err) < 0)
			return -1;
		while (!place->endpoint.mac && is_mac_used(place->network, mac))
			mac[MVM_MAC_SIZE - 1]++;
		memcpy(nic->mac, mac, sizeof(nic->mac));
	}
	nic->taken = true;
	place->nic = nic;
	free(place->endpoint.mac);
	place->endpoint.mac = mvm_alloc(MVM_MAC_TEXT);
	mvm_mac_format(nic->mac, place->endpoint.mac);
	return 0;
}

void nic_close(struct nic *nic)
{
	mvm_close(&nic->machine_fd);
	mvm_close(&nic->network_fd);
	nic->inside = false;
}

int place_create(struct network *network, const char *text, struct place **out, struct mvm_error **err)
{
	struct supervisor *supervisor = network->supervisor;
	struct place *place = mvm_alloc(sizeof(*place));

	*place = (struct place){.network = network};
	place->retry = mvm_loop_timer(supervisor->loop, retry, place);
	if (mvm_net_endpoint_parse(text, &place->endpoint, err) < 0 ||
	    mvm_network_load(supervisor->state, place->endpoint.network, &place->config, err) < 0) {
		place_destroy(place);
		return -1;
	}
	*out = place;
	return 0;
}

void place_destroy(struct place *place)
{
	if (!place)
		return;
	say_goodbye(place);
	disconnect(place);
	mvm_timer_remove(place->retry);
	if (place->nic)
		place->nic->taken = false;
	mvm_net_endpoint_finish(&place->endpoint);
	mvm_network_free(place->config);
	free(place);
}
