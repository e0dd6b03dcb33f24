/* What has changed in a tree since its listing was made, as a list and as a layer. The listing is made here of the tree
 * itself, as the host would make it of the image's disk. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "guest-agent/changes.h"
#include "guest-agent/failure.h"
#include "guest-agent/pack.h"
#include "guest-agent/proto/listing.h"
#include "guest-agent/tar.h"
#include "image/tar.h"
#include "runtime/base/io.h"

static char *folder;
static struct failure *failure; /* shared with the child that compares */
static struct mvm_buf listing;
/* What the runtime makes, where the tree does not have it; folders with a slash. */
static const char *const made[] = {"etc/hosts", "proc/", "srv/", "srv/file", NULL};

/* The listing. */

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static uint64_t hash_xattrs(const char *path)
{
	char names[1024], value[1024];
	ssize_t length = listxattr(path, names, sizeof(names));
	uint64_t sum = 0;

	for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1)
		sum += mvm_listing_hash_xattr(name, value, (size_t)getxattr(path, name, value, sizeof(value)));
	return sum;
}

static void add_entry(struct mvm_buf *bytes, const char *name, const char *path)
{
	struct mvm_listing_entry entry = {.name = name, .length = (uint8_t)strlen(name)};
	struct stat status;

	assert_int_equal(lstat(path, &status), 0);
	entry.inode = (uint32_t)status.st_ino;
	entry.mode = status.st_mode;
	entry.uid = status.st_uid;
	entry.gid = status.st_gid;
	entry.mtime = status.st_mtim.tv_sec;
	entry.mtime_nsec = (uint32_t)status.st_mtim.tv_nsec;
	entry.ctime = status.st_ctim.tv_sec;
	entry.ctime_nsec = (uint32_t)status.st_ctim.tv_nsec;
	entry.size = S_ISREG(status.st_mode) || S_ISLNK(status.st_mode) ? (uint64_t)status.st_size : 0;
	entry.xattrs = S_ISDIR(status.st_mode) ? hash_xattrs(path) : 0;
	bytes->length += mvm_listing_encode(&entry, mvm_buf_reserve(bytes, MVM_LISTING_ENTRY_MAX));
}

static void add_made(struct mvm_buf *bytes, const char *name, bool is_folder)
{
	struct mvm_listing_entry entry = {.name = name, .length = (uint8_t)strlen(name), .flags = MVM_LISTING_MADE};

	entry.mode = is_folder ? S_IFDIR | 0755 : S_IFREG | 0644;
	bytes->length += mvm_listing_encode(&entry, mvm_buf_reserve(bytes, MVM_LISTING_ENTRY_MAX));
}

