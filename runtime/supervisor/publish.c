#include "publish.h"

#include <string.h>

#include "guest-agent/proto/proto.h"
#include "network.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

struct publish {
	struct supervisor *supervisor;
	struct bound_list bound;
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
	if (!bound.count)
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

uint64_t publish_kinds(const struct publish *publish)
{
	uint64_t kinds = 0;

	for (size_t i = 0; publish && i < publish->bound.count; i++)
		kinds |= publish->bound.items[i].port.protocol == MVM_PORT_TCP ? MVM_PUBLISH_TCP : MVM_PUBLISH_UDP;
	return kinds;
}

static int connect_flow(void *arg, uint16_t port, void (*done)(void *flow, int fd, int errnum), void *flow,
			struct mvm_error **err)
{
	const struct publish *publish = arg;

	return mvm_vsock_connect(publish->vsock, MVM_PROTO_PUBLISH_UDP_PORT, port, done, flow, err);
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
		else if (mvm_vsock_publish(vsock, bound->fd, MVM_PROTO_PUBLISH_TCP_PORT, bound->port.guest, &err) < 0)
			mvm_log(MVM_LOG_WARN, "%s", mvm_error_message(err));
	}
}

void publish_close(struct publish *publish)
{
	if (!publish)
		return;
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
