#include "backend.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

struct entry {
	const char *name;
	const struct mvm_backend_ops *ops; /* NULL: not on this system */
};

static const struct entry backends[] = {
#ifdef __APPLE__
	{"auto", &mvm_backend_vz},
	{"qemu", NULL},
	{"vz", &mvm_backend_vz},
#elif defined(MVM_BACKEND_DOUBLE)
	{"auto", NULL},
	{"qemu", NULL},
	{"vz", &mvm_backend_vz},
#else
	{"auto", &mvm_backend_qemu},
	{"qemu", &mvm_backend_qemu},
	{"vz", NULL},
#endif
};

static const char *or_environment(const char *name, const char *variable)
{
	if (!name || !*name)
		name = getenv(variable);
	return name && *name ? name : "auto";
}

int mvm_backend_find(const char *name, const struct mvm_backend_ops **ops, struct mvm_error **err)
{
	name = or_environment(name, "MVM_BACKEND");
	for (size_t i = 0; i < MVM_COUNT(backends); i++) {
		if (strcmp(backends[i].name, name) != 0)
			continue;
		if (!backends[i].ops)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED,
					"the backend '%s' is not part of this build; unset MVM_BACKEND", name);
		*ops = backends[i].ops;
		return 0;
	}
	return mvm_fail(err, MVM_ERR_USAGE, "unknown backend '%s' (MVM_BACKEND); use auto, qemu or vz", name);
}

static const char *const accel_names[] = {[MVM_ACCEL_AUTO] = "auto", [MVM_ACCEL_KVM] = "kvm", [MVM_ACCEL_TCG] = "tcg"};

int mvm_accel_parse(const char *name, enum mvm_accel *accel, struct mvm_error **err)
{
	name = or_environment(name, "MVM_ACCEL");
	for (size_t i = 0; i < MVM_COUNT(accel_names); i++) {
		if (strcmp(accel_names[i], name) == 0) {
			*accel = (enum mvm_accel)i;
			return 0;
		}
	}
	return mvm_fail(err, MVM_ERR_USAGE, "unknown accelerator '%s' (MVM_ACCEL); use auto, kvm or tcg", name);
}

const char *mvm_accel_name(enum mvm_accel accel)
{
	return accel_names[accel];
}
