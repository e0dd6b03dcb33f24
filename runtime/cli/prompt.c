#include "prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/mem.h"

#define MAX_ANSWER 4096

static const int fatal_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static struct termios before;

/* tcsetattr() may be called here (POSIX.1-2017 §2.4.3). The signal then does what it would have done. */
static void restore_and_end(int signo)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	signal(signo, SIG_DFL);
	raise(signo);
}

static int read_line(char *line, size_t size, struct mvm_error **err)
{
	size_t length = 0;

	for (;;) {
		char letter;
		ssize_t n = read(STDIN_FILENO, &letter, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mvm_fail_errno(err, errno, "cannot read the answer");
		if (n == 0 || letter == '\n')
			break;
		if (length + 1 >= size)
			return mvm_fail(err, MVM_ERR_INVALID, "the answer is longer than %zu bytes", size - 1);
		line[length++] = letter;
	}
	line[length] = '\0';
	return 0;
}

static int read_secret(char *line, size_t size, struct mvm_error **err)
{
	struct sigaction action = {.sa_handler = restore_and_end}, old[MVM_COUNT(fatal_signals)];
	/* A shell would show the secret that is typed after Ctrl-Z and fg. */
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old_stop;
	struct termios silent;
	int result;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return mvm_fail_errno(err, errno, "cannot ask for a secret: stdin is no terminal");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	for (size_t i = 0; i < MVM_COUNT(fatal_signals); i++)
		sigaction(fatal_signals[i], &action, &old[i]);
	sigaction(SIGTSTP, &ignore, &old_stop);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	result = read_line(line, size, err);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	for (size_t i = 0; i < MVM_COUNT(fatal_signals); i++)
		sigaction(fatal_signals[i], &old[i], NULL);
	sigaction(SIGTSTP, &old_stop, NULL);
	fputc('\n', stderr);
	return result;
}

int cli_prompt(const char *question, bool secret, char **answer, struct mvm_error **err)
{
	char line[MAX_ANSWER], *start;
	int result;

	fputs(question, stderr);
	fflush(stderr);
	result = secret ? read_secret(line, sizeof(line), err) : read_line(line, sizeof(line), err);
	if (result < 0)
		return -1;
	start = line + strspn(line, " \t\r");
	for (size_t end = strlen(start); end && strchr(" \t\r", start[end - 1]); end--)
		start[end - 1] = '\0';
	*answer = mvm_strdup(start);
	memset(line, 0, sizeof(line));
	return 0;
}

bool cli_install_rosetta(const char *architecture)
{
	char *question MVM_CLEAN_FREE =
		mvm_format("%s programs need Rosetta, which is not installed. Let macOS install it from Apple? [y/N] ",
			   architecture);
	char *answer MVM_CLEAN_FREE = NULL;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) || cli_prompt(question, false, &answer, NULL) < 0 ||
	    (strcmp(answer, "y") != 0 && strcmp(answer, "Y") != 0))
		return false;
	/* Over ssh nobody sees macOS's window, and it waits. */
	fputs("macOS installs Rosetta; it may ask in a window. Where none can open, end this with Ctrl-C and run "
	      "`softwareupdate --install-rosetta`.\n",
	      stderr);
	return true;
}
