/*
 * The control socket of the network process, and its life: process.h says what is said over it.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"
#include "lan.h"
#include "leases.h"
#include "runtime/base/control.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum {
	RETURN_LIMIT_MS = 10000, /* for the guests of a predecessor to come back */
	MTU_MIN = 576,
	MTU_MAX = 65520,
};

struct client {
	struct client *next;
	struct process *process;
	struct mvm_control control;
	struct mvm_watch *watch;
	struct mvm_guest *guest; /* NULL: not on the network */
	char *container;
	bool dead;
};

struct process {
	struct mvm_loop *loop;
	const struct process_paths *paths;
	int listen_fd;
	struct mvm_watch *listen_watch;
	struct client *clients;
	bool was_asked; /* to let somebody join, and be it in vain: when all have left, it ends */
	struct mvm_timer *return_timer;

	struct mvm_nat_config config; /* the first guest's word */
	struct mvm_lan *lan;
	struct mvm_leases *leases;
};

static bool is_alone(const struct process *process)
{
	for (const struct client *client = process->clients; client; client = client->next)
		if (!client->dead)
			return false;
	return true;
}

static void leave(struct client *client)
{
	if (client->guest) {
		mvm_lan_remove(client->guest);
		mvm_leases_release(client->process->leases, client->container);
	}
	client->guest = NULL;
	free(client->container);
	client->container = NULL;
}

static void drop_client(struct client *client)
{
	struct process *process = client->process;

	if (client->dead)
		return;
	client->dead = true;
	leave(client);
	mvm_watch_remove(client->watch);
	if (process->was_asked && is_alone(process)) {
		/* Not before this process is gone does the last one see its connection end: process.h. */
		(void)fcntl(client->control.fd, F_DUPFD_CLOEXEC, client->control.fd);
		mvm_loop_stop(process->loop);
	}
	mvm_control_finish(&client->control);
}

static void free_dead(struct process *process)
{
	for (struct client **at = &process->clients; *at;) {
		struct client *client = *at;

		if (!client->dead) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		free(client);
	}
}

static void answer(struct client *client, json_t *message)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (mvm_control_send(&client->control, message, NULL, 0, &err) == 0)
		return;
	mvm_log(MVM_LOG_INFO, "client dropped: %s", mvm_error_message(err));
	drop_client(client);
}

static int text_of(const json_t *object, const char *key, const char **text, struct mvm_error **err)
{
	if (mvm_json_get_string(object, key, NULL, text, err) < 0)
		return -1;
	if (!*text)
		return mvm_fail(err, MVM_ERR_INVALID, "\"%s\" is missing", key);
	return 0;
}

static int parse_ipv4(const json_t *network, struct mvm_nat_config *config, struct mvm_error **err)
{
	const char *subnet, *gateway;

	if (text_of(network, "subnet", &subnet, err) < 0 || text_of(network, "gateway", &gateway, err) < 0 ||
	    mvm_subnet_parse(subnet, &config->subnet, err) < 0 || mvm_address_parse(gateway, &config->gateway, err) < 0)
		return -1;
	if (!mvm_subnet_is_host(&config->subnet, config->gateway))
		return mvm_fail(err, MVM_ERR_INVALID, "the gateway %s is not of the subnet %s", gateway, subnet);
	return 0;
}

static int parse_ipv6(const json_t *network, struct mvm_nat_config *config, struct mvm_error **err)
{
	const char *subnet, *gateway;

	if (mvm_json_get_string(network, "subnet6", NULL, &subnet, err) < 0)
		return -1;
	config->ipv6 = subnet != NULL;
	if (!subnet)
		return 0;
	if (text_of(network, "gateway6", &gateway, err) < 0 || mvm_subnet6_parse(subnet, &config->subnet6, err) < 0 ||
	    mvm_address6_parse(gateway, &config->gateway6, err) < 0)
		return -1;
	if (!mvm_subnet6_contains(&config->subnet6, &config->gateway6))
		return mvm_fail(err, MVM_ERR_INVALID, "the gateway %s is not of the subnet %s", gateway, subnet);
	return 0;
}

