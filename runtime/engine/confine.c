/*
 * The rights and limits of a container, from what the user asked for, by docker's rules.
 */
#include "internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/state/confinement.h"

static void copy_list(const struct mvm_strv *from, struct mvm_strv *to)
{
	for (size_t i = 0; from && i < from->count; i++)
		mvm_strv_add(to, from->items[i]);
}

/* `text` replaces what the list has for the same key, else goes to the end. */
static void set_entry(struct mvm_strv *list, const char *text, const char *separator)
{
	size_t length = strcspn(text, separator);

	for (size_t i = 0; i < list->count; i++) {
		if (strcspn(list->items[i], separator) != length || strncmp(list->items[i], text, length))
			continue;
		free(list->items[i]);
		list->items[i] = mvm_strdup(text);
		return;
	}
	mvm_strv_add(list, text);
}

static int set_ulimits(const struct mvm_strv *given, struct mvm_strv *ulimits, struct mvm_error **err)
{
	struct mvm_ulimit limit;

	for (size_t i = 0; given && i < given->count; i++) {
		if (mvm_ulimit_parse(given->items[i], &limit, err) < 0)
			return mvm_error_wrap(err, "invalid argument \"%s\" for \"--ulimit\" flag", given->items[i]);
		set_entry(ulimits, given->items[i], "=");
	}
	return 0;
}

static int set_sysctls(const struct mvm_strv *given, struct mvm_strv *sysctls, struct mvm_error **err)
{
	for (size_t i = 0; given && i < given->count; i++) {
		if (mvm_sysctl_check(given->items[i], err) < 0)
			return mvm_error_wrap(err, "invalid argument \"%s\" for \"--sysctl\" flag", given->items[i]);
		set_entry(sysctls, given->items[i], "=");
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t depth(const char *path)
{
	size_t count = 0;

	for (; *path && *path != ':'; path++)
		count += *path == '/' && path[1] != '/' && path[1] != ':' && path[1];
	return count;
}

/* A mount covers what was mounted below it, so the shallow ones come first. */
static int by_depth(const void *a, const void *b)
{
	const char *one = *(char *const *)a, *other = *(char *const *)b;
	size_t first = depth(one), second = depth(other);

	return first != second ? (first < second ? -1 : 1) : strcmp(one, other);
}

static int set_tmpfs(const struct mvm_strv *given, struct mvm_strv *tmpfs, struct mvm_error **err)
{
	for (size_t i = 0; given && i < given->count; i++) {
		if (mvm_tmpfs_check(given->items[i], err) < 0)
			return -1;
		set_entry(tmpfs, given->items[i], ":");
	}
	if (tmpfs->count)
		qsort(tmpfs->items, tmpfs->count, sizeof(char *), by_depth);
	return 0;
}

static void set_annotations(const struct mvm_strv *given, struct mvm_strv *annotations)
{
	for (size_t i = 0; given && i < given->count; i++) {
		const char *text = given->items[i];
		char *full MVM_CLEAN_FREE = mvm_format(strchr(text, '=') ? "%s" : "%s=", text);

		set_entry(annotations, full, "=");
	}
	if (annotations->count)
		qsort(annotations->items, annotations->count, sizeof(char *), by_text);
}

static int set_numbers(const struct mvm_create_request *request, struct mvm_container_config *config,
		       struct mvm_error **err)
{
	if (request->oom_score_adj < -1000 || request->oom_score_adj > 1000)
		return mvm_fail(err, MVM_ERR_USAGE, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
				(long long)request->oom_score_adj);
	config->oom_score_adj = request->oom_score_adj;
	config->pids_limit = request->pids_limit;
	config->cpu_shares = request->cpu_shares;
	config->shm_size = (int64_t)request->shm_size;
	return 0;
}

static int set_capabilities(const struct mvm_create_request *request, struct mvm_container_config *config,
			    struct mvm_error **err)
{
	if (mvm_capabilities_normalize(request->cap_add, "CapAdd", &config->cap_add, err) < 0)
		return -1;
	return mvm_capabilities_normalize(request->cap_drop, "CapDrop", &config->cap_drop, err);
}

int engine_confine(const struct mvm_create_request *request, struct mvm_container_config *config,
		   struct mvm_error **err)
{
	struct mvm_security security;

	if (set_capabilities(request, config, err) < 0 ||
	    mvm_security_parse(request->security_opt, &security, err) < 0 || set_numbers(request, config, err) < 0)
		return -1;
	if (set_ulimits(request->ulimits, &config->ulimits, err) < 0 ||
	    set_sysctls(request->sysctls, &config->sysctls, err) < 0 ||
	    set_tmpfs(request->tmpfs, &config->tmpfs, err) < 0)
		return -1;
	config->privileged = request->privileged;
	config->domainname = mvm_strdup(request->domainname);
	copy_list(request->security_opt, &config->security_opt);
	copy_list(request->group_add, &config->group_add);
	set_annotations(request->annotations, &config->annotations);
	return 0;
}

int mvm_engine_check(const struct mvm_create_request *request, struct mvm_error **err)
{
	static const struct mvm_image_config any_image;
	struct mvm_container *scratch MVM_CLEAN_CONTAINER = mvm_alloc(sizeof(*scratch));

	if (engine_confine(request, &scratch->config, err) < 0 || engine_set_mounts(request, &scratch->config, err) < 0)
		return -1;
	return engine_set_ports(request, &any_image, &scratch->config, err);
}
