/* What a service's container is made of: its program, labels, health, limits; and the keys that are refused. */
#include "wish.h"

#include "runtime/compose/fleet.h"

static void the_program_is_that_of_the_file_or_the_image(void **state)
{
	static const struct {
		const char *text, *entrypoint, *command;
	} cases[] = {
		{"services: {a: {image: i}}", "(none)", ""},
		{"services: {a: {image: i, command: 'sh -c \"x  y\"'}}", "(none)", "sh|-c|x  y"},
		{"services: {a: {image: i, command: [a b, '']}}", "(none)", "a b|"},
		{"services: {a: {image: i, entrypoint: 'e -x', command: [c]}}", "e|-x", "c"},
		/* The image's goes. */
		{"services: {a: {image: i, entrypoint: []}}", "", ""},
		{"services: {a: {image: i, entrypoint: null, command: null}}", "(none)", ""},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct wished wished CLEAN_WISHED = {0};

		assert_wish(&wished, cases[i].text);
		assert_list(wished.request->entrypoint, cases[i].entrypoint);
		assert_list(wished.request->command, cases[i].command);
	}
}

static void what_it_runs_in_is_as_the_file_says(void **state)
{
	struct wished wished CLEAN_WISHED = {0}, plain CLEAN_WISHED = {0}, built CLEAN_WISHED = {0};

	unsetenv("MVM_KERNEL");
	assert_wish(&wished,
		    "services: {a: {image: 'r/i:1', platform: linux/arm64, working_dir: /w, user: '1:2', hostname: h,\n"
		    " domainname: d.test, stop_signal: SIGUSR1, tty: true, stdin_open: true, init: true,\n"
		    " read_only: true, environment: {B: 2, A: 'x y', EMPTY: '', BARE: },\n"
		    " annotations: {note: n}, logging: {driver: json-file, options: {max-size: 1m, max-file: '3'}}}}",
		    .stdin_once = true, .auto_remove = true);
	assert_string_equal(wished.request->image.reference, "r/i:1");
	assert_string_equal(wished.request->image.platform, "linux/arm64");
	assert_int_equal(wished.request->image.pull, MVM_PULL_NEVER);
	assert_string_equal(wished.request->name, "p-a-1");
	assert_string_equal(wished.request->working_dir, "/w");
	assert_string_equal(wished.request->user, "1:2");
	assert_string_equal(wished.request->hostname, "h");
	assert_string_equal(wished.request->domainname, "d.test");
	assert_string_equal(wished.request->stop_signal, "SIGUSR1");
	assert_true(wished.request->tty && wished.request->open_stdin && wished.request->init &&
		    wished.request->read_only && wished.request->stdin_once && wished.request->auto_remove);
	assert_list(wished.request->env, "B=2|A=x y|EMPTY=|BARE");
	assert_list(wished.request->annotations, "note=n");
	assert_string_equal(wished.request->log_driver, "json-file");
	assert_list(wished.request->log_options, "max-size=1m|max-file=3");
	assert_null(wished.request->kernel);

	setenv("MVM_KERNEL", "some", 1);
	assert_wish(&plain, "services: {a: {image: i, tty: false}}", .stdin_once = true);
	unsetenv("MVM_KERNEL");
	assert_false(plain.request->tty || plain.request->open_stdin || plain.request->init ||
		     plain.request->read_only || plain.request->auto_remove || plain.request->privileged);
	/* Nobody's input is open. */
	assert_false(plain.request->stdin_once);
	assert_null(plain.request->image.platform);
	assert_null(plain.request->log_driver);
	assert_list(plain.request->env, "");
	assert_string_equal(plain.request->kernel, "some");

	assert_wish(&built, "services: {a: {build: .}}");
	assert_string_equal(built.request->image.reference, "p-a");
}

/* Docker's, after the file's own. */
static void check_labels(const struct wished *wished, const char *folder, const char *own, const char *oneoff,
			 const char *number, const char *depends)
{
	struct mvm_error *err = NULL;
	char *wanted MVM_CLEAN_FREE = NULL, hash[65];

	assert_ok(mvm_compose_hash(wished->compose, "a", hash, &err));
	wanted = mvm_format("%s" MVM_LABEL_PROJECT "=p|" MVM_LABEL_SERVICE "=a|" MVM_LABEL_ONEOFF
			    "=%s|" MVM_LABEL_CONFIG_HASH "=%s|%s" MVM_LABEL_IMAGE "=sha256:0123|" MVM_LABEL_CONFIG_FILES
			    "=%s/compose.yaml|" MVM_LABEL_WORKING_DIR "=%s|" MVM_LABEL_DEPENDS_ON
			    "=%s|" MVM_LABEL_VERSION "=" MVM_VERSION,
			    own, oneoff, hash, number, folder, folder, depends);
	assert_list(wished->request->labels, wanted);
}

