/*
 * The requests "connect" and "disconnect" of a container that runs.
 *
 * Theory of operation: changes wait in a list, and one at a time is made, while the container's process runs.
 *
 *   connect      join the network's process (change_joined) -> put a card into the machine, where none is free
 * (plugged)
 *                -> tell the guest (connected) -> config.json
 *   disconnect   tell the guest (disconnected) -> leave the network's process -> config.json
 *
 * What fails leaves all as it was. Where the machine ends in between, the change is undone and waits again: for the
 * next round, or the supervisor's end, at which whoever asked is told to look anew.
 */
#include "runtime/state/connect.h"

#include <string.h>

#include "network_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/state/events.h"

struct change {
	struct change *next;
	struct network *network;
	struct relay *relay;
	char *connect;	  /* a place, as net_endpoint.h has it; NULL: to disconnect */
	char *disconnect; /* a network's name */
	bool force;
	struct place *place; /* NULL: not begun */
	size_t index;	     /* of it among the others */
};

static void begin(struct network *network);

/* The container's own view of its places, on disk as well. */
static void note_places(struct network *network)
{
	struct supervisor *supervisor = network->supervisor;

	network_note(network, &supervisor->container->state.endpoints);
	supervisor_save(supervisor);
}

static void finish(struct change *change, const struct mvm_error *error)
{
	struct network *network = change->network;

	network->changes = change->next;
	relayed(change->relay, error);
	free(change->connect);
	free(change->disconnect);
	free(change);
	begin(network);
}

static struct place *find_place(const struct network *network, const char *name, size_t *index)
{
	for (*index = 0; *index < network->count; ++*index)
		if (!strcmp(network->places[*index]->config->name, name))
			return network->places[*index];
	return NULL;
}

static void insert_place(struct network *network, struct place *place, size_t index)
{
	memmove(&network->places[index + 1], &network->places[index],
		(network->count - index) * sizeof(struct place *));
	network->places[index] = place;
	network->count++;
	network_settle(network);
}

static void remove_place(struct network *network, size_t index)
{
	network->count--;
	memmove(&network->places[index], &network->places[index + 1],
		(network->count - index) * sizeof(struct place *));
	network_settle(network);
}

static unsigned free_number(const struct network *network)
{
	unsigned number = 0;

	for (size_t i = 0; i < network->count; i++)
		if (network->places[i]->number == number) {
			number++;
			i = (size_t)-1;
		}
	return number;
}

static bool machine_is_gone(const struct network *network)
{
	const struct agent *agent = network->supervisor->agent;

	return !agent || !agent_is_connected(agent);
}

/* --- what the guest is told --- */

static void add_edit(struct mvm_strv *edits, const char *file, const char *old, const char *new)
{
	mvm_strv_add(edits, file);
	mvm_strv_add(edits, old);
	mvm_strv_add(edits, new);
}

/* What programs of the container have written into these files stays. */
static void describe_files(const struct place *place, bool adding, const char *old_resolv_conf, struct mvm_strv *edits)
{
	char *line MVM_CLEAN_FREE = network_hosts_line(place);
	char *text MVM_CLEAN_FREE = mvm_format(adding ? "%s\n" : "\n%s\n", line);

	add_edit(edits, "/etc/hosts", adding ? "" : text, adding ? text : "\n");
	add_edit(edits, "/etc/resolv.conf", old_resolv_conf, place->network->resolv_conf);
}

/* Of those that stay only the addresses are said, at which published ports are looked for; and where another leads out
 * than before, that one's route. */
static void describe_others(const struct network *network, const struct place *except, const struct place *old_out,
			    struct mvm_strv *interfaces)
{
	for (size_t i = 0; i < network->count; i++) {
		const struct place *place = network->places[i];
		bool leads = place == network->out && place != old_out;
		char *text MVM_CLEAN_FREE = network_interface(place, leads);

		if (place != except)
			mvm_strv_addf(interfaces, "%s%s%s", leads ? "mac=" : "", leads ? place->endpoint.mac : "",
				      strstr(text, " ip="));
	}
}

