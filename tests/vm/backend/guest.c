/*
 * /init of the machines that the backend's tests boot: does what TEST on the kernel's
 * command line says and tells the console how far it got.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <time.h>
#include <termios.h>
#include <unistd.h>

static void say(const char *word)
{
	struct timespec up, wall;

	clock_gettime(CLOCK_MONOTONIC, &up);
	clock_gettime(CLOCK_REALTIME, &wall);
	printf("guest: %s up=%lld.%09ld wall=%lld.%09ld\n", word, (long long)up.tv_sec, up.tv_nsec,
	       (long long)wall.tv_sec, wall.tv_nsec);
	fflush(stdout);
}

/* Writes through the page cache and a sync onto the second disk, and says so. */
static int write_disk(void)
{
	char block[4096];
	int fd = open("/dev/vda", O_RDWR);

	memset(block, 'M', sizeof(block));
	if (fd < 0 || write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fsync(fd) < 0)
		return -1;
	say("synced");
	return 0;
}

static void flood(void)
{
	static char line[1024];

	memset(line, 'x', sizeof(line) - 1);
	for (int i = 0; i < 3 * 1024; i++)
		puts(line);
	/* QEMU drops what a busy host has not taken (hw/char/virtio-console.c), so once would not be certain. */
	for (int i = 0; i < 20; i++) {
		say("flooded");
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

/* Ten readings of the clock, three seconds, ten more. */
static void tell_time(void)
{
	char word[16];

	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){.tv_sec = i == 10 ? 3 : 0, .tv_nsec = 20000000}, NULL);
		snprintf(word, sizeof(word), "clock%02d", i);
		say(word);
	}
}

int main(void)
{
	const char *test = getenv("TEST");

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	if (!test)
		test = "off";
	say("up");
	if (strcmp(test, "panic") == 0)
		return 1;
	if (strcmp(test, "disk") == 0 && write_disk() < 0)
		say("disk failed");
	if (strcmp(test, "flood") == 0)
		flood();
	if (strcmp(test, "clock") == 0)
		tell_time();
	if (strcmp(test, "hang") == 0 || strcmp(test, "disk") == 0)
		for (;;)
			pause();
	/* The console's driver takes what we wrote in its own time. */
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	reboot(strcmp(test, "reset") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
	return 1;
}
