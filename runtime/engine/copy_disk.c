#include "copy_disk.h"

#include <stdlib.h>
#include <string.h>

#include "copy_paths.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

enum { PATH_LIMIT = 4095 }; /* Linux's */

void copy_status_finish(struct copy_status *status)
{
	free(status->link_target);
	*status = (struct copy_status){0};
}

int copy_disk_check_path(const char *path, struct mvm_error **err)
{
	if (strlen(path) <= PATH_LIMIT)
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "%.100s...: file name too long", path);
}

int copy_disk_stat(struct mvm_client *client, const char *path, struct copy_status *status, struct mvm_error **err)
{
	char *absolute MVM_CLEAN_FREE = copy_absolute(path), *target MVM_CLEAN_FREE = NULL;
	json_t *answer MVM_CLEAN_JSON = NULL;
	int64_t mode, size;

	if (mvm_client_call(client, "stat", json_pack("{so}", "path", mvm_json_octets(absolute)), &answer, err) < 0 ||
	    mvm_json_get_int(answer, "mode", 0, &mode, err) < 0 ||
	    mvm_json_get_int(answer, "size", 0, &size, err) < 0 ||
	    mvm_json_get_octets(answer, "link_target", NULL, &target, err) < 0)
		return -1;
	*status = (struct copy_status){.mode = (uint32_t)mode, .size = (uint64_t)size, .link_target = target};
	target = NULL;
	return 0;
}

int copy_disk_finish(struct mvm_client *client, json_int_t id, struct mvm_error **err)
{
	if (mvm_client_wait(client, id, err) < 0)
		return -1;
	return mvm_client_call(client, "release", NULL, NULL, err);
}

void copy_disk_give_up(struct mvm_client *client)
{
	if (client)
		mvm_client_call(client, "release", NULL, NULL, NULL);
}

int copy_disk_not_found(const char *path, const char *container, struct mvm_error **err)
{
	if (!err || mvm_error_code(*err) != MVM_ERR_NOT_FOUND)
		return -1;
	mvm_error_clear(err);
	return mvm_fail(err, MVM_ERR_NOT_FOUND, "Could not find the file %s in container %s", path, container);
}
