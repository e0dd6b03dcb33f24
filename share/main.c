/*
 * mvm-share: builds what a VM is to see of the host and becomes the virtiofsd that shows it.
 *
 *   mvm-share VIRTIOFSD ROOT UID:GID watched|unwatched [ro|rw SOURCE]...
 *   mvm-share remove FOLDER
 *   mvm-share size FOLDER
 *
 * Descriptor 3 is the listening socket of the vhost-user device, 4 a pipe for what fails; it is closed without a word
 * when the server runs. ROOT is a folder over which the tree is mounted, for nobody but this process to see.
 *
 * The other forms remove what guests have made in FOLDER, with FOLDER, and say how many bytes of the disk it takes: of
 * a user who is not root some of it may belong to his subordinate ids. They say on stderr what failed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/mem.h"
#include "runtime/base/spawn.h"

enum { FIRST_ENTRY = 5, VERSION_SECONDS = 20 };

/* Each file that the guest knows takes one. */
static void raise_file_limit(void)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	more = limit;
	more.rlim_cur = more.rlim_max = SHARE_FILES_MAX;
	if (limit.rlim_max < SHARE_FILES_MAX && setrlimit(RLIMIT_NOFILE, &more) == 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The server of QEMU, in C, says "virtiofsd version ..."; the one in Rust has "virtiofsd 1.10.0" or "virtiofsd backend
 * 1.5.1" there. The former wants to change its groups even before it says so, hence in the place where it will serve.
 */
static int is_rust(const char *program, bool *rust, struct mvm_error **err)
{
	char *argv[] = {(char *)program, (char *)"--version", NULL}, *text MVM_CLEAN_FREE = NULL;
	int status;

	if (mvm_spawn_output(program, argv, NULL, VERSION_SECONDS, &text, &status, err) < 0)
		return -1;
	*rust = !strstr(text, "virtiofsd version");
	return strstr(text, "virtiofsd") ? 0 : mvm_fail(err, MVM_ERR_INVALID, "%s is no virtiofsd", program);
}

/* What is cached is asked for anew after a second, so that the guest sees what the host has changed. */
static void add_options(bool rust, const char *root, struct mvm_strv *argv)
{
	mvm_strv_addf(argv, "--fd=%d", SHARE_SOCKET_FD);
	mvm_strv_add(argv, "--rlimit-nofile=0");
	if (rust) {
		mvm_strv_addf(argv, "--shared-dir=%s", root);
		mvm_strv_add(argv, "--sandbox=namespace");
		mvm_strv_add(argv, "--cache=auto");
		mvm_strv_add(argv, "--xattr");
		mvm_strv_add(argv, "--announce-submounts");
		return;
	}
	mvm_strv_add(argv, "-o");
	mvm_strv_addf(argv, "source=%s", root);
	mvm_strv_add(argv, "-o");
	mvm_strv_add(argv, "sandbox=namespace,cache=auto,xattr,announce_submounts,log_level=warn");
}

/* The words of the command line as above. */
static int serve(char **words, const struct tree_entry *entries, size_t count, struct mvm_error **err)
{
	const char *program = words[1], *root = words[2], *user = words[3];
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	struct mvm_share_id_map map;
	bool rust = false;

	mvm_share_ids_find(&map);
	map.uid = (uint32_t)strtoul(user, NULL, 10);
	map.gid = (uint32_t)strtoul(user + strcspn(user, ":") + 1, NULL, 10);
	raise_file_limit();
	if (namespaces_enter(&map, err) < 0 || tree_mount(root, entries, count, err) < 0 ||
	    namespaces_become_root(&map, err) < 0 || (map.kind == MVM_SHARE_IDS_SQUASHED && squash_owners(err) < 0) ||
	    is_rust(program, &rust, err) < 0 || (!strcmp(words[4], "watched") && touch_answer(err) < 0))
		return -1;
	umask(0);
	/* A change of credentials may have undone it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	mvm_strv_add(&argv, program);
	add_options(rust, root, &argv);
	execv(program, argv.items);
	return mvm_fail_errno(err, errno, "cannot run %s", program);
}

static int care_for(const char *verb, const char *folder)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct mvm_share_id_map map;
	uint64_t bytes;

	mvm_share_ids_find(&map);
	if (namespaces_enter(&map, &err) == 0 && !strcmp(verb, "size")) {
		mvm_tree_size(folder, &bytes);
		printf("%llu\n", (unsigned long long)bytes);
		return 0;
	}
	if (!err && mvm_remove_tree(folder, &err) == 0)
		return 0;
	fprintf(stderr, "%s", mvm_error_message(err));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && (!strcmp(argv[1], "remove") || !strcmp(argv[1], "size")))
		return care_for(argv[1], argv[2]);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	struct tree_entry *entries MVM_CLEAN_FREE = mvm_realloc(NULL, (size_t)argc + 1, sizeof(*entries));
	size_t count = 0;

	for (int i = FIRST_ENTRY; i + 1 < argc; i += 2)
		entries[count++] = (struct tree_entry){argv[i + 1], !strcmp(argv[i], "ro")};
	if (argc < FIRST_ENTRY || mvm_set_cloexec(SHARE_STATUS_FD, true) < 0) {
		fputs("mvm-share: started by mvm-supervisor only\n", stderr);
		return 1;
	}
	serve(argv, entries, count, &err);
	dprintf(SHARE_STATUS_FD, "%s", mvm_error_message(err));
	return 1;
}