static int set_up(struct process *process, const json_t *network, struct mvm_error **err)
{
	struct mvm_nat_config config = {0};
	const char *name;
	int64_t mtu;

	if (process->lan)
		return 0;
	if (text_of(network, "name", &name, err) < 0 || parse_ipv4(network, &config, err) < 0 ||
	    parse_ipv6(network, &config, err) < 0 || mvm_json_get_int(network, "mtu", 1500, &mtu, err) < 0 ||
	    mvm_json_get_bool(network, "internal", false, &config.internal, err) < 0)
		return -1;
	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "an MTU of %lld; it has to be %d to %d", (long long)mtu, MTU_MIN,
				MTU_MAX);
	config.mtu = (size_t)mtu;
	if (mvm_lan_create(process->loop, &config, name, process->paths->socket, &process->lan, err) < 0)
		return -1;
	process->config = config;
	process->leases = mvm_leases_open(process->paths->leases, &config.subnet, config.gateway);
	mvm_timer_start(process->return_timer, RETURN_LIMIT_MS);
	return 0;
}

static int check_mac(const struct process *process, const uint8_t mac[MVM_MAC_SIZE], struct mvm_error **err)
{
	uint8_t gateway[MVM_MAC_SIZE], gateway6[MVM_MAC_SIZE];

	mvm_nat_mac(process->config.gateway, gateway);
	mvm_nat_mac6(&process->config.gateway6, gateway6);
	if (memcmp(mac, gateway, MVM_MAC_SIZE) == 0 || memcmp(mac, gateway6, MVM_MAC_SIZE) == 0)
		return mvm_fail(err, MVM_ERR_CONFLICT, "that MAC address is the network's gateway's");
	for (const struct client *client = process->clients; client; client = client->next)
		if (client->guest && memcmp(mvm_guest_identity(client->guest)->mac, mac, MVM_MAC_SIZE) == 0)
			return mvm_fail(err, MVM_ERR_CONFLICT, "MAC address already in use by container %.12s",
					client->container);
	return 0;
}

static bool has_ip6(const struct process *process, const struct in6_addr *address)
{
	for (const struct client *client = process->clients; client; client = client->next)
		if (client->guest && memcmp(&mvm_guest_identity(client->guest)->ip6, address, sizeof(*address)) == 0)
			return true;
	return false;
}

/* Its own number, as its IPv4 address has it in its subnet, unless the user wants another. */
static int take_ip6(struct process *process, const char *wanted, struct mvm_identity *identity, struct mvm_error **err)
{
	const struct mvm_nat_config *config = &process->config;
	uint64_t number = identity->ip - config->subnet.address;

	if (wanted && !config->ipv6)
		return mvm_fail(err, MVM_ERR_INVALID, "address %s: the network has no IPv6; create it with --ipv6",
				wanted);
	if (!config->ipv6)
		return 0;
	if (wanted) {
		if (mvm_address6_parse(wanted, &identity->ip6, err) < 0)
			return -1;
		if (!mvm_subnet6_contains(&config->subnet6, &identity->ip6))
			return mvm_fail(err, MVM_ERR_INVALID, "address %s is not one of the network's IPv6 subnet",
					wanted);
		if (has_ip6(process, &identity->ip6) ||
		    memcmp(&identity->ip6, &config->gateway6, sizeof(identity->ip6)) == 0)
			return mvm_fail(err, MVM_ERR_CONFLICT, "Address already in use: %s", wanted);
		return 0;
	}
	for (;; number += UINT64_C(1) << 32) {
		identity->ip6 = mvm_subnet6_host(&config->subnet6, number);
		if (!has_ip6(process, &identity->ip6) &&
		    memcmp(&identity->ip6, &config->gateway6, sizeof(identity->ip6)) != 0)
			return 0;
	}
}

