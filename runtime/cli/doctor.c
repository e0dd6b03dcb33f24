/*
 * `doctor`: whether containers can run here, and what would make them run better. The table of checks is in the order
 * in which a start needs them, so that the first error is the one to mend.
 */
#include "doctor.h"

#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/backend/backend.h"
#include "runtime/base/arch.h"
#include "runtime/base/config.h"
#include "runtime/base/io.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"
#include "runtime/base/text.h"
#include "share/ids.h"
#include "share/server.h"

#define GIB (1024ull * 1024 * 1024)

enum { SPACE_WANTED_GIB = 2, DESCRIPTORS_WANTED = 4096, EXAMINE_SECONDS = 30 };

struct values {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct values, format), "FORMAT", CLI_FORMAT_HELP,
	 CLI_WORDS("json", "table")},
	CLI_OPTIONS_END,
};

void doctor_add(struct doctor *doctor, const char *check, enum doctor_status status, char *text)
{
	static const char *const names[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARNING] = "warning", [DOCTOR_ERROR] = "error"};

	doctor->broken = doctor->broken || status == DOCTOR_ERROR;
	mvm_strv_add(&doctor->table.cells, names[status]);
	mvm_strv_add(&doctor->table.cells, check);
	mvm_strv_take(&doctor->table.cells, text);
}

void doctor_add_error(struct doctor *doctor, const char *check, enum doctor_status status, struct mvm_error *error)
{
	doctor_add(doctor, check, status, mvm_strdup(mvm_error_message(error)));
	mvm_error_free(error);
}

static void check_home(struct doctor *doctor)
{
	struct mvm_error *err = NULL;
	struct statvfs status;
	char *size MVM_CLEAN_FREE = NULL;
	uint64_t free_bytes;

	if (mvm_home(&doctor->home, &err) < 0 || mvm_make_folders(doctor->home, &err) < 0) {
		doctor_add_error(doctor, "home", DOCTOR_ERROR, err);
		return;
	}
	if (statvfs(doctor->home, &status) < 0)
		return;
	free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	size = mvm_format_size(free_bytes);
	if (free_bytes < SPACE_WANTED_GIB * GIB)
		doctor_add(
			doctor, "home", DOCTOR_WARNING,
			mvm_format("%s: %s are free there, which images and disks fill soon; 'mvm system prune' frees "
				   "what nobody uses, MVM_HOME names another place",
				   doctor->home, size));
	else
		doctor_add(doctor, "home", DOCTOR_OK, mvm_format("%s, %s free", doctor->home, size));
}

static void check_sockets(struct doctor *doctor)
{
	char *path = NULL;
	struct mvm_error *err = NULL;

	if (!doctor->home)
		return;
	if (mvm_runtime_folder(doctor->home, &path, &err) < 0)
		doctor_add_error(doctor, "sockets", DOCTOR_ERROR, err);
	else
		doctor_add(doctor, "sockets", DOCTOR_OK, path);
}

static void check_config(struct doctor *doctor)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	char *path MVM_CLEAN_FREE = NULL;
	struct mvm_error *err = NULL;

	if (mvm_config_path(&path, &err) < 0 || mvm_config_load(&config, &err) < 0)
		doctor_add_error(doctor, "config", DOCTOR_ERROR, err);
	else
		doctor_add(
			doctor, "config", DOCTOR_OK,
			mvm_format("%s%s", path, access(path, F_OK) < 0 ? ", which is not there and need not be" : ""));
}

static void check_boot_files(struct doctor *doctor)
{
	static const struct {
		const char *name;
		enum mvm_boot_file which;
	} files[] = {{"kernel", MVM_BOOT_KERNEL}, {"initramfs", MVM_BOOT_INITRAMFS}};

	for (size_t i = 0; doctor->home && i < MVM_COUNT(files); i++) {
		struct mvm_error *err = NULL;
		char *path = NULL;

		if (mvm_engine_boot_file(doctor->home, MVM_ARCH_OWN, files[i].which, &path, &err) < 0)
			doctor_add_error(doctor, files[i].name, DOCTOR_ERROR, err);
		else
			doctor_add(doctor, files[i].name, DOCTOR_OK, path);
	}
}

/* The supervisor knows its backend: a line on what machines run on, and one of advice. */
static void check_machines(struct doctor *doctor)
{
	char *argv[] = {(char *)"mvm-supervisor", (char *)"examine", NULL};
	char *program MVM_CLEAN_FREE = NULL, *text MVM_CLEAN_FREE = NULL, *advice;
	struct mvm_error *err = NULL;
	int status;

	if (mvm_backend_program(&program, &err) < 0 ||
	    mvm_spawn_output(program, argv, NULL, EXAMINE_SECONDS, &text, &status, &err) < 0) {
		doctor_add_error(doctor, "machines", DOCTOR_ERROR, err);
		return;
	}
	advice = text + strcspn(text, "\n");
	advice += *advice == '\n';
	text[strcspn(text, "\n")] = '\0';
	advice[strcspn(advice, "\n")] = '\0';
	doctor_add(doctor, "machines", status ? DOCTOR_ERROR : DOCTOR_OK, mvm_strdup(text));
	if (*advice)
		doctor_add(doctor, "speed", DOCTOR_WARNING, mvm_strdup(advice));
}

