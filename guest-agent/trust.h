/*
 * Authorities of the host that programs in the container are to trust beside the image's: a bundle of both in the
 * container's /dev, which is memory, and the variables by which programs look for one. Nothing of it is on the disk,
 * and the image's own files stay files that it may replace.
 */
#ifndef AGENT_TRUST_H
#define AGENT_TRUST_H

#include "guest-agent/proto/message.h"

struct failure;

/* In the agent's own root. */
#define TRUST_ADDED    "/etc/ca-certificates.pem"
#define TRUST_FALLBACK "/etc/ca-bundle.pem"

/* Keeps what MACHINE brings. */
int trust_keep(const struct mvm_proto_machine *order, struct failure *failure);
/* Of a new container, before its root is in place, and after: opens what the agent keeps (-1: nothing), and makes the
 * bundle of that and of what the image has. */
int trust_open(int fds[2], struct failure *failure);
int trust_make(const int fds[2], struct failure *failure);
/* The variables beside `env`; memory that is never freed, for children before exec. Those that lead elsewhere than to a
 * bundle of the system's are somebody's wish and stay. */
char *const *trust_env(char *const *env);

#endif