static int take_addresses(struct process *process, const json_t *request, const char *container,
			  struct mvm_identity *identity, struct mvm_error **err)
{
	const char *mac, *ip, *ip6;
	uint32_t wanted = 0;

	if (text_of(request, "mac", &mac, err) < 0 || mvm_mac_parse(mac, identity->mac, err) < 0 ||
	    check_mac(process, identity->mac, err) < 0 || mvm_json_get_string(request, "ip", NULL, &ip, err) < 0 ||
	    mvm_json_get_string(request, "ip6", NULL, &ip6, err) < 0 ||
	    (ip && mvm_address_parse(ip, &wanted, err) < 0) ||
	    mvm_leases_take(process->leases, container, wanted, &identity->ip, err) < 0)
		return -1;
	if (take_ip6(process, ip6, identity, err) < 0) {
		mvm_leases_release(process->leases, container);
		return -1;
	}
	return 0;
}

static json_t *joined(const struct process *process, const struct mvm_identity *identity)
{
	const struct mvm_nat_config *config = &process->config;
	char ip[MVM_SUBNET_TEXT], gateway[MVM_SUBNET_TEXT];
	json_t *message;

	mvm_address_format(identity->ip, ip);
	mvm_address_format(config->gateway, gateway);
	message = json_pack("{sb, ss, si, ss, sI}", "ok", 1, "ip", ip, "prefix", (int)config->subnet.prefix, "gateway",
			    gateway, "mtu", (json_int_t)config->mtu);
	if (!config->ipv6)
		return message;
	mvm_address6_format(&identity->ip6, ip);
	mvm_address6_format(&config->gateway6, gateway);
	json_object_set_new(message, "ip6", json_string(ip));
	json_object_set_new(message, "prefix6", json_integer(config->subnet6.prefix));
	json_object_set_new(message, "gateway6", json_string(gateway));
	return message;
}

static int join(struct client *client, const json_t *request, json_t **message, struct mvm_error **err)
{
	struct process *process = client->process;
	struct mvm_strv names MVM_CLEAN_STRV = {0}, dns MVM_CLEAN_STRV = {0};
	struct mvm_guest_config config = {.names = &names, .dns = &dns};
	int fd MVM_CLEAN_FD = -1;

	if (mvm_control_steal_fds(&client->control, &fd, 1, err) < 0)
		return -1;
	if (client->guest)
		return mvm_fail(err, MVM_ERR_CONFLICT, "this connection is on the network already");
	process->was_asked = true;
	if (text_of(request, "container", &config.container, err) < 0 ||
	    mvm_json_get_strings(request, "names", &names, err) < 0 ||
	    mvm_json_get_strings(request, "dns", &dns, err) < 0 ||
	    mvm_json_get_bool(request, "another", false, &config.another, err) < 0 ||
	    mvm_json_get_bool(request, "ndots", false, &config.ndots, err) < 0 ||
	    set_up(process, json_object_get(request, "network"), err) < 0 ||
	    take_addresses(process, request, config.container, &config.identity, err) < 0)
		return -1;
	if (mvm_lan_add(process->lan, &config, fd, &client->guest, err) < 0) {
		mvm_leases_release(process->leases, config.container);
		return -1;
	}
	fd = -1;
	client->container = mvm_strdup(config.container);
	*message = joined(process, &config.identity);
	return 0;
}

static int revise(struct client *client, const json_t *request, json_t **message, struct mvm_error **err)
{
	bool another;

	if (mvm_json_get_bool(request, "another", false, &another, err) < 0)
		return -1;
	if (!client->guest)
		return mvm_fail(err, MVM_ERR_CONFLICT, "this connection is not on the network");
	mvm_guest_revise(client->guest, another);
	*message = json_pack("{sb}", "ok", 1);
	return 0;
}