static void it_has_the_labels_that_docker_compose_finds_it_by(void **state)
{
	struct wished usual CLEAN_WISHED = {0}, oneoff CLEAN_WISHED = {0}, more CLEAN_WISHED = {0};
	struct mvm_strv labels MVM_CLEAN_STRV = {0};
	char *all MVM_CLEAN_FREE = NULL;

	assert_wish(
		&usual,
		"services:\n  a: {image: i, labels: {x: 1, empty: },\n"
		"    depends_on: {b: {condition: service_healthy, restart: true}, c: {condition: service_started}}}\n"
		"  b: {image: i}\n  c: {image: i}\n",
		.number = 3);
	check_labels(&usual, *state, "x=1|empty=|", "False", MVM_LABEL_NUMBER "=3|",
		     "b:service_healthy:true,c:service_started:false");
	assert_wish(&oneoff, "services: {a: {image: i}}", .oneoff = true);
	check_labels(&oneoff, *state, "", "True", "", "");
	mvm_strv_add(&labels, "one=1");
	mvm_strv_add(&labels, "two=2");
	assert_wish(&more, "services: {a: {image: i}}", .labels = &labels);
	all = mvm_strv_join(more.request->labels, "|");
	assert_non_null(strstr(all, "|one=1|two=2"));
}

static void health_is_looked_after_as_the_file_says(void **state)
{
	struct wished full CLEAN_WISHED = {0}, none CLEAN_WISHED = {0}, disabled CLEAN_WISHED = {0};

	assert_wish(&full, "services: {a: {image: i, healthcheck: {test: 'true || x', interval: 1m30s, timeout: 1ms,\n"
			   " start_period: 2s, start_interval: 500ms, retries: 4}}}");
	assert_list(&full.request->health_check->test, "CMD-SHELL|true || x");
	assert_int_equal(full.request->health_check->interval, 90000000000);
	assert_int_equal(full.request->health_check->timeout, 1000000);
	assert_int_equal(full.request->health_check->start_period, 2000000000);
	assert_int_equal(full.request->health_check->start_interval, 500000000);
	assert_int_equal(full.request->health_check->retries, 4);
	assert_wish(&none, "services: {a: {image: i}}");
	assert_list(&none.request->health_check->test, "");
	assert_int_equal(none.request->health_check->interval, 0);
	assert_wish(&disabled, "services: {a: {image: i, healthcheck: {test: [CMD, x], disable: true}}}");
	assert_list(&disabled.request->health_check->test, "NONE");
}

