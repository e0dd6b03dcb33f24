/* What depends on what, and the order that this asks for. */
#include "steps.h"

#include "runtime/compose/graph.h"

static const char *const conditions[] = {"started", "healthy", "completed", "running or healthy"};

/* "a: b started, c healthy restart optional\n" */
static char *describe(const struct graph *graph)
{
	struct mvm_buf out = {0};

	for (size_t i = 0; i < graph->count; i++) {
		const struct member *member = &graph->items[i];

		mvm_buf_addf(&out, "%s:", member->name);
		for (size_t j = 0; j < member->bond_count; j++) {
			const struct bond *bond = &member->bonds[j];

			mvm_buf_addf(&out, "%s %s %s%s%s", j ? "," : "", bond->service, conditions[bond->condition],
				     bond->restart ? " restart" : "", bond->required ? "" : " optional");
		}
		mvm_buf_add(&out, "\n", 1);
	}
	return mvm_buf_steal(&out);
}

static void check_graph(const struct mvm_compose_options *options, const char *text, const char *wanted)
{
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = load_text(options, text);
	struct graph graph CLEAN_GRAPH = {0};
	char *found MVM_CLEAN_FREE = NULL;

	graph_of_project(compose, &graph);
	found = describe(&graph);
	assert_string_equal(found, wanted);
}
#define assert_graph(wanted, text, ...)                                                                                \
	check_graph(&(struct mvm_compose_options){.project_name = "p", __VA_ARGS__}, text, wanted)

static void bonds_are_those_of_the_files(void **state)
{
	assert_graph("a: b started\nb:\n", "services: {a: {image: i, depends_on: [b]}, b: {image: i}}");
	assert_graph("web: cache started, db healthy restart, job completed optional\ncache:\ndb:\njob:\n",
		     "services:\n  web:\n    image: i\n    depends_on:\n      cache: {condition: service_started}\n"
		     "      db: {condition: service_healthy, restart: true}\n"
		     "      job: {condition: service_completed_successfully, required: false}\n"
		     "  cache: {image: i}\n  db: {image: i}\n  job: {image: i}\n");
	/* Links and volumes_from are bonds, too, and whoever shares a network stack would be. */
	assert_graph("a: b started restart, c started\nb:\nc:\n",
		     "services: {a: {image: i, links: [b], volumes_from: [c]}, b: {image: i}, c: {image: i}}");
	assert_graph("", "services: {}");
}

static void what_is_not_to_be_there_is_no_bond(void **state)
{
	static const char text[] = "services:\n  a: {image: i, depends_on: {b: {condition: service_healthy, required: "
				   "false}, c: {condition: service_started}}}\n"
				   "  b: {image: i, profiles: [other]}\n  c: {image: i}\n";
	struct mvm_strv profiles MVM_CLEAN_STRV = {0};

	mvm_strv_add(&profiles, "other");
	assert_graph("a: c started\nc:\n", text);
	assert_graph("a: b healthy optional, c started\nb:\nc:\n", text, .profiles = &profiles);
}

static void named_services_bring_what_they_depend_on_unless_they_are_to_be_alone(void **state)
{
	static const char text[] = "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [c]},\n"
				   " c: {image: i}, d: {image: i, depends_on: [a]}}";
	char b_name[] = "b", a_name[] = "a", c_name[] = "c";
	char *const b[] = {b_name, NULL}, *const a_and_c[] = {a_name, c_name, NULL};

	assert_graph("a: b started\nb: c started\nc:\nd: a started\n", text);
	assert_graph("b: c started\nc:\n", text, .services = b);
	assert_graph("b:\n", text, .services = b, .no_dependencies = true);
	/* What leads from one to the other is not there, and so no bond is. */
	assert_graph("a:\nc:\n", text, .services = a_and_c, .no_dependencies = true);
}

static void check_fleet(const char *const (*labels)[2], size_t count, const char *wanted)
{
	struct mvm_container containers[4] = {0}, *items[4];
	const struct mvm_fleet fleet = {.items = items, .count = count};
	struct graph graph CLEAN_GRAPH = {0};
	char *found MVM_CLEAN_FREE = NULL;

	for (size_t i = 0; i < count; i++) {
		items[i] = &containers[i];
		mvm_strv_addf(&containers[i].config.labels, MVM_LABEL_SERVICE "=%s", labels[i][0]);
		if (labels[i][1])
			mvm_strv_addf(&containers[i].config.labels, MVM_LABEL_DEPENDS_ON "=%s", labels[i][1]);
	}
	graph_of_fleet(&fleet, &graph);
	found = describe(&graph);
	assert_string_equal(found, wanted);
	for (size_t i = 0; i < graph.count; i++)
		assert_null(graph.items[i].node);
	for (size_t i = 0; i < count; i++)
		mvm_strv_finish(&containers[i].config.labels);
}

static void bonds_are_those_of_the_labels_where_there_are_no_files(void **state)
{
	static const char *const usual[][2] = {
		{"web", "db:service_healthy:true,job:service_completed_successfully:false,cache:service_started:false"},
		{"web", "other:service_started:false"},
		{"db", ""},
		{"cache", NULL},
	};
	/* Labels are whatever somebody gave. */
	static const char *const odd[][2] = {
		{"a", "b,,c:service_healthy,:service_started:true,d:what:true"},
		{"b", ","},
		{"c", ":::"},
	};

	check_fleet(usual, MVM_COUNT(usual),
		    "web: db healthy restart optional, job completed optional, cache started optional\ndb:\ncache:\n");
	check_fleet(odd, MVM_COUNT(odd),
		    "a: b started optional, c healthy optional, d started restart optional\n"
		    "b:\nc:\n");
	check_fleet(odd, 0, "");
}