static void order_guest(struct network *network, const struct place *place, bool adding, const char *old_resolv_conf,
			const struct place *old_out, agent_done_fn done, void *arg)
{
	struct mvm_strv interfaces MVM_CLEAN_STRV = {0}, edits MVM_CLEAN_STRV = {0};
	struct mvm_proto_network order;

	if (adding)
		mvm_strv_take(&interfaces, network_interface(place, true));
	else
		mvm_strv_addf(&interfaces, "mac=%s off", place->endpoint.mac);
	describe_others(network, place, old_out, &interfaces);
	describe_files(place, adding, old_resolv_conf, &edits);
	order = (struct mvm_proto_network){.interfaces = interfaces.items, .edits = edits.items};
	agent_network(network->supervisor->agent, &order, done, arg);
}

/* The place comes, at this index, or goes. A machine that has gone is told nothing, and `done` not called. */
static void rearrange(struct change *change, bool adding, agent_done_fn done)
{
	struct network *network = change->network;
	char *old_resolv_conf MVM_CLEAN_FREE = mvm_strdup(network->resolv_conf);
	const struct place *old_out = network->out;

	if (adding)
		insert_place(network, change->place, change->index);
	else
		remove_place(network, change->index);
	for (size_t i = 0; i < network->count; i++)
		place_revise(network->places[i]);
	if (!machine_is_gone(network))
		order_guest(network, change->place, adding, old_resolv_conf, old_out, done, change);
}

/* --- connect --- */

static void drop_place(struct change *change)
{
	place_destroy(change->place);
	change->place = NULL;
}

static int commit_connect(const struct change *change, struct mvm_error **err)
{
	struct supervisor *supervisor = change->network->supervisor;
	struct mvm_container_config *config = &supervisor->container->config;

	if (mvm_state_connect(supervisor->state, config->id, change->connect, err) < 0)
		return -1;
	mvm_container_connect(config, change->connect);
	return 0;
}

static void note_connected(const struct change *change)
{
	const struct supervisor *supervisor = change->network->supervisor;

	mvm_event_network(supervisor->state, change->place->config, "connect", supervisor->container->config.id);
}

static void connected(void *arg, const struct mvm_error *error)
{
	struct change *change = arg;
	struct network *network = change->network;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (!error && commit_connect(change, &err) == 0) {
		change->place->new = false;
		note_places(network);
		note_connected(change);
		finish(change, NULL);
		return;
	}
	rearrange(change, false, NULL);
	drop_place(change);
	if (!machine_is_gone(network))
		finish(change, error ? error : err);
}

static void plugged(void *arg, const struct mvm_error *error)
{
	struct change *change = arg;
	struct nic *nic = change->place->nic;

	if (machine_is_gone(change->network))
		return;
	nic->inside = !error;
	if (!error) {
		change->index = change->network->count;
		change->place->number = free_number(change->network);
		rearrange(change, true, connected);
		return;
	}
	drop_place(change);
	/* What has become of its wire is not known. */
	nic_close(nic);
	finish(change, error);
}

static int plug(struct change *change, struct mvm_error **err)
{
	struct supervisor *supervisor = change->network->supervisor;
	const struct nic *nic = change->place->nic;
	struct mvm_machine_nic card = {.fd = nic->machine_fd};

	memcpy(card.mac, nic->mac, sizeof(card.mac));
	return supervisor->backend->plug_nic(supervisor->machine, &card, plugged, change, err);
}

void change_joined(struct place *place)
{
	struct change *change = place->network->changes;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (place->nic->inside || plug(change, &err) < 0)
		plugged(change, err);
}

void change_failed(struct place *place, struct mvm_error *error)
{
	struct change *change = place->network->changes;

	drop_place(change);
	finish(change, error);
	mvm_error_free(error);
}