static void a_container_is_restarted_as_the_file_or_its_deployment_says(void **state)
{
	static const struct {
		const char *keys, *wanted; /* NULL: nothing is said */
	} cases[] = {
		{"tty: false", NULL},
		{"restart: always", "always"},
		{"restart: 'on-failure:3'", "on-failure:3"},
		{"restart: 'no'", "no"},
		{"deploy: {restart_policy: {}}", "always"},
		{"deploy: {restart_policy: {condition: any}}", "always"},
		{"deploy: {restart_policy: {condition: none}}", "no"},
		{"deploy: {restart_policy: {condition: on-failure}}", "on-failure"},
		{"deploy: {restart_policy: {condition: on-failure, max_attempts: 5}}", "on-failure:5"},
		{"restart: unless-stopped, deploy: {restart_policy: {condition: none}}", "unless-stopped"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct wished wished CLEAN_WISHED = {0}, oneoff CLEAN_WISHED = {0};
		char *text MVM_CLEAN_FREE = mvm_format("services: {a: {image: i, %s}}", cases[i].keys);

		assert_wish(&wished, text);
		if (cases[i].wanted)
			assert_string_equal(wished.request->restart, cases[i].wanted);
		else
			assert_null(wished.request->restart);
		/* What is run once is not run again. */
		assert_wish(&oneoff, text, .oneoff = true);
		assert_null(oneoff.request->restart);
	}
}

static void limits_are_those_of_the_file_or_its_deployment(void **state)
{
	static const char deploy[] = "deploy: {resources: {limits: {cpus: 1.5, memory: 64M, pids: 10},"
				     " reservations: {memory: 32M}}}";
	static const struct {
		const char *keys;
		int64_t nano_cpus, memory, reservation, pids;
	} cases[] = {
		{"tty: false", 0, 0, 0, 0},
		{deploy, 1500000000, 64 << 20, 32 << 20, 10},
		{"cpus: 0.1, mem_limit: 16m, mem_reservation: 8m, pids_limit: 7", 100000000, 16 << 20, 8 << 20, 7},
		{"cpus: '2'", 2000000000, 0, 0, 0},
		{"cpu_quota: 50000", 500000000, 0, 0, 0},
		{"cpu_quota: 50000, cpu_period: 25000", 2000000000, 0, 0, 0},
		{"cpus: 3, cpu_quota: 50000", 3000000000, 0, 0, 0},
		{"pids_limit: -1", 0, 0, 0, -1},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct wished wished CLEAN_WISHED = {0};
		char *text MVM_CLEAN_FREE = mvm_format("services: {a: {image: i, %s}}", cases[i].keys);

		assert_wish(&wished, text);
		assert_int_equal(wished.request->nano_cpus, cases[i].nano_cpus);
		assert_int_equal(wished.request->memory, cases[i].memory);
		assert_int_equal(wished.request->memory_reservation, cases[i].reservation);
		assert_int_equal(wished.request->pids_limit, cases[i].pids);
	}
}

static void rights_and_other_limits_are_passed_on(void **state)
{
	struct wished wished CLEAN_WISHED = {0}, plain CLEAN_WISHED = {0};

	assert_wish(&wished,
		    "services: {a: {image: i, privileged: true, cap_add: [NET_ADMIN], cap_drop: [CHOWN, KILL],\n"
		    " security_opt: ['no-new-privileges:true'], group_add: ['5', audio], tmpfs: [/t, '/u:size=1m'],\n"
		    " ulimits: {nproc: 5, nofile: {soft: 10, hard: 20}}, sysctls: {net.core.somaxconn: 1024},\n"
		    " cpu_shares: 512, oom_score_adj: -5, shm_size: 2m, stop_grace_period: 1s500ms,\n"
		    " storage_opt: {size: 3G}}}");
	assert_true(wished.request->privileged);
	assert_list(wished.request->cap_add, "NET_ADMIN");
	assert_list(wished.request->cap_drop, "CHOWN|KILL");
	assert_list(wished.request->security_opt, "no-new-privileges:true");
	assert_list(wished.request->group_add, "5|audio");
	assert_list(wished.request->tmpfs, "/t|/u:size=1m");
	assert_list(wished.request->ulimits, "nproc=5|nofile=10:20");
	assert_list(wished.request->sysctls, "net.core.somaxconn=1024");
	assert_int_equal(wished.request->cpu_shares, 512);
	assert_int_equal(wished.request->oom_score_adj, -5);
	assert_int_equal(wished.request->shm_size, 2 << 20);
	assert_int_equal(wished.request->disk_size, (uint64_t)3 << 30);
	/* Whole seconds, and never less than what was asked for. */
	assert_true(wished.request->has_stop_timeout);
	assert_int_equal(wished.request->stop_timeout, 2);

	assert_wish(&plain, "services: {a: {image: i}}");
	assert_false(plain.request->has_stop_timeout);
	assert_int_equal(plain.request->disk_size, 0);
}

static void what_the_engine_would_refuse_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *keys, *message;
	} cases[] = {
		{"healthcheck: {test: [CMD, x], interval: 10us}",
		 "compose.yaml:4:45: healthcheck.interval cannot be less than 1ms"},
		{"healthcheck: {test: [CMD, x], timeout: 1ns}",
		 "compose.yaml:4:44: healthcheck.timeout cannot be less than 1ms"},
		{"restart: sometimes", "compose.yaml:4:14: invalid restart policy: unknown policy 'sometimes'"},
		{"storage_opt: {size: much}", "compose.yaml:4:25: invalid size: 'much'"},
		{"cap_add: [NET_MAGIC]", "compose.yaml:3:5: "},
		{"ulimits: {magic: 5}", "compose.yaml:3:5: "},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *text MVM_CLEAN_FREE = mvm_format("services:\n  a:\n    image: i\n    %s\n", cases[i].keys);

		check_wish_refused(text, cases[i].message);
	}
}

