/* Networks that change while a container runs: guest, machine and the networks' processes answer when the test says so.
 */
#include "calls.h"

#include "runtime/base/io.h"
#include "runtime/state/connect.h"
#include "runtime/supervisor/network_internal.h"
#include "tests/unit/state/world.h"

struct relay {
	int number;
};

enum { RELAYS = 6 };

static struct {
	struct {
		agent_done_fn done;
		void *arg;
	} order, plug; /* the last */
	struct place *joining;
	bool gone, no_nic;
} fake;

/* The parts that connect.c and network.c call */

void relayed(void *arg, const struct mvm_error *error)
{
	struct relay *relay = arg;

	called("answer%d:%s", relay->number, error ? mvm_error_code_name(mvm_error_code(error)) : "ok");
}

void supervisor_save(struct supervisor *supervisor)
{
	called("save:%zu", supervisor->container->state.endpoints.count);
}

bool agent_is_connected(const struct agent *agent)
{
	return !fake.gone;
}

void agent_network(struct agent *agent, const struct mvm_proto_network *order, agent_done_fn done, void *arg)
{
	called("guest");
	for (char *const *text = order->interfaces; text && *text; text++)
		called("[%s]", *text);
	for (char *const *edit = order->edits; edit && *edit; edit += 3)
		if (!strcmp(edit[0], "/etc/hosts"))
			called("hosts:%zu:%zu", strlen(edit[1]), strlen(edit[2]));
	fake.order.done = done;
	fake.order.arg = arg;
}

int place_create(struct network *network, const char *text, struct place **out, struct mvm_error **err)
{
	struct place *place = mvm_alloc(sizeof(*place));

	*place = (struct place){.network = network, .mtu = 1500};
	if (mvm_net_endpoint_parse(text, &place->endpoint, err) < 0 ||
	    mvm_network_load(network->supervisor->state, place->endpoint.network, &place->config, err) < 0) {
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
	called("leave:%s", place->config ? place->config->name : "none");
	if (place->nic)
		place->nic->taken = false;
	mvm_net_endpoint_finish(&place->endpoint);
	mvm_network_free(place->config);
	free(place);
}

int place_take_nic(struct place *place, struct mvm_error **err)
{
	struct nic *nic = place->network->nics;

	if (fake.no_nic)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "no room");
	while (nic->taken)
		nic++;
	nic->taken = true;
	place->nic = nic;
	return 0;
}

void nic_close(struct nic *nic)
{
	nic->inside = false;
}

static void settle(struct place *place)
{
	free(place->endpoint.ip);
	free(place->endpoint.mac);
	place->endpoint.ip = mvm_format("%.*s7/24", (int)strlen(place->config->gateway) - 1, place->config->gateway);
	place->endpoint.gateway = mvm_strdup(place->config->gateway);
	place->endpoint.mac = mvm_format("mac-%s", place->config->name);
	place->joined = true;
}

void place_join(struct place *place)
{
	called("join:%s", place->config->name);
	if (place->new)
		fake.joining = place;
	else
		settle(place);
}

void place_revise(struct place *place)
{
}

static int plug_nic(struct mvm_machine *machine, const struct mvm_machine_nic *nic,
		    void (*done)(void *arg, const struct mvm_error *error), void *arg, struct mvm_error **err)
{
	called("plug");
	fake.plug.done = done;
	fake.plug.arg = arg;
	return 0;
}

static const struct mvm_backend_ops backend = {.plug_nic = plug_nic};

/* The world: a container that runs on the network front */

struct vm {
	struct world *world;
	struct supervisor supervisor;
	struct relay relays[RELAYS];
};

static void add_network(struct world *world, const char *name, int number)
{
	struct mvm_network network = {.name = (char *)name, .mtu = 1500};
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	assert_ok(mvm_network_lock_all(world->state, &lock, &err));
	network.subnet = mvm_format("10.0.%d.0/24", number);
	network.gateway = mvm_format("10.0.%d.1", number);
	assert_ok(mvm_network_create(world->state, &network, &err));
	free(network.id);
	free(network.subnet);
	free(network.gateway);
}

static int setup(void **state)
{
	struct vm *vm = mvm_alloc(sizeof(*vm));
	char *id MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;
	struct supervisor *supervisor = &vm->supervisor;
	struct mvm_machine_nic nics[MVM_MACHINE_NICS_MAX];

	world_setup((void **)&vm->world);
	add_network(vm->world, "front", 1);
	add_network(vm->world, "back", 2);
	id = world_add(vm->world, "web", false, NULL);
	*supervisor = (struct supervisor){
		.state = vm->world->state, .phase = PHASE_RUNNING, .backend = &backend, .agent = (struct agent *)vm};
	assert_ok(mvm_state_connect(vm->world->state, id, "front", &err));
	assert_ok(mvm_state_load(vm->world->state, id, &supervisor->container, &err));
	supervisor->container->config.hostname = mvm_strdup("web");
	assert_ok(network_join(supervisor, &supervisor->network, &err));
	assert_int_equal(network_nics(supervisor->network, nics), 1);
	for (int i = 0; i < RELAYS; i++)
		vm->relays[i].number = i;
	forget_calls();
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	network_leave(vm->supervisor.network);
	mvm_container_free(vm->supervisor.container);
	world_teardown((void **)&vm->world);
	mvm_buf_finish(&calls);
	memset(&fake, 0, sizeof(fake));
	free(vm);
	return 0;
}