static int start_connect(struct change *change, struct mvm_error **err)
{
	struct network *network = change->network;
	struct place *place = NULL;
	size_t index;

	if (place_create(network, change->connect, &place, err) < 0)
		return -1;
	if (find_place(network, place->config->name, &index))
		mvm_fail(err, MVM_ERR_CONFLICT, "endpoint with name %s already exists in network %s",
			 network->supervisor->container->config.name, place->config->name);
	else if (place_take_nic(place, err) == 0) {
		change->place = place;
		place->new = true;
		place_join(place);
		return 0;
	}
	place_destroy(place);
	return -1;
}

/* --- disconnect --- */

static int commit_disconnect(const struct change *change, struct mvm_error **err)
{
	struct supervisor *supervisor = change->network->supervisor;
	struct mvm_container_config *config = &supervisor->container->config;

	if (mvm_state_disconnect(supervisor->state, config->id, change->disconnect, err) < 0)
		return -1;
	mvm_container_disconnect(config, change->disconnect, NULL);
	return 0;
}

/* By force it goes even where the guest has not obeyed: what it sends reaches nobody then. */
static void disconnected(void *arg, const struct mvm_error *error)
{
	struct change *change = arg;
	struct network *network = change->network;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	bool gone = machine_is_gone(network);

	if (!gone && (!error || change->force) && commit_disconnect(change, &err) == 0) {
		drop_place(change);
		note_places(network);
		finish(change, NULL);
		return;
	}
	rearrange(change, true, NULL);
	change->place = NULL;
	if (!gone)
		finish(change, error && !change->force ? error : err);
}

static int start_disconnect(struct change *change, struct mvm_error **err)
{
	struct network *network = change->network;

	change->place = find_place(network, change->disconnect, &change->index);
	if (!change->place)
		return mvm_fail(err, MVM_ERR_CONFLICT, "container %s is not connected to network %s",
				network->supervisor->container->config.id, change->disconnect);
	rearrange(change, false, disconnected);
	return 0;
}

/* --- the list --- */

static void begin(struct network *network)
{
	const struct supervisor *supervisor = network->supervisor;
	struct change *change = network->changes;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (!change || change->place || supervisor->phase != PHASE_RUNNING || machine_is_gone(network))
		return;
	if (change->connect ? start_connect(change, &err) < 0 : start_disconnect(change, &err) < 0)
		finish(change, err);
}

void network_run_changes(struct network *network)
{
	if (network)
		begin(network);
}

void network_suspend_changes(struct network *network)
{
	/* What the guest was to answer has been taken back with the agent. */
	if (network && network->changes && network->changes->place)
		drop_place(network->changes);
}

void network_refuse_changes(struct network *network)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	network_suspend_changes(network);
	mvm_fail(&err, MVM_ERR_INTERRUPTED, "the container has just ended");
	while (network->changes)
		finish(network->changes, err);
}

static void add(struct supervisor *supervisor, struct change *fresh, struct relay *relay)
{
	struct change **at = &supervisor->network->changes;

	while (*at)
		at = &(*at)->next;
	*at = mvm_alloc(sizeof(*fresh));
	**at = *fresh;
	(*at)->network = supervisor->network;
	(*at)->relay = relay;
	begin(supervisor->network);
}

/* Neither a helper's container nor one whose machine is not made yet is on any network: config.json is all there is. */
void connect_apply(struct supervisor *supervisor, const char *endpoint, struct relay *relay)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const char *id = supervisor->container->config.id;

	if (supervisor->network) {
		add(supervisor, &(struct change){.connect = mvm_strdup(endpoint)}, relay);
		return;
	}
	if (mvm_state_connect(supervisor->state, id, endpoint, &err) == 0)
		mvm_container_connect(&supervisor->container->config, endpoint);
	relayed(relay, err);
}

void disconnect_apply(struct supervisor *supervisor, const char *network, bool force, struct relay *relay)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const char *id = supervisor->container->config.id;

	if (supervisor->network) {
		add(supervisor, &(struct change){.disconnect = mvm_strdup(network), .force = force}, relay);
		return;
	}
	if (mvm_state_disconnect(supervisor->state, id, network, &err) == 0)
		mvm_container_disconnect(&supervisor->container->config, network, NULL);
	relayed(relay, err);
}
