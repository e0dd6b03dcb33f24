#include "etc.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "shared.h"
#include "sys.h"

static const char *const files[ETC_FILES] = {MACHINE_HOSTS, MACHINE_HOSTNAME, MACHINE_RESOLV};

const char *etc_file(int i)
{
	/* Without orders for it. */
	if (strcmp(files[i], MACHINE_RESOLV) == 0 && !shared->has_resolv)
		return NULL;
	return files[i];
}

void etc_mount_over(int root)
{
	for (int i = 0; i < ETC_FILES; i++) {
		const char *file = etc_file(i);
		int place = file ? sys_open_inside(root, file, O_PATH | O_CLOEXEC) : -1;
		int tree = place < 0 ? -1 : sys_copy_mount(file);

		if (tree >= 0) {
			sys_move_mount(tree, place, "");
			close(tree);
		}
		if (place >= 0)
			close(place);
	}
}