static int status(struct client *client, const json_t *request, json_t **message, struct mvm_error **err)
{
	const struct process *process = client->process;
	json_t *guests = json_array(), *whole MVM_CLEAN_JSON = NULL;

	for (const struct client *other = process->clients; other; other = other->next)
		if (other->guest)
			json_array_append_new(guests, mvm_guest_status(other->guest));
	*message = json_pack("{sb, so}", "ok", 1, "guests", guests);
	if (!process->lan)
		return 0;
	whole = mvm_lan_status(process->lan);
	json_object_update(*message, whole);
	json_object_set_new(*message, "leases", mvm_leases_status(process->leases));
	return 0;
}

static void handle(struct client *client, const json_t *request)
{
	static const struct {
		const char *op;
		int (*run)(struct client *client, const json_t *request, json_t **message, struct mvm_error **err);
	} operations[] = {{"join", join}, {"revise", revise}, {"status", status}};
	const char *op = json_string_value(json_object_get(request, "op"));
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *message = NULL;
	size_t i = 0;

	while (i < MVM_COUNT(operations) && (!op || strcmp(op, operations[i].op) != 0))
		i++;
	if (i == MVM_COUNT(operations))
		mvm_fail(&err, MVM_ERR_UNSUPPORTED, "this network process does not know that request");
	else
		operations[i].run(client, request, &message, &err);
	if (err)
		message = json_pack("{so}", "error", mvm_control_error_to_json(err));
	json_object_set(message, "id", json_object_get(request, "id"));
	answer(client, message);
}

static void client_ready(void *arg, int fd, short revents)
{
	struct client *client = arg;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	while (!client->dead) {
		json_t *request MVM_CLEAN_JSON = NULL;
		int result = mvm_control_receive(&client->control, &request, &err);

		if (result == MVM_CONTROL_AGAIN)
			return;
		if (result == 0) {
			handle(client, request);
			continue;
		}
		if (result < 0)
			mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
		drop_client(client);
	}
}

static void add_client(struct process *process, int fd)
{
	struct client *client = mvm_alloc(sizeof(*client));

	free_dead(process);
	mvm_set_nonblock(fd, true);
	*client = (struct client){.next = process->clients, .process = process};
	mvm_control_init(&client->control, fd);
	client->watch = mvm_loop_watch(process->loop, fd, POLLIN, client_ready, client);
	process->clients = client;
}

static void accept_client(void *arg, int listen_fd, short revents)
{
	struct process *process = arg;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int fd = accept(listen_fd, NULL, NULL);

	if (fd < 0)
		return;
	mvm_set_cloexec(fd, true);
	if (mvm_control_check_peer(fd, &err) == 0) {
		add_client(process, fd);
		return;
	}
	mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
	close(fd);
}

static void guests_are_back(void *arg)
{
	struct process *process = arg;

	mvm_leases_expire(process->leases);
}

/* Who started us and died before it joined would leave us for ever. */
static void nobody_came(void *arg)
{
	struct process *process = arg;

	if (!process->was_asked)
		mvm_loop_stop(process->loop);
}

static void tear_down(struct process *process)
{
	/* First, so that whoever comes now starts a successor. */
	unlink(process->paths->socket);
	mvm_watch_remove(process->listen_watch);
	mvm_close(&process->listen_fd);
	for (struct client *client = process->clients; client; client = client->next)
		drop_client(client);
	free_dead(process);
	mvm_lan_destroy(process->lan);
	mvm_leases_close(process->leases);
}

int process_run(struct mvm_loop *loop, const struct process_paths *paths, int listen_fd, struct mvm_error **err)
{
	struct process process = {.loop = loop, .paths = paths, .listen_fd = listen_fd};
	struct mvm_timer *first_timer;
	int result;

	mvm_set_nonblock(process.listen_fd, true);
	process.listen_watch = mvm_loop_watch(loop, process.listen_fd, POLLIN, accept_client, &process);
	process.return_timer = mvm_loop_timer(loop, guests_are_back, &process);
	first_timer = mvm_loop_timer(loop, nobody_came, &process);
	mvm_timer_start(first_timer, RETURN_LIMIT_MS);
	result = mvm_loop_run(loop, err);
	tear_down(&process);
	return result;
}
