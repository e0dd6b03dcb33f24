/*
 * Each message is a table of its fields, which drives the encoder and the
 * decoder alike; so the two cannot disagree. A value of 0 and an absent text
 * are not written, since an absent field reads as just that.
 */
#include "message.h"

#include <string.h>

enum kind {
	KIND_U64,
	KIND_U32,
	KIND_U16,
	KIND_BOOL,
	KIND_TEXT,
	KIND_LIST,    /* char *const * */
	KIND_RLIMITS, /* the pointer; the count stands right behind it */
};

struct spec {
	uint16_t tag;
	uint16_t kind;
	size_t offset;
};

#define HELLO(name)   offsetof(struct mvm_proto_hello, name)
#define REPLY(name)   offsetof(struct mvm_proto_reply, name)
#define MACHINE(name) offsetof(struct mvm_proto_machine, name)
#define PROCESS(name) offsetof(struct mvm_proto_process, name)
#define FIGURES(name) offsetof(struct mvm_proto_figures, name)
#define LIMITS(name)  offsetof(struct mvm_proto_limits, name)
#define END                                                                                                            \
	{                                                                                                              \
		0, 0, 0                                                                                                \
	}

static const struct spec hello_specs[] = {
	{MVM_FIELD_VERSION, KIND_U64, HELLO(version)},
	{MVM_FIELD_FEATURES, KIND_U64, HELLO(features)},
	{MVM_FIELD_AGENT, KIND_TEXT, HELLO(agent)},
	{MVM_FIELD_UPTIME, KIND_U64, HELLO(uptime)},
	END,
};

static const struct spec reply_specs[] = {
	{MVM_FIELD_UPTIME, KIND_U64, REPLY(uptime)},
	{MVM_FIELD_PID, KIND_U64, REPLY(pid)},
	{MVM_FIELD_CODE, KIND_U32, REPLY(code)},
	{MVM_FIELD_ERRNO, KIND_U64, REPLY(errnum)},
	{MVM_FIELD_MESSAGE, KIND_TEXT, REPLY(message)},
	{MVM_FIELD_MODE, KIND_U32, REPLY(mode)},
	{MVM_FIELD_SIZE, KIND_U64, REPLY(size)},
	{MVM_FIELD_MTIME, KIND_U64, REPLY(mtime)},
	{MVM_FIELD_MTIME_NSEC, KIND_U32, REPLY(mtime_nsec)},
	{MVM_FIELD_LINK_TARGET, KIND_TEXT, REPLY(link_target)},
	END,
};

static const struct spec machine_specs[] = {
	{MVM_FIELD_HOSTNAME, KIND_TEXT, MACHINE(hostname)},
	{MVM_FIELD_CLOCK, KIND_U64, MACHINE(clock)},
	{MVM_FIELD_ROOT_DEVICE, KIND_TEXT, MACHINE(root_device)},
	{MVM_FIELD_ROOT_TYPE, KIND_TEXT, MACHINE(root_type)},
	{MVM_FIELD_READ_ONLY, KIND_BOOL, MACHINE(read_only)},
	{MVM_FIELD_SHM_SIZE, KIND_U64, MACHINE(shm_size)},
	{MVM_FIELD_MEMORY_MAX, KIND_U64, MACHINE(limits.memory_max)},
	{MVM_FIELD_MEMORY_LOW, KIND_U64, MACHINE(limits.memory_low)},
	{MVM_FIELD_CPU_QUOTA, KIND_U64, MACHINE(limits.cpu_quota)},
	{MVM_FIELD_CPU_WEIGHT, KIND_U64, MACHINE(limits.cpu_weight)},
	{MVM_FIELD_PIDS_MAX, KIND_U64, MACHINE(limits.pids_max)},
	{MVM_FIELD_HOSTS, KIND_LIST, MACHINE(hosts)},
	{MVM_FIELD_RESOLV_CONF, KIND_TEXT, MACHINE(resolv_conf)},
	{MVM_FIELD_SYSCTL, KIND_LIST, MACHINE(sysctls)},
	{MVM_FIELD_ROOT_SCRATCH, KIND_BOOL, MACHINE(root_scratch)},
	{MVM_FIELD_CA_CERTIFICATES, KIND_TEXT, MACHINE(ca_certificates)},
	{MVM_FIELD_CA_BUNDLE, KIND_TEXT, MACHINE(ca_bundle)},
	{MVM_FIELD_INTERFACE, KIND_LIST, MACHINE(interfaces)},
	{MVM_FIELD_PUBLISHED_PORT, KIND_LIST, MACHINE(published_ports)},
	{MVM_FIELD_PUBLISHED_SOCKET, KIND_LIST, MACHINE(published_sockets)},
	{MVM_FIELD_SOCKETS, KIND_U64, MACHINE(sockets)},
	{MVM_FIELD_TRANSLATOR, KIND_LIST, MACHINE(translators)},
	END,
};

