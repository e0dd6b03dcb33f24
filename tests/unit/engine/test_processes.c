/* Lists of processes, as a guest sends them or as an attacker in one would. */
#include "world.h"

#include "runtime/engine/processes.h"

#define MACHINE "1000\t100\t524288\n"
#define SHELL	"70\t1\t1\t1\t1\t0\troot\t0\troot\tS\t1\t34816\t20\t0\t1\t2260\t1340\t400\t50\tsh\tsh -c x\n"
#define CHILD	"9\t5\t70\t1\t1\t1000\t\t1001\t\tZ\t0\t0\t20\t5\t2\t0\t0\t500\t0\tsl\x1b\x65p\t\n"

static void numbers_are_the_containers(void **state)
{
	static const char text[] = MACHINE CHILD SHELL;
	struct mvm_process_list list MVM_CLEAN_PROCESSES = {0};
	struct mvm_error *err = NULL;

	assert_ok(mvm_processes_parse(text, sizeof(text) - 1, &list, &err));
	assert_true(list.uptime == 1000 && list.ticks == 100 && list.memory == 524288);
	assert_int_equal(list.count, 2);
	assert_true(list.items[0].pid == 1 && list.items[0].ppid == 0 && list.items[0].foreground);
	assert_true(list.items[0].tty == 34816 && list.items[0].resident == 1340 && list.items[0].used == 50);
	assert_string_equal(list.items[0].args, "sh -c x");
	/* Its parent by the container's number, a user without a name, and nothing for a terminal to obey. */
	assert_true(list.items[1].pid == 5 && list.items[1].ppid == 1 && list.items[1].nice == 5);
	assert_string_equal(list.items[1].user, "1000");
	assert_string_equal(list.items[1].grp, "1001");
	assert_string_equal(list.items[1].name, "sl?ep");
	assert_string_equal(list.items[1].args, "");
}

static void what_is_malformed_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"1000\t100\t524288",
		"1000\t100\n",
		"1000\t0\t524288\n",
		"1000\t100\t5\t5\n",
		"-1\t100\t524288\n",
		MACHINE "\n",
		MACHINE "70\t1\n",
		MACHINE "x" SHELL,
		MACHINE "99999999999" SHELL,
		MACHINE SHELL "70",
		MACHINE "70\t1\t1\t1\t1\t0\troot\t0\troot\tSS\t1\t0\t20\t0\t1\t0\t0\t0\t0\tsh\tx\n",
		MACHINE "70\t1\t1\t1\t1\t0\troot\t0\troot\tS\t2\t0\t20\t0\t1\t0\t0\t0\t0\tsh\tx\n",
		MACHINE "70\t1\t1\t1\t1\t0\troot\t0\troot\tS\t1\t0\t20\t0\t1\t0\t0\t0\t0\tsh\tx\ty\n",
	};
	static const char with_nul[] = MACHINE "70\t1\0\n";
	struct mvm_process_list list = {0};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(texts); i++)
		assert_error(mvm_processes_parse(texts[i], strlen(texts[i]), &list, &err), MVM_ERR_INVALID,
			     "the guest's list of processes is malformed");
	assert_error(mvm_processes_parse(with_nul, sizeof(with_nul) - 1, &list, &err), MVM_ERR_INVALID, "malformed");
	assert_null(list.items);
}

static int send_list(struct world *world, const char *id, struct mvm_control *client)
{
	static const char text[] = MACHINE SHELL;
	json_t *request MVM_CLEAN_JSON = world_request(client, "processes");
	int ends[2];

	if (!request || mvm_pipe(ends) < 0 ||
	    mvm_control_send(client, json_pack("{sO, ss}", "id", json_object_get(request, "id"), "event", "stream"),
			     &ends[0], 1, NULL) < 0 ||
	    mvm_write_full(ends[1], text, sizeof(text) - 1) < 0)
		return 1;
	close(ends[1]);
	return world_answer(client, request) < 0;
}

static void they_come_from_the_supervisor(void **state)
{
	struct world *world = *state;
	char *id MVM_CLEAN_FREE = world_add(world, "web", false, NULL);
	struct mvm_process_list list MVM_CLEAN_PROCESSES = {0};
	struct mvm_error *err = NULL;
	pid_t pid;

	assert_error(mvm_engine_processes(world->engine, "web", &list, &err), MVM_ERR_CONFLICT, "is not running");
	assert_error(mvm_engine_processes(world->engine, "nope", &list, &err), MVM_ERR_NOT_FOUND, "nope");
	pid = world_supervise(world, id, send_list);
	assert_ok(mvm_engine_processes(world->engine, "web", &list, &err));
	assert_int_equal(list.count, 1);
	assert_int_equal(wait_for_exit(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_the_containers),
		cmocka_unit_test(what_is_malformed_is_refused),
		WORLD_TEST(they_come_from_the_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
