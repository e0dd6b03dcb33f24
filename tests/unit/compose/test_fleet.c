/* What belongs to a project, by its labels. */
#include "tests/unit/state/world.h"

#include "runtime/compose/fleet.h"

static void add(struct world *world, const char *name, const char *service, const char *number, const char *oneoff,
		enum mvm_status status)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = world_new(name);
	struct mvm_strv *labels = &container->config.labels;
	struct mvm_error *err = NULL;
	char *folder = NULL;
	int lock = -1;

	mvm_strv_add(labels, MVM_LABEL_CONFIG_HASH "=0");
	mvm_strv_addf(labels, "%s=%s", MVM_LABEL_NUMBER, number);
	mvm_strv_addf(labels, "%s=%s", MVM_LABEL_ONEOFF, oneoff);
	mvm_strv_addf(labels, "%s=%.2s", MVM_LABEL_PROJECT, name);
	mvm_strv_addf(labels, "%s=%s", MVM_LABEL_SERVICE, service);
	assert_ok(mvm_state_create(world->state, &container->config, &folder, &lock, &err));
	assert_ok(mvm_state_commit(world->state, &container->config, &err));
	if (status != MVM_STATUS_CREATED)
		world_set_status(world, container->config.id, status);
	close(lock);
	free(folder);
}

static int fill(void **state)
{
	int result = world_setup(state);
	struct world *world = *state;

	add(world, "p1-web-10", "web", "10", "False", MVM_STATUS_EXITED);
	add(world, "p1-web-2", "web", "2", "False", MVM_STATUS_EXITED);
	add(world, "p1-web-run-1", "web", "1", "True", MVM_STATUS_EXITED);
	add(world, "p1db", "db", "1", "False", MVM_STATUS_CREATED);
	add(world, "p2-web-1", "web", "1", "False", MVM_STATUS_EXITED);
	free(world_add(world, "other", false, NULL));
	return result;
}

static char *names(struct world *world, const struct mvm_fleet_request *request)
{
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	struct mvm_strv list MVM_CLEAN_STRV = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_fleet_load(world->state, request, &fleet, &err));
	for (size_t i = 0; i < fleet.count; i++)
		mvm_strv_add(&list, mvm_fleet_short_name(fleet.items[i]));
	return mvm_strv_join(&list, " ");
}

#define assert_names(wanted, ...)                                                                                      \
	do {                                                                                                           \
		char *found MVM_CLEAN_FREE = names(*state, &(struct mvm_fleet_request){__VA_ARGS__});                  \
		assert_string_equal(found, wanted);                                                                    \
	} while (0)

static void containers_are_found_by_labels_and_sorted_by_name(void **state)
{
	char db_name[] = "db", web_name[] = "web";
	char *const db_and_web[] = {db_name, web_name, NULL}, *const db[] = {db_name, NULL}, *const none[] = {NULL};

	assert_names("web-10 web-2 p1db", .project = "p1", .all = true);
	assert_names("web-10 web-2 p1db", .project = "p1", .all = true, .services = none);
	assert_names("web-10 web-2 p1-web-run-1 p1db", .project = "p1", .all = true, .oneoff = MVM_ONEOFF_INCLUDE);
	assert_names("p1-web-run-1", .project = "p1", .all = true, .oneoff = MVM_ONEOFF_ONLY);
	assert_names("web-10 web-2 p1db", .project = "p1", .all = true, .services = db_and_web);
	assert_names("p1db", .project = "p1", .all = true, .services = db);
	assert_names("web-10 web-2 p1db web-1", .all = true);
	assert_names("", .project = "p1");
	assert_names("", .project = "p", .all = true);
}

static void pick(struct world *world, int64_t index, enum mvm_oneoff oneoff, const char *wanted)
{
	char name[] = "web", *const web[] = {name, NULL};
	const struct mvm_fleet_request request = {.project = "p1", .services = web, .oneoff = oneoff, .all = true};
	struct mvm_container *picked MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;

	assert_ok(mvm_fleet_pick(world->state, &request, index, &picked, &err));
	assert_string_equal(picked->config.name, wanted);
}

static void the_lowest_number_is_picked_or_the_one_that_is_asked_for(void **state)
{
	char name[] = "web", *const web[] = {name, NULL};
	const struct mvm_fleet_request request = {.project = "p1", .services = web, .all = true},
				       running = {.project = "p1", .services = web};
	struct mvm_container *picked = NULL;
	struct mvm_error *err = NULL;
	struct world *world = *state;

	pick(world, 0, MVM_ONEOFF_EXCLUDE, "p1-web-2");
	pick(world, 0, MVM_ONEOFF_INCLUDE, "p1-web-2");
	pick(world, 10, MVM_ONEOFF_INCLUDE, "p1-web-10");
	pick(world, 1, MVM_ONEOFF_INCLUDE, "p1-web-run-1");
	assert_error(mvm_fleet_pick(world->state, &request, 3, &picked, &err), MVM_ERR_NOT_FOUND,
		     "service \"web\" is not running container #3");
	assert_error(mvm_fleet_pick(world->state, &running, 0, &picked, &err), MVM_ERR_NOT_FOUND,
		     "service \"web\" is not running");
	assert_null(picked);
}

static void networks_and_volumes_are_found_by_labels(void **state)
{
	struct world *world = *state;
	struct mvm_network **networks, mine = {0}, other = {0};
	struct mvm_volume **volumes;
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;
	size_t count;

	mvm_strv_add(&mine.labels, MVM_LABEL_PROJECT "=p1");
	mvm_strv_add(&other.labels, MVM_LABEL_PROJECT "=p2");
	mine.name = mvm_strdup("mine");
	other.name = mvm_strdup("other");
	mine.subnet = mvm_strdup("10.0.0.0/24");
	mine.gateway = mvm_strdup("10.0.0.1");
	other.subnet = mvm_strdup("10.0.1.0/24");
	other.gateway = mvm_strdup("10.0.1.1");
	assert_ok(mvm_network_lock_all(world->state, &lock, &err));
	assert_ok(mvm_network_create(world->state, &mine, &err));
	assert_ok(mvm_network_create(world->state, &other, &err));
	assert_ok(mvm_fleet_networks(world->state, "p1", &networks, &count, &err));
	assert_int_equal(count, 1);
	assert_string_equal(networks[0]->name, "mine");
	mvm_network_list_free(networks, count);
	assert_ok(mvm_fleet_volumes(world->state, "p1", &volumes, &count, &err));
	assert_int_equal(count, 0);
	mvm_volume_list_free(volumes, count);
	for (size_t i = 0; i < 2; i++) {
		struct mvm_network *network = i ? &other : &mine;

		mvm_strv_finish(&network->labels);
		free(network->name);
		free(network->subnet);
		free(network->gateway);
		free(network->id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(containers_are_found_by_labels_and_sorted_by_name, fill,
						world_teardown),
		cmocka_unit_test_setup_teardown(the_lowest_number_is_picked_or_the_one_that_is_asked_for, fill,
						world_teardown),
		WORLD_TEST(networks_and_volumes_are_found_by_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
