/*
 * A fuzz target over its corpus:
 *
 *   replay-TARGET FOLDER
 *
 * FOLDER/accept must be taken, FOLDER/reject refused, FOLDER/crash survived; each input lies in a block of exactly its
 * size, so that a sanitizer or valgrind sees what reads past it.
 */
#include "fuzz.h"

#include <dirent.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"

enum { LARGEST = 16 << 20 };

static bool run_file(const char *path)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *data MVM_CLEAN_FREE = NULL;
	uint8_t *exact MVM_CLEAN_FREE = NULL;
	size_t length;

	if (mvm_read_file(path, LARGEST, &data, &length, &err) < 0) {
		fprintf(stderr, "%s\n", mvm_error_message(err));
		exit(1);
	}
	exact = mvm_alloc(length);
	memcpy(exact, data, length);
	return fuzz_one(exact, length);
}

/* The number of files; adds to *wrong those that were not treated as the folder's name says. */
static size_t run_folder(const char *corpus, const char *kind, size_t *wrong)
{
	char *folder MVM_CLEAN_FREE = mvm_format("%s/%s", corpus, kind);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir))) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, entry->d_name);

		if (*entry->d_name == '.')
			continue;
		count++;
		fprintf(stderr, "%s\n", path); /* the last of these is the one that crashed */
		if (run_file(path) == (strcmp(kind, "accept") == 0) || strcmp(kind, "crash") == 0)
			continue;
		fprintf(stderr, "  was %s\n", strcmp(kind, "accept") == 0 ? "refused" : "taken");
		(*wrong)++;
	}
	if (dir)
		closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t wrong = 0, accepted, rejected, crashed;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	accepted = run_folder(argv[1], "accept", &wrong);
	rejected = run_folder(argv[1], "reject", &wrong);
	crashed = run_folder(argv[1], "crash", &wrong);
	printf("%zu to take, %zu to refuse, %zu former crashers; %zu wrong\n", accepted, rejected, crashed, wrong);
	return wrong || !accepted || !rejected;
}
