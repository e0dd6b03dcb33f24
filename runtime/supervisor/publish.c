#include "publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/proto/proto.h"
#include "network.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

enum { FOUND_MAX = 256 };

struct publish {
	struct supervisor *supervisor;
	struct bound_list bound;
	struct bound_list found; /* as publish_found() has it */
	struct mvm_vsock *vsock; /* while it is open */
	struct datagrams *datagrams;
};

static bool is_bound(const struct mvm_container_config *config, const struct mvm_port *port)
{
	for (size_t i = 0; i < config->port_bindings.count; i++) {
		struct mvm_port other;

		if (mvm_port_read(config->port_bindings.items[i], &other) && other.guest == port->guest &&
		    other.protocol == port->protocol)
			return true;
	}
	return false;
}

/* -P is about what is exposed and has no place yet. */
static int bind_all(const struct mvm_container_config *config, struct bound_list *bound, struct mvm_error **err)
{
	struct mvm_port port;

	for (size_t i = 0; i < config->port_bindings.count; i++)
		if (mvm_port_read(config->port_bindings.items[i], &port) && bind_port(&port, bound, err) < 0)
			return -1;
	for (size_t i = 0; config->publish_all && i < config->exposed_ports.count; i++)
		if (mvm_port_read(config->exposed_ports.items[i], &port) && !is_bound(config, &port) &&
		    bind_port(&port, bound, err) < 0)
			return -1;
	return 0;
}

int publish_bind(struct supervisor *supervisor, struct publish **out, struct mvm_error **err)
{
	struct bound_list bound = {.count = 0};
	struct publish *publish;

	if (supervisor->helper || !network_leads_out(supervisor->network))
		return 0;
	if (bind_all(&supervisor->container->config, &bound, err) < 0) {
		bound_list_finish(&bound);
		return -1;
	}
	if (!bound.count && !supervisor->container->config.login.user)
		return 0;
	publish = mvm_alloc(sizeof(*publish));
	publish->supervisor = supervisor;
	publish->bound = bound;
	*out = publish;
	return 0;
}

void publish_finish(struct publish *publish)
{
	if (!publish)
		return;
	publish_close(publish);
	bound_list_finish(&publish->bound);
	free(publish);
}

static bool has(const struct mvm_strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

void publish_describe(const struct publish *publish, struct mvm_strv *ports)
{
	for (size_t i = 0; publish && i < publish->bound.count; i++) {
		char *port MVM_CLEAN_FREE = mvm_port_guest_text(&publish->bound.items[i].port);

		if (!has(ports, port))
			mvm_strv_add(ports, port);
	}
	if (publish && publish->supervisor->container->config.login.user)
		mvm_strv_add(ports, MVM_PROTO_ALL_PORTS);
}

static int connect_flow(void *arg, uint16_t port, void (*done)(void *flow, int fd, int errnum), void *flow,
			struct mvm_error **err)
{
	const struct publish *publish = arg;

	return mvm_vsock_connect(publish->vsock, MVM_PROTO_PUBLISH_UDP_PORT + port, done, flow, err);
}

void publish_open(struct publish *publish, struct mvm_vsock *vsock)
{
	if (!publish)
		return;
	publish->vsock = vsock;
	publish->datagrams = datagrams_create(publish->supervisor->loop, connect_flow, publish);
	for (size_t i = 0; i < publish->bound.count; i++) {
		const struct bound *bound = &publish->bound.items[i];
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		if (bound->port.protocol == MVM_PORT_UDP)
			datagrams_add(publish->datagrams, bound->fd, bound->port.guest);
		else if (mvm_vsock_publish(vsock, bound->fd, MVM_PROTO_PUBLISH_TCP_PORT + bound->port.guest, &err) < 0)
			mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
	}
}

static bool has_port(const struct bound_list *list, uint16_t port)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].port.guest == port && list->items[i].port.protocol == MVM_PORT_TCP)
			return true;
	return false;
}

/* Those that are not among the ports now. */
static void drop_found(struct publish *publish, const struct bound_list *now)
{
	struct bound_list kept = {0}, gone = {0};

	for (size_t i = 0; i < publish->found.count; i++) {
		struct bound_list *to = has_port(now, publish->found.items[i].port.guest) ? &kept : &gone;

		to->items = mvm_realloc(to->items, to->count + 1, sizeof(*to->items));
		to->items[to->count++] = publish->found.items[i];
	}
	bound_list_finish(&gone);
	free(publish->found.items);
	publish->found = kept;
}

/* A port that is taken, or not for this user, stays the host's. */
static void add_found(struct publish *publish, uint16_t port)
{
	static const char *const addresses[] = {"127.0.0.1", "::1"};
	size_t first = publish->found.count;

	for (size_t i = 0; i < MVM_COUNT(addresses); i++) {
		struct mvm_port wanted = {.protocol = MVM_PORT_TCP, .guest = port, .first = port, .last = port};
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		snprintf(wanted.ip, sizeof(wanted.ip), "%s", addresses[i]);
		if (bind_port(&wanted, &publish->found, &err) < 0)
			mvm_log(MVM_LOG_INFO, "%s", mvm_error_message(err));
	}
	for (size_t i = first; i < publish->found.count; i++)
		mvm_vsock_publish(publish->vsock, publish->found.items[i].fd, MVM_PROTO_PUBLISH_TCP_PORT + port, NULL);
}

void publish_found(struct publish *publish, const char *ports)
{
	struct bound_list now = {0};

	if (!publish || !publish->vsock || !publish->supervisor->container->config.login.user)
		return;
	for (char *end; now.count < FOUND_MAX; ports = end) {
		unsigned long port = strtoul(ports, &end, 10);

		if (end == ports || port == 0 || port > UINT16_MAX)
			break;
		now.items = mvm_realloc(now.items, now.count + 1, sizeof(*now.items));
		now.items[now.count++] =
			(struct bound){.fd = -1, .port = {.protocol = MVM_PORT_TCP, .guest = (uint16_t)port}};
	}
	drop_found(publish, &now);
	for (size_t i = 0; i < now.count; i++) {
		uint16_t port = now.items[i].port.guest;

		if (!has_port(&publish->found, port) && !has_port(&publish->bound, port))
			add_found(publish, port);
	}
	free(now.items);
}

void publish_close(struct publish *publish)
{
	if (!publish)
		return;
	bound_list_finish(&publish->found);
	datagrams_destroy(publish->datagrams);
	publish->datagrams = NULL;
	publish->vsock = NULL;
}

void publish_note(const struct publish *publish, struct mvm_strv *ports)
{
	mvm_strv_finish(ports);
	for (size_t i = 0; publish && i < publish->bound.count; i++)
		mvm_strv_take(ports, mvm_port_format(&publish->bound.items[i].port));
}
