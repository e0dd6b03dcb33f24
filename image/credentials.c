#include "credentials.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth.h"
#include "docker_config.h"
#include "helper.h"
#include "reference.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

#define HUB_DOMAIN "docker.io"
#define HUB_KEY	   "https://index.docker.io/v1/"
/* The user name under which helpers keep an identity token. */
#define TOKEN_USER "<token>"
#define MAX_SECRET (64 << 10)

/* Not left in memory that is handed out again. */
static void wipe(char *secret)
{
	if (secret)
		for (volatile char *at = secret; *at; at++)
			*at = '\0';
	free(secret);
}

void mvm_credential_finish(struct mvm_credential *credential)
{
	free(credential->username);
	wipe(credential->password);
	wipe(credential->identity_token);
	wipe(credential->registry_token);
	*credential = (struct mvm_credential){0};
}

/* "https://registry.example/v2/" is "registry.example", as docker reads old keys. */
static char *host_of(const char *text)
{
	const char *scheme = strstr(text, "://");

	if (scheme)
		text = scheme + 3;
	return mvm_strndup(text, strcspn(text, "/"));
}

char *mvm_credentials_domain(const char *server)
{
	static const char *const hub[] = {"", HUB_DOMAIN, "index.docker.io", "registry-1.docker.io"};
	char *host = host_of(server ? server : "");

	for (size_t i = 0; i < MVM_COUNT(hub); i++) {
		if (strcasecmp(host, hub[i]))
			continue;
		free(host);
		return mvm_strdup(HUB_DOMAIN);
	}
	return host;
}

static const char *key_of(const char *domain)
{
	return strcmp(domain, HUB_DOMAIN) ? domain : HUB_KEY;
}

static int is_wrong(const struct mvm_docker_config *config, const char *what, const char *problem,
		    struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_INVALID, "%s: %s %s; correct the file, or run 'mvm login' for this server anew",
			config->path, what, problem);
}

static int get_section(const struct mvm_docker_config *config, const char *name, json_t **section,
		       struct mvm_error **err)
{
	json_t *value = json_object_get(config->root, name);

	if (value && !json_is_null(value) && !json_is_object(value))
		return mvm_fail(err, MVM_ERR_INVALID, "%s: \"%s\" is not an object; correct the file", config->path,
				name);
	*section = json_is_object(value) ? value : NULL;
	return 0;
}

/* The helper for a server, "" where the file itself is the store. */
static int get_helper(const struct mvm_docker_config *config, const char *key, const char **helper,
		      struct mvm_error **err)
{
	json_t *helpers;

	if (get_section(config, "credHelpers", &helpers, err) < 0)
		return -1;
	if (json_object_get(helpers, key) ? mvm_json_get_string(helpers, key, "", helper, err) < 0
					  : mvm_json_get_string(config->root, "credsStore", "", helper, err) < 0)
		return mvm_error_wrap(err, "%s", config->path);
	return 0;
}

/* The entry under the key itself, else the first whose key is an older form of it. */
static const char *find_entry(json_t *auths, const char *key, json_t **entry)
{
	const char *name;
	json_t *value;

	*entry = json_object_get(auths, key);
	if (*entry)
		return key;
	json_object_foreach(auths, name, value)
	{
		char *host MVM_CLEAN_FREE = host_of(name);

		if (strcmp(host, key))
			continue;
		*entry = value;
		return name;
	}
	return NULL;
}

