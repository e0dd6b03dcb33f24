/* Several files of one project, and services that extend others. */
#include "project.h"

#define HEAD "name: p\nservices:\n  a:\n"
#define TAIL                                                                                                           \
	"    image: i\n    networks:\n      default: null\n"                                                           \
	"networks:\n  default:\n    name: p_default\n"

static void scalars_and_commands_are_replaced(void **state)
{
	assert_shown(
		HEAD
		"    command:\n      - three\n    entrypoint: []\n    image: j\n    networks:\n      default: null\n"
		"networks:\n  default:\n    name: p_default\n",
		"services: {a: {image: i, command: [one, two], entrypoint: x}}",
		"services: {a: {image: j, command: three, entrypoint: []}}");
}

static void maps_are_merged_whatever_their_form(void **state)
{
	assert_shown(HEAD
		     "    environment:\n      A: \"1\"\n      B: \"3\"\n      C: null\n      D: \"4\"\n    image: i\n"
		     "    labels:\n      x: \"2\"\n      z: \"\"\n    networks:\n      default: null\n"
		     "networks:\n  default:\n    name: p_default\n",
		     "services: {a: {image: i, environment: {A: 1, B: 2}, labels: [x=1]}}",
		     "services: {a: {environment: [B=3, C, D=4], labels: {x: 2, z: }}}");
}

static void lists_are_appended_and_unique_by_their_key(void **state)
{
	assert_shown(
		HEAD
		"    dns:\n      - 1.1.1.1\n      - 2.2.2.2\n    image: i\n    networks:\n      default: null\n"
		"    ports:\n"
		"      - mode: ingress\n        target: 80\n        published: \"8080\"\n        protocol: tcp\n"
		"      - mode: ingress\n        host_ip: 127.0.0.1\n        target: 80\n        published: \"8080\"\n"
		"        protocol: tcp\n"
		"    volumes:\n"
		"      - type: volume\n        source: w\n        target: /v\n        volume: {}\n"
		"      - type: volume\n        target: /x\n        volume: {}\n"
		"networks:\n  default:\n    name: p_default\nvolumes:\n  w:\n    name: p_w\n",
		"services: {a: {image: i, dns: 1.1.1.1, ports: ['8080:80'], volumes: ['v:/v', /x]}}\n"
		"volumes: {v: {}, w: {}}",
		"services: {a: {dns: [1.1.1.1, 2.2.2.2], ports: ['8080:80', '127.0.0.1:8080:80'], volumes: ['w:/v']}}");
}

static void dependencies_and_networks_are_merged_by_name(void **state)
{
	assert_shown(
		"name: p\nservices:\n  a:\n    depends_on:\n      b:\n        condition: service_healthy\n"
		"        required: false\n      c:\n        condition: service_started\n        required: true\n"
		"    image: i\n    networks:\n      m:\n        aliases:\n          - x\n          - w\n      o: null\n"
		"  b:\n    image: i\n    networks:\n      default: null\n"
		"  c:\n    image: i\n    networks:\n      default: null\n"
		"networks:\n  default:\n    name: p_default\n  m:\n    name: p_m\n  o:\n    name: p_o\n",
		"services: {a: {image: i, depends_on: {b: {condition: service_healthy}}, networks: {m: {aliases: "
		"[x]}}},"
		" b: {image: i}, c: {image: i}}\nnetworks: {m: {}, o: {}}",
		"services: {a: {depends_on: {b: {required: false}, c: {condition: service_started}}}}",
		"services: {a: {networks: {m: {aliases: [x, w]}, o: }}}");
}

static void logging_is_merged_within_one_driver(void **state)
{
	assert_shown(HEAD
		     "    image: i\n    logging:\n      driver: none\n      options:\n        b: \"2\"\n    networks:\n"
		     "      default: null\nnetworks:\n  default:\n    name: p_default\n",
		     "services: {a: {image: i, logging: {driver: json-file, options: {a: 1}}}}",
		     "services: {a: {logging: {driver: none, options: {b: 2}}}}");
	assert_shown(
		HEAD
		"    image: i\n    logging:\n      driver: none\n      options:\n        a: \"1\"\n        b: \"2\"\n"
		"    networks:\n      default: null\nnetworks:\n  default:\n    name: p_default\n",
		"services: {a: {image: i, logging: {driver: none, options: {a: 1}}}}",
		"services: {a: {logging: {options: {b: 2}}}}");
}

static void tags_reset_and_override(void **state)
{
	assert_shown(HEAD "    environment:\n      C: \"3\"\n" TAIL,
		     "services: {a: {image: i, ports: ['80:80'], environment: [A=1], privileged: true, command: x}}",
		     "services: {a: {ports: !reset [], environment: !override {C: 3}, privileged: !reset null, "
		     "command: !reset }}");
	assert_shown(HEAD TAIL, "services: {a: {image: i, ports: !reset ['80:80']}, b: !reset {image: x}}");
}

static void documents_of_a_file_are_merged(void **state)
{
	assert_shown(HEAD "    hostname: h\n" TAIL,
		     "services: {a: {image: x}}\n---\nservices: {a: {hostname: h, image: i}}\n");
}