static void check_descriptors(struct doctor *doctor)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < DESCRIPTORS_WANTED)
		doctor_add(doctor, "descriptors", DOCTOR_WARNING,
			   mvm_format("a process may have %llu, and a container with many connections or open files on "
				      "shares needs more; raise the hard limit ('ulimit -Hn', limits.conf(5))",
				      (unsigned long long)limit.rlim_max));
}

#ifdef __linux__
static void check_owners(struct doctor *doctor)
{
	static const char *const texts[] = {
		[MVM_SHARE_IDS_OWN] = "owners are the same inside and outside",
		[MVM_SHARE_IDS_MAPPED] = "the container's root is you, its other users are your subordinate ids",
		[MVM_SHARE_IDS_SQUASHED] =
			"all files on shares are yours, and chown changes nothing, since you have no "
			"subordinate ids; install the package uidmap, and have root run 'usermod "
			"--add-subuids 100000-165535 --add-subgids 100000-165535 USER'"};
	struct mvm_share_id_map map;

	mvm_share_ids_find(&map);
	doctor_add(doctor, "owners", map.kind == MVM_SHARE_IDS_SQUASHED ? DOCTOR_WARNING : DOCTOR_OK,
		   mvm_strdup(texts[map.kind]));
}

static void check_shares(struct doctor *doctor)
{
	struct mvm_error *err = NULL;
	char *path = NULL;

	if (mvm_share_server_find(&path, &err) < 0) {
		doctor_add_error(doctor, "shares", DOCTOR_WARNING, err);
		return;
	}
	doctor_add(doctor, "shares", DOCTOR_OK, path);
	check_owners(doctor);
}
#else
static void check_shares(struct doctor *doctor)
{
}
#endif

#ifdef __APPLE__
#define TRANSLATOR_ADVICE "Rosetta, where this Mac has it, runs those for amd64"
#else
#define TRANSLATOR_ADVICE "install the package qemu-user-static"
#endif

static void check_rosetta(struct doctor *doctor)
{
	struct mvm_error *err = NULL;
	enum mvm_rosetta state;

	if (mvm_engine_rosetta(&state, &err) < 0)
		doctor_add_error(doctor, "rosetta", DOCTOR_WARNING, err);
	else if (state == MVM_ROSETTA_NOT_INSTALLED)
		doctor_add(doctor, "rosetta", DOCTOR_WARNING,
			   mvm_strdup("not installed; `softwareupdate --install-rosetta` installs it"));
}

static void check_translators(struct doctor *doctor)
{
	struct mvm_config *config MVM_CLEAN_CONFIG = NULL;
	struct mvm_strv list MVM_CLEAN_STRV = {0};
	struct mvm_buf names = {0};

	if (mvm_config_load(&config, NULL) < 0)
		return;
	mvm_engine_translators(config, &list);
	for (size_t i = 0; i < list.count; i++)
		mvm_buf_addf(&names, "%s%s", names.length ? " " : "", list.items[i]);
	if (names.length)
		doctor_add(doctor, "translators", DOCTOR_OK, mvm_buf_steal(&names));
	else
		doctor_add(doctor, "translators", DOCTOR_WARNING,
			   mvm_strdup("images for other processors cannot run; " TRANSLATOR_ADVICE));
	mvm_buf_finish(&names);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	static void (*const checks[])(struct doctor *) = {
		check_home,	   check_sockets, check_config,	 check_boot_files,  check_machines,
		check_descriptors, check_shares,  check_rosetta, check_translators, doctor_check_boot,
	};
	static const struct cli_column columns[] = {{"STATUS", "Status"}, {"CHECK", "Check"}, {"DETAIL", "Detail"}};
	const struct values *values = given;
	struct doctor doctor = {.table = {.columns = columns, .column_count = MVM_COUNT(columns), .type = "check"}};
	int result;

	if (cli_check_format(values->format, err) < 0)
		return -1;
	for (size_t i = 0; i < MVM_COUNT(checks); i++)
		checks[i](&doctor);
	result = cli_table_print(&doctor.table, values->format, err);
	cli_table_finish(&doctor.table);
	free(doctor.home);
	return result < 0 ? -1 : doctor.broken;
}

const struct cli_command cli_doctor = {
	.name = "doctor",
	.names = {"doctor"},
	.usage = "[OPTIONS]",
	.summary = "Check whether containers can run here, and say what to do",
	.options = options,
	.max_args = 0,
	.values_size = sizeof(struct values),
	.run = run,
};