static const struct spec process_specs[] = {
	{MVM_FIELD_PROCESS, KIND_U32, PROCESS(id)},
	{MVM_FIELD_JOIN, KIND_U32, PROCESS(join)},
	{MVM_FIELD_ARG, KIND_LIST, PROCESS(argv)},
	{MVM_FIELD_ENV, KIND_LIST, PROCESS(env)},
	{MVM_FIELD_CWD, KIND_TEXT, PROCESS(cwd)},
	{MVM_FIELD_USER, KIND_TEXT, PROCESS(user)},
	{MVM_FIELD_TTY, KIND_BOOL, PROCESS(tty)},
	{MVM_FIELD_INIT, KIND_BOOL, PROCESS(init)},
	{MVM_FIELD_ROWS, KIND_U16, PROCESS(rows)},
	{MVM_FIELD_COLS, KIND_U16, PROCESS(cols)},
	{MVM_FIELD_STDIN_PORT, KIND_U32, PROCESS(stdin_port)},
	{MVM_FIELD_STDOUT_PORT, KIND_U32, PROCESS(stdout_port)},
	{MVM_FIELD_STDERR_PORT, KIND_U32, PROCESS(stderr_port)},
	{MVM_FIELD_RLIMIT, KIND_RLIMITS, PROCESS(rlimits)},
	{MVM_FIELD_CAP_DROP, KIND_U64, PROCESS(cap_drop)},
	{MVM_FIELD_NO_NEW_PRIVS, KIND_BOOL, PROCESS(no_new_privs)},
	{MVM_FIELD_GROUP, KIND_LIST, PROCESS(groups)},
	{MVM_FIELD_OOM_SCORE_ADJ, KIND_U64, PROCESS(oom_score_adj)},
	{MVM_FIELD_MOUNT, KIND_LIST, PROCESS(mounts)},
	{MVM_FIELD_SOCKET, KIND_LIST, PROCESS(sockets)},
	{MVM_FIELD_UNMASKED, KIND_BOOL, PROCESS(unmasked)},
	{MVM_FIELD_PRIVILEGED, KIND_BOOL, PROCESS(privileged)},
	{MVM_FIELD_DOMAINNAME, KIND_TEXT, PROCESS(domainname)},
	END,
};

_Static_assert(PROCESS(rlimit_count) == PROCESS(rlimits) + sizeof(void *), "KIND_RLIMITS relies on it");
_Static_assert(sizeof(enum mvm_proto_code) == 4, "a code is read as KIND_U32");
_Static_assert(sizeof(enum mvm_proto_changes) == 4, "it is read as KIND_U32");

static const struct spec signal_specs[] = {
	{MVM_FIELD_PROCESS, KIND_U32, offsetof(struct mvm_proto_signal, id)},
	{MVM_FIELD_SIGNAL, KIND_U32, offsetof(struct mvm_proto_signal, signo)},
	END,
};

static const struct spec resize_specs[] = {
	{MVM_FIELD_PROCESS, KIND_U32, offsetof(struct mvm_proto_resize, id)},
	{MVM_FIELD_ROWS, KIND_U16, offsetof(struct mvm_proto_resize, rows)},
	{MVM_FIELD_COLS, KIND_U16, offsetof(struct mvm_proto_resize, cols)},
	END,
};

