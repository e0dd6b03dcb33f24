/* From an image and a request to a container on disk, by docker's rules; images are made in the store by hand. */
#include "world.h"

#include <sys/stat.h>

#include "image.h"
#include "tests/unit/elf.h"

static struct mvm_strv split(const char *text)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text ? text : ""), *rest = copy, *word;
	struct mvm_strv words = {0};

	while ((word = strsep(&rest, " ")))
		if (*word)
			mvm_strv_add(&words, word);
	return words;
}

static char *joined(const struct mvm_strv *words)
{
	struct mvm_buf text = {0};

	for (size_t i = 0; i < words->count; i++)
		mvm_buf_addf(&text, "%s%s", i ? " " : "", words->items[i]);
	return mvm_buf_steal(&text);
}

/* Creates, and gives what lies on the disk. */
static struct mvm_container *create(struct world *world, struct mvm_create_request request)
{
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err = NULL;
	int lock MVM_CLEAN_FD = -1;

	request.image.pull = MVM_PULL_NEVER;
	assert_ok(mvm_engine_create(world->engine, &request, &made, &lock, &err));
	assert_true(lock >= 0);
	return world_load(world, made->config.id);
}

static int try_create(struct world *world, struct mvm_create_request request, struct mvm_error **err)
{
	struct mvm_container *made = NULL;
	int lock = -1, result;

	request.image.pull = MVM_PULL_NEVER;
	result = mvm_engine_create(world->engine, &request, &made, &lock, err);
	if (result < 0) {
		assert_null(made);
		assert_int_equal(lock, -1);
		assert_int_equal(world_count(world), 0);
	}
	mvm_container_free(made);
	mvm_close(&lock);
	return result;
}

#define FROM(name) .image = {.reference = (name)}

/* Docker's table of entrypoint and command. */
static void entrypoint_and_command(void **state)
{
	static const struct {
		const char *fields, *entrypoint, *command, *expected;
	} cases[] = {
		{"\"Cmd\":[\"sh\",\"-l\"]", NULL, NULL, "sh -l"},
		{"\"Cmd\":[\"sh\",\"-l\"]", NULL, "ls /", "ls /"},
		{"\"Entrypoint\":[\"e\",\"x\"]", NULL, NULL, "e x"},
		{"\"Entrypoint\":[\"e\",\"x\"]", NULL, "a b", "e x a b"},
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\",\"d\"]", NULL, NULL, "e c d"},
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\",\"d\"]", NULL, "a", "e a"},
		/* A new entrypoint drops the image's command, too. */
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]", "n", NULL, "n"},
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]", "n", "a b", "n a b"},
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]", "n m", "a", "n m a"},
		{"\"Cmd\":[\"c\"]", "n", NULL, "n"},
		/* An empty one removes the image's. */
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]", "", "a b", "a b"},
		{"\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]", "", NULL, NULL},
		{"\"Entrypoint\":null,\"Cmd\":null", NULL, NULL, NULL},
		{"\"Entrypoint\":[],\"Cmd\":[]", NULL, "a", "a"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *name MVM_CLEAN_FREE = mvm_format("image%zu", i), *args MVM_CLEAN_FREE = NULL;
		struct mvm_strv command MVM_CLEAN_STRV = split(cases[i].command);
		struct mvm_strv entrypoint MVM_CLEAN_STRV = split(cases[i].entrypoint);
		struct mvm_create_request request = {FROM(name), .command = &command};
		struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		put_image(world, name, cases[i].fields);
		if (cases[i].entrypoint) {
			if (!*cases[i].entrypoint)
				mvm_strv_add(&entrypoint, "");
			request.entrypoint = &entrypoint;
		}
		if (!cases[i].expected) {
			request.image.pull = MVM_PULL_NEVER;
			assert_error(mvm_engine_create(world->engine, &request, &made, &(int){-1}, &err), MVM_ERR_USAGE,
				     "no command specified");
			continue;
		}
		made = create(world, request);
		args = joined(&made->config.args);
		assert_string_equal(args, cases[i].expected);
	}
}

