/* Whole projects: where they are found, what they imply, what is wrong with them, how they are shown. */
#include "project.h"

#include "runtime/compose/substitute.h"

static void short_forms_become_long_ones(void **state)
{
	char *wanted MVM_CLEAN_FREE = NULL;
	static const char text[] =
		"services: {a: {build: ctx, command: 'sh -c \"echo $$HOME\"', cpus: '0.5',\n"
		" configs: [c, {source: c, target: /d, mode: 0440}], mem_limit: 1.5g, shm_size: 64,\n"
		" stop_grace_period: 90s, extra_hosts: {h: [1.2.3.4, '::1']}, ulimits: {nproc: 5},\n"
		" tmpfs: /t, user: '0', init: false, privileged: false, ports: [], scale: 0,\n"
		" healthcheck: {test: 'true || x', interval: 1d12h, retries: 3}, secrets: [s],\n"
		" deploy: {resources: {limits: {cpus: 1, memory: 10M}}}, network_mode: none}}\n"
		"configs: {c: {content: 'a\n\n b\n\n'}}\nsecrets: {s: {environment: HOME}}\n";

	wanted = mvm_format(
		"name: p\nservices:\n  a:\n    build:\n      context: %s/ctx\n      dockerfile: Dockerfile\n"
		"    cpus: 0.5\n    command:\n      - sh\n      - -c\n      - echo $$HOME\n"
		"    configs:\n      - source: c\n      - source: c\n        target: /d\n        mode: \"0440\"\n"
		"    deploy:\n      resources:\n        limits:\n          cpus: 1\n          memory: \"10485760\"\n"
		"    extra_hosts:\n      - h=1.2.3.4\n      - h=::1\n"
		"    healthcheck:\n      test:\n        - CMD-SHELL\n        - true || x\n      interval: 36h0m0s\n"
		"      retries: 3\n    init: false\n    mem_limit: \"1610612736\"\n    network_mode: none\n"
		"    scale: 0\n    secrets:\n      - source: s\n        target: /run/secrets/s\n"
		"    shm_size: \"64\"\n    stop_grace_period: 1m30s\n    tmpfs:\n      - /t\n"
		"    ulimits:\n      nproc: 5\n    user: \"0\"\n"
		"secrets:\n  s:\n    name: p_s\n    environment: HOME\n"
		"configs:\n  c:\n    name: p_c\n    content: |\n      a\n      b\n",
		(char *)*state);
	assert_shown_with(&(struct mvm_compose_options){.no_consistency = true}, wanted, text);
}

static void ports_and_volumes_have_all_their_forms(void **state)
{
	char *wanted MVM_CLEAN_FREE = mvm_format(
		"name: p\nservices:\n  a:\n    image: i\n    network_mode: none\n    ports:\n"
		"      - mode: ingress\n        target: 80\n        protocol: tcp\n"
		"      - mode: ingress\n        host_ip: ::1\n        target: 53\n        published: 5000-5010\n       "
		" protocol: udp\n"
		"      - mode: ingress\n        target: 7000\n        published: \"8000\"\n        protocol: tcp\n"
		"      - mode: ingress\n        target: 7001\n        published: \"8001\"\n        protocol: tcp\n"
		"      - mode: ingress\n        target: 9\n        published: \"9\"\n        protocol: sctp\n"
		"      - name: web\n        mode: host\n        target: 443\n        published: \"8443\"\n        "
		"protocol: tcp\n"
		"    volumes:\n      - type: volume\n        target: /anon\n        volume: {}\n"
		"      - type: volume\n        source: v\n        target: /v\n        read_only: true\n        "
		"volume:\n"
		"          nocopy: true\n"
		"      - type: bind\n        source: %s/rel\n        target: /r\n        bind:\n          selinux: z\n"
		"          propagation: rshared\n"
		"      - type: bind\n        source: /home/u/x\n        target: /x\n        bind:\n"
		"          create_host_path: false\n"
		"      - type: tmpfs\n        target: /t\n        tmpfs:\n          size: \"1048576\"\n"
		"volumes:\n  v:\n    name: p_v\n",
		(char *)*state);

	setenv("HOME", "/home/u", 1);
	assert_shown(wanted, "services: {a: {image: i, network_mode: none, ports: [80, '[::1]:5000-5010:53/udp', "
			     "'8000-8001:7000-7001',\n"
			     " '9:9/sctp', {name: web, target: '443', published: 8443, mode: host}],\n"
			     " volumes: [/anon/, 'v:/v:ro,nocopy', './rel:/r:z,rshared',\n"
			     " {type: bind, source: ~/x, target: /x/., bind: {create_host_path: no}},\n"
			     " {type: tmpfs, target: /t, tmpfs: {size: 1m}}]}}\nvolumes: {v: }");
}

