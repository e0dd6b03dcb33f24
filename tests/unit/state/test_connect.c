/* Networks of a container that change after it was made. */
#include "world.h"

#include "runtime/base/io.h"
#include "runtime/state/connect.h"
#include "runtime/state/events.h"
#include "runtime/state/network.h"

static void expect_networks(struct world *world, const char *id, const char *expected)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	char *networks MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_load(world->state, id, &container, &err));
	networks = mvm_strv_join(&container->config.networks, " ");
	assert_string_equal(networks ? networks : "", expected);
	assert_string_equal(container->config.name, "web");
}

static void one_comes_in_the_place_of_the_same(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_connect(world->state, id, "front", &err));
	assert_ok(mvm_state_connect(world->state, id, "name=back,alias=db", &err));
	assert_ok(mvm_state_connect(world->state, id, "frontier", &err));
	expect_networks(world, id, "front name=back,alias=db frontier");
	assert_ok(mvm_state_connect(world->state, id, "name=front,ip=10.0.0.7", &err));
	assert_ok(mvm_state_connect(world->state, id, "back", &err));
	expect_networks(world, id, "name=front,ip=10.0.0.7 back frontier");
}

static void those_that_go(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_connect(world->state, id, "front", &err));
	assert_ok(mvm_state_connect(world->state, id, "name=back,alias=db", &err));
	assert_ok(mvm_state_connect(world->state, id, "side", &err));
	assert_ok(mvm_state_disconnect(world->state, id, "back", &err));
	expect_networks(world, id, "front side");
	assert_error(mvm_state_disconnect(world->state, id, "back", &err), MVM_ERR_CONFLICT,
		     "is not connected to the network back");
	assert_ok(mvm_state_disconnect(world->state, id, "side", &err));
	assert_ok(mvm_state_disconnect(world->state, id, "front", &err));
	expect_networks(world, id, "");
	assert_ok(mvm_state_connect(world->state, id, "back", &err));
	expect_networks(world, id, "back");
}

static void of_one_that_has_gone(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_error *err = NULL;

	assert_ok(mvm_state_remove(world->state, id, &err));
	assert_error(mvm_state_connect(world->state, id, "front", &err), MVM_ERR_NOT_FOUND, "No such container");
	assert_error(mvm_state_disconnect(world->state, id, "front", &err), MVM_ERR_NOT_FOUND, "No such container");
}

static void whoever_watches_is_told(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_network network = {
		.name = (char *)"front", .subnet = (char *)"10.0.0.0/24", .gateway = (char *)"10.0.0.1"};
	struct mvm_event_watch *watch;
	struct mvm_event event MVM_CLEAN_EVENT = {0};
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	assert_ok(mvm_network_lock_all(world->state, &lock, &err));
	assert_ok(mvm_network_create(world->state, &network, &err));
	assert_ok(mvm_state_connect(world->state, id, "front", &err));
	assert_ok(mvm_state_connect(world->state, id, "removed", &err));
	assert_ok(mvm_event_watch_open(world->state, false, true, &watch, &err));
	assert_ok(mvm_state_disconnect(world->state, id, "removed", &err));
	assert_ok(mvm_state_disconnect(world->state, id, "front", &err));
	assert_int_equal(mvm_event_watch_next(watch, &event, &err), 0);
	assert_string_equal(event.type, "network");
	assert_string_equal(event.action, "disconnect");
	assert_string_equal(event.id, network.id);
	assert_string_equal(mvm_event_attribute(&event, "container"), id);
	assert_string_equal(mvm_event_attribute(&event, "name"), "front");
	assert_string_equal(mvm_event_attribute(&event, "type"), "bridge");
	mvm_event_watch_close(watch);
	free(network.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(one_comes_in_the_place_of_the_same),
		WORLD_TEST(those_that_go),
		WORLD_TEST(of_one_that_has_gone),
		WORLD_TEST(whoever_watches_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