static void assert_env(struct world *world, struct mvm_create_request request, const char *extra, const char *expected)
{
	struct mvm_strv extras MVM_CLEAN_STRV = split(extra);
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	char *text MVM_CLEAN_FREE = NULL;

	request.env = &extras;
	request.hostname = "h";
	made = create(world, request);
	text = joined(&made->config.env);
	assert_string_equal(text, expected);
}

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void environment_is_defaults_then_image_then_request(void **state)
{
	struct world *world = *state;
	struct mvm_create_request plain = {FROM("plain")}, rich = {FROM("rich")};

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	put_image(world, "rich", "\"Cmd\":[\"sh\"],\"Env\":[\"PATH=/opt\",\"A=1\",\"B=2\",\"EMPTY=\"]");
	assert_env(world, plain, NULL, PATH_DEFAULT " HOSTNAME=h");
	plain.tty = true;
	assert_env(world, plain, NULL, PATH_DEFAULT " HOSTNAME=h TERM=xterm");
	assert_env(world, plain, "TERM=vt100 X=1 X=2", PATH_DEFAULT " HOSTNAME=h TERM=vt100 X=2");
	assert_env(world, rich, NULL, "PATH=/opt HOSTNAME=h A=1 B=2 EMPTY=");
	assert_env(world, rich, "B=3 AA=4 C=", "PATH=/opt HOSTNAME=h A=1 B=3 EMPTY= AA=4 C=");
	assert_env(world, rich, "PATH=/mine A==x", "PATH=/mine HOSTNAME=h A==x B=2 EMPTY=");
	/* One name begins another. */
	assert_env(world, rich, "P=1 EMPTYX=2", "PATH=/opt HOSTNAME=h A=1 B=2 EMPTY= P=1 EMPTYX=2");
}

static void write_docker_config(const struct world *world, const char *text)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/.docker", world->home);
	char *path MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_error *err = NULL;

	assert_ok(mvm_make_folders(folder, &err));
	assert_ok(mvm_replace_file(path, text, strlen(text), 0600, &err));
}

#define BEGIN PATH_DEFAULT " HOSTNAME=h "

/* Docker's configuration file, by docker's rules. */
static void proxies_of_the_configuration(void **state)
{
	struct world *world = *state;
	struct mvm_create_request plain = {FROM("plain")}, image = {FROM("image")};

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	put_image(world, "image", "\"Cmd\":[\"sh\"],\"Env\":[\"http_proxy=image\"]");
	setenv("http_proxy", "http://ours:1", 1);
	write_docker_config(world,
			    "{\"proxies\":{\"default\":{\"httpProxy\":\"http://127.0.0.1:1\",\"httpsProxy\":\"\","
			    "\"noProxy\":\"a,b\",\"allProxy\":\"socks5://c\"},\"tcp://far:1\":{\"ftpProxy\":\"f\"}}}");
	assert_env(world, plain, NULL,
		   BEGIN "HTTP_PROXY=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 NO_PROXY=a,b no_proxy=a,b "
			 "ALL_PROXY=socks5://c all_proxy=socks5://c");
	assert_env(world, plain, "http_proxy=mine NO_PROXY=",
		   BEGIN "HTTP_PROXY=http://127.0.0.1:1 http_proxy=mine NO_PROXY= no_proxy=a,b "
			 "ALL_PROXY=socks5://c all_proxy=socks5://c");
	assert_env(world, image, "NO_PROXY no_proxy ALL_PROXY all_proxy",
		   BEGIN "http_proxy=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1");
	/* That daemon's containers are those that ours stand for. */
	write_docker_config(world, "{\"proxies\":{\"default\":{\"httpProxy\":\"x\"},"
				   "\"unix:///var/run/docker.sock\":{\"ftpProxy\":\"f\"}}}");
	assert_env(world, plain, NULL, BEGIN "FTP_PROXY=f ftp_proxy=f");
	/* An empty object says that there are none. */
	write_docker_config(world, "{\"proxies\":{\"default\":{}}}");
	assert_env(world, plain, NULL, PATH_DEFAULT " HOSTNAME=h");
	/* What cannot be read does not count; ours do. */
	write_docker_config(world, "{\"proxies\":{\"default\":{\"httpProxy\":7}}}");
	assert_env(world, plain, NULL, BEGIN "HTTP_PROXY=http://ours:1 http_proxy=http://ours:1");
	write_docker_config(world, "{\"proxies\":[]}");
	assert_env(world, plain, NULL, BEGIN "HTTP_PROXY=http://ours:1 http_proxy=http://ours:1");
}