static void wrong_kinds_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"[]", "0.yaml:1:1: top-level object must be a mapping"},
		{"services: 5", "0.yaml:1:11: services must be a mapping"},
		{"services:\n  a: x", "0.yaml:2:6: services.a must be a mapping"},
		{"services:\n  a b: {image: i}", "0.yaml:2:3: services: additional properties 'a b' not allowed"},
		{"services: {a: {image: [x]}}", "services.a.image must be a string"},
		{"services: {a: {user: 0}}", "services.a.user must be a string"},
		{"services: {a: {ports: {80: 80}}}", "non-string key 80"},
		{"services: {a: {ports: x}}", "services.a.ports must be an array"},
		{"services: {a: {environment: x}}", "services.a.environment must be an array or mapping"},
		{"services: {a: {environment: [{A: 1}]}}", "services.a.environment.0 must be a string"},
		{"services: {a: {command: [sleep, 5]}}", "0.yaml:1:33: services.a.command.1 must be a string"},
		{"services: {a: {tty: maybe}}", "services.a.tty must be a boolean, and \"maybe\" is none"},
		{"services: {a: {scale: 1.5}}", "services.a.scale must be an integer or string"},
		{"services: {a: {scale: many}}", "services.a.scale must be an integer, and \"many\" is none"},
		{"services: {a: {cgroup: x}}", "services.a.cgroup value must be one of 'host', 'private'"},
		{"services: {a: {oom_score_adj: 2000}}", "services.a.oom_score_adj must be less than or equal to 1000"},
		{"services: {a: {image: i, mem_limit: much}}", "invalid size: 'much'"},
		{"services: {a: {image: i, stop_grace_period: 5}}", "services.a.stop_grace_period must be a string"},
		{"services: {a: {image: i, stop_grace_period: '5'}}", "invalid duration \"5\""},
		{"services: {a: {image: i, command: \"'x\"}}", "invalid command line string"},
		{"services: {a: {image: i, ports: ['x:y']}}", "0.yaml:1:34: "},
		{"services: {a: {image: i, volumes: ['a:b:c:d']}}", "too many colons"},
		{"services: {a: {image: i, volumes: [{target: /x}]}}", "services.a.volumes.0 missing property 'type'"},
		{"services: {a: {image: i, volumes: [{type: bind, target: /x}]}}", "field Source must not be empty"},
		{"services: {a: {image: i, extra_hosts: [x]}}", "invalid additional host, missing IP: x"},
		{"services: {a: {image: i, configs: [{source: c, mode: 9x}]}}\nconfigs: {c: {content: x}}",
		 "invalid mode"},
		{"services: {a: {image: i, security_opt: [x, x]}}", "services.a.security_opt: 'x' is there twice"},
		{"secrets: {s: {file: x, environment: y}}",
		 "secrets.s: file|environment attributes are mutually exclusive"},
		{"configs: {c: {}}", "configs.c: one of file|environment|content must be set"},
		{"volumes: {v: {external: true, driver: x}}",
		 "conflicting parameters \"external\" and \"driver\" specified"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		assert_refused(cases[i].message, cases[i].text);
}

static void what_does_not_fit_together_is_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"services: {a: {}}", "service \"a\" has neither an image nor a build context specified"},
		{"services: {a: {image: i, depends_on: [b]}}", "service \"a\" depends on undefined service \"b\""},
		{"services: {a: {image: i, networks: [n]}}", "service \"a\" refers to undefined network n"},
		{"services: {a: {image: i, volumes: ['v:/v']}}", "service \"a\" refers to undefined volume v"},
		{"services: {a: {image: i, secrets: [s]}}", "service \"a\" refers to undefined secret s"},
		{"services: {a: {image: i, configs: [c]}}", "service \"a\" refers to undefined config c"},
		{"services: {a: {image: i, network_mode: none, networks: [default]}}", "mutually exclusive"},
		{"services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [c]}, c: {image: i, links: "
		 "[a]}}",
		 "dependency cycle detected: a -> b -> c -> a"},
		{"services: {a: {image: i, container_name: x, scale: 2}}", "can't set container_name and scale"},
		{"services: {a: {image: i, container_name: x}, b: {image: i, container_name: x}}",
		 "services.b: container name \"x\" is already in use by service a"},
		{"services: {a: {image: i, cpus: 1, deploy: {resources: {limits: {cpus: 2}}}}}",
		 "can't set distinct values"},
		{"services: {a: {image: i, tmpfs: [/x], volumes: [/x]}}",
		 "services.a.volumes[0]: target /x already mounted as services.a.tmpfs[0]"},
		{"services: {a: {image: i, healthcheck: {test: [x]}}}", "healthcheck.test must start either by"},
		{"services: {a: {image: i, env_file: nowhere.env}}", "nowhere.env not found"},
		{"services: {a: {image: i, profiles: [x]}, b: {image: i, depends_on: [a]}}",
		 "service \"b\" depends on undefined service \"a\": its profile is not enabled"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++)
		assert_refused(cases[i].message, cases[i].text);
}

