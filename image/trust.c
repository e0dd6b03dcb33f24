#include "trust.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "public_key.h"
#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

#define SECTION "signaturePolicy"

enum { KEY_MAX = 64 << 10, KEYS_MAX = 64 };

struct parse {
	const struct mvm_config *config;
	const char *scope; /* for messages */
	bool load;	   /* also read the keys: this is the scope that counts */
};

static int fail(const struct parse *parse, struct mvm_error **err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct parse *parse, struct mvm_error **err, const char *format, ...)
{
	char *message MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	message = mvm_vformat(format, args);
	va_end(args);
	return mvm_config_fail(parse->config, err, "\"" SECTION "\": \"%s\": %s", parse->scope, message);
}

/* A misspelt key must not make the policy weaker. */
static int only_known(const struct parse *parse, const json_t *object, const char *const *known, struct mvm_error **err)
{
	const char *key;
	const json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			return fail(parse, err, "\"%s\" is not supported", key);
	}
	return 0;
}

static int parse_identity(const struct parse *parse, const json_t *object, struct mvm_trust_requirement *requirement,
			  struct mvm_error **err)
{
	static const struct {
		const char *type, *key;
	} types[] = {
		[MVM_TRUST_REPO_DIGEST_OR_EXACT] = {"matchRepoDigestOrExact", NULL},
		[MVM_TRUST_EXACT] = {"matchExact", NULL},
		[MVM_TRUST_REPOSITORY] = {"matchRepository", NULL},
		[MVM_TRUST_EXACT_REFERENCE] = {"exactReference", "dockerReference"},
		[MVM_TRUST_EXACT_REPOSITORY] = {"exactRepository", "dockerRepository"},
	};
	const char *type = json_string_value(json_object_get(object, "type")), *name;
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};
	size_t i = 0;

	requirement->identity = MVM_TRUST_REPO_DIGEST_OR_EXACT;
	if (!object)
		return 0;
	while (type && i < MVM_COUNT(types) && strcmp(types[i].type, type) != 0)
		i++;
	if (!type || i == MVM_COUNT(types))
		return fail(parse, err,
			    "\"signedIdentity\" has no \"type\" of matchRepoDigestOrExact, matchExact, "
			    "matchRepository, exactReference and exactRepository");
	if (only_known(parse, object, (const char *const[]){"type", types[i].key, NULL}, err) < 0)
		return -1;
	requirement->identity = (enum mvm_trust_identity)i;
	if (!types[i].key)
		return 0;
	name = json_string_value(json_object_get(object, types[i].key));
	if (!name || mvm_reference_parse(name, &reference, NULL) < 0)
		return fail(parse, err, "\"%s\" is not the name of an image", types[i].key);
	requirement->name =
		i == MVM_TRUST_EXACT_REFERENCE ? mvm_reference_full(&reference) : mvm_reference_repository(&reference);
	return 0;
}

static int add_key(const struct parse *parse, const char *pem, size_t length, const char *name,
		   struct mvm_trust_requirement *requirement, struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	if (mvm_public_key_parse(pem, length, name, &requirement->keys[requirement->key_count], &cause) < 0)
		return fail(parse, err, "%s", mvm_error_message(cause));
	requirement->key_count++;
	return 0;
}

static int read_key(const struct parse *parse, const char *path, struct mvm_trust_requirement *requirement,
		    struct mvm_error **err)
{
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	char *pem MVM_CLEAN_FREE = NULL;
	size_t length;

	/* Whom one trusts must not depend on the folder that one is in. */
	if (*path != '/')
		return fail(parse, err, "the key's path \"%s\" does not begin with /", path);
	if (!parse->load)
		return 0;
	if (mvm_read_file(path, KEY_MAX, &pem, &length, &cause) < 0)
		return fail(parse, err, "cannot read the key: %s", mvm_error_message(cause));
	return add_key(parse, pem, length, path, requirement, err);
}

static int decode_key(const struct parse *parse, const char *base64, struct mvm_trust_requirement *requirement,
		      struct mvm_error **err)
{
	size_t length = strlen(base64);
	char *pem MVM_CLEAN_FREE = mvm_alloc(length + 1);
	int decoded = length % 4 == 0 && length <= KEY_MAX
			      ? EVP_DecodeBlock((unsigned char *)pem, (const unsigned char *)base64, (int)length)
			      : -1;

