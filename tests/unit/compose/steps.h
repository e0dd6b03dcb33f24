/*
 * Work that is done for a test, in its scratch folder: that is the home, too, which each step opens.
 */
#ifndef MVM_TESTS_UNIT_COMPOSE_STEPS_H
#define MVM_TESTS_UNIT_COMPOSE_STEPS_H

#include "project.h"

#include "runtime/compose/work.h"

/* All that the sink is told, a line each: "what|phase|text" and "warning: text". */
struct told {
	struct mvm_buf text;
	void (*on_event)(void); /* NULL: nothing else happens */
};

static inline void keep_event(void *arg, const char *what, enum mvm_compose_phase phase, const char *text)
{
	struct told *told = arg;

	mvm_buf_addf(&told->text, "%s|%d|%s\n", what, (int)phase, text);
	if (told->on_event)
		told->on_event();
}

static inline void keep_step_warning(void *arg, const char *text)
{
	struct told *told = arg;

	mvm_buf_addf(&told->text, "warning: %s\n", text);
}

#define SINK(told) ((struct mvm_compose_sink){.event = keep_event, .warn = keep_step_warning, .arg = (told)})

static inline int steps_setup(void **state)
{
	static const char *const others[] = {"MVM_CONFIG", "COMPOSE_PARALLEL_LIMIT"};

	if (project_setup(state) < 0)
		return -1;
	setenv("MVM_HOME", *state, 1);
	setenv("HOME", *state, 1);
	setenv("XDG_RUNTIME_DIR", *state, 1);
	for (size_t i = 0; i < MVM_COUNT(others); i++)
		unsetenv(others[i]);
	return 0;
}

static inline bool is_here(const char *name)
{
	return access(name, F_OK) == 0;
}

/* A step that others come after leaves a file of its name. */
struct part {
	const char *name;
	const char *needs[4]; /* whose files must be there already; ends with NULL */
};

static inline int do_part(struct step_context *context, void *arg, struct mvm_error **err)
{
	const struct part *part = arg;

	for (size_t i = 0; part->needs[i]; i++)
		if (!is_here(part->needs[i]))
			return mvm_fail(err, MVM_ERR_INTERNAL, "%s is before %s", part->name, part->needs[i]);
	return mvm_replace_file(part->name, "", 0, 0600, err);
}

#endif