static void a_service_has_as_many_containers_as_it_is_to_have(void **state)
{
	static const struct mvm_compose_options options = {.project_name = "p"};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE =
		load_text(&options, "services: {a: {image: i}, b: {image: i, scale: 3}, c: {image: i, scale: 0},\n"
				    " d: {image: i, deploy: {replicas: 4}}, e: {image: i, deploy: {replicas: 0}},\n"
				    " f: {image: i, scale: 2, deploy: {replicas: 2}}}");
	static const int64_t wanted[] = {1, 3, 0, 4, 0, 2};
	struct graph graph CLEAN_GRAPH = {0};

	graph_of_project(compose, &graph);
	assert_int_equal(graph.count, MVM_COUNT(wanted));
	for (size_t i = 0; i < MVM_COUNT(wanted); i++)
		assert_int_equal(member_scale(&graph.items[i]), wanted[i]);
	assert_ptr_equal(graph_find(&graph, "d"), &graph.items[3]);
	assert_null(graph_find(&graph, "x"));
	/* Known by its labels alone. */
	assert_int_equal(member_scale(&(struct member){0}), 1);
}

/* "a" on top of "b" and "c", and these of "d": the file has them in the wrong order on purpose. */
static const char diamond[] = "services: {a: {image: i, depends_on: [b, c]}, b: {image: i, depends_on: [d]},\n"
			      " c: {image: i, depends_on: [d]}, d: {image: i}}";

static void check_order(struct graph *graph, struct part *parts, bool reverse)
{
	struct told told = {0};
	const struct mvm_compose_sink sink = SINK(&told);
	struct work *work CLEAN_WORK = work_create(&sink);
	struct mvm_error *err = NULL;

	graph_order(graph, work, reverse);
	for (size_t i = 0; i < graph->count; i++) {
		struct step *step = work_add(work, do_part, &parts[i]);

		assert_string_equal(graph->items[i].name, parts[i].name);
		step_after(step, graph->items[i].begin);
		step_after(graph->items[i].end, step);
	}
	assert_ok(work_run(work, &err));
	for (size_t i = 0; i < graph->count; i++)
		assert_true(is_here(parts[i].name));
	mvm_buf_finish(&told.text);
}

static void who_depends_on_others_comes_after_them(void **state)
{
	static const struct mvm_compose_options options = {.project_name = "p"};
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = load_text(&options, diamond);
	struct part parts[] = {{"a", {"b", "c", "d"}}, {"b", {"d"}}, {"c", {"d"}}, {"d", {NULL}}};
	struct graph graph CLEAN_GRAPH = {0};

	graph_of_project(compose, &graph);
	check_order(&graph, parts, false);
}

static void in_reverse_it_comes_before_them(void **state)
{
	static const struct mvm_compose_options options = {.project_name = "p"};
	/* So that the order of the file is the wrong one again. */
	struct mvm_compose *compose MVM_CLEAN_COMPOSE = load_text(
		&options, "services: {a: {image: i}, b: {image: i, depends_on: [a]}, c: {image: i, depends_on: [a]},\n"
			  " d: {image: i, depends_on: [b, c]}}");
	struct part parts[] = {{"a", {"b", "c", "d"}}, {"b", {"d"}}, {"c", {"d"}}, {"d", {NULL}}};
	struct graph graph CLEAN_GRAPH = {0};

	graph_of_project(compose, &graph);
	check_order(&graph, parts, true);
}

static void bonds_that_lead_nowhere_hold_nothing_up(void **state)
{
	struct part parts[] = {{"a", {"b"}}, {"b", {NULL}}};
	struct mvm_container containers[2] = {0}, *items[] = {&containers[0], &containers[1]};
	const struct mvm_fleet fleet = {.items = items, .count = 2};
	struct graph graph CLEAN_GRAPH = {0};

	mvm_strv_add(&containers[0].config.labels, MVM_LABEL_SERVICE "=a");
	mvm_strv_add(&containers[0].config.labels,
		     MVM_LABEL_DEPENDS_ON "=a:service_started:false,gone:service_healthy:false,b");
	mvm_strv_add(&containers[1].config.labels, MVM_LABEL_SERVICE "=b");
	graph_of_fleet(&fleet, &graph);
	check_order(&graph, parts, false);
	for (size_t i = 0; i < 2; i++)
		mvm_strv_finish(&containers[i].config.labels);
}

#define GRAPH_TEST(name) cmocka_unit_test_setup_teardown(name, steps_setup, project_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GRAPH_TEST(bonds_are_those_of_the_files),
		GRAPH_TEST(what_is_not_to_be_there_is_no_bond),
		GRAPH_TEST(named_services_bring_what_they_depend_on_unless_they_are_to_be_alone),
		GRAPH_TEST(bonds_are_those_of_the_labels_where_there_are_no_files),
		GRAPH_TEST(a_service_has_as_many_containers_as_it_is_to_have),
		GRAPH_TEST(who_depends_on_others_comes_after_them),
		GRAPH_TEST(in_reverse_it_comes_before_them),
		GRAPH_TEST(bonds_that_lead_nowhere_hold_nothing_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
