/* config.json and state.json: every field goes there and back, and damage is refused. */
#include "tests/unit/corpus.h"

#include "runtime/base/json.h"
#include "runtime/state/internal.h"

static void fill(struct mvm_container_config *config)
{
	config->id = mvm_strdup("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
	config->name = mvm_strdup("web");
	config->image = mvm_strdup("alpine:3");
	config->image_id = mvm_strdup("sha256:4242");
	config->created = (struct timespec){1795241883, 123456789};
	mvm_strv_add(&config->args, "sh");
	mvm_strv_add(&config->args, "");
	mvm_strv_add(&config->args, "a \"quoted\" caf\xc3\xa9\n");
	mvm_strv_add(&config->env, "PATH=/bin");
	config->working_dir = mvm_strdup("/srv");
	config->user = mvm_strdup("1000:1000");
	config->tty = config->open_stdin = config->stdin_once = config->init = true;
	mvm_strv_add(&config->labels, "key=value");
	config->stop_signal = mvm_strdup("SIGQUIT");
	config->restart_policy = mvm_strdup("on-failure");
	config->restart_max = 3;
	mvm_strv_add(&config->health_check.test, "CMD-SHELL");
	mvm_strv_add(&config->health_check.test, "true");
	mvm_strv_add(&config->shell, "/bin/ash");
	config->health_check.interval = 1;
	config->health_check.timeout = 2;
	config->health_check.start_period = 3;
	config->health_check.start_interval = 4;
	config->health_check.retries = 5;
	config->stop_timeout = -1;
	config->hostname = mvm_strdup("host");
	config->platform = mvm_strdup("linux/amd64");
	config->kernel = mvm_strdup("/boot/vmlinux");
	config->initramfs = mvm_strdup("/boot/initramfs.cpio");
	mvm_strv_add(&config->translators, "arm64=/usr/bin/qemu-aarch64-static");
	config->nano_cpus = 1500000000;
	config->cpus = 2;
	config->memory = 3ULL << 40;
	config->read_only = config->auto_remove = true;
	config->privileged = true;
	config->pids_limit = -1;
	config->oom_score_adj = -1000;
	config->shm_size = 1 << 20;
	config->cpu_shares = 512;
	config->domainname = mvm_strdup("example.org");
	mvm_strv_add(&config->cap_add, "CAP_SYS_ADMIN");
	mvm_strv_add(&config->cap_drop, "ALL");
	mvm_strv_add(&config->security_opt, "no-new-privileges");
	mvm_strv_add(&config->ulimits, "nofile=1:2");
	mvm_strv_add(&config->sysctls, "net.ipv4.ip_forward=1");
	mvm_strv_add(&config->group_add, "audio");
	mvm_strv_add(&config->tmpfs, "/run:size=1m");
	mvm_strv_add(&config->published_sockets, "/tmp/a.sock:/run/a.sock");
	mvm_strv_add(&config->host_sockets, "/run/b.sock");
	config->ssh_agent = mvm_strdup("/tmp/agent");
	mvm_strv_add(&config->binds, "/a:/b:ro");
	mvm_strv_add(&config->mounts, "type=bind,source=/a,target=/c");
	mvm_strv_add(&config->annotations, "key=value");
	config->disk_key = mvm_strdup("key");
	config->disk_file = mvm_strdup("root.ext4");
	config->disk_format = mvm_strdup("raw");
}

static void assert_strv_equal(const struct mvm_strv *a, const struct mvm_strv *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_string_equal(a->items[i], b->items[i]);
}

static void assert_configs_equal(const struct mvm_container_config *a, const struct mvm_container_config *b)
{
	assert_string_equal(a->id, b->id);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->image, b->image);
	assert_string_equal(a->image_id, b->image_id);
	assert_memory_equal(&a->created, &b->created, sizeof(a->created));
	assert_strv_equal(&a->args, &b->args);
	assert_strv_equal(&a->env, &b->env);
	assert_string_equal(a->working_dir, b->working_dir);
	assert_string_equal(a->user, b->user);
	assert_int_equal(a->tty, b->tty);
	assert_int_equal(a->open_stdin, b->open_stdin);
	assert_int_equal(a->stdin_once, b->stdin_once);
	assert_int_equal(a->init, b->init);
	assert_strv_equal(&a->labels, &b->labels);
	assert_string_equal(a->stop_signal, b->stop_signal);
	assert_string_equal(a->restart_policy, b->restart_policy);
	assert_int_equal(a->restart_max, b->restart_max);
	assert_int_equal(a->health_check.test.count, b->health_check.test.count);
	assert_int_equal(a->shell.count, b->shell.count);
	assert_int_equal(a->health_check.interval, b->health_check.interval);
	assert_int_equal(a->health_check.timeout, b->health_check.timeout);
	assert_int_equal(a->health_check.start_period, b->health_check.start_period);
	assert_int_equal(a->health_check.start_interval, b->health_check.start_interval);
	assert_int_equal(a->health_check.retries, b->health_check.retries);
	assert_int_equal(a->stop_timeout, b->stop_timeout);
	assert_string_equal(a->hostname, b->hostname);
	assert_string_equal(a->platform, b->platform);
	assert_string_equal(a->kernel, b->kernel);
	assert_string_equal(a->initramfs, b->initramfs);
	assert_strv_equal(&a->translators, &b->translators);
	assert_int_equal(a->nano_cpus, b->nano_cpus);
	assert_int_equal(a->cpus, b->cpus);
	assert_int_equal(a->memory, b->memory);
	assert_int_equal(a->read_only, b->read_only);
	assert_int_equal(a->auto_remove, b->auto_remove);
	assert_int_equal(a->privileged, b->privileged);
	assert_int_equal(a->pids_limit, b->pids_limit);
	assert_int_equal(a->oom_score_adj, b->oom_score_adj);
	assert_int_equal(a->shm_size, b->shm_size);
	assert_int_equal(a->cpu_shares, b->cpu_shares);
	assert_string_equal(a->domainname, b->domainname);
	assert_strv_equal(&a->cap_add, &b->cap_add);
	assert_strv_equal(&a->cap_drop, &b->cap_drop);
	assert_strv_equal(&a->security_opt, &b->security_opt);
	assert_strv_equal(&a->ulimits, &b->ulimits);
	assert_strv_equal(&a->sysctls, &b->sysctls);
	assert_strv_equal(&a->group_add, &b->group_add);
	assert_strv_equal(&a->tmpfs, &b->tmpfs);
	assert_strv_equal(&a->published_sockets, &b->published_sockets);
	assert_strv_equal(&a->host_sockets, &b->host_sockets);
	assert_string_equal(a->ssh_agent, b->ssh_agent);
	assert_strv_equal(&a->binds, &b->binds);
	assert_strv_equal(&a->mounts, &b->mounts);
	assert_strv_equal(&a->annotations, &b->annotations);
	assert_string_equal(a->disk_key, b->disk_key);
	assert_string_equal(a->disk_file, b->disk_file);
	assert_string_equal(a->disk_format, b->disk_format);
}

