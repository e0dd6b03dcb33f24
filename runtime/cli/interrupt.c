#include "cli.h"

static volatile sig_atomic_t interrupted;

static void note(int signo)
{
	interrupted = signo;
}

const volatile sig_atomic_t *cli_interrupt_begin(struct cli_interrupt *before)
{
	struct sigaction action = {.sa_handler = note};

	sigaction(SIGINT, &action, &before->sigint);
	sigaction(SIGTERM, &action, &before->sigterm);
	return &interrupted;
}

void cli_interrupt_end(const struct cli_interrupt *before)
{
	sigaction(SIGINT, &before->sigint, NULL);
	sigaction(SIGTERM, &before->sigterm, NULL);
}
