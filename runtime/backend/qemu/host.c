#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "kvm_probe.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/paths.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

enum { FACTS_MAX = 4096, BOOT_ID_MAX = 64 };

static const char *const state_names[] = {
	[KVM_USABLE] = "usable", [KVM_MISSING] = "missing",   [KVM_DENIED] = "denied",
	[KVM_BUSY] = "busy",	 [KVM_UNUSABLE] = "unusable",
};

static int boot_id(char **id, struct mvm_error **err)
{
	size_t length;

	if (mvm_read_file(BOOT_ID_FILE, BOOT_ID_MAX, id, &length, err) < 0)
		return -1;
	(*id)[strcspn(*id, "\n")] = '\0';
	return 0;
}

static int facts_path(char **folder, char **path, struct mvm_error **err)
{
	if (mvm_cache_folder(folder, err) < 0)
		return -1;
	*path = mvm_format("%s/host.json", *folder);
	return 0;
}

static enum kvm_state state_parse(const char *name)
{
	for (size_t i = 0; i < MVM_COUNT(state_names); i++)
		if (strcmp(name, state_names[i]) == 0)
			return (enum kvm_state)i;
	return KVM_USABLE;
}

static int read_facts(struct host_facts *facts, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = NULL, *path MVM_CLEAN_FREE = NULL, *now MVM_CLEAN_FREE = NULL;
	json_t *object MVM_CLEAN_JSON = NULL;
	struct host_facts read = {0};
	const char *then, *told;
	int64_t khz;

	if (facts_path(&folder, &path, err) < 0 || boot_id(&now, err) < 0 ||
	    mvm_json_load(path, FACTS_MAX, &object, err) < 0 ||
	    mvm_json_get_string(object, "bootId", "", &then, err) < 0 ||
	    mvm_json_get_bool(object, "kvmTried", false, &read.kvm_tried, err) < 0 ||
	    mvm_json_get_bool(object, "kvmUnusable", false, &read.kvm_unusable, err) < 0 ||
	    mvm_json_get_string(object, "told", "", &told, err) < 0 ||
	    mvm_json_get_int(object, "tscKHz", 0, &khz, err) < 0 ||
	    mvm_json_get_bool(object, "tscVaries", false, &read.tsc_varies, err) < 0)
		return -1;
	if (strcmp(then, now) != 0)
		return 0;
	read.told = state_parse(told);
	read.tsc_khz = khz > 0 && khz <= UINT32_MAX ? (uint32_t)khz : 0;
	*facts = read;
	return 0;
}

void host_facts_load(struct host_facts *facts)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	*facts = (struct host_facts){0};
	if (read_facts(facts, &err) < 0 && mvm_error_code(err) != MVM_ERR_NOT_FOUND)
		mvm_log(MVM_LOG_WARN, "host facts: %s", mvm_error_message(err));
}

static int write_facts(const struct host_facts *facts, struct mvm_error **err)
{
	char *folder MVM_CLEAN_FREE = NULL, *path MVM_CLEAN_FREE = NULL, *id MVM_CLEAN_FREE = NULL;
	json_t *object MVM_CLEAN_JSON = NULL;

	if (facts_path(&folder, &path, err) < 0 || mvm_make_folders(folder, err) < 0 || boot_id(&id, err) < 0)
		return -1;
	object = json_pack("{s:s, s:b, s:b, s:s, s:I, s:b}", "bootId", id, "kvmTried", facts->kvm_tried, "kvmUnusable",
			   facts->kvm_unusable, "told", state_names[facts->told], "tscKHz", (json_int_t)facts->tsc_khz,
			   "tscVaries", facts->tsc_varies);
	return mvm_json_save(path, object, err);
}

void host_facts_save(const struct host_facts *facts)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;

	if (write_facts(facts, &err) < 0)
		mvm_log(MVM_LOG_WARN, "host facts: %s", mvm_error_message(err));
}

static enum kvm_state open_device(const char *device, int *fd)
{
	*fd = open(device, O_RDWR | O_CLOEXEC);
	if (*fd >= 0)
		return KVM_USABLE;
	return errno == EACCES || errno == EPERM ? KVM_DENIED : KVM_MISSING;
}

enum kvm_state host_open_kvm(const char *device)
{
	int fd MVM_CLEAN_FD = -1;

	return open_device(device, &fd);
}

enum kvm_state host_try_kvm(const char *device, struct host_facts *facts)
{
	int fd MVM_CLEAN_FD = -1;
	enum kvm_state state = open_device(device, &fd);

	if (state != KVM_USABLE)
		return state;
	if (!facts->kvm_tried && !facts->kvm_unusable) {
		enum kvm_probe result = kvm_probe(fd);

		if (result == KVM_PROBE_BUSY)
			return KVM_BUSY;
		facts->kvm_tried = result == KVM_PROBE_RUNS;
		facts->kvm_unusable = !facts->kvm_tried;
	}
	return facts->kvm_unusable ? KVM_UNUSABLE : KVM_USABLE;
}

const char *host_kvm_notice(enum kvm_state state)
{
	switch (state) {
	case KVM_MISSING:
		return "no /dev/kvm here, so the machine is emulated, which is slower; where the processor offers "
		       "virtualisation, switch it on in the firmware (or allow it to this VM)";
	case KVM_DENIED:
		return "/dev/kvm may not be opened, so the machine is emulated, which is slower; join the group kvm "
		       "(sudo usermod -aG kvm $USER) and log in again";
	case KVM_BUSY:
		return "/dev/kvm makes no machine now, so this one is emulated, which is slower; another hypervisor "
		       "may "
		       "hold the processor";
	case KVM_UNUSABLE:
		return "/dev/kvm is there but cannot run a kernel, so the machine is emulated, which is slower; "
		       "MVM_ACCEL=kvm tries it again";
	case KVM_USABLE:
		break;
	}
	return "";
}
