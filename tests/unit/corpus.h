/*
 * Replays tests/corpus/<parser>/accept and reject: foreign bytes that a parser must take, and those it must refuse.
 */
#ifndef MVM_TESTS_UNIT_CORPUS_H
#define MVM_TESTS_UNIT_CORPUS_H

#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdbool.h>

/* True where the parser takes the bytes. It gets them in a block of exactly that size. */
typedef bool (*corpus_fn)(const char *data, size_t length);

static inline bool corpus_file(const char *path, corpus_fn parse)
{
	struct mvm_error *err = NULL;
	char *data MVM_CLEAN_FREE = NULL, *exact MVM_CLEAN_FREE = NULL;
	size_t length;

	assert_ok(mvm_read_file(path, 16 << 20, &data, &length, &err));
	exact = mvm_alloc(length);
	memcpy(exact, data, length);
	return parse(exact, length);
}

static inline void corpus_folder(const char *parser, const char *kind, bool wanted, corpus_fn parse)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/%s/%s", MVM_CORPUS, parser, kind);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, entry->d_name);

		if (*entry->d_name == '.')
			continue;
		count++;
		if (corpus_file(path, parse) != wanted)
			fail_msg("%s should be %sed", path, kind);
	}
	closedir(dir);
	assert_true(count > 0);
}

static inline void corpus_replay(const char *parser, corpus_fn parse)
{
	corpus_folder(parser, "accept", true, parse);
	corpus_folder(parser, "reject", false, parse);
}

#endif
