/*
 * What several machines write in one folder at once.
 *
 *   writers FOLDER NAME COUNT    two processes of the machine NAME, COUNT rounds each
 *
 * In each round one appends a line to `log`, adds one to flock-NAME and fcntl-NAME under these locks, which hold within
 * the machine, and to `all` under a lock that holds for everybody: a file that only one can make. Numbers have a fixed
 * length, for a machine may take a file for as long as it was a second ago.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIGITS = 8, RETRY_US = 20000 };

static int fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	return fd < 0 ? fail(path) : fd;
}

static void add_one(int fd)
{
	char text[DIGITS + 1] = "";

	if (pread(fd, text, DIGITS, 0) < 0)
		fail("read");
	snprintf(text, sizeof(text), "%0*d", DIGITS, atoi(text) + 1);
	if (pwrite(fd, text, DIGITS, 0) != DIGITS)
		fail("write");
}

static void under_flock(const char *path)
{
	int fd = open_counter(path);

	if (flock(fd, LOCK_EX) < 0)
		fail("flock");
	add_one(fd);
	close(fd);
}

static void under_fcntl(const char *path)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open_counter(path);

	if (fcntl(fd, F_SETLKW, &all) < 0)
		fail("fcntl");
	add_one(fd);
	close(fd);
}

static void under_file(const char *path)
{
	int lock, fd;

	while ((lock = open("lock", O_WRONLY | O_CREAT | O_EXCL, 0644)) < 0) {
		if (errno != EEXIST)
			fail("lock");
		usleep(RETRY_US);
	}
	fd = open_counter(path);
	add_one(fd);
	close(fd);
	close(lock);
	if (unlink("lock") < 0)
		fail("unlink");
}

static void append(const char *name, int process, int round)
{
	char line[128];
	int length = snprintf(line, sizeof(line), "%s.%d.%d\n", name, process, round);
	int fd = open("log", O_WRONLY | O_APPEND | O_CREAT, 0644);

	if (fd < 0 || write(fd, line, (size_t)length) != length)
		fail("log");
	close(fd);
}

static int run(const char *name, int process, int count)
{
	char flocked[64], locked[64];

	snprintf(flocked, sizeof(flocked), "flock-%s", name);
	snprintf(locked, sizeof(locked), "fcntl-%s", name);
	for (int round = 0; round < count; round++) {
		append(name, process, round);
		under_flock(flocked);
		under_fcntl(locked);
		under_file("all");
	}
	return 0;
}

int main(int argc, char **argv)
{
	int status, failed = 0;

	if (argc != 4 || chdir(argv[1]) < 0)
		return 2;
	for (int process = 0; process < 2; process++)
		if (fork() == 0)
			exit(run(argv[2], process, atoi(argv[3])));
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 1 : 0;
}
