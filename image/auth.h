/*
 * WWW-Authenticate (RFC 9110 §11.6.1) as registries use it: a Bearer challenge that says where an anonymous
 * token is had (distribution-spec "Token Authentication"), or Basic, which wants a login.
 *
 * Pure text, no I/O; the header comes from a server and is untrusted.
 */
#ifndef MVM_IMAGE_AUTH_H
#define MVM_IMAGE_AUTH_H

#include <stdbool.h>
#include <stddef.h>

struct mvm_error;

struct mvm_challenge {
	char *realm; /* URL of the token server; NULL where there is no usable Bearer challenge */
	char *service;
	char *scope;
	bool basic; /* the server would take a name and a password */
};

/* The first Bearer challenge of one or several header values joined by commas. What is malformed ends the list. */
void mvm_challenge_parse(const char *header, struct mvm_challenge *challenge);
/* A server may keep the repository under a longer name than it was asked by ("hub-cache/library/alpine") and say so in
 * its challenge. The scope for that name with our actions, whatever it would have us ask for; NULL where it names none.
 * The caller owns it. */
char *mvm_challenge_scope(const struct mvm_challenge *challenge, const char *path, const char *actions);
void mvm_challenge_finish(struct mvm_challenge *challenge);
#define MVM_CLEAN_CHALLENGE __attribute__((cleanup(mvm_challenge_finish)))

struct mvm_token {
	char *access;
	char *refresh; /* "refresh_token", which was asked for at a login; NULL: none */
};
/* A token server's answer ("token" or "access_token"). INVALID where there is none or where it holds a letter that no
 * token may (RFC 6750 §2.1). */
int mvm_token_parse(const char *data, size_t length, struct mvm_token *token, struct mvm_error **err);
void mvm_token_finish(struct mvm_token *token);
/* May this go into a header as it is? */
bool mvm_token_is_valid(const char *text);

#endif
