/* What the commands about volumes, and those that show some of them, share. */
#ifndef MVM_CLI_VOLUME_H
#define MVM_CLI_VOLUME_H

#include "cli.h"

/* volume_inspect.c: where its content is, a disk or a folder; the caller's. */
char *cli_volume_mountpoint(struct mvm_engine *engine, const struct mvm_volume *volume);

/* volume_ls.c: as `volume ls` prints them. */
int cli_print_volumes(struct mvm_engine *engine, struct mvm_volume *const *volumes, size_t count, bool quiet,
		      const char *format, struct mvm_error **err);

/* document_mounts.c: for `ps`: names of volumes, and sources of what else is mounted. */
char *cli_mounts_text(const struct mvm_container *container, bool no_trunc);
/* Whether something is mounted there, or is of that name: a volume or a folder of the host. */
bool cli_mounts_fit(const char *text, const struct mvm_container *container);

#endif
