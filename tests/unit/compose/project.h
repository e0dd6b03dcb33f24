/*
 * Projects of files that are written for a test: into the program's scratch folder, which is the current one.
 */
#ifndef MVM_TESTS_UNIT_COMPOSE_PROJECT_H
#define MVM_TESTS_UNIT_COMPOSE_PROJECT_H

#include "tests/unit/unit.h"

#include "runtime/compose/compose.h"

/* A new folder, the current one: "a/compose.yaml" has its folder made. */
static inline int project_setup(void **state)
{
	*state = scratch_create();
	return chdir(*state);
}

static inline int project_teardown(void **state)
{
	if (chdir("/") < 0)
		return -1;
	scratch_remove(*state);
	return 0;
}

static inline void put_file(const char *name, const char *text)
{
	const char *slash = strrchr(name, '/');
	struct mvm_error *err = NULL;

	if (slash) {
		char *folder MVM_CLEAN_FREE = mvm_strndup(name, (size_t)(slash - name));

		assert_ok(mvm_make_folders(folder, &err));
	}
	assert_ok(mvm_replace_file(name, text, strlen(text), 0600, &err));
}

/* The project "p" of one file; the options are borrowed until it is destroyed. */
static inline struct mvm_compose *load_text(const struct mvm_compose_options *options, const char *text)
{
	struct mvm_compose *compose = NULL;
	struct mvm_error *err = NULL;

	put_file("compose.yaml", text);
	assert_ok(mvm_compose_load(options, &compose, &err));
	return compose;
}

static inline void keep_warning(void *arg, const char *text)
{
	mvm_buf_addf(arg, "%s\n", text);
}

/* What `config` prints; "" where it fails. */
static inline char *show(const struct mvm_compose_options *options, enum mvm_compose_format format,
			 struct mvm_error **err)
{
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
	struct mvm_buf out = {0};

	if (mvm_compose_load(options, &compose, err) == 0)
		mvm_compose_print(compose, format, &out);
	return mvm_buf_steal(&out);
}

/* Of the files "0.yaml", "1.yaml" and so on with these texts. */
static inline char *show_texts(const char *const *texts, struct mvm_compose_options *options, struct mvm_error **err)
{
	struct mvm_strv files MVM_CLEAN_STRV = {0};

	for (size_t i = 0; texts[i]; i++) {
		char *name MVM_CLEAN_FREE = mvm_format("%zu.yaml", i);

		put_file(name, texts[i]);
		mvm_strv_add(&files, name);
	}
	options->files = &files;
	if (!options->project_name)
		options->project_name = "p";
	return show(options, MVM_COMPOSE_YAML, err);
}

static inline void check_shown(const char *const *texts, struct mvm_compose_options *options, const char *wanted)
{
	struct mvm_error *err = NULL;
	char *shown MVM_CLEAN_FREE = show_texts(texts, options, &err);

	if (err)
		fail_msg("%s", mvm_error_message(err));
	assert_string_equal(shown, wanted);
}

#define TEXTS(...)                                                                                                     \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__, NULL                                                                                      \
	}
/* What the texts of several files come to. */
#define assert_shown(wanted, ...) check_shown(TEXTS(__VA_ARGS__), &(struct mvm_compose_options){0}, wanted)
/* So with options, which are those of struct mvm_compose_options. */
#define assert_shown_with(options, wanted, ...) check_shown(TEXTS(__VA_ARGS__), options, wanted)

static inline void check_refused(const char *const *texts, struct mvm_compose_options *options, const char *message)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *shown MVM_CLEAN_FREE = show_texts(texts, options, &err);

	if (!err || !strstr(mvm_error_message(err), message))
		fail_msg("%s\nwanted: %s\n%s", err ? mvm_error_message(err) : "no error", message, shown);
}
#define assert_refused(message, ...) check_refused(TEXTS(__VA_ARGS__), &(struct mvm_compose_options){0}, message)

#endif
