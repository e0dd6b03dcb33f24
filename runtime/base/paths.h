/*
 * Where things are: MVM_HOME, the runtime folder, the cache, the configuration
 * file and the programs and files that ship beside mvm.
 *
 * Every function returns a string that the caller owns; folders are not made.
 */
#ifndef MVM_BASE_PATHS_H
#define MVM_BASE_PATHS_H

struct mvm_error;

/* $MVM_HOME, else ~/.local/share/mvm (macOS: ~/Library/Application Support/mvm); absolute. */
int mvm_home(char **path, struct mvm_error **err);

/* A short private folder for sockets that belongs to this home: $XDG_RUNTIME_DIR/mvm/<hash> where that is a folder
 * of ours, else /tmp/mvm-<uid>/<hash>. Made here, 0700, and refused if somebody else owns it. */
int mvm_runtime_folder(const char *home, char **path, struct mvm_error **err);

/* $XDG_CACHE_HOME/mvm, ~/.cache/mvm, ~/Library/Caches/mvm: what homes share. */
int mvm_cache_folder(char **path, struct mvm_error **err);

/* $MVM_CONFIG, else ~/.config/mvm/config.json. */
int mvm_config_path(char **path, struct mvm_error **err);

/* A program or file that belongs to mvm ("mvm-supervisor", "initfs/initramfs.cpio"):
 * looked for in the build tree that mvm runs from, then in the installed library folder.
 * NOT_FOUND says what to do. */
int mvm_own_file(const char *name, char **path, struct mvm_error **err);

#endif