static void proxies_of_our_own(void **state)
{
	static const char *const loopback[] = {"http://127.0.0.1:3128", "localhost:3128", "http://u:p@127.1.2.3/",
					       "socks5h://[::1]:1080"};
	struct world *world = *state;
	struct mvm_create_request plain = {FROM("plain")};

	put_image(world, "plain", "\"Cmd\":[\"sh\"]");
	setenv("no_proxy", "local", 1);
	for (size_t i = 0; i < MVM_COUNT(loopback); i++) {
		setenv("HTTPS_PROXY", loopback[i], 1);
		assert_env(world, plain, NULL, PATH_DEFAULT " HOSTNAME=h");
	}
	setenv("https_proxy", "http://u:127.0.0.1@proxy:3128/", 1);
	assert_env(world, plain, NULL,
		   BEGIN "HTTPS_PROXY=http://u:127.0.0.1@proxy:3128/ https_proxy=http://u:127.0.0.1@proxy:3128/ "
			 "NO_PROXY=local no_proxy=local");
	assert_env(world, plain, "https_proxy",
		   BEGIN "HTTPS_PROXY=http://u:127.0.0.1@proxy:3128/ NO_PROXY=local no_proxy=local");
	world_forget_proxies();
}

static void labels_are_merged_and_sorted(void **state)
{
	struct world *world = *state;
	struct mvm_strv labels MVM_CLEAN_STRV = split("b=mine flag z=1 z=2");
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	char *text MVM_CLEAN_FREE = NULL;

	put_image(world, "labelled", "\"Cmd\":[\"sh\"],\"Labels\":{\"c\":\"image\",\"b\":\"image\",\"a\":\"\"}");
	made = create(world, (struct mvm_create_request){FROM("labelled"), .labels = &labels});
	text = joined(&made->config.labels);
	assert_string_equal(text, "a= b=mine c=image flag= z=2");
}

static void the_image_gives_what_the_request_leaves_out(void **state)
{
	struct world *world = *state;
	struct mvm_container *theirs MVM_CLEAN_CONTAINER = NULL, *ours MVM_CLEAN_CONTAINER = NULL;
	struct mvm_container *neither MVM_CLEAN_CONTAINER = NULL;

	put_image(world, "full",
		  "\"Cmd\":[\"sh\"],\"User\":\"postgres\",\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGQUIT\"");
	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	theirs = create(world, (struct mvm_create_request){FROM("full")});
	assert_string_equal(theirs->config.user, "postgres");
	assert_string_equal(theirs->config.working_dir, "/srv");
	assert_string_equal(theirs->config.stop_signal, "SIGQUIT");
	ours = create(world, (struct mvm_create_request){FROM("full"), .user = "1:2", .working_dir = "/w",
							 .stop_signal = "15"});
	assert_string_equal(ours->config.user, "1:2");
	assert_string_equal(ours->config.working_dir, "/w");
	assert_string_equal(ours->config.stop_signal, "15");
	neither = create(world, (struct mvm_create_request){FROM("bare")});
	assert_null(neither->config.user);
	assert_null(neither->config.working_dir);
	assert_string_equal(neither->config.stop_signal, "SIGTERM");
	assert_int_equal(neither->config.stop_timeout, 10);
}