static void unknown_keys_are_spoken_of(void **state)
{
	struct mvm_buf warnings MVM_CLEAN_BUF = {0};
	struct mvm_compose_options options = {.warn = keep_warning, .arg = &warnings};

	assert_shown_with(&options,
			  "name: p\nservices:\n  a:\n    image: i\n    network_mode: none\n    tty: true\n    x-y: 1\n"
			  "x-z: {}\n",
			  "version: '3'\nserwices: {}\nservices: {a: {image: i, imagge: x, network_mode: none, tty: "
			  "yes, x-y: 1}}\n"
			  "x-z: {}\n");
	assert_string_equal(warnings.data,
			    "0.yaml:2:1: additional properties 'serwices' not allowed; it is ignored\n"
			    "0.yaml:3:26: services.a: additional properties 'imagge' not allowed; it is ignored\n"
			    "0.yaml:3:62: \"yes\" for boolean is not supported by YAML 1.2, please use `true`\n"
			    "0.yaml:1:10: the attribute `version` is obsolete, it will be ignored, please remove it to "
			    "avoid potential "
			    "confusion\n");
}

static void variables_come_from_the_shell_and_then_from_files(void **state)
{
	struct mvm_strv env_files MVM_CLEAN_STRV = {0};
	struct mvm_buf warnings MVM_CLEAN_BUF = {0};
	struct mvm_compose_options options = {.warn = keep_warning, .arg = &warnings};
	static const char text[] = "services: {a: {image: '$MVM_T1-$MVM_T2-${MVM_T3:-d}$MVM_T4', network_mode: none,\n"
				   " environment: {P: $COMPOSE_PROJECT_NAME}}}";

	setenv("MVM_T1", "shell", 1);
	put_file(".env", "MVM_T1=file\nMVM_T2=file\n");
	assert_shown_with(&options,
			  "name: p\nservices:\n  a:\n    environment:\n      P: p\n    image: shell-file-d\n"
			  "    network_mode: none\n",
			  text);
	assert_string_equal(warnings.data, "The \"MVM_T4\" variable is not set. Defaulting to a blank string.\n");
	mvm_strv_add(&env_files, "other.env");
	put_file("other.env", "MVM_T2=other\nMVM_T4=!\n");
	options.env_files = &env_files;
	assert_shown_with(&options,
			  "name: p\nservices:\n  a:\n    environment:\n      P: p\n    image: shell-other-d!\n"
			  "    network_mode: none\n",
			  text);
	put_file(".env", "");
	assert_refused("0.yaml:1:23: error while interpolating services.a.image: required variable MVM_NONE is missing "
		       "a value: say",
		       "services: {a: {image: '${MVM_NONE:?say}'}}");
}

static void env_files_of_services_are_read(void **state)
{
	put_file("a.env", "A=file\nB=file\nC=$A\n");
	setenv("MVM_T5", "five", 1);
	assert_shown(
		"name: p\nservices:\n  a:\n    environment:\n      A: file\n      B: own\n      C: file\n"
		"      MVM_T5: five\n      MVM_T6: null\n    image: i\n    labels:\n      A: own\n      B: file\n      "
		"C: file\n"
		"    network_mode: none\n",
		"services: {a: {image: i, network_mode: none, env_file: [a.env, {path: none.env, required: false}],\n"
		" environment: [B=own, MVM_T5, MVM_T6], label_file: a.env, labels: [A=own]}}");
}

