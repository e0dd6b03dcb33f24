#include "users.h"

#include <stdbool.h>
#include <string.h>

#include "failure.h"

/* Docker's bound for what may be given as a number. */
#define ID_MAX 2147483647u

enum { PASSWD_UID = 2, PASSWD_GID = 3, PASSWD_HOME = 5, GROUP_GID = 2, GROUP_MEMBERS = 3, FIELDS_MAX = 7 };

static bool text_is(struct text text, const char *string, size_t length)
{
	return text.length == length && memcmp(text.data, string, length) == 0;
}

/* Takes what stands before `separator`; false at the end of the text. */
static bool take_part(struct text *rest, char separator, struct text *part)
{
	const char *end;

	if (!rest->data)
		return false;
	end = memchr(rest->data, separator, rest->length);
	part->data = rest->data;
	part->length = end ? (size_t)(end - rest->data) : rest->length;
	if (end) {
		rest->data = end + 1;
		rest->length -= part->length + 1;
	} else {
		rest->data = NULL;
		rest->length = 0;
	}
	return true;
}

static struct text trim(struct text line)
{
	while (line.length > 0 && strchr(" \t\r", line.data[line.length - 1]) && line.data[line.length - 1])
		line.length--;
	while (line.length > 0 && (*line.data == ' ' || *line.data == '\t')) {
		line.data++;
		line.length--;
	}
	return line;
}

/* The last field takes all that is left, so that the count of fields stays bounded. */
static bool take_entry(struct text *rest, struct text fields[FIELDS_MAX])
{
	struct text line, part;
	size_t count = 0;

	if (!take_part(rest, '\n', &line))
		return false;
	memset(fields, 0, FIELDS_MAX * sizeof(*fields));
	line = trim(line);
	while (count < FIELDS_MAX && take_part(&line, ':', &part))
		fields[count++] = part;
	return true;
}

static bool parse_id(struct text text, uint32_t max, uint32_t *id)
{
	uint64_t value = 0;

	if (text.length == 0 || text.length > 10)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (value > max)
		return false;
	*id = (uint32_t)value;
	return true;
}

static bool is_number(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.length > 0;
}

/* -1 for an id itself is "leave alone" to the system calls, so it is no id. */
static bool entry_id(const struct text *field, uint32_t *id)
{
	return parse_id(*field, UINT32_MAX - 1, id);
}

/* The entry with this name, or where the name is a number, with this id. */
static bool find_entry(struct text file, struct text name, struct text fields[FIELDS_MAX], uint32_t *id)
{
	uint32_t wanted = 0;
	bool by_id = is_number(name);

	if (by_id && !parse_id(name, ID_MAX, &wanted))
		return false;
	while (take_entry(&file, fields)) {
		if (fields[0].length == 0 || !entry_id(&fields[PASSWD_UID], id))
			continue;
		if (by_id ? *id == wanted : text_is(fields[0], name.data, name.length))
			return true;
	}
	return false;
}

static int find_user(struct text name, struct text passwd, struct identity *identity, struct text *login,
		     struct failure *failure)
{
	struct text fields[FIELDS_MAX];
	uint32_t gid;

	if (find_entry(passwd, name, fields, &identity->uid)) {
		*login = fields[0];
		if (entry_id(&fields[PASSWD_GID], &gid))
			identity->gid = gid;
		if (fields[PASSWD_HOME].length > 0 && fields[PASSWD_HOME].length < sizeof(identity->home) &&
		    !memchr(fields[PASSWD_HOME].data, '\0', fields[PASSWD_HOME].length)) {
			memcpy(identity->home, fields[PASSWD_HOME].data, fields[PASSWD_HOME].length);
			identity->home[fields[PASSWD_HOME].length] = '\0';
		}
		return 0;
	}
	if (parse_id(name, ID_MAX, &identity->uid))
		return 0;
	if (is_number(name))
		return failure_set(failure, MVM_PROTO_NO_USER, "uids and gids must be in range 0-2147483647");
	return failure_set(failure, MVM_PROTO_NO_USER, "unable to find user %.*s: no matching entries in passwd file",
			   (int)(name.length < 256 ? name.length : 256), name.data);
}

static int find_group(struct text name, struct text group, uint32_t *gid, struct failure *failure)
{
	struct text fields[FIELDS_MAX];

	_Static_assert((int)GROUP_GID == (int)PASSWD_UID, "find_entry() serves both files");
	if (find_entry(group, name, fields, gid) || parse_id(name, ID_MAX, gid))
		return 0;
	if (is_number(name))
		return failure_set(failure, MVM_PROTO_NO_GROUP, "uids and gids must be in range 0-2147483647");
	return failure_set(failure, MVM_PROTO_NO_GROUP, "unable to find group %.*s: no matching entries in group file",
			   (int)(name.length < 256 ? name.length : 256), name.data);
}

static void add_group(struct identity *identity, uint32_t gid)
{
	for (size_t i = 0; i < identity->group_count; i++)
		if (identity->groups[i] == gid)
			return;
	if (identity->group_count < USERS_GROUPS_MAX)
		identity->groups[identity->group_count++] = gid;
}

static void add_memberships(struct text group, struct text login, struct identity *identity)
{
	struct text fields[FIELDS_MAX];
	struct text member;
	uint32_t gid;

	while (take_entry(&group, fields)) {
		if (fields[0].length == 0 || !entry_id(&fields[GROUP_GID], &gid))
			continue;
		while (take_part(&fields[GROUP_MEMBERS], ',', &member))
			if (member.length > 0 && text_is(member, login.data, login.length))
				add_group(identity, gid);
	}
}

int users_resolve(const char *spec, struct text passwd, struct text group, struct identity *identity,
		  struct failure *failure)
{
	const char *colon = strchr(spec, ':');
	struct text user = {spec, colon ? (size_t)(colon - spec) : strlen(spec)};
	struct text login = {NULL, 0};

	memset(identity, 0, sizeof(*identity));
	strcpy(identity->home, "/");
	if (user.length == 0)
		user = (struct text){"0", 1};
	if (find_user(user, passwd, identity, &login, failure))
		return -1;
	if (colon && colon[1]) {
		if (find_group((struct text){colon + 1, strlen(colon + 1)}, group, &identity->gid, failure))
			return -1;
		add_group(identity, identity->gid);
		return 0;
	}
	add_group(identity, identity->gid);
	if (login.length > 0)
		add_memberships(group, login, identity);
	return 0;
}

int users_add_groups(char *const *names, struct text group, struct identity *identity, struct failure *failure)
{
	for (; names && *names; names++) {
		uint32_t gid;

		if (find_group((struct text){*names, strlen(*names)}, group, &gid, failure))
			return -1;
		add_group(identity, gid);
	}
	return 0;
}

void users_name(struct text file, uint32_t id, char *name, size_t size)
{
	struct text fields[FIELDS_MAX];
	uint32_t found;
	size_t length;

	*name = '\0';
	while (take_entry(&file, fields)) {
		if (fields[0].length == 0 || !entry_id(&fields[PASSWD_UID], &found) || found != id)
			continue;
		length = fields[0].length < size ? fields[0].length : size - 1;
		memcpy(name, fields[0].data, length);
		name[length] = '\0';
		return;
	}
}
