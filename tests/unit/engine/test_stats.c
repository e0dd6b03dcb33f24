/* Figures of many containers at once, from supervisors that answer, that do not, and that go away. */
#include "world.h"

#include "runtime/base/loop.h"

#define SECOND 1000000000ULL

static json_t *figures(const json_t *request, json_int_t cpu)
{
	return json_pack("{sO, sb, s{sI, sI}}", "id", json_object_get(request, "id"), "ok", 1, "stats", "at",
			 (json_int_t)1000, "cpu", cpu);
}

/* Two answers, an event before the second, and the end. */
static int answer_twice(struct world *world, const char *id, struct mvm_control *client)
{
	for (json_int_t round = 1; round <= 2; round++) {
		json_t *request MVM_CLEAN_JSON = world_request(client, "stats");

		if (!request)
			return 1;
		if (round == 2 &&
		    mvm_control_send(client, json_pack("{ss, ss}", "event", "notice", "text", "x"), NULL, 0, NULL) < 0)
			return 2;
		if (mvm_control_send(client, figures(request, round * 10), NULL, 0, NULL) < 0)
			return 3;
	}
	return 0;
}

static int refuse(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request MVM_CLEAN_JSON = world_request(client, "stats");

	return mvm_control_send(client,
				json_pack("{sO, s{ss, ss}}", "id", json_object_get(request, "id"), "error", "code",
					  "conflict", "message", "paused"),
				NULL, 0, NULL) < 0;
}

/* Until the client goes. */
static int say_nothing(struct world *world, const char *id, struct mvm_control *client)
{
	json_t *request MVM_CLEAN_JSON = world_request(client, "stats"), *more MVM_CLEAN_JSON = NULL;

	return mvm_control_receive(client, &more, NULL) != MVM_CONTROL_CLOSED;
}

/* In small steps, for one that hangs would take all of the time. */
static struct mvm_stats_pair collect_answers(struct mvm_stats_board *board, const char *id, int wanted)
{
	struct mvm_error *err = NULL;

	for (int tries = 0; tries < 300; tries++) {
		struct mvm_stats_pair pair = mvm_stats_board_get(board, id);

		if (wanted == 1 ? pair.now != NULL : pair.before != NULL)
			return pair;
		assert_ok(mvm_stats_board_collect(board, mvm_now_ns() + SECOND / 10, false, &err));
	}
	fail_msg("no %d answers in 30 s", wanted);
	return (struct mvm_stats_pair){NULL, NULL};
}

static void one_that_hangs_holds_up_nobody(void **state)
{
	struct world *world = *state;
	char *ids[3] = {world_add(world, "good", false, NULL), world_add(world, "hangs", false, NULL),
			world_add(world, "paused", false, NULL)};
	pid_t pids[3] = {world_supervise(world, ids[0], answer_twice), world_supervise(world, ids[1], say_nothing),
			 world_supervise(world, ids[2], refuse)};
	struct mvm_stats_board *board = mvm_stats_board_create(world->engine);
	struct mvm_container *list[3] = {world_load(world, ids[0]), world_load(world, ids[1]),
					 world_load(world, ids[2])};
	struct mvm_error *err = NULL;
	struct mvm_stats_pair pair;

	mvm_stats_board_ask(board, list, 3);
	pair = collect_answers(board, ids[0], 1);
	assert_true(!pair.before && pair.now->cpu == 10 && pair.now->at == 1000);
	assert_null(mvm_stats_board_get(board, ids[1]).now);
	assert_null(mvm_stats_board_get(board, ids[2]).now);
	assert_int_equal(wait_for_exit(pids[2]), 0);

	mvm_stats_board_ask(board, list, 2);
	pair = collect_answers(board, ids[0], 2);
	assert_true(pair.before->cpu == 10 && pair.now->cpu == 20);
	assert_int_equal(wait_for_exit(pids[0]), 0);

	/* Whoever is not asked for any more is let go, and one that has gone is no error. */
	mvm_stats_board_ask(board, list, 1);
	assert_int_equal(wait_for_exit(pids[1]), 0);
	assert_ok(mvm_stats_board_collect(board, mvm_now_ns() + SECOND * 5, false, &err));
	mvm_stats_board_destroy(board);
	for (size_t i = 0; i < 3; i++) {
		mvm_container_free(list[i]);
		free(ids[i]);
	}
}

static void nobody_there_is_no_error(void **state)
{
	struct world *world = *state;
	struct mvm_stats_board *board = mvm_stats_board_create(world->engine);
	char *id MVM_CLEAN_FREE = world_add(world, "made", false, NULL);
	struct mvm_container *container MVM_CLEAN_CONTAINER = world_load(world, id);
	struct mvm_error *err = NULL;

	mvm_stats_board_ask(board, &container, 1);
	assert_ok(mvm_stats_board_collect(board, mvm_now_ns() + 60 * SECOND, false, &err));
	assert_null(mvm_stats_board_get(board, id).now);
	mvm_stats_board_ask(board, NULL, 0);
	assert_null(mvm_stats_board_get(board, id).now);
	mvm_stats_board_destroy(board);
	mvm_stats_board_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(one_that_hangs_holds_up_nobody),
		WORLD_TEST(nobody_there_is_no_error),
	};

	/* As the command line has it. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