static const struct spec clock_specs[] = {
	{MVM_FIELD_CLOCK, KIND_U64, offsetof(struct mvm_proto_clock, clock)},
	END,
};

static const struct spec archive_specs[] = {
	{MVM_FIELD_PATH, KIND_TEXT, offsetof(struct mvm_proto_archive, path)},
	{MVM_FIELD_NAME, KIND_TEXT, offsetof(struct mvm_proto_archive, name)},
	{MVM_FIELD_PORT, KIND_U32, offsetof(struct mvm_proto_archive, port)},
	{MVM_FIELD_CHANGES, KIND_U32, offsetof(struct mvm_proto_archive, changes)},
	{MVM_FIELD_FREEZE, KIND_BOOL, offsetof(struct mvm_proto_archive, freeze)},
	{MVM_FIELD_MOUNTED, KIND_BOOL, offsetof(struct mvm_proto_archive, mounted)},
	END,
};

static const struct spec refresh_specs[] = {
	{MVM_FIELD_PATH, KIND_TEXT, offsetof(struct mvm_proto_refresh, path)},
	{MVM_FIELD_CHANGED, KIND_LIST, offsetof(struct mvm_proto_refresh, changed)},
	END,
};

static const struct spec unpack_specs[] = {
	{MVM_FIELD_PATH, KIND_TEXT, offsetof(struct mvm_proto_unpack, path)},
	{MVM_FIELD_USER, KIND_TEXT, offsetof(struct mvm_proto_unpack, user)},
	{MVM_FIELD_PORT, KIND_U32, offsetof(struct mvm_proto_unpack, port)},
	{MVM_FIELD_SYNC, KIND_BOOL, offsetof(struct mvm_proto_unpack, sync)},
	END,
};

static const struct spec stat_specs[] = {
	{MVM_FIELD_PATH, KIND_TEXT, offsetof(struct mvm_proto_stat, path)},
	END,
};

static const struct spec figures_specs[] = {
	{MVM_FIELD_UPTIME, KIND_U64, FIGURES(uptime)},
	{MVM_FIELD_CPU_TIME, KIND_U64, FIGURES(cpu_time)},
	{MVM_FIELD_MEMORY_USED, KIND_U64, FIGURES(memory_used)},
	{MVM_FIELD_MEMORY_INACTIVE, KIND_U64, FIGURES(memory_inactive)},
	{MVM_FIELD_MEMORY_LIMIT, KIND_U64, FIGURES(memory_limit)},
	{MVM_FIELD_NET_RECEIVED, KIND_U64, FIGURES(net_received)},
	{MVM_FIELD_NET_SENT, KIND_U64, FIGURES(net_sent)},
	{MVM_FIELD_BLOCK_READ, KIND_U64, FIGURES(block_read)},
	{MVM_FIELD_BLOCK_WRITTEN, KIND_U64, FIGURES(block_written)},
	{MVM_FIELD_PIDS, KIND_U64, FIGURES(pids)},
	END,
};

static const struct spec update_specs[] = {
	{MVM_FIELD_MEMORY_MAX, KIND_U64, LIMITS(memory_max)}, {MVM_FIELD_MEMORY_LOW, KIND_U64, LIMITS(memory_low)},
	{MVM_FIELD_CPU_QUOTA, KIND_U64, LIMITS(cpu_quota)},   {MVM_FIELD_CPU_WEIGHT, KIND_U64, LIMITS(cpu_weight)},
	{MVM_FIELD_PIDS_MAX, KIND_U64, LIMITS(pids_max)},     END,
};

static const struct spec network_specs[] = {
	{MVM_FIELD_INTERFACE, KIND_LIST, offsetof(struct mvm_proto_network, interfaces)},
	{MVM_FIELD_EDIT, KIND_LIST, offsetof(struct mvm_proto_network, edits)},
	END,
};

static const struct spec processes_specs[] = {
	{MVM_FIELD_PORT, KIND_U32, offsetof(struct mvm_proto_processes, port)},
	END,
};