static void defaults_are_those_of_the_design(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	long host = sysconf(_SC_NPROCESSORS_ONLN);
	char *disk MVM_CLEAN_FREE = NULL;
	struct mvm_platform platform;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	made = create(world, (struct mvm_create_request){FROM("bare")});
	assert_int_equal(made->state.status, MVM_STATUS_CREATED);
	assert_string_equal(made->config.image, "bare");
	assert_int_equal(strncmp(made->config.image_id, "sha256:", 7), 0);
	assert_int_equal(made->config.memory, 1 << 30);
	assert_int_equal(made->config.nano_cpus, 0);
	assert_int_equal(made->config.cpus, host < 4 ? host : 4);
	assert_memory_equal(made->config.hostname, made->config.id, MVM_SHORT_ID_LENGTH);
	assert_int_equal(strlen(made->config.hostname), MVM_SHORT_ID_LENGTH);
	mvm_platform_default(&platform);
	assert_non_null(strstr(made->config.platform, platform.architecture));
	assert_false(made->config.tty || made->config.open_stdin || made->config.stdin_once || made->config.init ||
		     made->config.read_only || made->config.auto_remove);
	assert_non_null(strchr(made->config.name, '_'));
	disk = mvm_format("%s/%s", made->folder, made->config.disk_file);
	assert_int_equal(access(disk, R_OK | W_OK), 0);
}

static void assert_words(const struct mvm_strv *words, const char *expected)
{
	char *text MVM_CLEAN_FREE = joined(words);

	assert_string_equal(text ? text : "", expected);
}

/* Each thing once, the last word about it; mounts in the order in which none covers another. */
static void rights_and_limits_are_kept_in_order(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_strv add MVM_CLEAN_STRV = split("sys_admin chown SYS_ADMIN"), drop MVM_CLEAN_STRV = split("all");
	struct mvm_strv ulimits MVM_CLEAN_STRV = split("nofile=1 core=0 nofile=2:3");
	struct mvm_strv sysctls MVM_CLEAN_STRV = split("net.a=1 net.b=2 net.a=3");
	struct mvm_strv tmpfs MVM_CLEAN_STRV = split("/a/b/c /z:ro /a/b:rw / /z:rw");
	struct mvm_strv annotations MVM_CLEAN_STRV = split("k=1 b a=2 k=3");
	struct mvm_strv security MVM_CLEAN_STRV = split("no-new-privileges");
	struct mvm_create_request request = {FROM("bare"),
					     .cap_add = &add,
					     .cap_drop = &drop,
					     .ulimits = &ulimits,
					     .sysctls = &sysctls,
					     .tmpfs = &tmpfs,
					     .annotations = &annotations,
					     .security_opt = &security,
					     .group_add = &annotations,
					     .has_stop_timeout = true,
					     .stop_timeout = -7,
					     .privileged = true,
					     .oom_score_adj = 5};
	struct mvm_error *err = NULL;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	assert_error(mvm_engine_check(&request, &err), MVM_ERR_USAGE, "destination can't be '/'");
	assert_error(try_create(world, request, &err), MVM_ERR_USAGE, "destination can't be '/'");
	free(tmpfs.items[3]);
	tmpfs.items[3] = mvm_strdup("/a/:ro");
	made = create(world, request);
	assert_words(&made->config.cap_add, "CAP_CHOWN CAP_SYS_ADMIN");
	assert_words(&made->config.cap_drop, "ALL");
	assert_words(&made->config.ulimits, "nofile=2:3 core=0");
	assert_words(&made->config.sysctls, "net.a=3 net.b=2");
	assert_words(&made->config.tmpfs, "/a/:ro /z:rw /a/b:rw /a/b/c");
	assert_words(&made->config.annotations, "a=2 b= k=3");
	assert_words(&made->config.security_opt, "no-new-privileges");
	assert_words(&made->config.group_add, "k=1 b a=2 k=3");
	assert_int_equal(made->config.stop_timeout, -1);
	assert_int_equal(made->config.oom_score_adj, 5);
	assert_true(made->config.privileged);
	request.oom_score_adj = -1001;
	assert_error(mvm_engine_check(&request, &err), MVM_ERR_USAGE,
		     "Invalid value -1001, range for oom score adj is [-1000, 1000]");
}

