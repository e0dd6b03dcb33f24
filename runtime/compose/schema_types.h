/* Types that several places of the tables have. */
#ifndef MVM_COMPOSE_SCHEMA_TYPES_H
#define MVM_COMPOSE_SCHEMA_TYPES_H

#include "schema.h"

#define FIELDS(...)                                                                                                    \
	(const struct field[])                                                                                         \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			NULL, NULL, 0                                                                                  \
		}                                                                                                      \
	}
#define WORDS(...)                                                                                                     \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__, NULL                                                                                      \
	}

extern const struct type type_text, type_flag, type_int, type_whole, type_scalar, type_option, type_texts,
	type_distinct, type_list, type_bytes, type_duration, type_delay, type_environment, type_labels, type_mapping,
	type_options, type_command, type_hosts, type_number_text, type_ulimits, type_secrets, type_configs,
	type_build_secrets, type_hook, type_deploy, type_build, type_develop, type_mounts, type_ports, type_healthcheck,
	type_requests, type_gpus, type_real, type_path;

#endif