static const struct spec exited_specs[] = {
	{MVM_FIELD_PROCESS, KIND_U32, offsetof(struct mvm_proto_exited, id)},
	{MVM_FIELD_SIGNAL, KIND_U32, offsetof(struct mvm_proto_exited, signal)},
	{MVM_FIELD_EXIT_STATUS, KIND_U32, offsetof(struct mvm_proto_exited, status)},
	{MVM_FIELD_OOM, KIND_BOOL, offsetof(struct mvm_proto_exited, oom)},
	{MVM_FIELD_UPTIME, KIND_U64, offsetof(struct mvm_proto_exited, uptime)},
	END,
};

static const struct spec listening_specs[] = {
	{MVM_FIELD_PORTS, KIND_TEXT, offsetof(struct mvm_proto_listening, ports)},
	END,
};

/* Encoding. */

static uint64_t number_at(const void *at, unsigned kind)
{
	switch (kind) {
	case KIND_U64:
		return *(const uint64_t *)at;
	case KIND_U32:
		return *(const uint32_t *)at;
	case KIND_U16:
		return *(const uint16_t *)at;
	default:
		return *(const bool *)at;
	}
}

static void put_list(struct mvm_wire_writer *writer, uint16_t tag, char *const *list)
{
	for (; list && *list; list++)
		mvm_wire_put_text(writer, tag, *list);
}

static void put_rlimits(struct mvm_wire_writer *writer, uint16_t tag, const struct mvm_proto_rlimit *limits,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t values[3] = {limits[i].resource, limits[i].soft, limits[i].hard};

		mvm_wire_put_u64s(writer, tag, values, 3);
	}
}

static void put_field(struct mvm_wire_writer *writer, const struct spec *spec, const void *at)
{
	uint64_t number;

	switch (spec->kind) {
	case KIND_TEXT:
		if (*(const char *const *)at)
			mvm_wire_put_text(writer, spec->tag, *(const char *const *)at);
		return;
	case KIND_LIST:
		put_list(writer, spec->tag, *(char *const *const *)at);
		return;
	case KIND_RLIMITS:
		put_rlimits(writer, spec->tag, *(const struct mvm_proto_rlimit *const *)at,
			    *(const size_t *)((const char *)at + sizeof(void *)));
		return;
	default:
		number = number_at(at, spec->kind);
		if (number)
			mvm_wire_put_u64(writer, spec->tag, number);
	}
}

static int encode(enum mvm_proto_type type, uint32_t request, const struct spec *spec, const void *message,
		  struct mvm_proto_buffer to, size_t *length)
{
	struct mvm_wire_writer writer;

	mvm_wire_begin(&writer, to.data, to.capacity, (uint16_t)type, request);
	for (; spec && spec->tag; spec++)
		put_field(&writer, spec, (const char *)message + spec->offset);
	return mvm_wire_end(&writer, length);
}

int mvm_proto_encode_hello(const struct mvm_proto_hello *hello, struct mvm_proto_buffer to, size_t *length)
{
	return encode(MVM_PROTO_HELLO, 0, hello_specs, hello, to, length);
}

int mvm_proto_encode_reply(const struct mvm_proto_reply *reply, struct mvm_proto_buffer to, size_t *length)
{
	return encode(reply->type, reply->request, reply_specs, reply, to, length);
}

int mvm_proto_encode_machine(const struct mvm_proto_machine *machine, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length)
{
	return encode(MVM_PROTO_MACHINE, request, machine_specs, machine, to, length);
}

int mvm_proto_encode_process(const struct mvm_proto_process *process, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length)
{
	return encode(MVM_PROTO_PROCESS_START, request, process_specs, process, to, length);
}

int mvm_proto_encode_signal(const struct mvm_proto_signal *signal, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length)
{
	return encode(MVM_PROTO_PROCESS_SIGNAL, request, signal_specs, signal, to, length);
}

int mvm_proto_encode_resize(const struct mvm_proto_resize *resize, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length)
{
	return encode(MVM_PROTO_PROCESS_RESIZE, request, resize_specs, resize, to, length);
}

