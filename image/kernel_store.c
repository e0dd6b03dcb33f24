/* The kernels of a home: which there are, and which are used. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_internal.h"
#include "manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define FOLDER "kernels"

enum { USED_MAX = 64 << 10 };

void mvm_kernel_destroy(struct mvm_kernel *kernel)
{
	if (!kernel)
		return;
	mvm_descriptor_finish(&kernel->manifest);
	mvm_kernel_config_finish(&kernel->config);
	mvm_strv_finish(&kernel->names);
	free(kernel->image);
	free(kernel->initramfs);
	free(kernel);
}

void mvm_kernel_list_finish(struct mvm_kernel_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mvm_kernel_destroy(list->items[i]);
	free(list->items);
	*list = (struct mvm_kernel_list){0};
}

uint64_t mvm_kernel_size(const struct mvm_kernel *kernel)
{
	return kernel->parts.image.size + kernel->parts.initramfs.size;
}

char *mvm_kernel_display(const struct mvm_kernel *kernel)
{
	if (kernel->names.count)
		return mvm_reference_shorten(kernel->names.items[0]);
	return mvm_strndup(mvm_digest_hex(&kernel->manifest.digest), MVM_DIGEST_SHORT);
}

int mvm_kernels_open(const char *home, struct mvm_store **store, struct mvm_error **err)
{
	if (mvm_store_open_folder(home, FOLDER, store, err) < 0)
		return mvm_error_wrap(err, "cannot open the store of kernels");
	return 0;
}

static int read_parts(const struct mvm_store *store, struct mvm_kernel *kernel, struct mvm_error **err)
{
	struct mvm_buf manifest MVM_CLEAN_BUF = {0}, config MVM_CLEAN_BUF = {0};

	if (mvm_store_read_blob(store, &kernel->manifest, MVM_MANIFEST_MAX, &manifest, err) < 0 ||
	    mvm_kernel_manifest_parse(manifest.data, manifest.length, &kernel->parts, err) < 0 ||
	    mvm_store_read_blob(store, &kernel->parts.config, MVM_KERNEL_CONFIG_MAX, &config, err) < 0 ||
	    mvm_kernel_config_parse(config.data, config.length, &kernel->config, err) < 0)
		return -1;
	kernel->image = mvm_store_blob_path(store, &kernel->parts.image.digest);
	kernel->initramfs = mvm_store_blob_path(store, &kernel->parts.initramfs.digest);
	return 0;
}

int kernel_read(const struct mvm_store *store, const struct mvm_descriptor *manifest, struct mvm_kernel **out,
		struct mvm_error **err)
{
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = mvm_alloc(sizeof(*kernel));

	kernel->manifest = *manifest;
	kernel->manifest.media_type = mvm_strdup(manifest->media_type);
	if (read_parts(store, kernel, err) < 0)
		return -1;
	*out = kernel;
	kernel = NULL;
	return 0;
}

static struct mvm_kernel *find_in(const struct mvm_kernel_list *list, const struct mvm_digest *manifest)
{
	for (size_t i = 0; i < list->count; i++)
		if (mvm_digest_equal(&list->items[i]->manifest.digest, manifest))
			return list->items[i];
	return NULL;
}

/* "" where there is none for the architecture, or the file cannot be read: then the machine is to boot all the same. */
static void read_used(const char *home, enum mvm_arch arch, struct mvm_digest *digest)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/" FOLDER "/used.json", home);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	json_t *root MVM_CLEAN_JSON = NULL;
	const char *text = "";

	*digest = (struct mvm_digest){0};
	if (access(path, F_OK) < 0)
		return;
	if (mvm_json_load(path, USED_MAX, &root, &cause) < 0 ||
	    mvm_json_get_string(root, mvm_arch_name(arch), "", &text, &cause) < 0 ||
	    (*text && mvm_digest_parse(text, digest, &cause) < 0))
		mvm_log(MVM_LOG_WARN, "%s: %s", path, mvm_error_message(cause));
}

static int by_name(const void *a, const void *b)
{
	const struct mvm_kernel *left = *(struct mvm_kernel *const *)a, *right = *(struct mvm_kernel *const *)b;
	const char *left_name = left->names.count ? left->names.items[0] : "";
	const char *right_name = right->names.count ? right->names.items[0] : "";

	if (left->config.arch != right->config.arch)
		return left->config.arch < right->config.arch ? -1 : 1;
	if (strcmp(left_name, right_name) != 0)
		return strcmp(left_name, right_name);
	return strcmp(left->manifest.digest.text, right->manifest.digest.text);
}

int kernel_list_entries(const struct mvm_store *store, const struct mvm_entries *entries, struct mvm_kernel_list *out,
			struct mvm_error **err)
{
	struct mvm_kernel_list list = {.items = mvm_alloc(entries->count * sizeof(struct mvm_kernel *))};