/* Through text, as it lies on the disk. */
static json_t *through_text(json_t *json)
{
	char *text MVM_CLEAN_FREE = json_dumps(json, JSON_INDENT(2));
	struct mvm_error *err = NULL;
	json_t *back = NULL;

	assert_non_null(text);
	assert_ok(mvm_json_parse(text, strlen(text), "test", &back, &err));
	return back;
}

static void every_field_of_the_configuration(void **state)
{
	struct mvm_container_config config = {0}, back = {0};
	json_t *json MVM_CLEAN_JSON = NULL, *read MVM_CLEAN_JSON = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	fill(&config);
	assert_ok(mvm_container_config_to_json(&config, &json, &err));
	read = through_text(json);
	assert_ok(mvm_container_config_from_json(read, &back, &err));
	assert_configs_equal(&config, &back);
	mvm_container_config_finish(&config);
	mvm_container_config_finish(&back);
	assert_null(config.id);
}

/* What an mvm before restart policies and health checks has written. */
static void files_of_older_versions_are_read(void **state)
{
	static const char *const sections[] = {"Healthcheck", "Config/Shell", "HostConfig/RestartPolicy",
					       "HostConfig/MaximumRetryCount"};
	static const char old_state[] = "{\"Status\": \"exited\", \"Pid\": 0, \"ExitCode\": 3, \"OOMKilled\": false, "
					"\"StartedAt\": null, \"FinishedAt\": null}";
	struct mvm_container_config config = {0}, back = {0};
	struct mvm_container_state its = {.restart_count = 9, .stopped_by_user = true};
	json_t *json MVM_CLEAN_JSON = NULL, *read MVM_CLEAN_JSON = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	fill(&config);
	assert_ok(mvm_container_config_to_json(&config, &json, &err));
	for (size_t i = 0; i < MVM_COUNT(sections); i++) {
		const char *slash = strchr(sections[i], '/');
		char *section MVM_CLEAN_FREE = mvm_strndup(sections[i], strcspn(sections[i], "/"));

		assert_int_equal(slash ? json_object_del(json_object_get(json, section), slash + 1)
				       : json_object_del(json, section),
				 0);
	}
	assert_ok(mvm_container_config_from_json(json, &back, &err));
	assert_null(back.restart_policy);
	assert_int_equal(back.restart_max, 0);
	assert_int_equal(back.health_check.test.count, 0);
	assert_int_equal(back.health_check.interval, 0);
	assert_int_equal(back.shell.count, 0);
	assert_string_equal(back.stop_signal, config.stop_signal);
	assert_ok(mvm_json_parse(old_state, strlen(old_state), "test", &read, &err));
	assert_ok(mvm_container_state_from_json(read, &its, &err));
	assert_int_equal(its.restart_count, 0);
	assert_false(its.stopped_by_user);
	mvm_container_config_finish(&config);
	mvm_container_config_finish(&back);
}

