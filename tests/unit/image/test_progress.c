#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/progress.h"
#include "runtime/base/io.h"

static struct mvm_digest layer_of(const char *data)
{
	struct mvm_digest digest;

	mvm_digest_of(data, strlen(data), &digest);
	return digest;
}

/* One layer from beginning to end, and the last word. */
static void one_pull(const struct mvm_progress *progress)
{
	struct mvm_digest layer = layer_of("abc");

	mvm_progress_message(progress, "latest: Pulling from %s", "library/alpine");
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_PENDING, 0, 100);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_DOWNLOADING, 10, 100);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_DOWNLOADING, 20, 100);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_DOWNLOADED, 100, 100);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_DOWNLOADED, 100, 100);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_COMPLETE, 0, 0);
	mvm_progress_message(progress, "Digest: x");
}

static void plain_lines_on_a_pipe(void **state)
{
	struct mvm_progress *progress;
	char text[1024] = "";
	int fds[2];

	assert_int_equal(mvm_pipe(fds), 0);
	progress = mvm_progress_create(fds[1], fds[1]);
	one_pull(progress);
	mvm_progress_destroy(progress);
	close(fds[1]);
	assert_true(mvm_read_full(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	assert_string_equal(text, "latest: Pulling from library/alpine\n"
				  "ba7816bf8f01: Pulling fs layer\n"
				  "ba7816bf8f01: Download complete\n"
				  "ba7816bf8f01: Pull complete\n"
				  "Digest: x\n");
}

static void lines_of_a_push(void **state)
{
	struct mvm_digest layer = layer_of("abc"), other = layer_of("def");
	struct mvm_progress *progress;
	char text[1024] = "";
	int fds[2];

	assert_int_equal(mvm_pipe(fds), 0);
	progress = mvm_progress_create(fds[1], fds[1]);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_PREPARING, 0, 0);
	mvm_progress_layer(progress, &other, MVM_PROGRESS_PREPARING, 0, 0);
	mvm_progress_mounted(progress, &other, "library/alpine");
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_PUSHING, 10, 100);
	mvm_progress_layer(progress, &layer, MVM_PROGRESS_PUSHED, 0, 0);
	mvm_progress_destroy(progress);
	close(fds[1]);
	assert_true(mvm_read_full(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	assert_string_equal(text, "ba7816bf8f01: Preparing\n"
				  "cb8379ac2098: Preparing\n"
				  "cb8379ac2098: Mounted from library/alpine\n"
				  "ba7816bf8f01: Pushed\n");
}

static int open_terminal(int *master)
{
	struct termios settings;
	int terminal;

	*master = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(*master >= 0 && grantpt(*master) == 0 && unlockpt(*master) == 0);
	terminal = open(ptsname(*master), O_RDWR | O_NOCTTY);
	assert_true(terminal >= 0);
	assert_int_equal(tcgetattr(terminal, &settings), 0);
	settings.c_oflag &= ~(tcflag_t)OPOST;
	assert_int_equal(tcsetattr(terminal, TCSANOW, &settings), 0);
	return terminal;
}

/* Closes the terminal and reads all that was drawn: it may come in pieces. */
static void drain(int terminal, int master, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;

	close(terminal);
	while (length + 1 < size && (n = read(master, text + length, size - length - 1)) > 0)
		length += (size_t)n;
	assert_true(length > 0);
	text[length] = '\0';
	close(master);
}

static void drawn_on_a_terminal(void **state)
{
	struct mvm_progress *progress;
	char text[4096] = "";
	int master, terminal = open_terminal(&master);

	setenv("TERM", "xterm", 1);
	progress = mvm_progress_create(terminal, terminal);
	one_pull(progress);
	mvm_progress_destroy(progress);
	drain(terminal, master, text, sizeof(text));
	assert_non_null(strstr(text, "\r\033[1Aba7816bf8f01: Downloading [===>"));
	assert_non_null(strstr(text, "] 10B/100B"));
	assert_non_null(strstr(text, "\r\033[1Aba7816bf8f01: Pull complete\033[K\n\033[J"));
}

static void plain_on_a_dumb_terminal(void **state)
{
	struct mvm_progress *progress;
	char text[4096] = "";
	int master, terminal = open_terminal(&master);

	setenv("TERM", "dumb", 1);
	progress = mvm_progress_create(terminal, terminal);
	one_pull(progress);
	mvm_progress_destroy(progress);
	drain(terminal, master, text, sizeof(text));
	assert_null(strchr(text, '\033'));
}

static void silence_is_fine(void **state)
{
	one_pull(NULL);
	mvm_progress_destroy(NULL);
	assert_string_equal(mvm_progress_state_name(MVM_PROGRESS_EXISTS), "Already exists");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_lines_on_a_pipe), cmocka_unit_test(lines_of_a_push),
		cmocka_unit_test(drawn_on_a_terminal),	 cmocka_unit_test(plain_on_a_dumb_terminal),
		cmocka_unit_test(silence_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