int mvm_proto_encode_clock(const struct mvm_proto_clock *clock, uint32_t request, struct mvm_proto_buffer to,
			   size_t *length)
{
	return encode(MVM_PROTO_CLOCK, request, clock_specs, clock, to, length);
}

int mvm_proto_encode_archive(const struct mvm_proto_archive *archive, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length)
{
	return encode(MVM_PROTO_ARCHIVE, request, archive_specs, archive, to, length);
}

int mvm_proto_encode_stats(uint32_t request, struct mvm_proto_buffer to, size_t *length)
{
	return encode(MVM_PROTO_STATS, request, NULL, NULL, to, length);
}

int mvm_proto_encode_figures(const struct mvm_proto_figures *figures, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length)
{
	return encode(MVM_PROTO_FIGURES, request, figures_specs, figures, to, length);
}

int mvm_proto_encode_update(const struct mvm_proto_limits *limits, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length)
{
	return encode(MVM_PROTO_UPDATE, request, update_specs, limits, to, length);
}

int mvm_proto_encode_network(const struct mvm_proto_network *network, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length)
{
	return encode(MVM_PROTO_NETWORK, request, network_specs, network, to, length);
}

int mvm_proto_encode_unpack(const struct mvm_proto_unpack *unpack, uint32_t request, struct mvm_proto_buffer to,
			    size_t *length)
{
	return encode(MVM_PROTO_UNPACK, request, unpack_specs, unpack, to, length);
}

int mvm_proto_encode_stat(const struct mvm_proto_stat *stat, uint32_t request, struct mvm_proto_buffer to,
			  size_t *length)
{
	return encode(MVM_PROTO_STAT, request, stat_specs, stat, to, length);
}

int mvm_proto_encode_refresh(const struct mvm_proto_refresh *refresh, uint32_t request, struct mvm_proto_buffer to,
			     size_t *length)
{
	return encode(MVM_PROTO_REFRESH, request, refresh_specs, refresh, to, length);
}

int mvm_proto_encode_processes(const struct mvm_proto_processes *processes, uint32_t request,
			       struct mvm_proto_buffer to, size_t *length)
{
	return encode(MVM_PROTO_PROCESSES, request, processes_specs, processes, to, length);
}

int mvm_proto_encode_shutdown(uint32_t request, struct mvm_proto_buffer to, size_t *length)
{
	return encode(MVM_PROTO_SHUTDOWN, request, NULL, NULL, to, length);
}

int mvm_proto_encode_exited(const struct mvm_proto_exited *exited, struct mvm_proto_buffer to, size_t *length)
{
	return encode(MVM_PROTO_PROCESS_EXITED, 0, exited_specs, exited, to, length);
}

int mvm_proto_encode_listening(const struct mvm_proto_listening *listening, struct mvm_proto_buffer to, size_t *length)
{
	return encode(MVM_PROTO_LISTENING, 0, listening_specs, listening, to, length);
}

/* Decoding. */

static const char out_of_memory[] = "the message has too many fields";
static const char bad_number[] = "a number in the message is out of range or has the wrong size";
static const char bad_text[] = "a text in the message has a NUL inside";
static const char bad_fields[] = "the message's fields are cut short";

static void *arena_take(struct mvm_proto_arena *arena, size_t size)
{
	size_t start = (arena->used + 7) & ~(size_t)7;

	if (start > arena->size || size > arena->size - start)
		return NULL;
	arena->used = start + size;
	return arena->data + start;
}

/* Texts need no alignment: packed, they cost no more than the field did. */
static char *take_text(struct mvm_proto_arena *arena, const struct mvm_wire_field *field, const char **reason)
{
	char *text = arena->data + arena->used;

	if (field->length >= arena->size - arena->used) {
		*reason = out_of_memory;
		return NULL;
	}
	if (mvm_wire_get_text(field, text, field->length + 1)) {
		*reason = bad_text;
		return NULL;
	}
	arena->used += field->length + 1;
	return text;
}