struct names {
	struct name {
		char text[300];
		bool is_made, is_folder;
	} items[32];
	size_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void find_names(const char *relative, struct names *names)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/%s", folder, relative);
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_entry, by_bytes);

	names->count = 0;
	for (int i = 0; i < count; i++) {
		struct name *name = &names->items[names->count++];
		char *full MVM_CLEAN_FREE = mvm_format("%s%s", path, entries[i]->d_name);
		struct stat status;

		assert_int_equal(lstat(full, &status), 0);
		*name = (struct name){.is_folder = S_ISDIR(status.st_mode)};
		snprintf(name->text, sizeof(name->text), "%s", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	for (const char *const *at = made; *at; at++) {
		const char *rest = strncmp(*at, relative, strlen(relative)) == 0 ? *at + strlen(relative) : "";
		char *full MVM_CLEAN_FREE = mvm_format("%s/%s", folder, *at);
		size_t length = strcspn(rest, "/");

		if (!length || (rest[length] && rest[length + 1]) || access(full, F_OK) == 0)
			continue;
		names->items[names->count] = (struct name){.is_made = true, .is_folder = rest[length] == '/'};
		snprintf(names->items[names->count++].text, 300, "%.*s", (int)length, rest);
	}
	qsort(names->items, names->count, sizeof(names->items[0]), by_text);
}

static void list_folder(const char *relative)
{
	struct mvm_buf bytes MVM_CLEAN_BUF = {0};
	struct names names;

	find_names(relative, &names);
	for (size_t i = 0; i < names.count; i++) {
		char *path MVM_CLEAN_FREE = mvm_format("%s/%s%s", folder, relative, names.items[i].text);

		if (names.items[i].is_made)
			add_made(&bytes, names.items[i].text, names.items[i].is_folder);
		else
			add_entry(&bytes, names.items[i].text, path);
	}
	mvm_listing_encode_folder((uint32_t)names.count, (uint32_t)bytes.length,
				  mvm_buf_reserve(&listing, MVM_LISTING_FOLDER));
	listing.length += MVM_LISTING_FOLDER;
	mvm_buf_add(&listing, bytes.data, bytes.length);
	for (size_t i = 0; i < names.count; i++) {
		char *below MVM_CLEAN_FREE = mvm_format("%s%s/", relative, names.items[i].text);

		if (names.items[i].is_folder)
			list_folder(below);
	}
}

/* A kernel's clock of files stands still for some milliseconds: what comes later has to have another time. */
static void settle(void)
{
	char *probe MVM_CLEAN_FREE = mvm_format("%s.probe", folder);
	struct stat first, now;

	close(open(probe, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(stat(probe, &first), 0);
	do {
		assert_int_equal(chmod(probe, 0600), 0);
		assert_int_equal(stat(probe, &now), 0);
	} while (now.st_ctim.tv_nsec == first.st_ctim.tv_nsec);
	unlink(probe);
}

static void make_listing(void)
{
	listing.length = 0;
	add_entry(&listing, "", folder);
	list_folder("");
	settle();
}

/* Comparing. */

static int compare(int top, int stream, bool layer)
{
	static struct tar tar;

	if (!layer)
		return changes_list(top, stream, failure);
	tar_init(&tar, stream);
	return pack_layer(top, stream, &tar, failure) || tar_end(&tar) ? -1 : 0;
}

/* What the comparison sends; -1 where it fails. In a process of its own, as in the agent. */
static int run(bool layer, struct mvm_buf *output)
{
	int pair[2], status, top = open(folder, O_PATH);
	char buffer[4096];
	ssize_t n;
	pid_t pid;

	output->length = 0;
	assert_int_equal(mvm_socketpair(SOCK_STREAM, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(compare(top, pair[1], layer) ? 1 : 0);
	}
	close(pair[1]);
	close(top);
	send(pair[0], listing.data, listing.length, MSG_NOSIGNAL);
	shutdown(pair[0], SHUT_WR);
	while ((n = read(pair[0], buffer, sizeof(buffer))) > 0)
		mvm_buf_add(output, buffer, (size_t)n);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *joined(struct mvm_strv *lines)
{
	struct mvm_buf text = {0};

	if (lines->count)
		qsort(lines->items, lines->count, sizeof(char *), by_line);
	mvm_buf_addf(&text, "%s", "");
	for (size_t i = 0; i < lines->count; i++)
		mvm_buf_addf(&text, "%s%s", i ? " " : "", lines->items[i]);
	return mvm_buf_steal(&text);
}

/* "A/new C/x", sorted. */
static void assert_list(const char *want)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_strv lines MVM_CLEAN_STRV = {0};
	char *got MVM_CLEAN_FREE = NULL;

	assert_int_equal(run(false, &output), 0);
	for (size_t at = 0; at < output.length; at += strlen(output.data + at) + 1)
		mvm_strv_add(&lines, output.data + at);
	got = joined(&lines);
	assert_string_equal(got, want);
}

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	mvm_strv_add(arg, entry->name);
	if (entry->type == MVM_TAR_HARDLINK)
		mvm_strv_add(arg, "=");
	return 0;
}

static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	return 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	return 0;
}

/* Names of entries, sorted, and a "=" for each that is a hard link: which of several is one is the folder's order. */
static void assert_layer(const char *want)
{
	static const struct mvm_tar_ops ops = {on_entry, on_data, on_end};
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	struct mvm_strv lines MVM_CLEAN_STRV = {0};
	struct mvm_tar *tar = mvm_tar_create(&ops, &lines);
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *got MVM_CLEAN_FREE = NULL;

	assert_int_equal(run(true, &output), 0);
	assert_ok(mvm_tar_feed(tar, output.data, output.length, &err));
	assert_ok(mvm_tar_finish(tar, &err));
	mvm_tar_destroy(tar);
	got = joined(&lines);
	assert_string_equal(got, want);
}

/* The tree: shell, for brevity. */
static void sh(const char *script)
{
	char *line MVM_CLEAN_FREE = mvm_format("cd '%s' && umask 022 && %s", folder, script);

	assert_int_equal(system(line), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static int setup(void **state)
{
	folder = scratch_create();
	failure = mmap(NULL, sizeof(*failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sh("mkdir -p etc dir/deep gone/below tofile && echo a >a && echo b >b && echo x >dir/x && echo y >dir/deep/y "
	   "&& "
	   "echo z >gone/below/z && echo t >todir && echo q >tofile/q && ln -s a link && ln b hard && echo s >socket");
	make_listing();
	return 0;
}

static int teardown(void **state)
{
	munmap(failure, sizeof(*failure));
	mvm_buf_finish(&listing);
	scratch_remove(folder);
	return 0;
}

static void nothing_has_changed(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};

	sh("cat a b dir/x >/dev/null && ls -lR >/dev/null");
	assert_list("");
	assert_layer("");
	assert_int_equal(run(true, &output), 0);
	assert_int_equal(output.length, 1024); /* docker's empty layer */
}

static void names_that_come_and_go(void **state)
{
	sh("rm -r gone && rm dir/x && mkdir -p new/sub && echo >new/sub/file && mv dir/deep/y dir/deep/z");
	assert_list("A/dir/deep/z A/new A/new/sub A/new/sub/file D/dir/deep/y D/dir/x D/gone");
	assert_layer("./ .wh.gone dir/ dir/.wh.x dir/deep/ dir/deep/.wh.y dir/deep/z new/ new/sub/ new/sub/file");
}

static void what_docker_takes_for_a_change(void **state)
{
	/* Permissions and back again are none, nor is another name of the inode; the layer rather has too much. */
	sh("echo more >>a && chmod 600 dir/x && chmod 644 dir/x && touch dir/deep && chmod 700 etc && ln a other");
	assert_list("A/other C/a C/etc");
	assert_layer("./ = a dir/deep/ dir/x etc/ other");
}

static void names_of_one_inode_stay_together(void **state)
{
	sh("echo more >>b");
	assert_list("C/b C/hard");
	assert_layer("= b hard");
	sh("rm hard");
	assert_list("C/b D/hard");
	assert_layer("./ .wh.hard b");
}

static void a_time_that_was_set_back_hides_nothing_from_a_layer(void **state)
{
	sh("cp -p a ../keep && echo c >a && touch -r ../keep a && rm ../keep");
	assert_list("");
	assert_layer("a");
}

static void other_kinds(void **state)
{
	sh("rm todir && mkdir todir && echo >todir/in && rm -r tofile && echo >tofile && rm link && ln -s b link");
	assert_list("A/todir/in C/link C/todir C/tofile");
	assert_layer("./ link todir/ todir/in tofile");
}

static void a_folder_that_is_another_one(void **state)
{
	sh("rm -r dir && mkdir dir && echo x >dir/x && mv gone dir/gone");
	assert_list("A/dir/gone A/dir/gone/below A/dir/gone/below/z C/dir/x D/dir/deep D/gone");
	assert_layer("./ .wh.gone dir/ dir/.wh.deep dir/gone/ dir/gone/below/ dir/gone/below/z dir/x");
}

static void attributes_of_a_folder_alone(void **state)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/etc", folder);

	if (setxattr(path, "trusted.mvm", "x", 1, 0))
		skip();
	assert_list("");
	assert_layer("etc/");
}

static void sockets_have_no_place_in_a_layer(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	sh("rm socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_list("C/socket");
	assert_layer("./ .wh.socket");
}

static void what_the_runtime_makes_is_no_change(void **state)
{
	/* It leaves the folder's time as it was. */
	sh("touch -r etc ../etc.time && touch -r . ../time && mkdir proc srv && : >etc/hosts && : >srv/file && "
	   "touch -r ../etc.time etc && touch -r ../time . && rm ../time ../etc.time");
	assert_list("");
	assert_layer("");
	sh("echo >srv/other && mkdir proc/sub");
	assert_list("A/proc/sub A/srv/other");
	assert_layer("proc/ proc/sub/ srv/ srv/other");
	sh("rm -r srv && echo >srv && rm etc/hosts && mkdir etc/hosts && rmdir proc/sub");
	assert_list("A/etc/hosts A/srv");
	assert_layer("./ etc/ etc/hosts/ srv");
}

static void names_that_would_delete_are_refused(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};

	sh("mkdir new && : >new/.wh.a");
	assert_list("A/new A/new/.wh.a");
	assert_int_equal(run(true, &output), -1);
	assert_non_null(strstr(failure->message, "new/.wh.a cannot be in an image"));
}

static void a_listing_that_ends_early_is_a_failure(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	size_t whole = listing.length;

	for (listing.length = 0; listing.length < whole; listing.length += 13)
		assert_int_equal(run(false, &output), -1);
	listing.length = whole;
	assert_list("");
}

static void names_by_the_thousand(void **state)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	size_t count = 0;

	sh("mkdir many && cd many && seq 1 20 | sed 's/^/before-/' | xargs touch");
	make_listing();
	sh("cd many && seq 1 5000 | xargs touch && rm before-7");
	assert_int_equal(run(false, &output), 0);
	for (size_t at = 0; at < output.length; at += strlen(output.data + at) + 1)
		count++;
	assert_int_equal(count, 5001);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_has_changed),
		CASE(names_that_come_and_go),
		CASE(what_docker_takes_for_a_change),
		CASE(names_of_one_inode_stay_together),
		CASE(a_time_that_was_set_back_hides_nothing_from_a_layer),
		CASE(other_kinds),
		CASE(a_folder_that_is_another_one),
		CASE(attributes_of_a_folder_alone),
		CASE(sockets_have_no_place_in_a_layer),
		CASE(what_the_runtime_makes_is_no_change),
		CASE(names_that_would_delete_are_refused),
		CASE(a_listing_that_ends_early_is_a_failure),
		CASE(names_by_the_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