static void profiles_and_names_choose_services(void **state)
{
	static const char text[] =
		"services: {a: {image: i, depends_on: [b]}, b: {image: i}, c: {image: i, profiles: [x]},\n"
		" d: {image: i}}";
	char a[] = "a", c[] = "c", z[] = "z", *const names[] = {a, c, NULL}, *const unknown[] = {z, NULL};
	struct mvm_strv profiles MVM_CLEAN_STRV = {0}, files MVM_CLEAN_STRV = {0}, got MVM_CLEAN_STRV = {0};
	struct mvm_compose_options options = {.files = &files, .project_name = "p"};
	struct mvm_compose *compose = NULL;
	struct mvm_error *err = NULL;
	char *joined MVM_CLEAN_FREE = NULL;

	put_file("c.yaml", text);
	mvm_strv_add(&files, "c.yaml");
	options.services = names;
	assert_ok(mvm_compose_load(&options, &compose, &err));
	mvm_compose_names(compose, "services", &got);
	joined = mvm_strv_join(&got, " ");
	assert_string_equal(joined, "a b c");
	mvm_compose_destroy(compose);
	options.services = unknown;
	assert_error(mvm_compose_load(&options, &compose, &err), MVM_ERR_NOT_FOUND, "no such service: z");
	options.services = NULL;
	options.profiles = &profiles;
	mvm_strv_add(&profiles, "*");
	mvm_strv_finish(&got);
	got = (struct mvm_strv){0};
	assert_ok(mvm_compose_load(&options, &compose, &err));
	mvm_compose_names(compose, "services", &got);
	assert_int_equal(got.count, 4);
	mvm_compose_destroy(compose);
}

static void projects_are_found_and_named(void **state)
{
	struct mvm_compose_options options = {0};
	struct mvm_error *err = NULL;
	char *shown MVM_CLEAN_FREE = NULL;

	put_file("My.Project_1/docker-compose.yml", "services: {a: {image: i, network_mode: none}}");
	put_file("My.Project_1/docker-compose.override.yml", "services: {a: {image: over}}");
	put_file("My.Project_1/deep/er/x", "");
	assert_int_equal(chdir("My.Project_1/deep/er"), 0);
	shown = show(&options, MVM_COMPOSE_YAML, &err);
	assert_null(err);
	assert_string_equal(shown, "name: myproject_1\nservices:\n  a:\n    image: over\n    network_mode: none\n");
	options.project_name = "Not Good";
	free(shown);
	shown = show(&options, MVM_COMPOSE_YAML, &err);
	assert_error(-1, MVM_ERR_USAGE, "invalid project name \"Not Good\"");
	assert_int_equal(chdir(*state), 0);
	setenv("COMPOSE_FILE", "named.yaml:more.yaml", 1);
	put_file("named.yaml", "name: Na.med-$MVM_T7\nservices: {a: {image: i, network_mode: none}}");
	put_file("more.yaml", "services: {a: {image: j}}");
	setenv("MVM_T7", "x", 1);
	options.project_name = NULL;
	free(shown);
	shown = show(&options, MVM_COMPOSE_YAML, &err);
	unsetenv("COMPOSE_FILE");
	assert_string_equal(shown, "name: named-x\nservices:\n  a:\n    image: j\n    network_mode: none\n");
}

static void nothing_to_find_is_an_error(void **state)
{
	struct mvm_compose_options options = {.project_directory = "/"};
	struct mvm_error *err = NULL;
	char *shown MVM_CLEAN_FREE = show(&options, MVM_COMPOSE_YAML, &err);

	assert_string_equal(shown, "");
	assert_error(-1, MVM_ERR_NOT_FOUND, "no configuration file provided: not found");
	assert_refused("empty compose file", "");
	assert_refused("empty compose file", "{}");
}

static void variables_stay_where_they_should(void **state)
{
	assert_shown_with(
		&(struct mvm_compose_options){.no_interpolate = true},
		"name: p\nnetworks:\n  default:\n    name: p_default\nservices:\n  a:\n    environment:\n      - A=$B\n"
		"    image: ${IMG:-x}\n    networks:\n      default: null\n    ports:\n      - ${PORT}:80\n"
		"    privileged: ${P}\n",
		"services: {a: {image: '${IMG:-x}', environment: [A=$B], ports: ['${PORT}:80'], privileged: '${P}'}}");
}

static void texts_have_the_quotes_they_need(void **state)
{
	assert_shown("name: p\nservices:\n  a:\n    environment:\n      A: \"1\"\n      B: \"\"\n      C: '- x'\n"
		     "      D: 'a: b'\n      E: \"tab\\there\"\n      F: ' lead'\n      G: it's\n      H: '#no'\n      "
		     "I: 'a #b'\n"
		     "      J: |-\n        two\n        lines\n      K: \"no\"\n      L: '\"q\" ''s'' x: y'\n      M: "
		     "\"\\e[0m\"\n"
		     "      O: |2+\n          x\n\n      P: größe\n    image: i\n    network_mode: none\n",
		     "services:\n  a:\n    image: i\n    network_mode: none\n    environment:\n      A: 1\n      B: "
		     "''\n      C: '- x'\n"
		     "      D: 'a: b'\n      E: \"tab\\there\"\n      F: ' lead'\n      G: it's\n      H: '#no'\n      "
		     "I: 'a #b'\n"
		     "      J: \"two\\nlines\"\n      K: no\n      L: '\"q\" ''s'' x: y'\n      M: \"\\e[0m\"\n      "
		     "P: größe\n"
		     "      O: \"  x\\n\\n\"\n");
}

