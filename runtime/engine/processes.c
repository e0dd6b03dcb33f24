#include "processes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/text.h"

#define MAX_LIST (16u << 20)

enum {
	FIELD_MACHINE_PID,
	FIELD_PID,
	FIELD_MACHINE_PPID,
	FIELD_GROUP,
	FIELD_SESSION,
	FIELD_UID,
	FIELD_USER,
	FIELD_GID,
	FIELD_GRP,
	FIELD_STATE,
	FIELD_FOREGROUND,
	FIELD_TTY,
	FIELD_PRIORITY,
	FIELD_NICE,
	FIELD_THREADS,
	FIELD_SIZE,
	FIELD_RESIDENT,
	FIELD_START,
	FIELD_USED,
	FIELD_NAME,
	FIELD_ARGS,
	FIELD_COUNT
};

struct parser {
	const char *at, *end; /* of the text */
	char *line;	      /* the current one, a copy */
	char *fields[FIELD_COUNT];
	uint32_t *machine_pids; /* of each process in the list; NULL-terminated by count */
	uint32_t *machine_ppids;
};

/* Takes a line apart. false: it has not `count` fields. */
static bool split(struct parser *parser, size_t count)
{
	char *rest = parser->line;

	for (size_t i = 0; i < count; i++) {
		char *tab = rest ? strchr(rest, '\t') : NULL;

		if (!rest || (i + 1 < count) != (tab != NULL))
			return false;
		parser->fields[i] = rest;
		if (tab)
			*tab = '\0';
		rest = tab ? tab + 1 : NULL;
	}
	return true;
}

/* 0 at the end of the text, and -1 where the last line has none. */
static int next_line(struct parser *parser)
{
	const char *newline = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));

	free(parser->line);
	parser->line = NULL;
	if (parser->at == parser->end)
		return 0;
	if (!newline || memchr(parser->at, '\0', (size_t)(newline - parser->at)))
		return -1;
	parser->line = mvm_strndup(parser->at, (size_t)(newline - parser->at));
	parser->at = newline + 1;
	return 1;
}

static bool number(const struct parser *parser, int field, int64_t min, int64_t max, int64_t *value)
{
	return mvm_parse_int(parser->fields[field], min, max, value);
}

