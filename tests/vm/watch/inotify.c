/*
 * What programs in the guest see of paths.
 *
 *   inotify PATH...        by inotify: a line an event, "MASK PATH NAME", after a line "watching"
 *   inotify -k PATH        what a file that is kept open says, a line each time that this changes
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { EVENTS = IN_ALL_EVENTS & ~(IN_OPEN | IN_CLOSE_NOWRITE | IN_ACCESS), LOOK_US = 2000 };

static const struct {
	unsigned bit;
	const char *name;
} bits[] = {
	{IN_MODIFY, "modify"},		 {IN_ATTRIB, "attrib"},		{IN_CREATE, "create"},
	{IN_DELETE, "delete"},		 {IN_MOVED_FROM, "moved_from"}, {IN_MOVED_TO, "moved_to"},
	{IN_DELETE_SELF, "delete_self"}, {IN_MOVE_SELF, "move_self"},	{IN_CLOSE_WRITE, "close_write"},
	{IN_Q_OVERFLOW, "overflow"},	 {IN_IGNORED, "ignored"},	{IN_ISDIR, "isdir"},
};

static void print_event(const struct inotify_event *event, const char *path)
{
	const char *comma = "";

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (!(event->mask & bits[i].bit))
			continue;
		printf("%s%s", comma, bits[i].name);
		comma = ",";
	}
	printf(" %s %s\n", path, event->len ? event->name : "");
}

static int watch(char **paths, int count)
{
	static _Alignas(struct inotify_event) char buffer[65536];
	int fd = inotify_init();
	ssize_t n;

	/* From 1 on, in order. */
	for (int i = 0; i < count; i++)
		if (inotify_add_watch(fd, paths[i], EVENTS) != i + 1)
			return 1;
	puts("watching");
	fflush(stdout);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)(const void *)at;

			print_event(event, event->wd > 0 && event->wd <= count ? paths[event->wd - 1] : "-");
			at += sizeof(*event) + event->len;
		}
		fflush(stdout);
	}
	return 1;
}

static int keep(const char *path)
{
	char text[64] = "", before[64] = "";
	int fd = open(path, O_RDONLY);

	while (pread(fd, text, sizeof(text) - 1, 0) >= 0) {
		if (strcmp(text, before) != 0) {
			puts(text);
			fflush(stdout);
			memcpy(before, text, sizeof(text));
		}
		usleep(LOOK_US);
	}
	return 1;
}

int main(int argc, char **argv)
{
	return argc == 3 && !strcmp(argv[1], "-k") ? keep(argv[2]) : watch(argv + 1, argc - 1);
}
