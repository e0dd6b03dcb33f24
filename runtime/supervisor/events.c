/*
 * What happens to the container, in docker's words (runtime/state/events.h).
 */
#include "internal.h"

#include <stdio.h>

#include "runtime/base/mem.h"
#include "runtime/state/events.h"

struct number {
	char text[16];
};

static const char *write_number(int value, struct number *number)
{
	snprintf(number->text, sizeof(number->text), "%d", value);
	return number->text;
}

void events_note(struct supervisor *supervisor, const char *action, const char *const *more)
{
	mvm_event_container(supervisor->state, &supervisor->container->config, action, more);
}

void events_note_kill(struct supervisor *supervisor, int signo)
{
	struct number number;

	events_note(supervisor, "kill", (const char *const[]){"signal", write_number(signo, &number), NULL});
}

void events_note_resize(struct supervisor *supervisor, int rows, int cols)
{
	struct number height, width;

	events_note(supervisor, "resize",
		    (const char *const[]){"height", write_number(rows, &height), "width", write_number(cols, &width),
					  NULL});
}

void events_note_exec(struct supervisor *supervisor, const char *action, const json_t *args, const char *exec_id)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	mvm_buf_addf(&text, "%s: ", action);
	for (size_t i = 0; i < json_array_size(args); i++) {
		const char *word = json_string_value(json_array_get(args, i));

		/* A program without arguments is followed by a space, too. */
		mvm_buf_addf(&text, i == 1 ? "%s" : i ? " %s" : "%s ", word ? word : "");
	}
	events_note(supervisor, text.data, (const char *const[]){"execID", exec_id, NULL});
}

void events_note_exec_die(struct supervisor *supervisor, const char *exec_id, int exit_code)
{
	struct number number;

	events_note(supervisor, "exec_die",
		    (const char *const[]){"execID", exec_id, "exitCode", write_number(exit_code, &number), NULL});
}
