#include "event_filter.h"

#include <string.h>

#include "filter.h"
#include "image/reference.h"

/* Filters for an actor's ID or name, or how they begin. Docker looks at the kind of the event for none of them. */
static const char *const by_name[] = {"container", "daemon",  "plugin", "volume", "network",
				      "node",	   "service", "secret", "config"};

int cli_event_filters_check(const struct mvm_strv *filters, struct mvm_error **err)
{
	static const char *const known[] = {"container", "daemon",  "plugin", "volume", "network",
					    "node",	 "service", "secret", "config", "event",
					    "image",	 "label",   "scope",  "type",	NULL};

	return cli_filters_check(filters, known, err);
}

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool equals(const char *text, const char *value)
{
	return !strcmp(text, value);
}

/* Whether a value of that name fits one of the texts (NULL: it is not there), or the name is not among the filters. */
static bool fits(const struct mvm_strv *filters, const char *name, bool (*match)(const char *text, const char *value),
		 const char *const *texts, size_t count)
{
	bool any = false;
	const char *value;
	size_t at = 0;

	while ((value = cli_filter_next(filters, name, &at))) {
		any = true;
		for (size_t i = 0; i < count; i++)
			if (texts[i] && match(texts[i], value))
				return true;
	}
	return !any;
}

/* Those that docker gave a word of what they are about: "exec_start: sh". */
static bool has_open_action(const struct mvm_strv *filters)
{
	const char *value;
	size_t at = 0;

	while ((value = cli_filter_next(filters, "event", &at)))
		if (!strcmp(value, "health_status") || !strcmp(value, "exec_create") || !strcmp(value, "exec_start"))
			return true;
	return false;
}

/* A name without its tag; the caller's. */
static char *strip_tag(const char *name)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

	if (!name || mvm_reference_parse(name, &reference, NULL) < 0)
		return mvm_strdup(name);
	return mvm_reference_familiar_repository(&reference);
}

static bool image_fits(const struct mvm_event *event, const struct mvm_strv *filters)
{
	const char *name = mvm_event_attribute(event, strcmp(event->type, "image") ? "image" : "name");
	char *bare_id MVM_CLEAN_FREE = strip_tag(event->id), *bare_name MVM_CLEAN_FREE = strip_tag(name);
	const char *const texts[] = {event->id, name, bare_id, bare_name};

	return fits(filters, "image", equals, texts, MVM_COUNT(texts));
}

static bool labels_fit(const struct mvm_event *event, const struct mvm_strv *filters)
{
	const char *value;
	size_t at = 0;

	while ((value = cli_filter_next(filters, "label", &at))) {
		char *name MVM_CLEAN_FREE = mvm_strndup(value, strcspn(value, "="));
		const char *theirs = mvm_event_attribute(event, name);

		if (!theirs || (value[strlen(name)] && strcmp(value + strlen(name) + 1, theirs) != 0))
			return false;
	}
	return true;
}

bool cli_event_is_wanted(const struct mvm_event *event, const struct mvm_strv *filters)
{
	const char *const names[] = {event->id, mvm_event_attribute(event, "name")};

	for (size_t i = 0; i < MVM_COUNT(by_name); i++)
		if (!fits(filters, by_name[i], begins, names, MVM_COUNT(names)))
			return false;
	return fits(filters, "event", has_open_action(filters) ? begins : equals, &event->action, 1) &&
	       fits(filters, "type", equals, &event->type, 1) &&
	       fits(filters, "scope", equals, (const char *const[]){"local"}, 1) && image_fits(event, filters) &&
	       labels_fit(event, filters);
}
