/* The agent's archives: trees made for the test are packed, and read back by the host's own tar reader. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "guest-agent/failure.h"
#include "guest-agent/pack.h"
#include "guest-agent/tar.h"
#include "image/tar.h"

/* An archive, as one line an entry: "type name [> target] mode uid:gid mtime size:hash [xattr=hex]..." in order. */
struct reading {
	struct mvm_buf lines, bytes;
	uint64_t data, holes_to;
	uint64_t sum;
	struct mvm_buf line;
};

static void add_bytes(struct mvm_buf *buf, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		mvm_buf_addf(buf, "%02x", (unsigned char)bytes[i]);
}

static int on_entry(void *arg, const struct mvm_tar_entry *entry, struct mvm_error **err)
{
	static const char kinds[] = {'f', 'h', 'l', 'c', 'b', 'd', 'p'};
	struct reading *reading = arg;

	reading->sum = reading->data = 0;
	mvm_buf_addf(&reading->line, "%c %s", kinds[entry->type], entry->name);
	if (*entry->target)
		mvm_buf_addf(&reading->line, " > %s", entry->target);
	mvm_buf_addf(&reading->line, " %o %u:%u %lld.%09u", entry->mode, entry->uid, entry->gid,
		     (long long)entry->mtime, entry->mtime_nsec);
	if (entry->type == MVM_TAR_CHAR || entry->type == MVM_TAR_BLOCK)
		mvm_buf_addf(&reading->line, " %u,%u", entry->major, entry->minor);
	if (entry->type == MVM_TAR_FILE)
		mvm_buf_addf(&reading->line, " %llu", (unsigned long long)entry->size);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		mvm_buf_addf(&reading->line, " %s=", entry->xattrs[i].name);
		add_bytes(&reading->line, entry->xattrs[i].value, entry->xattrs[i].length);
	}
	return 0;
}

/* Position and value of each byte that is not zero count, so that a hole and zeros are the same. */
static int on_data(void *arg, uint64_t offset, const void *data, size_t length, struct mvm_error **err)
{
	struct reading *reading = arg;

	for (size_t i = 0; i < length; i++)
		reading->sum += ((const unsigned char *)data)[i] * (offset + i + 1);
	reading->data += length;
	return 0;
}

static int on_end(void *arg, struct mvm_error **err)
{
	struct reading *reading = arg;

	if (reading->data)
		mvm_buf_addf(&reading->line, " data %llu sum %llu", (unsigned long long)reading->data,
			     (unsigned long long)reading->sum);
	mvm_buf_addf(&reading->lines, "%s\n", reading->line.data);
	mvm_buf_consume(&reading->line, reading->line.length);
	return 0;
}

static void feed(struct reading *reading, int fd)
{
	static const struct mvm_tar_ops ops = {on_entry, on_data, on_end};
	struct mvm_tar *tar = mvm_tar_create(&ops, reading);
	struct mvm_error *err = NULL;
	char buffer[65536];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		assert_ok(mvm_tar_feed(tar, buffer, (size_t)n, &err));
	assert_int_equal(n, 0);
	assert_ok(mvm_tar_finish(tar, &err));
	mvm_tar_destroy(tar);
}

static struct tar tar;
static struct failure failure;

