/* The messages: each survives its way over the wire, and what is malformed is refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "guest-agent/proto/message.h"

static uint8_t bytes[MVM_WIRE_FRAME_MAX];
static _Alignas(8) char memory[MVM_PROTO_ARENA_MAX];
static struct mvm_proto_arena arena;

static struct mvm_proto_buffer buffer(void)
{
	return (struct mvm_proto_buffer){bytes, sizeof(bytes)};
}

/* The frame in `bytes`; the arena is fresh. */
static struct mvm_wire_frame received(size_t length)
{
	struct mvm_wire_reader reader;
	struct mvm_wire_frame frame;

	arena = (struct mvm_proto_arena){.data = memory, .size = sizeof(memory)};
	mvm_wire_reader_init(&reader, bytes, sizeof(bytes));
	mvm_wire_reader_filled(&reader, length);
	assert_int_equal(mvm_wire_reader_next(&reader, &frame), 1);
	return frame;
}

static void test_hello(void **state)
{
	const struct mvm_proto_hello sent = {.version = 1, .features = 6, .agent = "0.1", .uptime = 12345};
	struct mvm_proto_hello got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_hello(&sent, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_HELLO);
	assert_int_equal(mvm_proto_decode_hello(&frame, &arena, &got, NULL), 0);
	assert_int_equal(got.version, 1);
	assert_int_equal(got.features, 6);
	assert_string_equal(got.agent, "0.1");
	assert_int_equal(got.uptime, 12345);
}

static void test_hello_needs_a_version(void **state)
{
	const struct mvm_proto_hello sent = {.features = 1};
	const char *reason = NULL;
	struct mvm_proto_hello got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_hello(&sent, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_hello(&frame, &arena, &got, &reason), -1);
	assert_string_equal(reason, "the hello has no version");
}

static void test_error(void **state)
{
	const struct mvm_proto_reply sent = {.type = MVM_PROTO_ERROR,
					     .request = 77,
					     .code = MVM_PROTO_NO_USER,
					     .errnum = 2,
					     .message = "unable to find user x"};
	struct mvm_proto_reply got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_reply(&sent, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_reply(&frame, &arena, &got, NULL), 0);
	assert_int_equal(got.type, MVM_PROTO_ERROR);
	assert_int_equal(got.request, 77);
	assert_int_equal(got.code, MVM_PROTO_NO_USER);
	assert_int_equal(got.errnum, 2);
	assert_string_equal(got.message, "unable to find user x");
}

static void test_unknown_error_code_is_internal(void **state)
{
	const struct mvm_proto_reply sent = {
		.type = MVM_PROTO_ERROR, .code = (enum mvm_proto_code)4000, .message = "from the future"};
	struct mvm_proto_reply got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_reply(&sent, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_reply(&frame, &arena, &got, NULL), 0);
	assert_int_equal(got.code, MVM_PROTO_INTERNAL);
}

static void test_error_needs_a_message(void **state)
{
	const struct mvm_proto_reply sent = {.type = MVM_PROTO_ERROR, .code = MVM_PROTO_MOUNT};
	const char *reason = NULL;
	struct mvm_proto_reply got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_reply(&sent, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_reply(&frame, &arena, &got, &reason), -1);
	assert_non_null(reason);
}