/* base64 of "user:password". False where it is anything else. */
static bool decode_auth(const char *auth, struct mvm_credential *credential)
{
	size_t length = strlen(auth), used;
	char *text MVM_CLEAN_FREE = mvm_alloc(length + 1);
	char *colon;
	int decoded;

	if (length % 4 || length > MAX_SECRET ||
	    auth[strspn(auth, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz0123456789+/=")])
		return false;
	decoded = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)auth, (int)length);
	if (decoded < 0)
		return false;
	used = (size_t)decoded - (length > 0 && auth[length - 1] == '=') - (length > 1 && auth[length - 2] == '=');
	/* Some tools pad the password with NULs; within the text there is none. */
	while (used && !text[used - 1])
		used--;
	colon = memchr(text, ':', used);
	if (!colon || colon == text || memchr(text, '\0', used))
		return false;
	text[used] = '\0';
	credential->username = mvm_strndup(text, (size_t)(colon - text));
	credential->password = mvm_strdup(colon + 1);
	memset(text, 0, used);
	return true;
}

static char *copy(const char *text)
{
	return *text ? mvm_strdup(text) : NULL;
}

static int parse_entry(const struct mvm_docker_config *config, const char *name, const json_t *entry,
		       struct mvm_credential *out, struct mvm_error **err)
{
	struct mvm_credential credential MVM_CLEAN_CREDENTIAL = {0};
	char *what MVM_CLEAN_FREE = mvm_format("the entry \"%.200s\" of \"auths\"", name);
	const char *auth, *username, *password, *identity, *registry;

	if (!json_is_object(entry))
		return is_wrong(config, what, "is not an object", err);
	if (mvm_json_get_string(entry, "auth", "", &auth, err) < 0 ||
	    mvm_json_get_string(entry, "username", "", &username, err) < 0 ||
	    mvm_json_get_string(entry, "password", "", &password, err) < 0 ||
	    mvm_json_get_string(entry, "identitytoken", "", &identity, err) < 0 ||
	    mvm_json_get_string(entry, "registrytoken", "", &registry, err) < 0)
		return mvm_error_wrap(err, "%s: %s", config->path, what);
	if (*auth ? !decode_auth(auth, &credential) : 0)
		return is_wrong(config, what,
				"has an \"auth\" that is not the base64 of a name, a colon and a password", err);
	if (*registry && !mvm_token_is_valid(registry))
		return is_wrong(config, what, "has a \"registrytoken\" with letters that no token has", err);
	if (!*auth && *username) {
		credential.username = mvm_strdup(username);
		credential.password = mvm_strdup(password);
	}
	credential.identity_token = copy(identity);
	credential.registry_token = copy(registry);
	if (!credential.username && !credential.identity_token && !credential.registry_token)
		return 1;
	*out = credential;
	credential = (struct mvm_credential){0};
	return 0;
}

static int ask_helper(const char *helper, const char *key, struct mvm_credential *credential, struct mvm_error **err)
{
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	json_t *root MVM_CLEAN_JSON = NULL;
	const char *username = "", *secret = "";
	int result = mvm_helper_run(helper, "get", key, MVM_HELPER_SECONDS, &output, err);

	if (result)
		return result;
	/* jansson's message would quote what it met. */
	if (mvm_json_parse(output.data ? output.data : "", output.length, "", &root, NULL) < 0 ||
	    !json_is_object(root) || mvm_json_get_string(root, "Username", "", &username, NULL) < 0 ||
	    mvm_json_get_string(root, "Secret", "", &secret, NULL) < 0)
		result = mvm_fail(
			err, MVM_ERR_INVALID,
			"'docker-credential-%s get' does not print an object with \"Username\" and \"Secret\"", helper);
	else if (!*username && !*secret)
		result = 1;
	else if (!strcmp(username, TOKEN_USER))
		credential->identity_token = mvm_strdup(secret);
	else
		*credential = (struct mvm_credential){.username = mvm_strdup(username), .password = mvm_strdup(secret)};
	if (output.data)
		memset(output.data, 0, output.length);
	return result;
}

int mvm_credentials_get(const char *domain, struct mvm_credential *credential, struct mvm_error **err)
{
	struct mvm_docker_config config MVM_CLEAN_DOCKER_CONFIG = {.lock = -1};
	const char *key = key_of(domain), *name, *helper;
	json_t *auths, *entry;
	int result;

	if (!getenv("HOME") && !getenv("DOCKER_CONFIG"))
		return 1;
	if (mvm_docker_config_open(&config, false, err) < 0 || get_helper(&config, key, &helper, err) < 0)
		return -1;
	if (*helper) {
		result = ask_helper(helper, key, credential, err);
		return result < 0 ? mvm_error_wrap(err, "cannot get the credentials for %s", domain) : result;
	}
	if (get_section(&config, "auths", &auths, err) < 0)
		return -1;
	name = find_entry(auths, key, &entry);
	return name ? parse_entry(&config, name, entry, credential, err) : 1;
}

/* The entry of a server, made where there is none. */
static int make_entry(struct mvm_docker_config *config, const char *key, json_t **entry, struct mvm_error **err)
{
	json_t *auths;

	if (get_section(config, "auths", &auths, err) < 0)
		return -1;
	if (!auths) {
		auths = json_object();
		json_object_set_new(config->root, "auths", auths);
	}
	*entry = json_object_get(auths, key);
	if (!json_is_object(*entry)) {
		*entry = json_object();
		json_object_set_new(auths, key, *entry);
	}
	return 0;
}

/* Takes secrets out of an entry, and leaves what else is there. */
static void clear_entry(json_t *entry)
{
	static const char *const fields[] = {"auth", "username", "password", "identitytoken", "registrytoken"};

	for (size_t i = 0; i < MVM_COUNT(fields); i++)
		json_object_del(entry, fields[i]);
}

static char *encode_auth(const struct mvm_credential *credential)
{
	const char *password = credential->identity_token ? "" : credential->password;
	char *text = mvm_format("%s:%s", credential->username, password ? password : "");
	char *auth = mvm_alloc(strlen(text) / 3 * 4 + 5);

	EVP_EncodeBlock((unsigned char *)auth, (const unsigned char *)text, (int)strlen(text));
	wipe(text);
	return auth;
}

static int give_to_helper(const char *helper, const char *key, const struct mvm_credential *credential,
			  struct mvm_error **err)
{
	const char *username = credential->identity_token ? TOKEN_USER : credential->username;
	const char *secret = credential->identity_token ? credential->identity_token : credential->password;
	json_t *value MVM_CLEAN_JSON =
		json_pack("{s:s, s:s, s:s}", "ServerURL", key, "Username", username, "Secret", secret);
	char *input = value ? json_dumps(value, JSON_COMPACT) : NULL;
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	int result;

	if (!input)
		return mvm_fail(err, MVM_ERR_INVALID,
				"user name or password is not UTF-8, and docker-credential-%s takes no other", helper);
	result = mvm_helper_run(helper, "store", input, MVM_HELPER_SECONDS, &output, err);
	wipe(input);
	if (result > 0)
		result = mvm_fail(err, MVM_ERR_AUTH, "'docker-credential-%s store' finds no credentials", helper);
	return result;
}

int mvm_credentials_store(const char *domain, const struct mvm_credential *credential, char **plain,
			  struct mvm_error **err)
{
	struct mvm_docker_config config MVM_CLEAN_DOCKER_CONFIG = {.lock = -1};
	const char *key = key_of(domain), *helper;
	json_t *before MVM_CLEAN_JSON = NULL;
	json_t *entry;

	if (mvm_docker_config_open(&config, true, err) < 0)
		return -1;
	before = json_deep_copy(config.root);
	if (get_helper(&config, key, &helper, err) < 0 || make_entry(&config, key, &entry, err) < 0)
		return -1;
	clear_entry(entry);
	if (*helper && give_to_helper(helper, key, credential, err) < 0)
		return mvm_error_wrap(err, "cannot save the credentials for %s", domain);
	if (!*helper) {
		char *auth = encode_auth(credential);

		json_object_set_new(entry, "auth", json_string(auth));
		if (credential->identity_token)
			json_object_set_new(entry, "identitytoken", json_string(credential->identity_token));
		wipe(auth);
	}
	if (!json_equal(before, config.root) && mvm_docker_config_save(&config, err) < 0)
		return mvm_error_wrap(err, "cannot save the credentials for %s", domain);
	*plain = *helper ? NULL : mvm_strdup(config.path);
	return 0;
}

int mvm_credentials_erase(const char *domain, struct mvm_error **err)
{
	struct mvm_docker_config config MVM_CLEAN_DOCKER_CONFIG = {.lock = -1};
	struct mvm_buf output MVM_CLEAN_BUF = {0};
	const char *key = key_of(domain), *name, *helper;
	json_t *auths, *entry;
	bool changed = false;

	if (mvm_docker_config_open(&config, true, err) < 0 || get_helper(&config, key, &helper, err) < 0 ||
	    get_section(&config, "auths", &auths, err) < 0)
		return -1;
	if (*helper && mvm_helper_run(helper, "erase", key, MVM_HELPER_SECONDS, &output, err) < 0)
		return mvm_error_wrap(err, "cannot erase the credentials for %s", domain);
	/* Older forms of the key too: the next get would find them. */
	while ((name = find_entry(auths, key, &entry))) {
		json_object_del(auths, name);
		changed = true;
	}
	return changed ? mvm_docker_config_save(&config, err) : 0;
}