static void flags_and_resources_are_kept(void **state)
{
	struct world *world = *state;
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	made = create(world, (struct mvm_create_request){FROM("bare"), .name = "web", .hostname = "host-1",
							 .kernel = "/boot/vmlinux", .tty = true, .open_stdin = true,
							 .stdin_once = true, .init = true, .read_only = true,
							 .auto_remove = true, .nano_cpus = 500000000,
							 .memory = 512u << 20, .disk_size = 128ULL << 30});
	assert_string_equal(made->config.name, "web");
	assert_string_equal(made->config.hostname, "host-1");
	assert_string_equal(made->config.kernel, "/boot/vmlinux");
	assert_true(made->config.tty && made->config.open_stdin && made->config.stdin_once && made->config.init &&
		    made->config.read_only && made->config.auto_remove);
	assert_int_equal(made->config.nano_cpus, 500000000);
	assert_int_equal(made->config.cpus, 1);
	assert_int_equal(made->config.memory, 512u << 20);
}

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
	static const struct {
		struct mvm_create_request request;
		enum mvm_error_code code;
		const char *message;
	} cases[] = {
		{{FROM("nope")}, MVM_ERR_NOT_FOUND, "No such image: nope"},
		{{FROM("bare"), .memory = 6291455}, MVM_ERR_INVALID, "Minimum memory limit allowed is 6MB"},
		{{FROM("bare"), .nano_cpus = 9999999}, MVM_ERR_INVALID, "range of CPUs"},
		{{FROM("bare"), .nano_cpus = 1000000000000000}, MVM_ERR_INVALID, "range of CPUs"},
		{{FROM("bare"), .working_dir = "relative"}, MVM_ERR_USAGE, "'relative' is invalid"},
		{{FROM("bare"), .hostname = "under score"}, MVM_ERR_USAGE, "invalid hostname 'under score'"},
		{{FROM("bare"), .stop_signal = "SIGNOPE"}, MVM_ERR_USAGE, "invalid signal: SIGNOPE"},
		{{FROM("bare"), .name = "-bad"}, MVM_ERR_USAGE, "Invalid container name (-bad)"},
		{{FROM("odd-signal")}, MVM_ERR_USAGE, "invalid signal: SIGODD"},
		{{FROM("odd-folder")}, MVM_ERR_USAGE, "'srv' is invalid"},
	};
	struct world *world = *state;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	put_image(world, "odd-signal", "\"Cmd\":[\"sh\"],\"StopSignal\":\"SIGODD\"");
	put_image(world, "odd-folder", "\"Cmd\":[\"sh\"],\"WorkingDir\":\"srv\"");
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;

		assert_error(try_create(world, cases[i].request, &err), cases[i].code, cases[i].message);
	}
}

static void put_foreign_image(struct world *world, char **architecture)
{
	struct mvm_platform host, other;

	mvm_platform_default(&host);
	assert_int_equal(
		mvm_platform_parse(strcmp(host.architecture, "arm64") ? "linux/arm64" : "linux/amd64", &other, NULL),
		0);
	put_image_for(world, "foreign", &other, "\"Cmd\":[\"sh\"]");
	*architecture = mvm_strdup(other.architecture);
}

static void configure(struct world *world, const char *text)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/.config/mvm", world->home);
	char *config MVM_CLEAN_FREE = mvm_format("%s/config.json", folder);
	struct mvm_error *err = NULL;

	assert_ok(mvm_make_folders(folder, &err));
	assert_ok(mvm_replace_file(config, text, strlen(text), 0600, &err));
	mvm_engine_close(world->engine);
	assert_ok(mvm_engine_open(&world->engine, &err));
}

static void another_processors_image_gets_its_translator(void **state)
{
	struct world *world = *state;
	char *architecture MVM_CLEAN_FREE = NULL, *wanted MVM_CLEAN_FREE = NULL, *text MVM_CLEAN_FREE = NULL;
	char *program MVM_CLEAN_FREE = mvm_format("%s/translator", world->home);
	struct mvm_strv warnings MVM_CLEAN_STRV = {0};
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL, *asked MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_create_request request = {FROM("foreign"), .warnings = &warnings};

	put_foreign_image(world, &architecture);
	text = mvm_format("{\"translators\": {\"%s\": \"%s\"}}", architecture, program);
	configure(world, text);
	assert_error(try_create(world, request, &err), MVM_ERR_INVALID, "image foreign is for linux/");
	elf_write(program, ELF_OURS, 1);
	made = create(world, request);
	wanted = mvm_format("%s=%s", architecture, program);
	assert_int_equal(made->config.translators.count, 1);
	assert_string_equal(made->config.translators.items[0], wanted);
	assert_int_equal(warnings.count, 1);
	assert_int_equal(strncmp(warnings.items[0], "The requested image's platform (linux/", 38), 0);
	/* Who says what he wants is not warned. */
	request.image.platform = architecture;
	asked = create(world, request);
	assert_int_equal(warnings.count, 1);
}