static void unused_resources_are_left_out(void **state)
{
	static const char text[] =
		"services: {a: {image: i, network_mode: none}}\nvolumes: {v: }\nnetworks: {m: {name: own}}";

	assert_shown("name: p\nservices:\n  a:\n    image: i\n    network_mode: none\n", text);
	assert_shown_with(
		&(struct mvm_compose_options){.all_resources = true},
		"name: p\nservices:\n  a:\n    image: i\n    network_mode: none\nnetworks:\n  m:\n    name: own\n"
		"volumes:\n  v:\n    name: p_v\n",
		text);
}

static void json_is_what_go_would_write(void **state)
{
	struct mvm_strv files MVM_CLEAN_STRV = {0};
	struct mvm_compose_options options = {.files = &files, .project_name = "p"};
	struct mvm_error *err = NULL;
	char *shown MVM_CLEAN_FREE = NULL;

	put_file("j.yaml", "services: {a: {image: i, environment: {A: '<&>'}, deploy: {}}}\nx-a: [1.5]\n");
	mvm_strv_add(&files, "j.yaml");
	shown = show(&options, MVM_COMPOSE_JSON, &err);
	assert_string_equal(
		shown,
		"{\n  \"name\": \"p\",\n  \"networks\": {\n    \"default\": {\n      \"name\": \"p_default\",\n"
		"      \"ipam\": {}\n    }\n  },\n  \"services\": {\n    \"a\": {\n      \"command\": null,\n"
		"      \"deploy\": {\n        \"resources\": {},\n        \"placement\": {}\n      },\n"
		"      \"entrypoint\": null,\n      \"environment\": {\n        \"A\": \"\\u003c\\u0026\\u003e\"\n"
		"      },\n      \"image\": \"i\",\n      \"networks\": {\n        \"default\": null\n      }\n    }\n"
		"  },\n  \"x-a\": [\n    1.5\n  ]\n}");
}

static void a_hash_changes_with_what_a_container_is(void **state)
{
	static const char *const texts[] = {
		"services: {a: {image: i, build: ., scale: 1}}",
		"services: {a: {image: i, build: {context: x}, scale: 3, profiles: []}}",
		"services: {a: {image: i, tty: true}}",
	};
	char hashes[3][65];

	for (size_t i = 0; i < MVM_COUNT(texts); i++) {
		struct mvm_strv files MVM_CLEAN_STRV = {0};
		struct mvm_compose_options options = {.files = &files, .project_name = "p"};
		struct mvm_compose *compose MVM_CLEAN_COMPOSE = NULL;
		struct mvm_error *err = NULL;

		put_file("h.yaml", texts[i]);
		mvm_strv_add(&files, "h.yaml");
		assert_ok(mvm_compose_load(&options, &compose, &err));
		assert_ok(mvm_compose_hash(compose, "a", hashes[i], &err));
		assert_error(mvm_compose_hash(compose, "b", hashes[i], &err), MVM_ERR_NOT_FOUND, "no such service: b");
	}
	assert_string_equal(hashes[0], hashes[1]);
	assert_string_not_equal(hashes[0], hashes[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_forms_become_long_ones),
		cmocka_unit_test(ports_and_volumes_have_all_their_forms),
		cmocka_unit_test(wrong_kinds_are_refused_with_their_place),
		cmocka_unit_test(what_does_not_fit_together_is_refused),
		cmocka_unit_test(unknown_keys_are_spoken_of),
		cmocka_unit_test(variables_come_from_the_shell_and_then_from_files),
		cmocka_unit_test(env_files_of_services_are_read),
		cmocka_unit_test(profiles_and_names_choose_services),
		cmocka_unit_test(projects_are_found_and_named),
		cmocka_unit_test(nothing_to_find_is_an_error),
		cmocka_unit_test(variables_stay_where_they_should),
		cmocka_unit_test(texts_have_the_quotes_they_need),
		cmocka_unit_test(unused_resources_are_left_out),
		cmocka_unit_test(json_is_what_go_would_write),
		cmocka_unit_test(a_hash_changes_with_what_a_container_is),
	};

	return cmocka_run_group_tests(tests, project_setup, project_teardown);
}