	for (size_t i = 0; i < entries->count; i++) {
		const struct mvm_entry *entry = &entries->items[i];
		struct mvm_kernel *kernel = find_in(&list, &entry->descriptor.digest);
		struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
		struct mvm_digest used;

		if (!kernel && kernel_read(store, &entry->descriptor, &kernel, &cause) == 0) {
			list.items[list.count++] = kernel;
			read_used(store->home, kernel->config.arch, &used);
			kernel->used = mvm_digest_equal(&used, &kernel->manifest.digest);
		}
		if (kernel && entry->name && !strchr(entry->name, '@'))
			mvm_strv_add(&kernel->names, entry->name);
		else if (!kernel)
			mvm_log(MVM_LOG_WARN, "kernel %s left out: %s", entry->descriptor.digest.text,
				mvm_error_message(cause));
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(struct mvm_kernel *), by_name);
	*out = list;
	return 0;
}

int mvm_kernels_list(struct mvm_store *store, struct mvm_kernel_list *list, struct mvm_error **err)
{
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	int lock MVM_CLEAN_FD = -1;

	if (mvm_store_lock_index(store, MVM_LOCK_SHARED, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0)
		return -1;
	return kernel_list_entries(store, &entries, list, err);
}

static bool has_name(const struct mvm_kernel *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->names.count; i++)
		if (!strcmp(kernel->names.items[i], name))
			return true;
	return false;
}

static int no_such(const char *text, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "no such kernel: %.200s; `mvm kernel ls` shows those that are here",
			text);
}

static int match_id(const struct mvm_kernel_list *list, const char *text, size_t *index, struct mvm_error **err)
{
	const char *hex = strncmp(text, "sha256:", 7) ? text : text + 7;
	size_t length = strlen(hex), found = list->count;

	if (!length || hex[strspn(hex, "0123456789abcdef")])
		return no_such(text, err);
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(mvm_digest_hex(&list->items[i]->manifest.digest), hex, length))
			continue;
		if (found < list->count)
			return mvm_fail(err, MVM_ERR_CONFLICT,
					"several kernels have an ID that starts with %s; write more of it", text);
		found = i;
	}
	if (found == list->count)
		return no_such(text, err);
	*index = found;
	return 0;
}

int kernel_match(const struct mvm_kernel_list *list, const char *text, size_t *index, bool *named,
		 struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	char *name MVM_CLEAN_FREE = NULL;

	*named = true;
	if (strncmp(text, "sha256:", 7) && mvm_reference_parse(text, &reference, NULL) == 0)
		name = mvm_reference_full(&reference);
	for (size_t i = 0; name && i < list->count; i++)
		if (has_name(list->items[i], name)) {
			*index = i;
			return 0;
		}
	*named = false;
	/* "registry/name@sha256:..." is a kernel's ID, too. */
	return match_id(list, name && mvm_digest_is_set(&reference.digest) ? reference.digest.text : text, index, err);
}

int mvm_kernels_find(struct mvm_store *store, const char *text, struct mvm_kernel **kernel, struct mvm_error **err)
{
	struct mvm_kernel_list list MVM_CLEAN_KERNEL_LIST = {0};
	size_t index;
	bool named;

	if (mvm_kernels_list(store, &list, err) < 0 || kernel_match(&list, text, &index, &named, err) < 0)
		return -1;
	*kernel = list.items[index];
	list.items[index] = NULL;
	return 0;
}

int mvm_kernels_used(const char *home, enum mvm_arch arch, struct mvm_kernel **kernel, struct mvm_error **err)
{
	struct mvm_store *store MVM_CLEAN_STORE = NULL;
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_digest used;

	read_used(home, arch, &used);
	if (!mvm_digest_is_set(&used))
		return 1;
	if (mvm_kernels_open(home, &store, err) < 0)
		return -1;
	if (mvm_kernels_find(store, used.text, kernel, &cause) == 0)
		return 0;
	return mvm_error_code(cause) == MVM_ERR_NOT_FOUND ? 1 : mvm_error_move(err, &cause);
}

int mvm_kernels_use(struct mvm_store *store, enum mvm_arch arch, const struct mvm_kernel *kernel,
		    struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/used.json", store->folder);
	struct mvm_entries entries MVM_CLEAN_ENTRIES = {0};
	json_t *root MVM_CLEAN_JSON = NULL;
	int lock MVM_CLEAN_FD = -1;
	bool there = !kernel;

	if (mvm_store_lock_index(store, 0, &lock, err) < 0 || mvm_entries_load(store, &entries, err) < 0)
		return -1;
	for (size_t i = 0; !there && i < entries.count; i++)
		there = mvm_digest_equal(&entries.items[i].descriptor.digest, &kernel->manifest.digest);
	if (!there)
		return no_such(kernel->manifest.digest.text, err);
	if (mvm_json_load(path, USED_MAX, &root, NULL) < 0 || !json_is_object(root)) {
		json_decref(root);
		root = json_object();
	}
	if (kernel)
		json_object_set_new(root, mvm_arch_name(arch), json_string(kernel->manifest.digest.text));
	else
		json_object_del(root, mvm_arch_name(arch));
	return mvm_json_save(path, root, err);
}
