/* What the engine is asked for, for a service of a file that is written for a test. */
#ifndef MVM_TESTS_UNIT_COMPOSE_WISH_H
#define MVM_TESTS_UNIT_COMPOSE_WISH_H

#include "project.h"

#include "runtime/compose/request.h"

struct wished {
	struct mvm_compose_options options;
	struct mvm_compose *compose;
	struct service_request made;
	struct mvm_create_request *request; /* in `made` */
	struct mvm_buf warnings;	    /* a line each */
};

static inline void wished_finish(struct wished *wished)
{
	service_request_finish(&wished->made);
	mvm_compose_destroy(wished->compose);
	mvm_buf_finish(&wished->warnings);
}
#define CLEAN_WISHED __attribute__((cleanup(wished_finish)))

/* What of the wish is not said is that of a container "p-a-1" of the service "a". */
static inline int wish_for(struct wished *wished, const char *text, struct service_wish wish, struct mvm_error **err)
{
	wished->options =
		(struct mvm_compose_options){.project_name = "p", .warn = keep_warning, .arg = &wished->warnings};
	wished->compose = load_text(&wished->options, text);
	wished->request = &wished->made.request;
	if (!wish.service)
		wish.service = "a";
	wish.container = "p-a-1";
	wish.image_id = "sha256:0123";
	if (!wish.node)
		wish.node = node_get(section_of(wished->compose->model, "services"), wish.service);
	return service_request_make(wished->compose, &wish, &wished->made, err);
}

static inline void check_wish(struct wished *wished, const char *text, struct service_wish wish)
{
	struct mvm_error *err = NULL;

	assert_ok(wish_for(wished, text, wish, &err));
}
/* What the text asks for; the rest is of struct service_wish. */
#define assert_wish(wished, text, ...) check_wish(wished, text, (struct service_wish){.node = NULL, __VA_ARGS__})

static inline void check_wish_refused(const char *text, const char *message)
{
	struct wished wished CLEAN_WISHED = {0};
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (wish_for(&wished, text, (struct service_wish){0}, &err) == 0 || !strstr(mvm_error_message(err), message))
		fail_msg("%s\n%s\nwanted: %s", text, err ? mvm_error_message(err) : "no error", message);
}

/* Texts in one, with "|" between them. */
static inline void check_list(const struct mvm_strv *list, const char *wanted, const char *file, int line)
{
	char *joined MVM_CLEAN_FREE = list ? mvm_strv_join(list, "|") : mvm_strdup("(none)");

	if (!strcmp(joined, wanted))
		return;
	print_error("%s\nwanted: %s\n", joined, wanted);
	_fail(file, line);
}
#define assert_list(list, wanted) check_list(list, wanted, __FILE__, __LINE__)

#endif