/* A flag must not be read from its neighbour's key. */
static void flags_are_their_own(void **state)
{
	static const size_t flags[] = {
		offsetof(struct mvm_container_config, tty),	   offsetof(struct mvm_container_config, open_stdin),
		offsetof(struct mvm_container_config, stdin_once), offsetof(struct mvm_container_config, init),
		offsetof(struct mvm_container_config, read_only),  offsetof(struct mvm_container_config, auto_remove),
	};

	for (size_t set = 0; set < MVM_COUNT(flags); set++) {
		struct mvm_container_config config = {0}, back = {0};
		json_t *json MVM_CLEAN_JSON = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		fill(&config);
		for (size_t i = 0; i < MVM_COUNT(flags); i++)
			*(bool *)((char *)&config + flags[i]) = i == set;
		assert_ok(mvm_container_config_to_json(&config, &json, &err));
		assert_ok(mvm_container_config_from_json(json, &back, &err));
		assert_configs_equal(&config, &back);
		mvm_container_config_finish(&config);
		mvm_container_config_finish(&back);
	}
}

/* The keys are docker's: tools and people look for them. */
static void keys_are_dockers(void **state)
{
	struct mvm_container_config config = {0};
	json_t *json MVM_CLEAN_JSON = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	const char *id, *created, *image, *reference;
	int tty;
	json_int_t memory;

	fill(&config);
	assert_ok(mvm_container_config_to_json(&config, &json, &err));
	assert_int_equal(json_unpack(json, "{ss, ss, ss, s{ss, sb}, s{sI}}", "Id", &id, "Created", &created, "Image",
				     &image, "Config", "Image", &reference, "Tty", &tty, "HostConfig", "Memory",
				     &memory),
			 0);
	assert_string_equal(created, "2026-11-21T06:18:03.123456789Z");
	assert_string_equal(image, "sha256:4242");
	assert_string_equal(reference, "alpine:3");
	assert_true(memory == 3LL << 40);
	mvm_container_config_finish(&config);
}

static void what_is_not_set_stays_so(void **state)
{
	struct mvm_container_config config = {0}, back = {0};
	json_t *json MVM_CLEAN_JSON = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	config.id = mvm_strdup("1");
	config.name = mvm_strdup("n");
	config.image = mvm_strdup("i");
	config.image_id = mvm_strdup("ii");
	config.disk_file = mvm_strdup("f");
	config.disk_format = mvm_strdup("raw");
	assert_ok(mvm_container_config_to_json(&config, &json, &err));
	assert_ok(mvm_container_config_from_json(json, &back, &err));
	assert_null(back.working_dir);
	assert_null(back.kernel);
	assert_int_equal(back.args.count, 0);
	assert_int_equal(back.created.tv_sec, 0);
	mvm_container_config_finish(&config);
	mvm_container_config_finish(&back);
}

