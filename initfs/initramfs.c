#include "initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

/* The guest's numbers, whatever the host's own makedev() says. */
struct node {
	const char *path;
	mode_t mode;
	dev_t major;
	dev_t minor;
};

/* The kernel opens /dev/console as the standard streams of /init before anything is mounted, and the agent /dev/null.
 * All else the agent makes on a tmpfs that takes this root's place. Folders come before what is in them: the
 * kernel makes no parents. */
static const struct node nodes[] = {
	{"dev", S_IFDIR | 0755, 0, 0},
	{"dev/console", S_IFCHR | 0600, 5, 1},
	{"dev/null", S_IFCHR | 0666, 1, 3},
};

static la_ssize_t append(struct archive *archive, void *out, const void *data, size_t length)
{
	mvm_buf_add(out, data, length);
	return (la_ssize_t)length;
}

static int archive_failed(struct archive *archive, const char *path, struct mvm_error **err)
{
	const char *reason = archive_error_string(archive);

	return mvm_fail(err, MVM_ERR_INTERNAL, "initramfs entry %s: %s", path, reason ? reason : "unknown error");
}

/* Data, where there is any, follows through archive_write_data(). */
static int add_entry(struct archive *archive, const struct node *node, unsigned inode, size_t size,
		     struct mvm_error **err)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	archive_entry_set_pathname(entry, node->path);
	archive_entry_set_mode(entry, node->mode);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_ino(entry, inode);
	archive_entry_set_nlink(entry, S_ISDIR(node->mode) ? 2 : 1);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_devmajor(entry, 0);
	archive_entry_set_devminor(entry, 0);
	archive_entry_set_rdevmajor(entry, node->major);
	archive_entry_set_rdevminor(entry, node->minor);
	rc = archive_write_header(archive, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : archive_failed(archive, node->path, err);
}

static int add_entries(struct archive *archive, const void *agent, size_t length, struct mvm_error **err)
{
	static const struct node init = {"init", S_IFREG | 0755, 0, 0};
	unsigned inode = 1;

	for (size_t i = 0; i < MVM_COUNT(nodes); i++)
		if (add_entry(archive, &nodes[i], inode++, 0, err) < 0)
			return -1;
	if (add_entry(archive, &init, inode, length, err) < 0)
		return -1;
	if (archive_write_data(archive, agent, length) != (la_ssize_t)length)
		return archive_failed(archive, init.path, err);
	if (archive_write_close(archive) != ARCHIVE_OK)
		return archive_failed(archive, "end", err);
	return 0;
}

int mvm_initramfs_build(const void *agent, size_t length, struct mvm_buf *out, struct mvm_error **err)
{
	struct archive *archive;
	int rc;

	if (length > MVM_INITRAMFS_AGENT_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "the agent has %zu bytes; at most %d fit", length,
				MVM_INITRAMFS_AGENT_MAX);
	if (length < 4 || memcmp(agent, "\177ELF", 4) != 0)
		return mvm_fail(err, MVM_ERR_INVALID, "the agent is not an ELF program");
	archive = archive_write_new();
	/* No padding to a tape's block: the archive ends with its trailer. */
	if (archive_write_set_format_cpio_newc(archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
	    archive_write_open(archive, out, NULL, append, NULL) != ARCHIVE_OK)
		rc = archive_failed(archive, "start", err);
	else
		rc = add_entries(archive, agent, length, err);
	archive_write_free(archive);
	return rc;
}