static void translators_are_added_on_request(void **state)
{
	struct world *world = *state;
	char *architecture MVM_CLEAN_FREE = NULL, *text MVM_CLEAN_FREE = NULL;
	char *program MVM_CLEAN_FREE = mvm_format("%s/translator", world->home);
	struct mvm_strv translate MVM_CLEAN_STRV = {0}, own MVM_CLEAN_STRV = {0}, none MVM_CLEAN_STRV = {0};
	struct mvm_container *plain MVM_CLEAN_CONTAINER = NULL, *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_create_request request = {FROM("bare")};
	struct mvm_platform host;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	put_foreign_image(world, &architecture);
	elf_write(program, ELF_OURS, 1);
	text = mvm_format("{\"translators\": {\"%s\": \"%s\", \"s390x\": \"%s\"}}", architecture, program, program);
	configure(world, text);
	mvm_platform_default(&host);
	mvm_strv_add(&own, host.architecture);
	request.translate = &own;
	assert_error(try_create(world, request, &err), MVM_ERR_USAGE, " programs itself");
	mvm_strv_add(&none, "loong64");
	request.translate = &none;
	assert_error(try_create(world, request, &err), MVM_ERR_UNSUPPORTED, "no translator for loong64 programs");
	request.translate = NULL;
	plain = create(world, request);
	assert_int_equal(plain->config.translators.count, 0);
	request.translate = &translate;
	mvm_strv_add(&translate, "");
	mvm_strv_add(&translate, "linux/s390x");
	mvm_strv_add(&translate, architecture);
	made = create(world, request);
	assert_int_equal(made->config.translators.count, 2);
	assert_int_equal(strncmp(made->config.translators.items[0], architecture, strlen(architecture)), 0);
	assert_int_equal(strncmp(made->config.translators.items[1], "s390x=/", 7), 0);
}

/* The platform that a request without one asks for; "" where it is none. */
static char *asked_platform(struct world *world, const char *given)
{
	struct mvm_platform platform;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	int result = mvm_engine_platform(world->engine, given, &platform, &err);

	if (result < 0)
		return mvm_strdup(mvm_error_message(err));
	return result ? mvm_strdup("") : mvm_platform_format(&platform);
}

static void a_platform_is_asked_for_by_flag_environment_or_configuration(void **state)
{
	struct world *world = *state;
	static const struct {
		const char *given, *own, *dockers, *asked;
	} cases[] = {
		{NULL, NULL, NULL, "linux/s390x"},
		{NULL, "", "", "linux/s390x"},
		{NULL, NULL, "linux/arm/v6", "linux/arm/v6"},
		{NULL, "aarch64", "linux/arm/v6", "linux/arm64"},
		{"linux/386", "aarch64", "linux/arm/v6", "linux/386"},
		{"", "aarch64", "linux/arm/v6", ""},
		{NULL, "pdp11", NULL,
		 "error parsing specified platform: MVM_PLATFORM: \"pdp11\": unknown operating system or "
		 "architecture; write it as linux/amd64 or linux/arm64/v8"},
	};

	configure(world, "{\"platform\": \"linux/s390x\"}");
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		char *asked MVM_CLEAN_FREE = NULL;

		if (cases[i].own)
			setenv("MVM_PLATFORM", cases[i].own, 1);
		if (cases[i].dockers)
			setenv("DOCKER_DEFAULT_PLATFORM", cases[i].dockers, 1);
		asked = asked_platform(world, cases[i].given);
		unsetenv("MVM_PLATFORM");
		unsetenv("DOCKER_DEFAULT_PLATFORM");
		assert_string_equal(asked, cases[i].asked);
	}
}

