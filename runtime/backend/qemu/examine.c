/*
 * What a machine would run on, for who asks before there is one.
 */
#include <string.h>
#include <sys/wait.h>

#include "host.h"
#include "internal.h"
#include "runtime/base/arch.h"
#include "runtime/base/error.h"
#include "runtime/base/spawn.h"

enum { VERSION_SECONDS = 20 };

/* "QEMU emulator version 7.2.22 (Debian ...)" */
static int find_version(const char *program, char **version, struct mvm_error **err)
{
	char *argv[] = {(char *)program, (char *)"--version", NULL}, *text MVM_CLEAN_FREE = NULL;
	int status;

	if (mvm_spawn_output(program, argv, NULL, VERSION_SECONDS, &text, &status, err) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !strstr(text, "QEMU"))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s is no QEMU: asked for its version it says '%s'; install QEMU again", program, text);
	*version = text;
	text = NULL;
	return 0;
}

static enum kvm_state find_state(enum mvm_accel accel)
{
	struct host_facts facts, before;
	enum kvm_state state;

	if (accel == MVM_ACCEL_KVM)
		return KVM_USABLE;
	host_facts_load(&facts);
	before = facts;
	state = host_try_kvm(KVM_DEVICE, &facts);
	if (facts.kvm_tried != before.kvm_tried || facts.kvm_unusable != before.kvm_unusable)
		host_facts_save(&facts);
	return state;
}

int machine_examine(enum mvm_accel accel, char **text, char **advice, struct mvm_error **err)
{
	char *program MVM_CLEAN_FREE = NULL, *version MVM_CLEAN_FREE = NULL;
	enum kvm_state state;

	if (launch_find_qemu(MVM_ARCH_OWN, &program, err) < 0 || find_version(program, &version, err) < 0 ||
	    (accel == MVM_ACCEL_KVM && launch_require_kvm(MVM_ARCH_OWN, err) < 0))
		return -1;
	state = accel == MVM_ACCEL_TCG ? KVM_MISSING : find_state(accel);
	*text = mvm_format("%s, %s", version, state == KVM_USABLE ? "with KVM" : "which emulates the processor");
	*advice = mvm_strdup(accel == MVM_ACCEL_TCG ? "" : host_kvm_notice(state));
	return 0;
}