static int get_number(const struct mvm_wire_field *field, unsigned kind, void *at, const char **reason)
{
	uint64_t value;

	*reason = bad_number;
	if (mvm_wire_get_u64(field, &value))
		return -1;
	switch (kind) {
	case KIND_U64:
		*(uint64_t *)at = value;
		return 0;
	case KIND_U32:
		*(uint32_t *)at = (uint32_t)value;
		return value > UINT32_MAX ? -1 : 0;
	case KIND_U16:
		*(uint16_t *)at = (uint16_t)value;
		return value > UINT16_MAX ? -1 : 0;
	default:
		*(bool *)at = value != 0;
		return value > 1 ? -1 : 0;
	}
}

static int get_rlimit(const struct mvm_wire_field *field, struct mvm_proto_rlimit *limit, const char **reason)
{
	uint64_t values[3];

	if (mvm_wire_get_u64s(field, values, 3)) {
		*reason = bad_number;
		return -1;
	}
	*limit = (struct mvm_proto_rlimit){.resource = values[0], .soft = values[1], .hard = values[2]};
	return 0;
}

/* Counts first, so that a list is one array. Also finds out whether the payload is well-formed at all. */
static int count_tag(const struct mvm_wire_frame *frame, uint16_t tag, size_t *count)
{
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	int rc;

	*count = 0;
	mvm_wire_fields(frame, &cursor);
	while ((rc = mvm_wire_next_field(&cursor, &field)) == 1)
		*count += field.tag == tag;
	return rc;
}

static int get_list(const struct mvm_wire_frame *frame, uint16_t tag, size_t count, struct mvm_proto_arena *arena,
		    char *const **list, const char **reason)
{
	char **items = arena_take(arena, (count + 1) * sizeof(*items));
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	size_t i = 0;

	if (!items) {
		*reason = out_of_memory;
		return -1;
	}
	mvm_wire_fields(frame, &cursor);
	while (i < count && mvm_wire_next_field(&cursor, &field) == 1) {
		if (field.tag != tag)
			continue;
		items[i] = take_text(arena, &field, reason);
		if (!items[i++])
			return -1;
	}
	items[i] = NULL;
	*list = items;
	return 0;
}

static int get_rlimits(const struct mvm_wire_frame *frame, uint16_t tag, size_t count, struct mvm_proto_arena *arena,
		       void *at, const char **reason)
{
	struct mvm_proto_rlimit *limits = arena_take(arena, count * sizeof(*limits));
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	size_t i = 0;

	if (!limits) {
		*reason = out_of_memory;
		return -1;
	}
	mvm_wire_fields(frame, &cursor);
	while (i < count && mvm_wire_next_field(&cursor, &field) == 1)
		if (field.tag == tag && get_rlimit(&field, &limits[i++], reason))
			return -1;
	*(const struct mvm_proto_rlimit **)at = limits;
	*(size_t *)((char *)at + sizeof(void *)) = count;
	return 0;
}

static int get_repeated(const struct mvm_wire_frame *frame, const struct spec *spec, struct mvm_proto_arena *arena,
			void *at, const char **reason)
{
	size_t count;

	if (count_tag(frame, spec->tag, &count)) {
		*reason = bad_fields;
		return -1;
	}
	if (count == 0)
		return 0;
	if (spec->kind == KIND_LIST)
		return get_list(frame, spec->tag, count, arena, at, reason);
	return get_rlimits(frame, spec->tag, count, arena, at, reason);
}

static const struct spec *find_spec(const struct spec *spec, uint16_t tag)
{
	while (spec->tag && spec->tag != tag)
		spec++;
	return spec->tag ? spec : NULL;
}

static int get_single(const struct mvm_wire_field *field, const struct spec *specs, struct mvm_proto_arena *arena,
		      void *message, const char **reason)
{
	const struct spec *spec = find_spec(specs, field->tag);
	void *at;

	if (!spec || spec->kind == KIND_LIST || spec->kind == KIND_RLIMITS)
		return 0;
	at = (char *)message + spec->offset;
	if (spec->kind != KIND_TEXT)
		return get_number(field, spec->kind, at, reason);
	*(const char **)at = take_text(arena, field, reason);
	return *(const char **)at ? 0 : -1;
}