static void an_image_for_another_platform_than_asked_for_is_not_taken(void **state)
{
	struct world *world = *state;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_create_request request = {FROM("bare")};
	struct mvm_platform platform;

	mvm_platform_default(&platform);
	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	request.image.platform = "linux/s390x";
	assert_error(try_create(world, request, &err), MVM_ERR_NOT_FOUND,
		     ") does not match the specified platform (linux/s390x)");
	request.image.platform = "linux/";
	assert_error(try_create(world, request, &err), MVM_ERR_INVALID, "error parsing specified platform");
	request.image.platform = platform.architecture;
	mvm_container_free(create(world, request));
}

static void a_taken_name_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct mvm_container *first MVM_CLEAN_CONTAINER = NULL, *second = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_create_request request = {.image = {.reference = "bare", .pull = MVM_PULL_NEVER}, .name = "web"};
	int lock = -1;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	first = create(world, request);
	assert_error(mvm_engine_create(world->engine, &request, &second, &lock, &err), MVM_ERR_EXISTS,
		     first->config.id);
	assert_int_equal(world_count(world), 1);
}

/* Images in use */

static void an_image_in_use_is_kept(void **state)
{
	struct world *world = *state;
	struct mvm_store_removed removed = {0};
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *disk MVM_CLEAN_FREE = NULL;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	made = create(world, (struct mvm_create_request){FROM("bare")});
	disk = mvm_format("%s/disks/%s/rootfs.ext4", world->home, made->config.disk_key);
	assert_int_equal(access(disk, F_OK), 0);
	assert_error(mvm_engine_remove_image(world->engine, "bare", false, &removed, &err), MVM_ERR_CONFLICT,
		     "(must force) - container");
	/* By force the image goes, but not the disk that the container stands on. */
	assert_ok(mvm_engine_remove_image(world->engine, "bare", true, &removed, &err));
	assert_int_equal(removed.untagged.count, 1);
	mvm_store_removed_finish(&removed);
	assert_int_equal(access(disk, F_OK), 0);
}

static void with_the_last_user_image_and_disk_go(void **state)
{
	struct world *world = *state;
	struct mvm_store_removed removed = {0};
	struct mvm_container *made MVM_CLEAN_CONTAINER = NULL;
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *disk MVM_CLEAN_FREE = NULL;

	put_image(world, "bare", "\"Cmd\":[\"sh\"]");
	made = create(world, (struct mvm_create_request){FROM("bare")});
	disk = mvm_format("%s/disks/%s/rootfs.ext4", world->home, made->config.disk_key);
	assert_ok(mvm_engine_remove(world->engine, made->config.id, false, false, &err));
	assert_ok(mvm_engine_remove_image(world->engine, "bare", false, &removed, &err));
	mvm_store_removed_finish(&removed);
	assert_int_equal(access(disk, F_OK), -1);
	assert_error(mvm_engine_remove_image(world->engine, "bare", false, &removed, &err), MVM_ERR_NOT_FOUND, "bare");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(entrypoint_and_command),
		WORLD_TEST(environment_is_defaults_then_image_then_request),
		WORLD_TEST(proxies_of_the_configuration),
		WORLD_TEST(proxies_of_our_own),
		WORLD_TEST(labels_are_merged_and_sorted),
		WORLD_TEST(the_image_gives_what_the_request_leaves_out),
		WORLD_TEST(defaults_are_those_of_the_design),
		WORLD_TEST(rights_and_limits_are_kept_in_order),
		WORLD_TEST(flags_and_resources_are_kept),
		WORLD_TEST(what_cannot_be_is_refused_and_leaves_nothing),
		WORLD_TEST(another_processors_image_gets_its_translator),
		WORLD_TEST(translators_are_added_on_request),
		WORLD_TEST(a_platform_is_asked_for_by_flag_environment_or_configuration),
		WORLD_TEST(an_image_for_another_platform_than_asked_for_is_not_taken),
		WORLD_TEST(a_taken_name_leaves_nothing),
		WORLD_TEST(an_image_in_use_is_kept),
		WORLD_TEST(with_the_last_user_image_and_disk_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