static void answer(agent_done_fn done, void *arg, enum mvm_error_code code)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (code)
		mvm_fail(&err, code, "no");
	done(arg, err);
}

static void guest_answers(enum mvm_error_code code)
{
	answer(fake.order.done, fake.order.arg, code);
}

static void card_is_in(enum mvm_error_code code)
{
	answer(fake.plug.done, fake.plug.arg, code);
}

static void joined(void)
{
	settle(fake.joining);
	change_joined(fake.joining);
}

/* By name, in order; on disk and in memory. */
static void expect_networks(const struct vm *vm, const char *expected)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;
	char *saved MVM_CLEAN_FREE = NULL, *known MVM_CLEAN_FREE = NULL;

	assert_ok(mvm_state_load(vm->world->state, vm->supervisor.container->config.id, &container, &err));
	saved = mvm_strv_join(&container->config.networks, " ");
	known = mvm_strv_join(&vm->supervisor.container->config.networks, " ");
	assert_string_equal(saved, expected);
	assert_string_equal(known, expected);
}

#define FRONT_STAYS "[ ip=10.0.1.7/24]"
#define BACK_COMES  "[mac=mac-back name=eth1 mtu=1500 ip=10.0.2.7/24]"

static void connect_back(struct vm *vm)
{
	connect_apply(&vm->supervisor, "name=back,alias=db", &vm->relays[0]);
	joined();
	card_is_in(0);
	guest_answers(0);
	forget_calls();
}

static void one_more_network(void **state)
{
	struct vm *vm = *state;

	connect_apply(&vm->supervisor, "name=back,alias=db", &vm->relays[1]);
	expect_calls("join:back");
	joined();
	expect_calls("plug");
	card_is_in(0);
	expect_calls("guest " BACK_COMES " " FRONT_STAYS " hosts:0:13");
	expect_networks(vm, "front");
	guest_answers(0);
	expect_calls("save:2 answer1:ok");
	expect_networks(vm, "front name=back,alias=db");
}

static void what_it_is_on_already(void **state)
{
	struct vm *vm = *state;

	connect_apply(&vm->supervisor, "front", &vm->relays[1]);
	expect_calls("leave:front answer1:conflict");
	connect_apply(&vm->supervisor, "nosuch", &vm->relays[2]);
	expect_calls("leave:none answer2:not-found");
	fake.no_nic = true;
	connect_apply(&vm->supervisor, "back", &vm->relays[3]);
	expect_calls("leave:back answer3:unsupported");
	disconnect_apply(&vm->supervisor, "back", false, &vm->relays[4]);
	expect_calls("answer4:conflict");
	expect_networks(vm, "front");
}

/* Whoever fails, all is as it was, and the next one that waits has its turn. */
static void what_fails_leaves_no_trace(void **state)
{
	struct vm *vm = *state;
	struct mvm_error *err = NULL;

	connect_apply(&vm->supervisor, "back", &vm->relays[1]);
	connect_apply(&vm->supervisor, "back", &vm->relays[2]);
	connect_apply(&vm->supervisor, "back", &vm->relays[3]);
	connect_apply(&vm->supervisor, "back", &vm->relays[4]);
	expect_calls("join:back");
	mvm_fail(&err, MVM_ERR_CONFLICT, "Address already in use");
	change_failed(fake.joining, err);
	expect_calls("leave:back answer1:conflict join:back");
	joined();
	card_is_in(MVM_ERR_UNSUPPORTED);
	expect_calls("plug leave:back answer2:unsupported join:back");
	joined();
	card_is_in(0);
	forget_calls();
	guest_answers(MVM_ERR_TIMEOUT);
	expect_calls("guest [mac=mac-back off] " FRONT_STAYS " hosts:14:1 leave:back answer3:timeout join:back");
	assert_int_equal(vm->supervisor.network->count, 1);
	/* The card that the last one has left. */
	joined();
	expect_calls("guest " BACK_COMES " " FRONT_STAYS " hosts:0:13");
	guest_answers(0);
	expect_calls("save:2 answer4:ok");
	expect_networks(vm, "front back");
}