static int decode(const struct mvm_wire_frame *frame, const struct spec *specs, struct mvm_proto_arena *arena,
		  void *message, const char **reason)
{
	struct mvm_wire_cursor cursor;
	struct mvm_wire_field field;
	const char *unused;
	int rc;

	if (!reason)
		reason = &unused;
	mvm_wire_fields(frame, &cursor);
	while ((rc = mvm_wire_next_field(&cursor, &field)) == 1)
		if (get_single(&field, specs, arena, message, reason))
			return -1;
	if (rc < 0) {
		*reason = bad_fields;
		return -1;
	}
	for (const struct spec *spec = specs; spec->tag; spec++)
		if ((spec->kind == KIND_LIST || spec->kind == KIND_RLIMITS) &&
		    get_repeated(frame, spec, arena, (char *)message + spec->offset, reason))
			return -1;
	return 0;
}

static int refuse(const char **reason, const char *why)
{
	if (reason)
		*reason = why;
	return -1;
}

int mvm_proto_decode_hello(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			   struct mvm_proto_hello *hello, const char **reason)
{
	*hello = (struct mvm_proto_hello){0};
	if (decode(frame, hello_specs, arena, hello, reason))
		return -1;
	return hello->version ? 0 : refuse(reason, "the hello has no version");
}

int mvm_proto_decode_reply(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			   struct mvm_proto_reply *reply, const char **reason)
{
	*reply = (struct mvm_proto_reply){.type = frame->type, .request = frame->request};
	if (decode(frame, reply_specs, arena, reply, reason))
		return -1;
	if (frame->type != MVM_PROTO_ERROR)
		return 0;
	if (reply->code < MVM_PROTO_INTERNAL || reply->code > MVM_PROTO_NOT_POSSIBLE)
		reply->code = MVM_PROTO_INTERNAL;
	if (!reply->message || !*reply->message)
		return refuse(reason, "the error has no message");
	return 0;
}

int mvm_proto_decode_machine(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_machine *machine, const char **reason)
{
	*machine = (struct mvm_proto_machine){0};
	if (decode(frame, machine_specs, arena, machine, reason))
		return -1;
	if (!machine->root_device || !machine->root_type)
		return refuse(reason, "the machine has no root device");
	return 0;
}

int mvm_proto_decode_process(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_process *process, const char **reason)
{
	*process = (struct mvm_proto_process){0};
	if (decode(frame, process_specs, arena, process, reason))
		return -1;
	if (process->id == 0)
		return refuse(reason, "the process has no id");
	if (!process->argv)
		return refuse(reason, "the process has no command");
	for (size_t i = 0; i < process->rlimit_count; i++)
		if (process->rlimits[i].resource >= MVM_RLIMIT_COUNT)
			return refuse(reason, "the process has an unknown resource limit");
	if (process->oom_score_adj < -1000 || process->oom_score_adj > 1000)
		return refuse(reason, "the process's oom score is out of range");
	return 0;
}

int mvm_proto_decode_signal(const struct mvm_wire_frame *frame, struct mvm_proto_signal *signal, const char **reason)
{
	struct mvm_proto_arena none = {0};

	*signal = (struct mvm_proto_signal){0};
	if (decode(frame, signal_specs, &none, signal, reason))
		return -1;
	return signal->signo > 0 && signal->signo <= 64 ? 0 : refuse(reason, "there is no such signal");
}

int mvm_proto_decode_resize(const struct mvm_wire_frame *frame, struct mvm_proto_resize *resize, const char **reason)
{
	struct mvm_proto_arena none = {0};

	*resize = (struct mvm_proto_resize){0};
	return decode(frame, resize_specs, &none, resize, reason);
}

int mvm_proto_decode_clock(const struct mvm_wire_frame *frame, struct mvm_proto_clock *clock, const char **reason)
{
	struct mvm_proto_arena none = {0};

	*clock = (struct mvm_proto_clock){0};
	if (decode(frame, clock_specs, &none, clock, reason))
		return -1;
	return clock->clock ? 0 : refuse(reason, "the time is missing");
}

