#include "harness.h"

#include <archive.h>
#include <archive_entry.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

enum { PATIENCE_MS = 60000, INIT_MAX = 1024 * 1024, LOG_MAX = 2 * MVM_BOOT_LOG_MAX };

static char *find_kernel(void)
{
	const char *given = getenv("MVM_KERNEL");
	char *cache MVM_CLEAN_FREE = NULL, *pattern MVM_CLEAN_FREE = NULL, *found = NULL;
	glob_t paths;

	if (given && *given)
		return mvm_strdup(given);
	if (mvm_cache_folder(&cache, NULL) < 0)
		return NULL;
	pattern = mvm_format("%s/kernel/x86_64-*/vmlinux", cache);
	if (glob(pattern, 0, NULL, &paths) == 0)
		found = mvm_strdup(paths.gl_pathv[0]);
	globfree(&paths);
	return found;
}

static void pack_entry(struct archive *archive, const char *name, mode_t mode, const char *data, size_t length)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)length);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(archive, data, length), (la_ssize_t)length);
	archive_entry_free(entry);
}

static void pack(const char *init, const char *to)
{
	struct archive *archive = archive_write_new();
	char *data MVM_CLEAN_FREE = NULL;
	size_t length;

	assert_int_equal(mvm_read_file(init, INIT_MAX, &data, &length, NULL), 0);
	archive_write_set_format_cpio_newc(archive);
	assert_int_equal(archive_write_open_filename(archive, to), ARCHIVE_OK);
	pack_entry(archive, "dev", S_IFDIR | 0755, "", 0);
	pack_entry(archive, "init", S_IFREG | 0755, data, length);
	assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
}

bool harness_prepare(struct harness *h, const char *init)
{
	char folder[] = "/tmp/mvm-test-backend-XXXXXX";
	char *qemu MVM_CLEAN_FREE = NULL, *cache MVM_CLEAN_FREE = NULL;

	if (mvm_find_program("qemu-system-x86_64", &qemu, NULL) < 0) {
		puts("skipped: qemu-system-x86_64 is not installed");
		return false;
	}
	h->kernel = find_kernel();
	if (!h->kernel) {
		puts("skipped: no kernel in the cache folder; initfs/build-kernel.sh builds it");
		return false;
	}
	if (!mkdtemp(folder))
		return false;
	h->folder = mvm_strdup(folder);
	h->initrd = mvm_format("%s/initramfs", folder);
	h->boot_log = mvm_format("%s/boot.log", folder);
	cache = mvm_format("%s/cache", folder);
	setenv("XDG_CACHE_HOME", cache, 1);
	pack(init, h->initrd);
	return true;
}

void harness_finish(struct harness *h)
{
	mvm_remove_tree(h->folder, NULL);
	free(h->folder);
	free(h->kernel);
	free(h->initrd);
	free(h->boot_log);
}

/* ---- events ---- */

static void saw(struct harness *h, unsigned what)
{
	h->seen |= what;
	if (h->seen & h->wanted)
		mvm_loop_stop(h->loop);
}

static void on_running(void *arg)
{
	struct harness *h = arg;

	if (h->destroy_when_running) {
		mvm_backend_qemu.destroy(h->machine);
		h->machine = NULL;
	}
	saw(h, SEEN_RUNNING);
}

static void on_paused(void *arg)
{
	saw(arg, SEEN_PAUSED);
}

static void on_resumed(void *arg)
{
	saw(arg, SEEN_RESUMED);
}

static void on_stopped(void *arg, enum mvm_machine_stop reason, const char *detail)
{
	struct harness *h = arg;

	assert_false(h->seen & SEEN_STOPPED);
	h->reason = reason;
	h->detail = mvm_strdup(detail);
	saw(h, SEEN_STOPPED);
}

static void on_notice(void *arg, const char *text)
{
	struct harness *h = arg;

	mvm_strv_add(&h->notices, text);
}

static const struct mvm_machine_events events = {
	.running = on_running,
	.paused = on_paused,
	.resumed = on_resumed,
	.stopped = on_stopped,
	.notice = on_notice,
};

void harness_start(struct harness *h, const char *test)
{
	struct mvm_error *err = NULL;

	h->seen = 0;
	free(h->kernel_args);
	h->kernel_args = mvm_format("TEST=%s", test);
	h->spec.kernel = h->kernel;
	h->spec.initrd = h->initrd;
	h->spec.boot_log = h->boot_log;
	h->spec.kernel_args = h->kernel_args;
	if (!h->loop)
		h->loop = mvm_loop_create();
	if (mvm_backend_qemu.start(h->loop, &h->spec, &events, h, &h->machine, &err) < 0)
		fail_msg("start: %s", mvm_error_message(err));
}

/* ---- waiting ---- */

static void on_patience_over(void *arg)
{
	struct harness *h = arg;
	char *tail MVM_CLEAN_FREE = mvm_boot_log_tail(h->boot_log, 20);

	fail_msg("nothing came in %d s (wanted %x, seen %x); boot log:\n%s", PATIENCE_MS / 1000, h->wanted, h->seen,
		 tail);
}

void harness_wait(struct harness *h, unsigned wanted)
{
	struct mvm_timer *patience = mvm_loop_timer(h->loop, on_patience_over, h);

	h->wanted = wanted;
	mvm_timer_start(patience, PATIENCE_MS);
	if (!(h->seen & wanted))
		assert_int_equal(mvm_loop_run(h->loop, NULL), 0);
	mvm_timer_remove(patience);
}

char *harness_read_log(const struct harness *h)
{
	char *text = NULL;

	assert_int_equal(mvm_read_file(h->boot_log, LOG_MAX, &text, NULL, NULL), 0);
	return text;
}

static void look_for_text(struct harness *h)
{
	char *log MVM_CLEAN_FREE = harness_read_log(h);

	if (!strstr(log, h->text))
		return;
	h->text_ns = mvm_now_ns();
	saw(h, SEEN_TEXT);
}

static void on_log_changed(void *arg, int fd, short revents)
{
	char changes[4096];

	(void)revents;
	if (read(fd, changes, sizeof(changes)) > 0)
		look_for_text(arg);
}

void harness_wait_text(struct harness *h, const char *text)
{
	int fd MVM_CLEAN_FD = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct mvm_watch *watch = mvm_loop_watch(h->loop, fd, POLLIN, on_log_changed, h);

	assert_true(inotify_add_watch(fd, h->boot_log, IN_MODIFY) >= 0);
	h->text = text;
	h->seen &= ~(unsigned)SEEN_TEXT;
	look_for_text(h);
	harness_wait(h, SEEN_TEXT | SEEN_STOPPED);
	mvm_watch_remove(watch);
	if (!(h->seen & SEEN_TEXT))
		fail_msg("the machine stopped before its console said '%s': %s", text, h->detail);
}

void harness_clear(struct harness *h)
{
	mvm_backend_qemu.destroy(h->machine);
	h->machine = NULL;
	mvm_loop_destroy(h->loop);
	h->loop = NULL;
	mvm_strv_finish(&h->notices);
	free(h->detail);
	h->detail = NULL;
	free(h->kernel_args);
	h->kernel_args = NULL;
	h->destroy_when_running = false;
}