	if (decoded < 0)
		return fail(parse, err, "\"keyData\" is not a key's PEM in base64");
	return add_key(parse, pem, (size_t)decoded, "\"keyData\"", requirement, err);
}

static int parse_keys(const struct parse *parse, const json_t *object, struct mvm_trust_requirement *requirement,
		      struct mvm_error **err)
{
	const json_t *path = json_object_get(object, "keyPath"), *data = json_object_get(object, "keyData"),
		     *paths = json_object_get(object, "keyPaths");

	requirement->keys = mvm_alloc(KEYS_MAX * sizeof(struct mvm_public_key *));
	if (!!path + !!data + !!paths != 1 || (path && !json_is_string(path)) || (data && !json_is_string(data)) ||
	    (paths && (!json_array_size(paths) || json_array_size(paths) > KEYS_MAX)))
		return fail(
			parse, err,
			"\"sigstoreSigned\" takes one of \"keyPath\", a text, \"keyPaths\", a list, and \"keyData\"");
	if (path)
		return read_key(parse, json_string_value(path), requirement, err);
	if (data)
		return decode_key(parse, json_string_value(data), requirement, err);
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const char *item = json_string_value(json_array_get(paths, i));

		if (!item)
			return fail(parse, err, "\"keyPaths\" is not a list of texts");
		if (read_key(parse, item, requirement, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_requirement(const struct parse *parse, const json_t *object, struct mvm_trust_requirement *requirement,
			     struct mvm_error **err)
{
	static const char *const plain[] = {"type", NULL}, *const full[] = {"type",    "keyPath",	 "keyPaths",
									    "keyData", "signedIdentity", NULL};
	const char *type = json_string_value(json_object_get(object, "type"));
	bool is_signed = type && !strcmp(type, "sigstoreSigned");

	if (type && !strcmp(type, "signedBy"))
		return fail(parse, err, "signatures by GnuPG (\"signedBy\") are not supported; use \"sigstoreSigned\"");
	if (!type || (!is_signed && strcmp(type, "reject") != 0 && strcmp(type, "insecureAcceptAnything") != 0))
		return fail(parse, err,
			    "a requirement has no \"type\" of insecureAcceptAnything, reject and sigstoreSigned");
	if (only_known(parse, object, is_signed ? full : plain, err) < 0)
		return -1;
	requirement->kind = is_signed		      ? MVM_TRUST_SIGNED
			    : !strcmp(type, "reject") ? MVM_TRUST_NOTHING
						      : MVM_TRUST_ANYTHING;
	if (!is_signed)
		return 0;
	if (parse_identity(parse, json_object_get(object, "signedIdentity"), requirement, err) < 0)
		return -1;
	return parse_keys(parse, object, requirement, err);
}

static int parse_list(const struct parse *parse, const json_t *list, struct mvm_trust *out, struct mvm_error **err)
{
	struct mvm_trust trust MVM_CLEAN_TRUST = {0};

	if (!json_array_size(list))
		return fail(parse, err, "not a list of at least one requirement");
	trust.items = mvm_alloc(json_array_size(list) * sizeof(*trust.items));
	for (size_t i = 0; i < json_array_size(list); i++)
		if (parse_requirement(parse, json_array_get(list, i), &trust.items[trust.count++], err) < 0)
			return -1;
	if (parse->load) {
		*out = trust;
		trust = (struct mvm_trust){0};
	}
	return 0;
}

/* From the narrowest on; the list under the first that is there. */
static const char *find_scope(const json_t *scopes, const struct mvm_reference *reference)
{
	char *scope MVM_CLEAN_FREE = mvm_reference_full(reference), *repository MVM_CLEAN_FREE = NULL;
	const char *dot;

	if (json_object_get(scopes, scope))
		return json_object_iter_key(json_object_iter_at((json_t *)scopes, scope));
	repository = mvm_reference_repository(reference);
	for (char *end = repository + strlen(repository); end; end = strrchr(repository, '/')) {
		*end = '\0';
		if (json_object_get(scopes, repository))
			return json_object_iter_key(json_object_iter_at((json_t *)scopes, repository));
	}
	for (dot = strchr(reference->domain, '.'); dot; dot = strchr(dot + 1, '.')) {
		char *wildcard MVM_CLEAN_FREE = mvm_format("*%.*s", (int)strcspn(dot, ":"), dot);

		if (json_object_get(scopes, wildcard))
			return json_object_iter_key(json_object_iter_at((json_t *)scopes, wildcard));
	}
	return json_object_get(scopes, "") ? "" : NULL;
}

/* All of it is looked at each time, so that a mistake shows before it matters. */
static int parse_policy(const struct mvm_config *config, const json_t *policy, const struct mvm_reference *reference,
			struct mvm_trust *trust, struct mvm_error **err)
{
	static const char *const known[] = {"default", "transports", NULL};
	const json_t *scopes = json_object_get(json_object_get(policy, "transports"), "docker"), *list;
	struct parse parse = {.config = config, .scope = "policy"};
	const char *counts = find_scope(scopes, reference), *scope;

	if (only_known(&parse, policy, known, err) < 0)
		return -1;
	json_object_foreach((json_t *)scopes, scope, list)
	{
		parse = (struct parse){.config = config, .scope = scope, .load = counts && !strcmp(scope, counts)};
		if (parse_list(&parse, list, trust, err) < 0)
			return -1;
	}
	parse = (struct parse){.config = config, .scope = "default", .load = !counts};
	return parse_list(&parse, json_object_get(policy, "default"), trust, err);
}

int mvm_trust_find(const struct mvm_config *config, const struct mvm_reference *reference, struct mvm_trust *out,
		   struct mvm_error **err)
{
	struct mvm_trust trust MVM_CLEAN_TRUST = {0};
	const json_t *policy;

	if (mvm_config_section(config, SECTION, &policy, err) < 0 ||
	    (policy && parse_policy(config, policy, reference, &trust, err) < 0))
		return -1;
	*out = trust;
	trust = (struct mvm_trust){0};
	return 0;
}

void mvm_trust_finish(struct mvm_trust *trust)
{
	for (size_t i = 0; i < trust->count; i++) {
		for (size_t j = 0; j < trust->items[i].key_count; j++)
			mvm_public_key_destroy(trust->items[i].keys[j]);
		free(trust->items[i].keys);
		free(trust->items[i].name);
	}
	free(trust->items);
	*trust = (struct mvm_trust){0};
}

/* cosign signs names without one, and the parser would add "latest". */
static bool has_tag(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strchr(slash ? slash : name, ':') || strchr(name, '@');
}

bool mvm_trust_identity_fits(const struct mvm_trust_requirement *requirement, const struct mvm_reference *reference,
			     const char *name)
{
	struct mvm_reference its MVM_CLEAN_REFERENCE = {0};
	char *its_full MVM_CLEAN_FREE = NULL, *its_repository MVM_CLEAN_FREE = NULL, *full MVM_CLEAN_FREE = NULL,
		       *repository MVM_CLEAN_FREE = NULL;
	bool by_digest = mvm_digest_is_set(&reference->digest);

	if (mvm_reference_parse(name, &its, NULL) < 0)
		return false;
	its_full = mvm_reference_full(&its);
	its_repository = mvm_reference_repository(&its);
	full = mvm_reference_full(reference);
	repository = mvm_reference_repository(reference);
	switch (requirement->identity) {
	case MVM_TRUST_REPO_DIGEST_OR_EXACT:
		return by_digest ? !strcmp(its_repository, repository) : has_tag(name) && !strcmp(its_full, full);
	case MVM_TRUST_EXACT:
		return has_tag(name) && !strcmp(its_full, full);
	case MVM_TRUST_REPOSITORY:
		return !strcmp(its_repository, repository);
	case MVM_TRUST_EXACT_REFERENCE:
		return has_tag(name) && !strcmp(its_full, requirement->name);
	case MVM_TRUST_EXACT_REPOSITORY:
		return !strcmp(its_repository, requirement->name);
	}
	return false;
}