static void what_cannot_be_merged_is_refused(void **state)
{
	assert_refused("1.yaml:1:11: services must be a mapping", "services: {a: {image: i}}", "services: []");
	assert_refused("1.yaml:2:6: cannot override x-a", "services: {a: {image: i}}\nx-a: {b: 1}",
		       "services: {a: {}}\nx-a: 5\n");
}

static void a_service_extends_another(void **state)
{
	assert_shown("name: p\nservices:\n  a:\n    command:\n      - b\n    environment:\n      A: \"1\"\n      B: "
		     "\"3\"\n" TAIL,
		     "services: {a: {extends: {service: base}, command: b, environment: {B: 3}},\n"
		     " base: {image: i, command: a, environment: {A: 1, B: 2}, profiles: [none], ports: !reset []}}",
		     "services: {a: {profiles: !reset []}}");
}

static void a_service_extends_one_of_another_file(void **state)
{
	char *wanted MVM_CLEAN_FREE = mvm_format(
		HEAD "    build:\n      context: %s/common/ctx\n      dockerfile: Dockerfile\n    image: i\n"
		     "    networks:\n      default: null\n    volumes:\n"
		     "      - type: bind\n        source: %s/common/data\n        target: /d\n        bind: {}\n"
		     "      - type: bind\n        source: %s/own\n        target: /o\n        bind: {}\n"
		     "networks:\n  default:\n    name: p_default\n",
		(char *)*state, (char *)*state, (char *)*state);

	put_file("common/base.yaml", "services: {other: null, wrong: [], b: {extends: {file: deep/c.yaml, service: c},"
				     " build: ctx, volumes: ['./data:/d']}}");
	put_file("common/deep/c.yaml", "services: {c: {image: i}}");
	assert_shown(wanted, "services: {a: {extends: {file: common/base.yaml, service: b}, volumes: ['./own:/o']}}");
}

static void extending_in_circles_is_refused(void **state)
{
	assert_refused("Circular reference: a in ",
		       "services: {a: {extends: b, image: i}, b: {extends: c}, c: {extends: a}}");
	assert_refused("Circular reference", "services: {a: {extends: a, image: i}}");
	assert_refused("0.yaml:1:25: cannot extend service \"a\" in 0.yaml: service \"b\" not found",
		       "services: {a: {extends: b, image: i}}");
	assert_refused("0.yaml:1:25: extends.a.service is required",
		       "services: {a: {extends: {file: 0.yaml}, image: i}}");
	assert_refused("nowhere.yaml: No such file", "services: {a: {extends: {file: nowhere.yaml, service: b}}}");
}

static void other_projects_are_included(void **state)
{
	char *wanted MVM_CLEAN_FREE = NULL;

	put_file("sub/compose.yaml", "services: {b: {image: $IMG, volumes: ['./x:/x'], labels: [a=$ONLY]}}\n");
	put_file("sub/.env", "IMG=own\nONLY=sub\n");
	wanted = mvm_format("name: p\nservices:\n  a:\n    depends_on:\n      b:\n        condition: service_started\n"
			    "        required: true\n    image: i\n    networks:\n      default: null\n"
			    "  b:\n    command:\n      - c\n    image: own\n    labels:\n      a: sub\n    networks:\n"
			    "      default: null\n    volumes:\n      - type: bind\n        source: %s/sub/x\n"
			    "        target: /x\n        bind: {}\nnetworks:\n  default:\n    name: p_default\n",
			    (char *)*state);
	assert_shown(wanted,
		     "include: [sub/compose.yaml]\nservices: {a: {image: i, depends_on: [b]}, b: {command: c}}");
}

static void including_in_circles_is_refused(void **state)
{
	put_file("one.yaml", "include: [two.yaml]\n");
	put_file("two.yaml", "include: [{path: [one.yaml]}]\n");
	assert_refused("include cycle detected: ", "include: [one.yaml]\nservices: {a: {image: i}}");
	assert_refused("0.yaml:1:11: include: no such file", "include: [nowhere.yaml]\nservices: {a: {image: i}}");
	assert_refused("couldn't find env file", "include: [{path: two.yaml, env_file: none.env}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_and_commands_are_replaced),
		cmocka_unit_test(maps_are_merged_whatever_their_form),
		cmocka_unit_test(lists_are_appended_and_unique_by_their_key),
		cmocka_unit_test(dependencies_and_networks_are_merged_by_name),
		cmocka_unit_test(logging_is_merged_within_one_driver),
		cmocka_unit_test(tags_reset_and_override),
		cmocka_unit_test(documents_of_a_file_are_merged),
		cmocka_unit_test(what_cannot_be_merged_is_refused),
		cmocka_unit_test(a_service_extends_another),
		cmocka_unit_test(a_service_extends_one_of_another_file),
		cmocka_unit_test(extending_in_circles_is_refused),
		cmocka_unit_test(other_projects_are_included),
		cmocka_unit_test(including_in_circles_is_refused),
	};

	return cmocka_run_group_tests(tests, project_setup, project_teardown);
}