/* Into a file without a name, which is read back. */
static int pack(const char *path, const char *name, struct reading *reading)
{
	char file[] = "/tmp/mvm-pack-XXXXXX";
	int fd = mkstemp(file), top = open(path, O_PATH | O_NOFOLLOW), rc;

	assert_true(fd >= 0 && top >= 0);
	unlink(file);
	tar_init(&tar, fd);
	rc = pack_tree(top, name, &tar, &failure);
	if (rc == 0) {
		assert_int_equal(tar_end(&tar), 0);
		assert_int_equal(lseek(fd, 0, SEEK_END) % 512, 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		feed(reading, fd);
	}
	tar_finish(&tar);
	close(fd);
	close(top);
	return rc;
}

static void finish(struct reading *reading)
{
	mvm_buf_finish(&reading->lines);
	mvm_buf_finish(&reading->line);
}

/* The lines, whatever their order. */
static void assert_line(const struct reading *reading, const char *line)
{
	char *whole MVM_CLEAN_FREE = mvm_format("\n%s\n", line), *all MVM_CLEAN_FREE = NULL;

	all = mvm_format("\n%s", reading->lines.data ? reading->lines.data : "");
	if (!strstr(all, whole))
		fail_msg("no '%s' in:%s", line, all);
}

static size_t count_lines(const struct reading *reading)
{
	size_t count = 0;

	for (size_t i = 0; i < reading->lines.length; i++)
		count += reading->lines.data[i] == '\n';
	return count;
}

/* Trees. All that is made is 0640 or 0750, of 1700000000.5. */

static char *folder;

static int setup(void **state)
{
	folder = scratch_create();
	return 0;
}

static int teardown(void **state)
{
	scratch_remove(folder);
	return 0;
}

static char *in_folder(const char *name)
{
	return mvm_format("%s/%s", folder, name);
}

static void set_time(const char *name, int64_t seconds, long nanoseconds)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds, .tv_nsec = nanoseconds}};
	char *path MVM_CLEAN_FREE = in_folder(name);

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_file(const char *name, const char *content)
{
	char *path MVM_CLEAN_FREE = in_folder(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, 0640), 0);
	close(fd);
	set_time(name, 1700000000, 500000000);
}

static void make_folder(const char *name)
{
	char *path MVM_CLEAN_FREE = in_folder(name);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0750), 0);
	set_time(name, 1700000000, 500000000);
}

/* "mode owner time" as they stand in a line. */
static char *usual(const char *start, const char *mode, const char *end)
{
	return mvm_format("%s %s %u:%u 1700000000.500000000%s", start, mode, getuid(), getgid(), end);
}

static void assert_usual(const struct reading *reading, const char *start, const char *mode, const char *end)
{
	char *line MVM_CLEAN_FREE = usual(start, mode, end);

	assert_line(reading, line);
}

