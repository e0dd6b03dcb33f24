/*
 * Figures of many containers at once: a connection to each one's supervisor, all of them waited for together.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/loop.h"
#include "runtime/state/control.h"

#define STALE_NS 2000000000ULL /* docker's */

struct entry {
	char *id;
	bool wanted;
	struct mvm_client *client; /* NULL: not connected */
	bool asked;		   /* and not answered yet */
	struct mvm_stats answers[2];
	size_t answer_count; /* so far; the latest is at the odd or even place of its number */
	uint64_t answered;   /* mvm_now_ns() of the latest */
};

struct mvm_stats_board {
	struct mvm_engine *engine;
	struct entry *entries;
	size_t count;
};

struct mvm_stats_board *mvm_stats_board_create(struct mvm_engine *engine)
{
	struct mvm_stats_board *board = mvm_alloc(sizeof(*board));

	board->engine = engine;
	return board;
}

static void disconnect(struct entry *entry)
{
	mvm_client_destroy(entry->client);
	entry->client = NULL;
	entry->asked = false;
}

static void entry_finish(struct entry *entry)
{
	disconnect(entry);
	free(entry->id);
}

void mvm_stats_board_destroy(struct mvm_stats_board *board)
{
	if (!board)
		return;
	for (size_t i = 0; i < board->count; i++)
		entry_finish(&board->entries[i]);
	free(board->entries);
	free(board);
}

static struct entry *find(const struct mvm_stats_board *board, const char *id)
{
	for (size_t i = 0; i < board->count; i++)
		if (!strcmp(board->entries[i].id, id))
			return &board->entries[i];
	return NULL;
}

static struct entry *add(struct mvm_stats_board *board, const char *id)
{
	board->entries = mvm_realloc(board->entries, board->count + 1, sizeof(*board->entries));
	board->entries[board->count] = (struct entry){.id = mvm_strdup(id)};
	return &board->entries[board->count++];
}

/* Who cannot be reached has no figures; whether that is so for good, its state will say. */
static void ask(struct mvm_stats_board *board, struct entry *entry)
{
	char *path MVM_CLEAN_FREE = NULL;
	json_int_t id;
	int fd;

	if (!entry->client) {
		path = mvm_state_socket_path(mvm_engine_state(board->engine), entry->id);
		if (mvm_control_connect_now(path, &fd, NULL) < 0)
			return;
		entry->client = mvm_client_create(fd);
	}
	if (mvm_client_send(entry->client, "stats", NULL, &id, NULL) < 0)
		disconnect(entry);
	else
		entry->asked = true;
}

static void forget_unwanted(struct mvm_stats_board *board)
{
	size_t kept = 0;

	for (size_t i = 0; i < board->count; i++) {
		if (board->entries[i].wanted)
			board->entries[kept++] = board->entries[i];
		else
			entry_finish(&board->entries[i]);
	}
	board->count = kept;
}

void mvm_stats_board_ask(struct mvm_stats_board *board, struct mvm_container *const *list, size_t count)
{
	for (size_t i = 0; i < board->count; i++)
		board->entries[i].wanted = false;
	for (size_t i = 0; i < count; i++) {
		struct entry *entry = find(board, list[i]->config.id);

		if (!entry)
			entry = add(board, list[i]->config.id);
		entry->wanted = true;
		if (!entry->asked)
			ask(board, entry);
	}
	forget_unwanted(board);
}

static int read_stats(const json_t *json, struct mvm_stats *stats)
{
	static const struct {
		const char *key;
		size_t offset;
	} fields[] = {
		{"at", offsetof(struct mvm_stats, at)},
		{"cpu", offsetof(struct mvm_stats, cpu)},
		{"memory", offsetof(struct mvm_stats, memory)},
		{"memory_inactive", offsetof(struct mvm_stats, memory_inactive)},
		{"memory_limit", offsetof(struct mvm_stats, memory_limit)},
		{"net_received", offsetof(struct mvm_stats, net_received)},
		{"net_sent", offsetof(struct mvm_stats, net_sent)},
		{"block_read", offsetof(struct mvm_stats, block_read)},
		{"block_written", offsetof(struct mvm_stats, block_written)},
		{"pids", offsetof(struct mvm_stats, pids)},
		{"host_memory", offsetof(struct mvm_stats, host_memory)},
	};
	int64_t value;

	if (!json_is_object(json))
		return -1;
	for (size_t i = 0; i < MVM_COUNT(fields); i++) {
		if (mvm_json_get_int(json, fields[i].key, 0, &value, NULL) < 0)
			return -1;
		*(uint64_t *)((char *)stats + fields[i].offset) = (uint64_t)value;
	}
	return 0;
}

static void receive(struct entry *entry)
{
	json_t *message MVM_CLEAN_JSON = NULL;
	int result = mvm_client_receive(entry->client, &message, NULL);

	if (result == MVM_CONTROL_AGAIN)
		return;
	if (result != 0) {
		disconnect(entry);
		return;
	}
	/* Events that go to every client are none of ours. */
	if (!json_object_get(message, "id"))
		return;
	entry->asked = false;
	if (read_stats(json_object_get(message, "stats"), &entry->answers[entry->answer_count % 2]) < 0)
		return;
	entry->answer_count++;
	entry->answered = mvm_now_ns();
}

/* How many have not answered; with their descriptors, in the order of the entries. */
static size_t list_asked(const struct mvm_stats_board *board, struct pollfd *fds)
{
	size_t count = 0;

	for (size_t i = 0; i < board->count; i++)
		if (board->entries[i].asked)
			fds[count++] = (struct pollfd){.fd = mvm_client_fd(board->entries[i].client), .events = POLLIN};
	return count;
}

static void receive_all(struct mvm_stats_board *board, const struct pollfd *fds)
{
	for (size_t i = 0; i < board->count; i++) {
		if (!board->entries[i].asked)
			continue;
		if (fds->revents)
			receive(&board->entries[i]);
		fds++;
	}
}

int mvm_stats_board_collect(struct mvm_stats_board *board, uint64_t deadline, bool stay, struct mvm_error **err)
{
	struct pollfd *fds MVM_CLEAN_FREE = mvm_alloc((board->count + 1) * sizeof(*fds));
	uint64_t now;

	while ((now = mvm_now_ns()) < deadline) {
		size_t count = list_asked(board, fds);
		int rc;

		if (!count && !stay)
			break;
		rc = poll(fds, (nfds_t)count, (int)((deadline - now + 999999) / 1000000));
		if (rc < 0 && errno != EINTR)
			return mvm_fail_errno(err, errno, "cannot wait for figures");
		if (rc > 0)
			receive_all(board, fds);
	}
	return 0;
}

struct mvm_stats_pair mvm_stats_board_get(const struct mvm_stats_board *board, const char *id)
{
	const struct entry *entry = find(board, id);
	struct mvm_stats_pair pair = {NULL, NULL};

	if (!entry || !entry->answer_count || mvm_now_ns() - entry->answered > STALE_NS)
		return pair;
	pair.now = &entry->answers[(entry->answer_count - 1) % 2];
	if (entry->answer_count > 1)
		pair.before = &entry->answers[entry->answer_count % 2];
	return pair;
}