static void test_machine(void **state)
{
	static char *const hosts[] = {(char *)"10.0.0.1 a", (char *)"", (char *)"10.0.0.2 b", NULL};
	static char *const sysctls[] = {(char *)"net.core.somaxconn=1024", NULL};
	static char *const published[] = {(char *)"/run/a.sock", (char *)"/run/b.sock", NULL};
	static char *const ports[] = {(char *)"80/tcp", (char *)"53/udp", NULL};
	const struct mvm_proto_machine sent = {
		.hostname = "box",
		.clock = UINT64_C(1700000000123456789),
		.root_device = "/dev/vda",
		.root_type = "ext4",
		.root_scratch = true,
		.read_only = true,
		.shm_size = 64 << 20,
		.limits = {UINT64_C(1) << 40, 1 << 20, 150000, 200, 100},
		.hosts = hosts,
		.translators = hosts,
		.resolv_conf = "",
		.sysctls = sysctls,
		.ca_certificates = "one\n",
		.ca_bundle = "many\n",
		.published_sockets = published,
		.published_ports = ports,
		.sockets = 2,
	};
	struct mvm_proto_machine got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_machine(&sent, 5, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_MACHINE);
	assert_int_equal(frame.request, 5);
	assert_int_equal(mvm_proto_decode_machine(&frame, &arena, &got, NULL), 0);
	assert_string_equal(got.hostname, "box");
	assert_true(got.clock == sent.clock && got.read_only && got.root_scratch);
	assert_memory_equal(&got.limits, &sent.limits, sizeof(got.limits));
	assert_int_equal(got.shm_size, 64 << 20);
	assert_string_equal(got.hosts[0], "10.0.0.1 a");
	assert_string_equal(got.hosts[1], "");
	assert_string_equal(got.hosts[2], "10.0.0.2 b");
	assert_null(got.hosts[3]);
	assert_string_equal(got.translators[2], hosts[2]);
	assert_null(got.translators[3]);
	/* Empty is not absent: an empty file, not the image's own. */
	assert_string_equal(got.resolv_conf, "");
	assert_string_equal(got.sysctls[0], "net.core.somaxconn=1024");
	assert_null(got.sysctls[1]);
	assert_string_equal(got.ca_certificates, "one\n");
	assert_string_equal(got.ca_bundle, "many\n");
	assert_string_equal(got.published_sockets[1], "/run/b.sock");
	assert_null(got.published_sockets[2]);
	assert_string_equal(got.published_ports[1], "53/udp");
	assert_null(got.published_ports[2]);
	assert_int_equal(got.sockets, 2);
}

static char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"", NULL};

static void test_process(void **state)
{
	static char *const env[] = {(char *)"A=1", NULL};
	static char *const groups[] = {(char *)"audio", (char *)"7", NULL};
	static char *const mounts[] = {(char *)"/run:size=1m", NULL};
	static char *const sockets[] = {(char *)"/run/agent.sock", NULL};
	const struct mvm_proto_rlimit limits[] = {{MVM_RLIMIT_NOFILE, 1024, UINT64_MAX}, {MVM_RLIMIT_CORE, 0, 0}};
	const struct mvm_proto_process sent = {
		.id = UINT32_MAX,
		.join = 3,
		.argv = argv,
		.env = env,
		.cwd = "/tmp",
		.user = "me:us",
		.tty = true,
		.rows = 65535,
		.cols = 1,
		.stdin_port = 1025,
		.stdout_port = 4000000000,
		.rlimits = limits,
		.rlimit_count = 2,
		.cap_drop = UINT64_MAX - 1,
		.no_new_privs = true,
		.groups = groups,
		.oom_score_adj = -1000,
		.mounts = mounts,
		.sockets = sockets,
		.privileged = true,
		.domainname = "example.org",
	};
	struct mvm_proto_process got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_process(&sent, 6, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_process(&frame, &arena, &got, NULL), 0);
	assert_true(got.id == UINT32_MAX && got.join == 3);
	assert_string_equal(got.argv[0], "sh");
	assert_string_equal(got.argv[2], "");
	assert_null(got.argv[3]);
	assert_string_equal(got.env[0], "A=1");
	assert_string_equal(got.cwd, "/tmp");
	assert_string_equal(got.user, "me:us");
	assert_true(got.tty && !got.init);
	assert_true(got.rows == 65535 && got.cols == 1);
	assert_true(got.stdin_port == 1025 && got.stdout_port == 4000000000 && got.stderr_port == 0);
	assert_int_equal(got.rlimit_count, 2);
	assert_memory_equal(got.rlimits, limits, sizeof(limits));
	assert_true(got.cap_drop == UINT64_MAX - 1 && got.oom_score_adj == -1000);
	assert_true(got.no_new_privs && got.privileged && !got.unmasked);
	assert_string_equal(got.groups[1], "7");
	assert_null(got.groups[2]);
	assert_string_equal(got.mounts[0], "/run:size=1m");
	assert_string_equal(got.sockets[0], "/run/agent.sock");
	assert_null(got.sockets[1]);
	assert_string_equal(got.domainname, "example.org");
}

