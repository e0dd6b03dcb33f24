#include "schema_types.h"

#include <string.h>

const struct type type_text = {.takes = TAKES_TEXT};
const struct type type_flag = {.takes = TAKES_BOOL | TAKES_TEXT, .cast = CAST_BOOL};
const struct type type_int = {.takes = TAKES_INT | TAKES_TEXT, .cast = CAST_INT};
/* A number of any kind that is kept as a whole one. */
const struct type type_whole = {.takes = TAKES_NUMBER | TAKES_TEXT, .cast = CAST_INT, .finish = finish_whole};
/* A port, a key of an option and so on: kept as text. */
const struct type type_number_text = {.takes = TAKES_NUMBER | TAKES_TEXT, .finish = finish_text};
const struct type type_scalar = {.takes = TAKES_TEXT | TAKES_NUMBER | TAKES_BOOL | TAKES_NULL};
const struct type type_option = {.takes = TAKES_TEXT | TAKES_NUMBER | TAKES_NULL};

const struct type type_texts = {.takes = TAKES_LIST, .items = &type_text};
const struct type type_distinct = {.takes = TAKES_LIST, .items = &type_text, .distinct = true, .unique = UNIQUE_KEY};
/* One text, or several. */
const struct type type_list = {.takes = TAKES_TEXT | TAKES_LIST,
			       .items = &type_text,
			       .distinct = true,
			       .merge = MERGE_SEQUENCE,
			       .unique = UNIQUE_KEY,
			       .finish = finish_list};

const struct type type_bytes = {.takes = TAKES_NUMBER | TAKES_TEXT, .finish = finish_bytes};
const struct type type_duration = {.takes = TAKES_TEXT, .finish = finish_duration};
const struct type type_delay = {.takes = TAKES_TEXT, .finish = finish_delay};

/* "key=value" each, or a map. */
const struct type type_environment = {.takes = TAKES_LIST | TAKES_MAP,
				      .items = &type_text,
				      .values = &type_scalar,
				      .distinct = true,
				      .merge = MERGE_SEQUENCE,
				      .unique = UNIQUE_KEY,
				      .finish = finish_environment};
const struct type type_labels = {.takes = TAKES_LIST | TAKES_MAP,
				 .items = &type_text,
				 .values = &type_scalar,
				 .distinct = true,
				 .merge = MERGE_SEQUENCE,
				 .unique = UNIQUE_KEY,
				 .finish = finish_labels};
const struct type type_mapping = {.takes = TAKES_MAP, .values = &type_text, .finish = finish_labels};
const struct type type_options = {.takes = TAKES_MAP, .values = &type_option, .finish = finish_labels};

const struct type type_command = {.takes = TAKES_NULL | TAKES_TEXT | TAKES_LIST,
				  .items = &type_text,
				  .merge = MERGE_REPLACE,
				  .finish = finish_command};
static const struct type addresses = {.takes = TAKES_TEXT | TAKES_LIST, .items = &type_text};
const struct type type_hosts = {.takes = TAKES_LIST | TAKES_MAP,
				.items = &type_text,
				.values = &addresses,
				.distinct = true,
				.merge = MERGE_HOSTS,
				.finish = finish_hosts};

/* Soft and hard at once, or each. */
static const struct type ulimit = {
	.takes = TAKES_INT | TAKES_TEXT | TAKES_MAP,
	.cast = CAST_INT,
	.merge = MERGE_REPLACE,
	.fields =
		FIELDS({"soft", &type_int, FIELD_KEPT | FIELD_NEEDED}, {"hard", &type_int, FIELD_KEPT | FIELD_NEEDED}),
};
const struct type type_ulimits = {.takes = TAKES_MAP, .values = &ulimit};

static const struct type mode = {.takes = TAKES_NUMBER | TAKES_TEXT, .finish = finish_mode};

/* A secret or a configuration, and where it goes. */
static const struct type file_reference = {
	.takes = TAKES_TEXT | TAKES_MAP,
	.lengthen = lengthen_source,
	.fields = FIELDS({"source", &type_text, 0}, {"target", &type_text, 0}, {"uid", &type_text, 0},
			 {"gid", &type_text, 0}, {"mode", &mode, FIELD_KEPT}),
};
const struct type type_secrets = {.takes = TAKES_LIST, .items = &file_reference, .unique = UNIQUE_SECRET};
const struct type type_configs = {.takes = TAKES_LIST, .items = &file_reference, .unique = UNIQUE_CONFIG};
const struct type type_build_secrets = {.takes = TAKES_LIST, .items = &file_reference};

const struct type type_hook = {
	.takes = TAKES_MAP,
	.fields = FIELDS({"command", &type_command, FIELD_KEPT | FIELD_IN_JSON}, {"image", &type_text, 0},
			 {"user", &type_text, 0}, {"privileged", &type_flag, 0}, {"working_dir", &type_text, 0},
			 {"environment", &type_environment, 0}, {"per_replica", &type_flag, 0}),
};

const struct type *schema_of(const struct type *map, const char *key)
{
	if (!map->fields)
		return map->values;
	for (const struct field *field = map->fields; field->name; field++)
		if (!strcmp(field->name, key))
			return field->type;
	return NULL;
}

bool is_extension(const char *key)
{
	return !strncmp(key, "x-", 2);
}