static void a_tree_with_every_kind(void **state)
{
	char *link MVM_CLEAN_FREE = in_folder("link"), *fifo MVM_CLEAN_FREE = in_folder("fifo");
	char *socket_path MVM_CLEAN_FREE = in_folder("socket");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct reading reading = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	make_file("file", "abc");
	make_file("empty", "");
	make_folder("sub");
	make_file("sub/inner", "x");
	set_time("sub", 1700000000, 500000000);
	assert_int_equal(symlink("../outside", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	set_time("link", 1700000000, 500000000);
	set_time("fifo", 1700000000, 500000000);
	assert_int_equal(pack(folder, "", &reading), 0);
	assert_int_equal(count_lines(&reading), 6); /* neither the top nor the socket */
	assert_usual(&reading, "f file", "640", " 3 data 3 sum 590");
	assert_usual(&reading, "f empty", "640", " 0");
	assert_usual(&reading, "d sub/", "750", "");
	assert_usual(&reading, "f sub/inner", "640", " 1 data 1 sum 120");
	assert_usual(&reading, "l link > ../outside", "777", "");
	assert_usual(&reading, "p fifo", "600", "");
	finish(&reading);
}

static void the_top_may_have_a_name(void **state)
{
	char *file MVM_CLEAN_FREE = NULL, *link MVM_CLEAN_FREE = NULL;
	struct reading of_folder = {0}, of_file = {0}, of_link = {0};

	make_file("file", "abc");
	file = in_folder("file");
	link = in_folder("link");
	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(pack(folder, "base", &of_folder), 0);
	assert_int_equal(count_lines(&of_folder), 3);
	assert_int_equal(strncmp(of_folder.lines.data, "d base/ ", 8), 0);
	assert_usual(&of_folder, "f base/file", "640", " 3 data 3 sum 590");
	assert_int_equal(pack(file, "other", &of_file), 0);
	assert_int_equal(count_lines(&of_file), 1);
	assert_usual(&of_file, "f other", "640", " 3 data 3 sum 590");
	assert_int_equal(pack(link, "name", &of_link), 0);
	assert_int_equal(strncmp(of_link.lines.data, "l name > file ", 14), 0);
	finish(&of_folder);
	finish(&of_file);
	finish(&of_link);
}

static void a_file_without_a_name_is_no_folder(void **state)
{
	char *file MVM_CLEAN_FREE = in_folder("file");
	struct reading reading = {0};

	make_file("file", "abc");
	assert_int_equal(pack(file, "", &reading), -1);
	assert_non_null(strstr(failure.message, "not a directory"));
	finish(&reading);
}

static void times_modes_and_owners(void **state)
{
	static const struct {
		int64_t seconds;
		long nanoseconds;
	} times[] = {
		{0, 0},
		{0, 1},
		{-1, 0},
		{-1, 999999999},
		{-2, 500000000},
		{-2147483648, 0},
		{4294967296, 250000000},
		{8589934591, 0},
		{8589934592, 999999999},
	};
	char *path MVM_CLEAN_FREE = in_folder("file");

	for (size_t i = 0; i < MVM_COUNT(times); i++) {
		char *line MVM_CLEAN_FREE = NULL;
		struct reading reading = {0};

		make_file("file", "");
		assert_int_equal(chmod(path, i % 2 ? 07777 : 0), 0);
		set_time("file", times[i].seconds, times[i].nanoseconds);
		line = mvm_format("f file %s %u:%u %lld.%09ld 0", i % 2 ? "7777" : "0", getuid(), getgid(),
				  (long long)times[i].seconds, times[i].nanoseconds);
		assert_int_equal(pack(folder, "", &reading), 0);
		assert_line(&reading, line);
		finish(&reading);
	}
}

static void names_that_hurt(void **state)
{
	static const char *const names[] = {
		"\xff\xfe latin \xe9", "new\nline", " ", "\\back", "-rf", "...", "\xc3\xa4", "%s%n", "a=b",
	};
	struct mvm_buf deep MVM_CLEAN_BUF = {0};
	struct reading reading = {0};
	char name[256], *raw;

	for (size_t i = 0; i < MVM_COUNT(names); i++)
		make_file(names[i], "");
	for (size_t length = 98; length <= 102; length++) {
		memset(name, 'n', length);
		name[length] = '\0';
		make_file(name, "");
	}
	/* Long, and not UTF-8: in a record that says so. */
	memset(name, 0xe9, 255);
	name[255] = '\0';
	make_file(name, "");
	for (int level = 0; level < 12; level++) {
		mvm_buf_addf(&deep, "%s%099d", level ? "/" : "", level);
		make_folder(deep.data);
	}
	assert_int_equal(pack(folder, "", &reading), 0);
	assert_int_equal(count_lines(&reading), MVM_COUNT(names) + 5 + 1 + 12 + 1);
	for (size_t i = 0; i < MVM_COUNT(names); i++) {
		raw = mvm_format("f %s", names[i]);
		assert_usual(&reading, raw, "640", " 0");
		free(raw);
	}
	for (size_t length = 98; length <= 102; length++) {
		raw = mvm_format("f %.*s", (int)length,
				 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
				 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
		assert_usual(&reading, raw, "640", " 0");
		free(raw);
	}
	raw = mvm_format("f %s", name);
	assert_usual(&reading, raw, "640", " 0");
	free(raw);
	raw = mvm_format("\nd %s/ ", deep.data);
	assert_non_null(strstr(reading.lines.data, raw));
	free(raw);
	finish(&reading);
}

/* Names as long as they get, to a limit that says what is the matter. */
static void a_tree_too_deep_is_refused_in_one_line(void **state)
{
	struct reading reading = {0};
	char name[256];
	int at = open(folder, O_PATH | O_DIRECTORY);

	memset(name, 'd', 254);
	name[0] = '\n';
	name[254] = '\0';
	for (int level = 0; level < 260; level++) {
		int next;

		assert_int_equal(mkdirat(at, name, 0700), 0);
		next = openat(at, name, O_PATH | O_DIRECTORY);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(pack(folder, "", &reading), -1);
	assert_non_null(strstr(failure.message, "ile name too long"));
	assert_null(strchr(failure.message, '\n'));
	assert_true(strlen(failure.message) < 700);
	finish(&reading);
}

static void hard_links(void **state)
{
	char *first MVM_CLEAN_FREE = in_folder("first"), *link MVM_CLEAN_FREE = in_folder("link");
	struct reading reading = {0};
	size_t files = 0, hard = 0;

	make_file("first", "abc");
	assert_int_equal(symlink("to", link), 0);
	for (int i = 0; i < 2000; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("%s/f%d", folder, i), *second MVM_CLEAN_FREE = NULL;
		int fd = open(name, O_WRONLY | O_CREAT, 0600);

		close(fd);
		second = mvm_format("%s-2", name);
		assert_int_equal(linkat(AT_FDCWD, name, AT_FDCWD, second, 0), 0);
	}
	{
		char *second MVM_CLEAN_FREE = in_folder("second"), *third MVM_CLEAN_FREE = in_folder("third");
		char *other MVM_CLEAN_FREE = in_folder("link2");

		assert_int_equal(linkat(AT_FDCWD, first, AT_FDCWD, second, 0), 0);
		assert_int_equal(linkat(AT_FDCWD, first, AT_FDCWD, third, 0), 0);
		assert_int_equal(linkat(AT_FDCWD, link, AT_FDCWD, other, 0), 0);
	}
	assert_int_equal(pack(folder, "", &reading), 0);
	for (char *line = reading.lines.data; line && *line; line = strchr(line, '\n') + 1) {
		files += line[0] == 'f';
		hard += line[0] == 'h';
	}
	assert_int_equal(files, 2001);
	assert_int_equal(hard, 2000 + 2 + 1);
	assert_int_equal(count_lines(&reading), 2001 + 2003 + 1);
	finish(&reading);
}

static void put_at(int fd, off_t offset, const char *text)
{
	assert_int_equal(pwrite(fd, text, strlen(text), offset), strlen(text));
}

static void sparse_files_stay_small(void **state)
{
	char *path MVM_CLEAN_FREE = in_folder("sparse"), *hole MVM_CLEAN_FREE = in_folder("hole");
	struct reading reading = {0};
	const off_t end = (off_t)10 << 30;
	uint64_t sum = 0;
	int fd = open(path, O_WRONLY | O_CREAT, 0640);

	put_at(fd, 0, "begin");
	put_at(fd, 1 << 20, "middle");
	put_at(fd, end - 3, "end");
	close(fd);
	fd = open(hole, O_WRONLY | O_CREAT, 0640);
	assert_int_equal(ftruncate(fd, (off_t)9 << 30), 0);
	close(fd);
	set_time("sparse", 1700000000, 500000000);
	set_time("hole", 1700000000, 500000000);
	for (int i = 0; i < 5; i++)
		sum += (uint64_t) "begin"[i] * (uint64_t)(i + 1);
	for (int i = 0; i < 6; i++)
		sum += (uint64_t) "middle"[i] * (uint64_t)((1 << 20) + i + 1);
	for (int i = 0; i < 3; i++)
		sum += (uint64_t) "end"[i] * (uint64_t)(end - 3 + i + 1);
	assert_int_equal(pack(folder, "", &reading), 0);
	{
		char *start MVM_CLEAN_FREE = usual("f sparse", "640", " 10737418240 data ");
		char *tail MVM_CLEAN_FREE = mvm_format(" sum %llu\n", (unsigned long long)sum);
		char *at = strstr(reading.lines.data, start);

		assert_non_null(at);
		assert_non_null(strstr(at, tail));
		assert_true(strtoull(at + strlen(start), NULL, 10) < 1 << 20);
	}
	assert_usual(&reading, "f hole", "640", " 9663676416");
	finish(&reading);
}

static void attributes(void **state)
{
	char *path MVM_CLEAN_FREE = in_folder("file"), *large = mvm_alloc(3000);
	struct reading reading = {0};

	make_file("file", "abc");
	memset(large, 'L', 2999);
	if (setxattr(path, "user.probe", "\0\xff=\n", 4, 0) < 0 && errno == EOPNOTSUPP) {
		free(large);
		print_message("SKIP: no user attributes in %s\n", folder);
		skip();
	}
	assert_int_equal(removexattr(path, "user.probe"), 0);
	assert_int_equal(setxattr(path, "user.a", "\0\xff=\n", 4, 0), 0);
	assert_int_equal(pack(folder, "", &reading), 0);
	assert_usual(&reading, "f file", "640", " 3 user.a=00ff3d0a data 3 sum 590");
	finish(&reading);
	reading = (struct reading){0};
	assert_int_equal(setxattr(path, "user.a", large, 2000, 0), 0);
	assert_int_equal(pack(folder, "", &reading), 0);
	assert_non_null(strstr(reading.lines.data, " user.a=4c4c4c"));
	finish(&reading);
	free(large);
}

/* What the writer says of one entry, without a file behind it. */
static void write_entry(struct reading *reading, const struct tar_entry *entry, uint64_t content)
{
	int ends[2];

	assert_int_equal(mvm_pipe(ends), 0);
	tar_init(&tar, ends[1]);
	assert_int_equal(tar_entry(&tar, entry), 0);
	if (content)
		assert_int_equal(tar_zeros(&tar, content), 0);
	assert_int_equal(tar_end(&tar), 0);
	tar_finish(&tar);
	close(ends[1]);
	feed(reading, ends[0]);
	close(ends[0]);
}

static void numbers_beyond_the_header(void **state)
{
	static const struct tar_piece nothing[] = {{9000000000, 0}};
	const struct tar_entry cases[] = {
		{.type = TAR_FIFO, .name = "a", .mode = 07777, .uid = 2097151, .gid = 2097152},
		{.type = TAR_FIFO, .name = "b", .uid = 4294967294, .gid = 4294967293, .mtime = 9007199254740993},
		{.type = TAR_CHAR, .name = "c", .major = 4095, .minor = 1048575, .mtime = -9007199254740993},
		{.type = TAR_FILE, .name = "d", .size = 9000000000, .pieces = nothing, .piece_count = 1},
	};
	static const char *const lines[] = {
		"p a 7777 2097151:2097152 0.000000000\n",
		"p b 0 4294967294:4294967293 9007199254740993.000000000\n",
		"c c 0 0:0 -9007199254740993.000000000 4095,1048575\n",
		"f d 0 0:0 0.000000000 9000000000\n",
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct reading reading = {0};

		write_entry(&reading, &cases[i], 0);
		assert_string_equal(reading.lines.data, lines[i]);
		finish(&reading);
	}
}

/* A record counts its own length: around 10, 100 and 1000 that is where it goes wrong. */
static void records_of_every_length(void **state)
{
	char target[1200];

	for (size_t length = 80; length < 1100; length++) {
		const struct tar_entry entry = {.type = TAR_SYMLINK, .name = "l", .target = target, .mode = 0777};
		char *line MVM_CLEAN_FREE = NULL;
		struct reading reading = {0};

		memset(target, 't', length);
		target[length] = '\0';
		line = mvm_format("l l > %s 777 0:0 0.000000000\n", target);
		write_entry(&reading, &entry, 0);
		assert_string_equal(reading.lines.data, line);
		finish(&reading);
	}
}

/* Sizes around the buffer's and the block's. */
static void contents_of_every_size(void **state)
{
	static const size_t sizes[] = {1,
				       511,
				       512,
				       513,
				       TAR_BUFFER - 1024,
				       TAR_BUFFER - 512,
				       TAR_BUFFER - 1,
				       TAR_BUFFER,
				       TAR_BUFFER + 1,
				       3 * TAR_BUFFER};
	char *content = mvm_alloc(3 * TAR_BUFFER + 1);

	memset(content, 'c', 3 * TAR_BUFFER);
	for (size_t i = 0; i < MVM_COUNT(sizes); i++) {
		char *end MVM_CLEAN_FREE = NULL;
		struct reading reading = {0};

		content[sizes[i]] = '\0';
		make_file("file", content);
		content[sizes[i]] = 'c';
		end = mvm_format(" %zu data %zu sum %llu", sizes[i], sizes[i],
				 (unsigned long long)99 * sizes[i] * (sizes[i] + 1) / 2);
		assert_int_equal(pack(folder, "", &reading), 0);
		assert_usual(&reading, "f file", "640", end);
		finish(&reading);
	}
	free(content);
}

/* Somebody grows, shrinks, replaces and removes files while they are read: every archive is well-formed. */
static void *change(void *arg)
{
	char *file MVM_CLEAN_FREE = in_folder("changing"), *other MVM_CLEAN_FREE = in_folder("changing-other");
	unsigned round = 0;

	while (!*(volatile bool *)arg) {
		int fd = open(file, O_WRONLY | O_CREAT, 0600);

		if (fd >= 0) {
			if (ftruncate(fd, (off_t)(round * 7919 % 2000000)) || write(fd, "some data", 9) < 0)
				break;
			close(fd);
		}
		switch (round++ % 4) {
		case 0:
			if (truncate(file, 0))
				break;
			break;
		case 1:
			rename(file, other);
			break;
		case 2:
			unlink(file);
			if (symlink("/etc", file) == 0)
				rename(file, other);
			break;
		default:
			unlink(other);
			if (mkdir(other, 0700) == 0)
				rmdir(other);
		}
	}
	return NULL;
}

static void a_tree_that_changes(void **state)
{
	bool stop = false;
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("%d", i);

		make_file(name, "content");
	}
	assert_int_equal(pthread_create(&thread, NULL, change, &stop), 0);
	for (int round = 0; round < 300; round++) {
		struct reading reading = {0};

		if (pack(folder, "", &reading))
			print_message("%s\n", failure.message);
		for (int i = 0; i < 20; i++) {
			char *start MVM_CLEAN_FREE = mvm_format("f %d", i);

			assert_usual(&reading, start, "640", " 7 data 7 sum 3092");
		}
		assert_null(strstr(reading.lines.data, "f etc"));
		finish(&reading);
	}
	stop = true;
	pthread_join(thread, NULL);
}

static void nobody_who_reads(void **state)
{
	int ends[2], top = open(folder, O_PATH);

	make_file("file", "abc");
	assert_int_equal(mvm_pipe(ends), 0);
	close(ends[0]);
	tar_init(&tar, ends[1]);
	assert_int_equal(pack_tree(top, "", &tar, &failure), 0); /* so far in the buffer */
	assert_int_equal(tar_end(&tar), -1);
	assert_int_equal(errno, EPIPE);
	tar_finish(&tar);
	close(ends[1]);
	close(top);
}

#define PACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACK_TEST(a_tree_with_every_kind),
		PACK_TEST(the_top_may_have_a_name),
		PACK_TEST(a_file_without_a_name_is_no_folder),
		PACK_TEST(times_modes_and_owners),
		PACK_TEST(names_that_hurt),
		PACK_TEST(a_tree_too_deep_is_refused_in_one_line),
		PACK_TEST(hard_links),
		PACK_TEST(sparse_files_stay_small),
		PACK_TEST(attributes),
		PACK_TEST(numbers_beyond_the_header),
		PACK_TEST(records_of_every_length),
		PACK_TEST(contents_of_every_size),
		PACK_TEST(a_tree_that_changes),
		PACK_TEST(nobody_who_reads),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