/* What encodes and must not decode. */
static void assert_process_refused(const struct mvm_proto_process *sent, const char *why)
{
	const char *reason = NULL;
	struct mvm_proto_process got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_process(sent, 1, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_process(&frame, &arena, &got, &reason), -1);
	assert_string_equal(reason, why);
}

static void test_incomplete_processes_are_refused(void **state)
{
	const struct mvm_proto_rlimit limit = {MVM_RLIMIT_COUNT, 0, 0};

	assert_process_refused(&(struct mvm_proto_process){.argv = argv}, "the process has no id");
	assert_process_refused(&(struct mvm_proto_process){.id = 1}, "the process has no command");
	assert_process_refused(&(struct mvm_proto_process){.id = 1, .argv = argv, .rlimits = &limit, .rlimit_count = 1},
			       "the process has an unknown resource limit");
	assert_process_refused(&(struct mvm_proto_process){.id = 1, .argv = argv, .oom_score_adj = 1001},
			       "the process's oom score is out of range");
	assert_process_refused(&(struct mvm_proto_process){.id = 1, .argv = argv, .oom_score_adj = INT64_MIN},
			       "the process's oom score is out of range");
}

static void test_too_long_a_command_is_the_senders_error(void **state)
{
	char *word = malloc(MVM_WIRE_PAYLOAD_MAX + 1);
	char *const words[] = {word, NULL};
	const struct mvm_proto_process sent = {.id = 1, .argv = words};
	size_t length = 4711;

	assert_non_null(word);
	memset(word, 'x', MVM_WIRE_PAYLOAD_MAX);
	word[MVM_WIRE_PAYLOAD_MAX] = '\0';
	assert_int_equal(mvm_proto_encode_process(&sent, 1, buffer(), &length), -1);
	assert_int_equal(length, 4711);
	free(word);
}

