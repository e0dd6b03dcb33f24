/*
 * The last check: a container, in a home of its own that is gone afterwards. Its image has a folder and no program, so
 * that the guest itself has to say that there is none: all before that worked.
 */
#include "doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "image/tar_write.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

#define PROGRAM "/doctor"

enum { IMPORT_SECONDS = 60, RUN_SECONDS = 120, STATUS_NO_PROGRAM = 127 };

struct trial {
	char *home, *archive, *share, *program;
	struct mvm_strv env;
};

static int write_archive(const char *path, struct mvm_error **err)
{
	const struct mvm_tar_entry folder = {.type = MVM_TAR_FOLDER, .name = "mnt", .target = "", .mode = 0755};
	struct mvm_buf tar MVM_CLEAN_BUF = {0};

	if (mvm_tar_write_entry(&tar, &folder, err) < 0)
		return -1;
	mvm_tar_write_end(&tar);
	return mvm_replace_passing_file(path, tar.data, tar.length, 0600, err);
}

static void set_environment(struct trial *trial)
{
	for (char **at = environ; *at; at++)
		if (strncmp(*at, "MVM_HOME=", strlen("MVM_HOME=")) != 0)
			mvm_strv_add(&trial->env, *at);
	mvm_strv_addf(&trial->env, "MVM_HOME=%s", trial->home);
}

/* What is to be shared lies beside the home, which may not be. */
static int prepare(struct trial *trial, const char *home, struct mvm_error **err)
{
	const char *tmp = getenv("TMPDIR");

	trial->home = mvm_format("%s/doctor", home);
	trial->archive = mvm_format("%s.tar", trial->home);
	trial->share = mvm_format("%s/mvm-doctor.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(trial->share)) {
		*trial->share = '\0';
		return mvm_fail_errno(err, errno, "cannot make a folder to share");
	}
	if (mvm_remove_tree(trial->home, err) < 0 || mvm_own_file("mvm", &trial->program, err) < 0 ||
	    write_archive(trial->archive, err) < 0)
		return -1;
	set_environment(trial);
	return 0;
}

static void clean_up(struct trial *trial)
{
	char *runtime MVM_CLEAN_FREE = NULL;

	if (trial->home && mvm_runtime_folder(trial->home, &runtime, NULL) == 0)
		mvm_remove_tree(runtime, NULL);
	if (trial->home)
		mvm_remove_tree(trial->home, NULL);
	if (trial->archive)
		unlink(trial->archive);
	if (trial->share && *trial->share)
		rmdir(trial->share);
	free(trial->home);
	free(trial->archive);
	free(trial->share);
	free(trial->program);
	mvm_strv_finish(&trial->env);
}

/* Its exit code; -1 where it has none. `*said` is without the newline. */
static int run_mvm(const struct trial *trial, char *const *argv, int seconds, char **said, struct mvm_error **err)
{
	int status;

	if (mvm_spawn_output(trial->program, argv, trial->env.items, seconds, said, &status, err) < 0)
		return -1;
	while (**said && (*said)[strlen(*said) - 1] == '\n')
		(*said)[strlen(*said) - 1] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : mvm_fail(err, MVM_ERR_INTERNAL, "mvm was ended by signal %d", WTERMSIG(status));
}

static int import(const struct trial *trial, struct mvm_error **err)
{
	char *argv[] = {(char *)"mvm", (char *)"import", trial->archive, (char *)"doctor", NULL};
	char *said MVM_CLEAN_FREE = NULL;
	int code = run_mvm(trial, argv, IMPORT_SECONDS, &said, err);

	return code > 0 ? mvm_fail(err, MVM_ERR_IO, "%s", said) : code;
}

static int boot(const struct trial *trial, bool shares, struct mvm_error **err)
{
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	char *said MVM_CLEAN_FREE = NULL;
	int code;

	for (const char *const *word = (const char *const[]){"mvm", "run", "--rm", "--network", "none", NULL}; *word;
	     word++)
		mvm_strv_add(&argv, *word);
	if (shares) {
		mvm_strv_add(&argv, "--mount");
		mvm_strv_addf(&argv, "type=bind,\"source=%s\",target=/mnt", trial->share);
	}
	mvm_strv_add(&argv, "doctor");
	mvm_strv_add(&argv, PROGRAM);
	code = run_mvm(trial, argv.items, RUN_SECONDS, &said, err);
	if (code < 0 || (code == STATUS_NO_PROGRAM && strstr(said, PROGRAM)))
		return code < 0 ? -1 : 0;
	return mvm_fail(err, MVM_ERR_MACHINE, "%s", strncmp(said, "mvm: ", 5) ? said : said + 5);
}

static void try_all(struct doctor *doctor, const struct trial *trial)
{
	struct mvm_error *err = NULL, *cause MVM_CLEAN_ERROR = NULL;
	uint64_t start = mvm_now_ns();

	if (boot(trial, true, &cause) == 0)
		doctor_add(doctor, "boot", DOCTOR_OK,
			   mvm_format("a VM has booted, seen a shared folder and ended, in %.1f s",
				      (double)(mvm_now_ns() - start) / 1e9));
	else if (boot(trial, false, &err) == 0)
		doctor_add(doctor, "boot", DOCTOR_WARNING,
			   mvm_format("a VM boots, but not with a shared folder: %s", mvm_error_message(cause)));
	else
		doctor_add_error(doctor, "boot", DOCTOR_ERROR, err);
}

void doctor_check_boot(struct doctor *doctor)
{
	char *runtime MVM_CLEAN_FREE = NULL, *path MVM_CLEAN_FREE = NULL;
	int lock MVM_CLEAN_FD = -1;
	struct mvm_error *err = NULL;
	struct trial trial = {0};

	if (doctor->broken || !doctor->home)
		return;
	if (mvm_runtime_folder(doctor->home, &runtime, &err) == 0)
		path = mvm_format("%s/doctor.lock", runtime);
	/* Another one may be at it. */
	if (!path || mvm_lock(path, 0, &lock, &err) < 0 || prepare(&trial, doctor->home, &err) < 0 ||
	    import(&trial, &err) < 0)
		doctor_add_error(doctor, "boot", DOCTOR_ERROR, err);
	else
		try_all(doctor, &trial);
	clean_up(&trial);
}