/* Of the service "a"; what there is to warn of is in `warnings`. */
static int check_keys(const char *keys, struct mvm_buf *warnings, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = mvm_format("services:\n  a:\n    image: i\n    %s\n  b: {image: i}\n", keys);
	const struct mvm_compose_options options = {.project_name = "p", .warn = keep_warning, .arg = warnings};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = load_text(&options, text);

	warnings->length = 0;
	return service_check_keys(compose, "a", node_get(section_of(compose->model, "services"), "a"), err);
}

static void keys_that_would_make_it_another_service_are_refused(void **state)
{
	static const struct {
		const char *keys, *message;
	} cases[] = {
		{"devices: [/dev/null]", "compose.yaml:4:14: services.a.devices is not possible: devices of the host"},
		{"gpus: all", "compose.yaml:4:11: services.a.gpus is not possible: devices of the host"},
		{"external_links: [x]",
		 "compose.yaml:4:21: services.a.external_links is not possible: put both on one"},
		{"use_api_socket: true", "compose.yaml:4:21: services.a.use_api_socket is not possible: there is no"},
		{"provider: {type: x}", "compose.yaml:4:15: services.a.provider is not possible: there are no plugins"},
		{"pid: host", "compose.yaml:4:10: services.a.pid: \"host\" cannot be: each container is a machine"},
		{"ipc: host", "compose.yaml:4:10: services.a.ipc: \"host\" cannot be: each container is a machine"},
		{"ipc: 'service:b'", "compose.yaml:4:10: services.a.ipc: \"service:b\" cannot be"},
	};
	static const char *const fine[] = {"devices: []", "use_api_socket: false", "ipc: private", "ipc: shareable",
					   "external_links: []"};
	struct mvm_buf warnings = {0};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		assert_error(check_keys(cases[i].keys, &warnings, &err), MVM_ERR_INVALID, cases[i].message);
	for (size_t i = 0; i < MVM_COUNT(fine); i++)
		assert_ok(check_keys(fine[i], &warnings, &err));
	assert_int_equal(warnings.length, 0);
	mvm_buf_finish(&warnings);
}

static void keys_without_a_meaning_here_are_warned_of(void **state)
{
	static const struct {
		const char *keys, *warning;
	} cases[] = {
		{"cpuset: '0'",
		 "compose.yaml:4:13: services.a.cpuset has no effect: each container is a machine of its own"},
		{"userns_mode: host", "compose.yaml:4:18: services.a.userns_mode has no effect"},
		{"oom_kill_disable: true", "compose.yaml:4:23: services.a.oom_kill_disable has no effect"},
		{"blkio_config: {weight: 5}", "compose.yaml:4:19: services.a.blkio_config has no effect"},
	};
	struct mvm_buf warnings = {0};
	struct mvm_error *err = NULL;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		assert_ok(check_keys(cases[i].keys, &warnings, &err));
		assert_non_null(warnings.data);
		assert_int_equal(strncmp(warnings.data, cases[i].warning, strlen(cases[i].warning)), 0);
	}
	assert_ok(check_keys("oom_kill_disable: false", &warnings, &err));
	assert_int_equal(warnings.length, 0);
	mvm_buf_finish(&warnings);
}

#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, project_setup, project_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(the_program_is_that_of_the_file_or_the_image),
		REQUEST_TEST(what_it_runs_in_is_as_the_file_says),
		REQUEST_TEST(it_has_the_labels_that_docker_compose_finds_it_by),
		REQUEST_TEST(health_is_looked_after_as_the_file_says),
		REQUEST_TEST(a_container_is_restarted_as_the_file_or_its_deployment_says),
		REQUEST_TEST(limits_are_those_of_the_file_or_its_deployment),
		REQUEST_TEST(rights_and_other_limits_are_passed_on),
		REQUEST_TEST(what_the_engine_would_refuse_is_refused_with_its_place),
		REQUEST_TEST(keys_that_would_make_it_another_service_are_refused),
		REQUEST_TEST(keys_without_a_meaning_here_are_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