static void bytes_that_are_no_text_are_refused_by_name(void **state)
{
	struct mvm_container_config config = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *json = NULL;

	fill(&config);
	mvm_strv_add(&config.env, "X=\xff");
	assert_error(mvm_container_config_to_json(&config, &json, &err), MVM_ERR_USAGE, "Env");
	mvm_container_config_finish(&config);
	fill(&config);
	free(config.user);
	config.user = mvm_strdup("\xc3");
	assert_error(mvm_container_config_to_json(&config, &json, &err), MVM_ERR_USAGE, "User");
	mvm_container_config_finish(&config);
	assert_null(json);
}

static void every_field_of_the_state(void **state)
{
	struct mvm_container_state saved = {.pid = 4242,
					    .exit_code = 137,
					    .oom_killed = true,
					    .restart_count = 5,
					    .stopped_by_user = true,
					    .error = (char *)"the VM died: \xff",
					    .started = {100, 1},
					    .finished = {200, 2}};

	for (int status = MVM_STATUS_CREATED; status <= MVM_STATUS_EXITED; status++) {
		struct mvm_container_state back = {0};
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		json_t *json MVM_CLEAN_JSON = NULL, *read MVM_CLEAN_JSON = NULL;

		saved.status = (enum mvm_status)status;
		json = mvm_container_state_to_json(&saved);
		read = through_text(json);
		assert_ok(mvm_container_state_from_json(read, &back, &err));
		assert_int_equal(back.status, status);
		assert_int_equal(back.pid, 4242);
		assert_int_equal(back.exit_code, 137);
		assert_true(back.oom_killed);
		assert_int_equal(back.restart_count, 5);
		assert_true(back.stopped_by_user);
		/* What a guest said may be any bytes; the state must be saved all the same. */
		assert_string_equal(back.error, "the VM died: \xef\xbf\xbd");
		assert_memory_equal(&back.started, &saved.started, sizeof(back.started));
		assert_memory_equal(&back.finished, &saved.finished, sizeof(back.finished));
		free(back.error);
	}
}

static void a_fresh_state_has_no_times_and_no_error(void **state)
{
	struct mvm_container_state fresh = {0}, back = {.exit_code = 9};
	json_t *json MVM_CLEAN_JSON = mvm_container_state_to_json(&fresh);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	assert_null(json_object_get(json, "Error"));
	assert_true(json_is_null(json_object_get(json, "StartedAt")));
	assert_ok(mvm_container_state_from_json(json, &back, &err));
	assert_int_equal(back.exit_code, 0);
	assert_null(back.error);
	assert_int_equal(back.finished.tv_sec, 0);
}

static void only_a_living_supervisor_keeps_some_statuses_true(void **state)
{
	assert_false(mvm_status_alive(MVM_STATUS_CREATED));
	assert_true(mvm_status_alive(MVM_STATUS_STARTING));
	assert_true(mvm_status_alive(MVM_STATUS_RUNNING));
	assert_true(mvm_status_alive(MVM_STATUS_PAUSED));
	assert_false(mvm_status_alive(MVM_STATUS_EXITED));
	assert_string_equal(mvm_status_name(MVM_STATUS_EXITED), "exited");
}

static bool parses(const char *data, size_t length)
{
	struct mvm_container_config config = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	json_t *json MVM_CLEAN_JSON = NULL;
	bool taken = mvm_json_parse(data, length, "input", &json, &err) == 0 &&
		     mvm_container_config_from_json(json, &config, &err) == 0;

	mvm_container_config_finish(&config);
	return taken;
}

static void corpus_is_taken_and_refused(void **state)
{
	corpus_replay("container-config", parses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_the_configuration),
		cmocka_unit_test(files_of_older_versions_are_read),
		cmocka_unit_test(flags_are_their_own),
		cmocka_unit_test(keys_are_dockers),
		cmocka_unit_test(what_is_not_set_stays_so),
		cmocka_unit_test(bytes_that_are_no_text_are_refused_by_name),
		cmocka_unit_test(every_field_of_the_state),
		cmocka_unit_test(a_fresh_state_has_no_times_and_no_error),
		cmocka_unit_test(only_a_living_supervisor_keeps_some_statuses_true),
		cmocka_unit_test(corpus_is_taken_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