static bool number32(const struct parser *parser, int field, uint32_t *out)
{
	int64_t value;

	if (!number(parser, field, 0, UINT32_MAX, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool unsigned64(const struct parser *parser, int field, uint64_t *out)
{
	int64_t value;

	if (!number(parser, field, 0, INT64_MAX, &value))
		return false;
	*out = (uint64_t)value;
	return true;
}

static char *text(const struct parser *parser, int field)
{
	char *copy = mvm_strdup(parser->fields[field]);

	mvm_mask_controls(copy);
	return copy;
}

static char *name_or_number(const struct parser *parser, int name, int id)
{
	return text(parser, *parser->fields[name] ? name : id);
}

static bool read_numbers(const struct parser *parser, struct mvm_process *process)
{
	int64_t foreground;

	if (!number32(parser, FIELD_PID, &process->pid) || !number32(parser, FIELD_GROUP, &process->group) ||
	    !number32(parser, FIELD_SESSION, &process->session) || !number32(parser, FIELD_UID, &process->uid) ||
	    !number32(parser, FIELD_GID, &process->gid) || !number(parser, FIELD_FOREGROUND, 0, 1, &foreground) ||
	    !number(parser, FIELD_TTY, INT32_MIN, UINT32_MAX, &process->tty) ||
	    !number(parser, FIELD_PRIORITY, INT32_MIN, INT32_MAX, &process->priority) ||
	    !number(parser, FIELD_NICE, -100, 100, &process->nice) ||
	    !number(parser, FIELD_THREADS, 0, INT32_MAX, &process->threads))
		return false;
	process->foreground = foreground != 0;
	return unsigned64(parser, FIELD_SIZE, &process->size) &&
	       unsigned64(parser, FIELD_RESIDENT, &process->resident) &&
	       unsigned64(parser, FIELD_START, &process->start) && unsigned64(parser, FIELD_USED, &process->used);
}

static bool add_process(struct parser *parser, struct mvm_process_list *list)
{
	struct mvm_process process = {0};
	size_t capacity = list->count + 1;
	uint32_t machine_pid, machine_ppid;

	if (!split(parser, FIELD_COUNT) || !number32(parser, FIELD_MACHINE_PID, &machine_pid) ||
	    !number32(parser, FIELD_MACHINE_PPID, &machine_ppid) || !read_numbers(parser, &process) ||
	    strlen(parser->fields[FIELD_STATE]) != 1 || list->count >= MVM_PROCESSES_MAX)
		return false;
	process.state = *parser->fields[FIELD_STATE] > ' ' && *parser->fields[FIELD_STATE] < 0x7f
				? *parser->fields[FIELD_STATE]
				: '?';
	process.user = name_or_number(parser, FIELD_USER, FIELD_UID);
	process.grp = name_or_number(parser, FIELD_GRP, FIELD_GID);
	process.name = text(parser, FIELD_NAME);
	process.args = text(parser, FIELD_ARGS);
	if ((list->count & (list->count - 1)) == 0) {
		capacity = list->count ? 2 * list->count : 1;
		list->items = mvm_realloc(list->items, capacity, sizeof(*list->items));
		parser->machine_pids = mvm_realloc(parser->machine_pids, capacity, sizeof(*parser->machine_pids));
		parser->machine_ppids = mvm_realloc(parser->machine_ppids, capacity, sizeof(*parser->machine_ppids));
	}
	parser->machine_pids[list->count] = machine_pid;
	parser->machine_ppids[list->count] = machine_ppid;
	list->items[list->count++] = process;
	return true;
}

struct place {
	uint32_t machine_pid, pid;
};

static int by_machine_pid(const void *a, const void *b)
{
	const struct place *one = a, *other = b;

	return (one->machine_pid > other->machine_pid) - (one->machine_pid < other->machine_pid);
}

static int by_pid(const void *a, const void *b)
{
	const struct mvm_process *one = a, *other = b;

	return (one->pid > other->pid) - (one->pid < other->pid);
}

/* A parent that is not in the list is none of the container's. */
static void find_parents(const struct parser *parser, struct mvm_process_list *list)
{
	struct place *places MVM_CLEAN_FREE = mvm_alloc((list->count + 1) * sizeof(*places));

	for (size_t i = 0; i < list->count; i++)
		places[i] = (struct place){parser->machine_pids[i], list->items[i].pid};
	qsort(places, list->count, sizeof(*places), by_machine_pid);
	for (size_t i = 0; i < list->count; i++) {
		const struct place wanted = {.machine_pid = parser->machine_ppids[i]};
		const struct place *found = bsearch(&wanted, places, list->count, sizeof(*places), by_machine_pid);

		list->items[i].ppid = found ? found->pid : 0;
	}
}

static bool parse(struct parser *parser, struct mvm_process_list *list)
{
	int result = next_line(parser);

	if (result <= 0 || !split(parser, 3) || !unsigned64(parser, 0, &list->uptime) ||
	    !unsigned64(parser, 1, &list->ticks) || !unsigned64(parser, 2, &list->memory) || !list->ticks)
		return false;
	while ((result = next_line(parser)) > 0)
		if (!add_process(parser, list))
			return false;
	if (result < 0)
		return false;
	find_parents(parser, list);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_pid);
	return true;
}

int mvm_processes_parse(const char *data, size_t length, struct mvm_process_list *out, struct mvm_error **err)
{
	struct parser parser = {.at = data, .end = data + length};
	struct mvm_process_list list = {0};
	bool good = parse(&parser, &list);

	free(parser.line);
	free(parser.machine_pids);
	free(parser.machine_ppids);
	if (!good) {
		mvm_processes_finish(&list);
		return mvm_fail(err, MVM_ERR_INVALID, "the guest's list of processes is malformed");
	}
	*out = list;
	return 0;
}

void mvm_processes_finish(struct mvm_process_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].user);
		free(list->items[i].grp);
		free(list->items[i].name);
		free(list->items[i].args);
	}
	free(list->items);
	*list = (struct mvm_process_list){0};
}

static int read_all(int fd, struct mvm_buf *text, struct mvm_error **err)
{
	ssize_t n;

	do {
		char *end = mvm_buf_reserve(text, 65536);

		n = mvm_read_full(fd, end, 65536);
		if (n < 0)
			return mvm_fail_errno(err, errno, "cannot read from the VM");
		text->length += (size_t)n;
		if (text->length > MAX_LIST)
			return mvm_fail(err, MVM_ERR_INVALID, "the guest's list of processes is larger than %u bytes",
					MAX_LIST);
	} while (n > 0);
	return 0;
}

int mvm_engine_processes(struct mvm_engine *engine, const char *what, struct mvm_process_list *list,
			 struct mvm_error **err)
{
	struct mvm_container *container MVM_CLEAN_CONTAINER = NULL;
	struct mvm_client *client MVM_CLEAN_CLIENT = NULL;
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	int stream MVM_CLEAN_FD = -1;
	json_int_t id;

	if (mvm_state_find(mvm_engine_state(engine), what, &container, err) < 0 ||
	    mvm_engine_connect(engine, container, &client, err) < 0 ||
	    mvm_client_stream(client, "processes", NULL, &stream, &id, err) < 0 || read_all(stream, &text, err) < 0 ||
	    mvm_client_wait(client, id, err) < 0)
		return -1;
	if (mvm_processes_parse(text.data, text.length, list, err) < 0)
		return -1;
	engine_note_container(engine, what, "top");
	return 0;
}