static void test_most_fields_that_fit(void **state)
{
	/* The worst for the decoder's memory: nothing but empty texts. */
	size_t count = (MVM_WIRE_PAYLOAD_MAX - 16) / MVM_WIRE_FIELD_SIZE;
	char **words = calloc(count + 1, sizeof(*words));
	struct mvm_proto_process sent = {.id = 1, .argv = words}, got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_non_null(words);
	for (size_t i = 0; i < count; i++)
		words[i] = (char *)"";
	assert_int_equal(mvm_proto_encode_process(&sent, 1, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_process(&frame, &arena, &got, NULL), 0);
	assert_string_equal(got.argv[count - 1], "");
	assert_null(got.argv[count]);
	/* And with too little memory it is an error, whatever the size. */
	for (size_t size = 0; size < 4096; size += 123) {
		struct mvm_proto_arena small = {.data = memory, .size = size};

		assert_int_equal(mvm_proto_decode_process(&frame, &small, &got, NULL), -1);
		assert_true(small.used <= size);
	}
	free(words);
}

/* A frame made by hand. */
static struct mvm_wire_frame crafted(const uint8_t *payload, size_t length)
{
	arena = (struct mvm_proto_arena){.data = memory, .size = sizeof(memory)};
	return (struct mvm_wire_frame){.type = MVM_PROTO_PROCESS_START, .payload = payload, .length = length};
}

static void test_a_clock_has_a_time(void **state)
{
	struct mvm_proto_clock sent = {.clock = 1795259388123456789u}, got;
	struct mvm_wire_frame frame;
	const char *reason = NULL;
	size_t length;

	assert_int_equal(mvm_proto_encode_clock(&sent, 1, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_clock(&frame, &got, &reason), 0);
	assert_true(got.clock == sent.clock);
	sent.clock = 0;
	assert_int_equal(mvm_proto_encode_clock(&sent, 1, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_clock(&frame, &got, &reason), -1);
	assert_string_equal(reason, "the time is missing");
}

static void test_figures(void **state)
{
	const struct mvm_proto_figures sent = {
		.uptime = 1,
		.cpu_time = 2,
		.memory_used = 3,
		.memory_inactive = 4,
		.memory_limit = UINT64_MAX,
		.net_received = 6,
		.net_sent = 7,
		.block_read = 8,
		.block_written = 9,
		.pids = 10,
	};
	struct mvm_proto_figures got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_stats(3, buffer(), &length), 0);
	frame = received(length);
	assert_true(frame.type == MVM_PROTO_STATS && frame.request == 3 && frame.length == 0);
	assert_int_equal(mvm_proto_encode_figures(&sent, 3, buffer(), &length), 0);
	frame = received(length);
	assert_true(frame.type == MVM_PROTO_FIGURES && frame.request == 3);
	assert_int_equal(mvm_proto_decode_figures(&frame, &got, NULL), 0);
	assert_memory_equal(&got, &sent, sizeof(sent));
}

static void test_a_list_of_processes_has_a_port(void **state)
{
	struct mvm_proto_processes sent = {.port = 1030}, got;
	struct mvm_wire_frame frame;
	const char *reason = NULL;
	size_t length;

	assert_int_equal(mvm_proto_encode_processes(&sent, 2, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_PROCESSES);
	assert_int_equal(mvm_proto_decode_processes(&frame, &got, NULL), 0);
	assert_int_equal(got.port, 1030);
	sent.port = 0;
	assert_int_equal(mvm_proto_encode_processes(&sent, 2, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_processes(&frame, &got, &reason), -1);
	assert_string_equal(reason, "the list of processes has no port");
}

/* What is to stay as it is takes no room. */
static void test_update(void **state)
{
	const struct mvm_proto_limits sent = {.memory_max = 1 << 20, .memory_low = 5, .pids_max = UINT64_MAX};
	struct mvm_proto_limits got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_update(&sent, 4, buffer(), &length), 0);
	frame = received(length);
	assert_true(frame.type == MVM_PROTO_UPDATE && frame.request == 4);
	assert_int_equal(frame.length, 3 * (MVM_WIRE_FIELD_SIZE + 8));
	assert_int_equal(mvm_proto_decode_update(&frame, &got, NULL), 0);
	assert_memory_equal(&got, &sent, sizeof(sent));
}

static void test_network(void **state)
{
	char *interfaces[] = {(char *)"mac=1 off", (char *)" ip=2", NULL};
	char *edits[] = {(char *)"/etc/hosts", (char *)"", (char *)"10.0.0.2\tweb\n", NULL, NULL};
	struct mvm_proto_network sent = {.interfaces = interfaces, .edits = edits}, got;
	struct mvm_wire_frame frame;
	const char *reason = NULL;
	size_t length;

	assert_int_equal(mvm_proto_encode_network(&sent, 9, buffer(), &length), 0);
	frame = received(length);
	assert_true(frame.type == MVM_PROTO_NETWORK && frame.request == 9);
	assert_int_equal(mvm_proto_decode_network(&frame, &arena, &got, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(got.interfaces[i], interfaces[i]);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(got.edits[i], edits[i]);
	assert_true(!got.interfaces[2] && !got.edits[3]);

	edits[3] = (char *)"/etc/resolv.conf";
	assert_int_equal(mvm_proto_encode_network(&sent, 10, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_network(&frame, &arena, &got, &reason), -1);
	assert_string_equal(reason, "an edit is incomplete");

	sent = (struct mvm_proto_network){0};
	assert_int_equal(mvm_proto_encode_network(&sent, 11, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_network(&frame, &arena, &got, NULL), 0);
	assert_true(!got.interfaces && !got.edits);
}

static void test_unknown_fields_are_skipped(void **state)
{
	struct mvm_wire_writer writer;
	struct mvm_wire_frame frame;
	struct mvm_proto_resize got;
	size_t length;

	mvm_wire_begin(&writer, bytes, sizeof(bytes), MVM_PROTO_PROCESS_RESIZE, 1);
	mvm_wire_put_text(&writer, 9999, "from the future");
	mvm_wire_put_u64(&writer, MVM_FIELD_PROCESS, 4);
	mvm_wire_put_u64(&writer, MVM_FIELD_ROWS, 24);
	mvm_wire_put_u64(&writer, MVM_FIELD_ARG, 1);
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_resize(&frame, &got, NULL), 0);
	assert_true(got.id == 4 && got.rows == 24 && got.cols == 0);
}

static void assert_number_refused(uint16_t tag, uint64_t value)
{
	struct mvm_wire_writer writer;
	const char *reason = NULL;
	struct mvm_proto_process got;
	struct mvm_wire_frame frame;
	size_t length;

	mvm_wire_begin(&writer, bytes, sizeof(bytes), MVM_PROTO_PROCESS_START, 1);
	mvm_wire_put_u64(&writer, MVM_FIELD_PROCESS, 1);
	mvm_wire_put_text(&writer, MVM_FIELD_ARG, "true");
	mvm_wire_put_u64(&writer, tag, value);
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_process(&frame, &arena, &got, &reason), -1);
	assert_string_equal(reason, "a number in the message is out of range or has the wrong size");
}

static void test_numbers_out_of_range_are_refused(void **state)
{
	assert_number_refused(MVM_FIELD_PROCESS, UINT64_C(1) << 32);
	assert_number_refused(MVM_FIELD_ROWS, 65536);
	assert_number_refused(MVM_FIELD_TTY, 2);
	assert_number_refused(MVM_FIELD_RLIMIT, 7);
}

static void test_fields_cut_short_are_refused(void **state)
{
	static const uint8_t payload[] = {33, 0, 0, 0, 4, 0, 0, 0, 'a', 'b', 'c'};
	const struct mvm_wire_frame frame = crafted(payload, sizeof(payload));
	const char *reason = NULL;
	struct mvm_proto_process got;

	assert_int_equal(mvm_proto_decode_process(&frame, &arena, &got, &reason), -1);
	assert_string_equal(reason, "the message's fields are cut short");
}

static void test_text_with_nul_is_refused(void **state)
{
	static const uint8_t payload[] = {33, 0, 0, 0, 3, 0, 0, 0, 'a', 0, 'c'};
	const struct mvm_wire_frame frame = crafted(payload, sizeof(payload));
	const char *reason = NULL;
	struct mvm_proto_process got;

	assert_int_equal(mvm_proto_decode_process(&frame, &arena, &got, &reason), -1);
	assert_string_equal(reason, "a text in the message has a NUL inside");
}

static void test_signal(void **state)
{
	static const uint32_t good[] = {1, 9, 15, 64}, bad[] = {0, 65, UINT32_MAX};
	struct mvm_proto_signal got;
	struct mvm_wire_frame frame;
	size_t length;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct mvm_proto_signal sent = {.id = 2, .signo = good[i]};

		assert_int_equal(mvm_proto_encode_signal(&sent, 1, buffer(), &length), 0);
		frame = received(length);
		assert_int_equal(mvm_proto_decode_signal(&frame, &got, NULL), 0);
		assert_true(got.id == 2 && got.signo == good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct mvm_proto_signal sent = {.id = 2, .signo = bad[i]};

		assert_int_equal(mvm_proto_encode_signal(&sent, 1, buffer(), &length), 0);
		frame = received(length);
		assert_int_equal(mvm_proto_decode_signal(&frame, &got, NULL), -1);
	}
}

static void test_archive(void **state)
{
	const struct mvm_proto_archive sent = {
		.path = "/var/log", .name = "log", .port = 1028, .changes = MVM_CHANGES_LAYER, .freeze = true};
	struct mvm_proto_archive got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_archive(&sent, 9, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_ARCHIVE);
	assert_int_equal(frame.request, 9);
	assert_int_equal(mvm_proto_decode_archive(&frame, &arena, &got, NULL), 0);
	assert_string_equal(got.path, "/var/log");
	assert_string_equal(got.name, "log");
	assert_int_equal(got.port, 1028);
	assert_int_equal(got.changes, MVM_CHANGES_LAYER);
	assert_true(got.freeze);
}

static void test_incomplete_archives_are_refused(void **state)
{
	static const struct {
		struct mvm_proto_archive archive;
		const char *reason;
	} cases[] = {
		{{.port = 1028}, "the archive has no absolute path"},
		{{.path = "", .port = 1028}, "the archive has no absolute path"},
		{{.path = "etc", .port = 1028}, "the archive has no absolute path"},
		{{.path = "/etc"}, "the archive has no port"},
		{{.path = "/", .port = 1028, .changes = MVM_CHANGES_LAYER + 1}, "the archive is of an unknown kind"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *reason = NULL;
		struct mvm_proto_archive got;
		struct mvm_wire_frame frame;
		size_t length;

		assert_int_equal(mvm_proto_encode_archive(&cases[i].archive, 1, buffer(), &length), 0);
		frame = received(length);
		assert_int_equal(mvm_proto_decode_archive(&frame, &arena, &got, &reason), -1);
		assert_string_equal(reason, cases[i].reason);
	}
}

static void test_unpack_and_stat(void **state)
{
	const struct mvm_proto_unpack sent = {.path = "/var", .user = "me", .port = 1029, .sync = true};
	const struct mvm_proto_unpack bad[] = {{.path = "var", .port = 1}, {.port = 1}, {.path = "/var"}};
	const struct mvm_proto_stat look = {.path = "/etc"}, bad_look = {.path = "etc"};
	struct mvm_proto_unpack got;
	struct mvm_proto_stat stat;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_unpack(&sent, 9, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_UNPACK);
	assert_int_equal(mvm_proto_decode_unpack(&frame, &arena, &got, NULL), 0);
	assert_string_equal(got.path, "/var");
	assert_string_equal(got.user, "me");
	assert_true(got.port == 1029 && got.sync);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(mvm_proto_encode_unpack(&bad[i], 9, buffer(), &length), 0);
		frame = received(length);
		assert_int_equal(mvm_proto_decode_unpack(&frame, &arena, &got, NULL), -1);
	}
	assert_int_equal(mvm_proto_encode_stat(&look, 9, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_STAT);
	assert_int_equal(mvm_proto_decode_stat(&frame, &arena, &stat, NULL), 0);
	assert_string_equal(stat.path, "/etc");
	assert_int_equal(mvm_proto_encode_stat(&bad_look, 9, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_stat(&frame, &arena, &stat, NULL), -1);
}

static void test_refresh(void **state)
{
	char file[] = "file", itself[] = "", below[] = "folder/file";
	char *changed[] = {file, itself, below, NULL};
	const struct mvm_proto_refresh sent = {.path = "/src", .changed = changed};
	const struct mvm_proto_refresh bad[] = {
		{.path = "/src"}, {.path = "src", .changed = changed}, {.changed = changed}};
	struct mvm_proto_refresh got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_refresh(&sent, 9, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_REFRESH);
	assert_int_equal(mvm_proto_decode_refresh(&frame, &arena, &got, NULL), 0);
	assert_string_equal(got.path, "/src");
	for (size_t i = 0; changed[i]; i++)
		assert_string_equal(got.changed[i], changed[i]);
	assert_null(got.changed[3]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(mvm_proto_encode_refresh(&bad[i], 9, buffer(), &length), 0);
		frame = received(length);
		assert_int_equal(mvm_proto_decode_refresh(&frame, &arena, &got, NULL), -1);
	}
}

static void test_an_answer_to_stat(void **state)
{
	const struct mvm_proto_reply sent = {.type = MVM_PROTO_OK,
					     .request = 3,
					     .mode = 0120777,
					     .size = 1ull << 40,
					     .mtime = (uint64_t)-5,
					     .mtime_nsec = 999999999,
					     .link_target = "/a"};
	struct mvm_proto_reply got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_reply(&sent, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_reply(&frame, &arena, &got, NULL), 0);
	assert_true(got.mode == 0120777 && got.size == 1ull << 40 && got.mtime == (uint64_t)-5 &&
		    got.mtime_nsec == 999999999);
	assert_string_equal(got.link_target, "/a");
}

static void test_exited(void **state)
{
	const struct mvm_proto_exited by_itself = {.id = 1, .status = 255, .uptime = 9};
	const struct mvm_proto_exited by_signal = {.id = 1, .signal = 9, .oom = true};
	const struct mvm_proto_exited wrong = {.id = 1, .status = 256};
	struct mvm_proto_exited got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_exited(&by_itself, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.request, 0);
	assert_int_equal(mvm_proto_decode_exited(&frame, &got, NULL), 0);
	assert_true(got.status == 255 && got.signal == 0 && !got.oom && got.uptime == 9);
	assert_int_equal(mvm_proto_encode_exited(&by_signal, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_exited(&frame, &got, NULL), 0);
	assert_true(got.status == 0 && got.signal == 9 && got.oom);
	assert_int_equal(mvm_proto_encode_exited(&wrong, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_exited(&frame, &got, NULL), -1);
}

static void test_listening(void **state)
{
	const struct mvm_proto_listening some = {.ports = "22 8080"}, none = {.ports = ""};
	struct mvm_proto_listening got;
	struct mvm_wire_frame frame;
	size_t length;

	assert_int_equal(mvm_proto_encode_listening(&some, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(frame.type, MVM_PROTO_LISTENING);
	assert_int_equal(mvm_proto_decode_listening(&frame, &arena, &got, NULL), 0);
	assert_string_equal(got.ports, "22 8080");
	assert_int_equal(mvm_proto_encode_listening(&none, buffer(), &length), 0);
	frame = received(length);
	assert_int_equal(mvm_proto_decode_listening(&frame, &arena, &got, NULL), 0);
	assert_true(!got.ports || !*got.ports);
}

static void test_random_payloads_do_no_harm(void **state)
{
	/* Seeded: the same every time. The sanitizers are what looks. */
	static uint8_t payload[512];
	uint64_t seed = 88172645463325252u;

	for (int round = 0; round < 20000; round++) {
		struct mvm_proto_process process;
		struct mvm_proto_machine machine;
		struct mvm_proto_archive archive;
		struct mvm_proto_reply reply;
		struct mvm_wire_frame frame;
		size_t length;

		for (size_t i = 0; i < sizeof(payload); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			/* Mostly small numbers, so that tags and lengths make sense now and then. */
			payload[i] = seed & 0x300 ? (uint8_t)(i % 8 == 0   ? 16 + seed % 40
							      : i % 8 == 4 ? seed % 24
									   : 0)
						  : (uint8_t)seed;
		}
		length = seed % sizeof(payload);
		frame = crafted(payload, length);
		mvm_proto_decode_process(&frame, &arena, &process, NULL);
		frame = crafted(payload, length);
		mvm_proto_decode_machine(&frame, &arena, &machine, NULL);
		frame = crafted(payload, length);
		mvm_proto_decode_archive(&frame, &arena, &archive, NULL);
		frame = crafted(payload, length);
		mvm_proto_decode_reply(&frame, &arena, &reply, NULL);
		assert_true(arena.used <= arena.size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_needs_a_version),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_unknown_error_code_is_internal),
		cmocka_unit_test(test_error_needs_a_message),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_incomplete_processes_are_refused),
		cmocka_unit_test(test_too_long_a_command_is_the_senders_error),
		cmocka_unit_test(test_most_fields_that_fit),
		cmocka_unit_test(test_a_clock_has_a_time),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_a_list_of_processes_has_a_port),
		cmocka_unit_test(test_unknown_fields_are_skipped),
		cmocka_unit_test(test_numbers_out_of_range_are_refused),
		cmocka_unit_test(test_fields_cut_short_are_refused),
		cmocka_unit_test(test_text_with_nul_is_refused),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_incomplete_archives_are_refused),
		cmocka_unit_test(test_unpack_and_stat),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_an_answer_to_stat),
		cmocka_unit_test(test_exited),
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_random_payloads_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