int mvm_proto_decode_archive(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_archive *archive, const char **reason)
{
	*archive = (struct mvm_proto_archive){0};
	if (decode(frame, archive_specs, arena, archive, reason))
		return -1;
	if (!archive->path || archive->path[0] != '/')
		return refuse(reason, "the archive has no absolute path");
	if (archive->changes > MVM_CHANGES_LAYER)
		return refuse(reason, "the archive is of an unknown kind");
	return archive->port ? 0 : refuse(reason, "the archive has no port");
}

int mvm_proto_decode_figures(const struct mvm_wire_frame *frame, struct mvm_proto_figures *figures, const char **reason)
{
	struct mvm_proto_arena none = {0};

	*figures = (struct mvm_proto_figures){0};
	return decode(frame, figures_specs, &none, figures, reason);
}

int mvm_proto_decode_update(const struct mvm_wire_frame *frame, struct mvm_proto_limits *limits, const char **reason)
{
	struct mvm_proto_arena none = {0};

	*limits = (struct mvm_proto_limits){0};
	return decode(frame, update_specs, &none, limits, reason);
}

int mvm_proto_decode_network(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_network *network, const char **reason)
{
	size_t count = 0;

	*network = (struct mvm_proto_network){0};
	if (decode(frame, network_specs, arena, network, reason))
		return -1;
	while (network->edits && network->edits[count])
		count++;
	return count % 3 == 0 ? 0 : refuse(reason, "an edit is incomplete");
}

int mvm_proto_decode_unpack(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			    struct mvm_proto_unpack *unpack, const char **reason)
{
	*unpack = (struct mvm_proto_unpack){0};
	if (decode(frame, unpack_specs, arena, unpack, reason))
		return -1;
	if (!unpack->path || unpack->path[0] != '/')
		return refuse(reason, "the folder has no absolute path");
	return unpack->port ? 0 : refuse(reason, "what to unpack has no port");
}

int mvm_proto_decode_stat(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			  struct mvm_proto_stat *stat, const char **reason)
{
	*stat = (struct mvm_proto_stat){0};
	if (decode(frame, stat_specs, arena, stat, reason))
		return -1;
	return stat->path && stat->path[0] == '/' ? 0 : refuse(reason, "the path is not absolute");
}

int mvm_proto_decode_refresh(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			     struct mvm_proto_refresh *refresh, const char **reason)
{
	*refresh = (struct mvm_proto_refresh){0};
	if (decode(frame, refresh_specs, arena, refresh, reason))
		return -1;
	if (!refresh->path || refresh->path[0] != '/')
		return refuse(reason, "the path is not absolute");
	return refresh->changed ? 0 : refuse(reason, "nothing has changed");
}

int mvm_proto_decode_processes(const struct mvm_wire_frame *frame, struct mvm_proto_processes *processes,
			       const char **reason)
{
	struct mvm_proto_arena none = {0};

	*processes = (struct mvm_proto_processes){0};
	if (decode(frame, processes_specs, &none, processes, reason))
		return -1;
	return processes->port ? 0 : refuse(reason, "the list of processes has no port");
}

int mvm_proto_decode_exited(const struct mvm_wire_frame *frame, struct mvm_proto_exited *exited, const char **reason)
{
	struct mvm_proto_arena none = {0};

	*exited = (struct mvm_proto_exited){0};
	if (decode(frame, exited_specs, &none, exited, reason))
		return -1;
	if (exited->signal < 0 || exited->signal > 64 || exited->status < 0 || exited->status > 255)
		return refuse(reason, "the exit status is out of range");
	return 0;
}

int mvm_proto_decode_listening(const struct mvm_wire_frame *frame, struct mvm_proto_arena *arena,
			       struct mvm_proto_listening *listening, const char **reason)
{
	*listening = (struct mvm_proto_listening){0};
	return decode(frame, listening_specs, arena, listening, reason);
}
