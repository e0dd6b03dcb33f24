/*
 * `doctor`: what containers need of this host, looked at one by one. A check adds a line; none of them fails the rest.
 */
#ifndef MVM_CLI_DOCTOR_H
#define MVM_CLI_DOCTOR_H

#include "cli.h"

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_WARNING, /* containers run, but not all of them, or not as well */
	DOCTOR_ERROR,	/* none runs */
};

struct doctor {
	struct cli_table table;
	bool broken; /* there was an error */
	char *home;  /* NULL where none can be told */
};

/* Takes the text. */
void doctor_add(struct doctor *doctor, const char *check, enum doctor_status status, char *text);
/* The same of an error, and frees it. */
void doctor_add_error(struct doctor *doctor, const char *check, enum doctor_status status, struct mvm_error *error);

/* doctor_boot.c: boots a VM. */
void doctor_check_boot(struct doctor *doctor);

#endif