static void one_less(void **state)
{
	struct vm *vm = *state;

	connect_back(vm);
	disconnect_apply(&vm->supervisor, "front", false, &vm->relays[1]);
	expect_calls("guest [mac=mac-front off] [mac=mac-back ip=10.0.2.7/24 via=10.0.2.1] hosts:14:1");
	expect_networks(vm, "front name=back,alias=db");
	guest_answers(0);
	expect_calls("leave:front save:1 answer1:ok");
	expect_networks(vm, "name=back,alias=db");
	/* The last one, too; and what comes next leads out. */
	disconnect_apply(&vm->supervisor, "back", false, &vm->relays[2]);
	guest_answers(0);
	expect_calls("guest [mac=mac-back off] hosts:14:1 leave:back save:0 answer2:ok");
	connect_apply(&vm->supervisor, "front", &vm->relays[3]);
	joined();
	expect_calls("join:front guest [mac=mac-front name=eth0 mtu=1500 ip=10.0.1.7/24 via=10.0.1.1] hosts:0:13");
	guest_answers(0);
	expect_calls("save:1 answer3:ok");
	expect_networks(vm, "front");
}

static void the_greatest_priority_leads_out(void **state)
{
	struct vm *vm = *state;

	connect_apply(&vm->supervisor, "name=back,gw-priority=1", &vm->relays[1]);
	joined();
	card_is_in(0);
	guest_answers(0);
	expect_calls("join:back plug guest [mac=mac-back name=eth1 mtu=1500 ip=10.0.2.7/24 via=10.0.2.1] " FRONT_STAYS
		     " hosts:0:13 save:2 answer1:ok");
	disconnect_apply(&vm->supervisor, "back", false, &vm->relays[2]);
	guest_answers(0);
	expect_calls("guest [mac=mac-back off] [mac=mac-front ip=10.0.1.7/24 via=10.0.1.1] hosts:14:1 leave:back "
		     "save:1 answer2:ok");
}

static void a_guest_that_does_not_obey(void **state)
{
	struct vm *vm = *state;

	connect_back(vm);
	disconnect_apply(&vm->supervisor, "back", false, &vm->relays[1]);
	forget_calls();
	guest_answers(MVM_ERR_TIMEOUT);
	expect_calls("guest " BACK_COMES " " FRONT_STAYS " hosts:0:13 answer1:timeout");
	expect_networks(vm, "front name=back,alias=db");
	disconnect_apply(&vm->supervisor, "back", true, &vm->relays[2]);
	forget_calls();
	guest_answers(MVM_ERR_TIMEOUT);
	expect_calls("leave:back save:1 answer2:ok");
	expect_networks(vm, "front");
}

/* It waits for the next round, and is made then. */
static void the_machine_ends_in_between(void **state)
{
	struct vm *vm = *state;

	for (int at = 0; at < 4; at++) {
		connect_apply(&vm->supervisor, "back", &vm->relays[at]);
		if (at > 0)
			joined();
		if (at == 2)
			card_is_in(0);
		fake.gone = true;
		if (at == 2)
			guest_answers(MVM_ERR_CONFLICT);
		if (at == 3)
			card_is_in(0);
		network_suspend_changes(vm->supervisor.network);
		assert_int_equal(vm->supervisor.network->count, 1);
		expect_networks(vm, "front");
		network_run_changes(vm->supervisor.network);
		forget_calls();
		fake.gone = false;
		network_run_changes(vm->supervisor.network);
		expect_calls("join:back");
		joined();
		if (at != 2)
			card_is_in(0);
		guest_answers(0);
		forget_calls();
		expect_networks(vm, "front back");
		disconnect_apply(&vm->supervisor, "back", false, &vm->relays[at]);
		fake.gone = true;
		guest_answers(MVM_ERR_CONFLICT);
		network_suspend_changes(vm->supervisor.network);
		assert_int_equal(vm->supervisor.network->count, 2);
		fake.gone = false;
		network_run_changes(vm->supervisor.network);
		guest_answers(0);
		expect_networks(vm, "front");
		vm->supervisor.network->nics[1].inside = false;
	}
}

static void the_container_ends_in_between(void **state)
{
	struct vm *vm = *state;

	connect_apply(&vm->supervisor, "back", &vm->relays[1]);
	disconnect_apply(&vm->supervisor, "front", false, &vm->relays[2]);
	vm->supervisor.phase = PHASE_ENDED;
	network_leave(vm->supervisor.network);
	vm->supervisor.network = NULL;
	expect_calls("join:back leave:back answer1:interrupted answer2:interrupted leave:front");
	expect_networks(vm, "front");
	/* From then on the configuration is all there is. */
	connect_apply(&vm->supervisor, "back", &vm->relays[3]);
	disconnect_apply(&vm->supervisor, "front", false, &vm->relays[4]);
	disconnect_apply(&vm->supervisor, "front", false, &vm->relays[5]);
	expect_calls("answer3:ok answer4:ok answer5:conflict");
	expect_networks(vm, "back");
}

#define VM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VM_TEST(one_more_network),
		VM_TEST(what_it_is_on_already),
		VM_TEST(what_fails_leaves_no_trace),
		VM_TEST(one_less),
		VM_TEST(the_greatest_priority_leads_out),
		VM_TEST(a_guest_that_does_not_obey),
		VM_TEST(the_machine_ends_in_between),
		VM_TEST(the_container_ends_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
