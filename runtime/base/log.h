/*
 * Diagnostics for developers and bug reports, not for users' eyes: one line
 * "mvm[pid] level: text" on stderr, or into the descriptor that a background process sets.
 *
 * MVM_LOG=error|warn|info|debug chooses; the default is error in the CLI and warn in
 * background processes.
 */
#ifndef MVM_BASE_LOG_H
#define MVM_BASE_LOG_H

enum mvm_log_level { MVM_LOG_ERROR, MVM_LOG_WARN, MVM_LOG_INFO, MVM_LOG_DEBUG };

/* `name` is borrowed for the life of the process. Reads MVM_LOG. */
void mvm_log_open(const char *name, int fd, enum mvm_log_level level);
void mvm_log(enum mvm_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
