/* YAML documents as nodes. */
#include "tests/unit/unit.h"

#include "runtime/compose/reader.h"

static int read_text(struct pool *pool, const char *text, struct node **documents, struct mvm_error **err)
{
	return yaml_read(pool, "f.yaml", text, strlen(text), documents, err);
}

static struct node *first(struct pool *pool, const char *text)
{
	struct mvm_error *err = NULL;
	struct node *documents = NULL;

	assert_ok(read_text(pool, text, &documents, &err));
	assert_int_equal(documents->count, 1);
	return documents->entries[0].value;
}

static void nodes_know_where_they_stand(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	const struct node *root = first(&pool, "a: 1\nb:\n  - x\n  - {c: 'two'}\n"), *item;

	assert_int_equal(node_get(root, "a")->integer, 1);
	assert_int_equal(node_get(root, "a")->column, 4);
	item = node_get(root, "b")->entries[1].value;
	assert_string_equal(node_get_text(item, "c"), "two");
	assert_int_equal(node_get(item, "c")->line, 4);
	assert_int_equal(node_get(item, "c")->column, 9);
	assert_string_equal(item->file, "f.yaml");
	assert_int_equal(root->entries[1].line, 2);
}

static void quotes_and_tags_decide_about_kinds(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	const struct node *root = first(&pool, "a: '1'\nb: !!str 2\nc: !!int '3'\nd: |\n  4\ne: !other 5\nf: null\n");

	assert_int_equal(node_get(root, "a")->kind, NODE_STRING);
	assert_int_equal(node_get(root, "b")->kind, NODE_STRING);
	assert_int_equal(node_get(root, "c")->kind, NODE_INT);
	assert_string_equal(node_get_text(root, "d"), "4\n");
	assert_int_equal(node_get(root, "e")->kind, NODE_STRING);
	assert_int_equal(node_get(root, "f")->kind, NODE_NULL);
}

static void aliases_are_copies(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	struct node *root = first(&pool, "a: &x {k: [1]}\nb: *x\nc: &x 3\nd: *x\n");

	assert_true(node_equal(node_get(root, "a"), node_get(root, "b")));
	assert_ptr_not_equal(node_get(root, "a"), node_get(root, "b"));
	assert_int_equal(node_get(root, "d")->integer, 3);
}

static void merge_keys_fill_what_is_not_there(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	const struct node *root = first(&pool, "x: &x {a: 1, b: 1}\n"
					       "y: &y {b: 2, c: 2}\n"
					       "one:\n  b: 3\n  <<: *x\n"
					       "two:\n  <<: [*y, *x]\n  d: 4\n"
					       "three: {<<: {e: 5}}\n"
					       "four: {'<<': 6}\n");

	assert_int_equal(node_get(node_get(root, "one"), "a")->integer, 1);
	assert_int_equal(node_get(node_get(root, "one"), "b")->integer, 3);
	assert_int_equal(node_get(node_get(root, "two"), "b")->integer, 2);
	assert_int_equal(node_get(node_get(root, "two"), "a")->integer, 1);
	assert_int_equal(node_get(root, "two")->count, 4);
	assert_int_equal(node_get(node_get(root, "three"), "e")->integer, 5);
	assert_int_equal(node_get(node_get(root, "four"), "<<")->integer, 6);
}

static void compose_has_tags_of_its_own(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	const struct node *root = first(&pool, "a: !reset null\nb: !override [1]\nc: !reset {}\n");

	assert_int_equal(node_get(root, "a")->tag, NODE_RESET);
	assert_int_equal(node_get(root, "b")->tag, NODE_OVERRIDE);
	assert_int_equal(node_get(root, "b")->kind, NODE_LIST);
	assert_int_equal(node_get(root, "c")->tag, NODE_RESET);
}

static void a_file_may_hold_several_documents(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	struct node *documents = NULL;
	struct mvm_error *err = NULL;

	assert_ok(read_text(&pool, "%YAML 1.2\n---\na: 1\n---\nb: 2\n", &documents, &err));
	assert_int_equal(documents->count, 2);
	assert_ok(read_text(&pool, "", &documents, &err));
	assert_int_equal(documents->count, 0);
}

static void what_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"a: 1\nb: [1\n", "f.yaml:3:1: did not find expected ',' or ']'"},
		{"a:\n\t- 1\n", "f.yaml:2:1: found character that cannot start any token"},
		{"a: 1\nb: 2\n  c: 3\n", "f.yaml:3:4: mapping values are not allowed in this context"},
		{"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: mapping key \"a\" already defined at line 1"},
		{"a: {<<: 1}", "map merge requires map or sequence of maps as the value"},
		{"a: {<<: [1]}", "map merge requires map"},
		{"a: {<<: {x: 1}, <<: {y: 2}}", "mapping key \"<<\" already defined"},
		{"a: *none", "f.yaml:1:4: unknown anchor 'none' referenced"},
		{"a: &x [*x]", "f.yaml:1:8: anchor 'x' value contains itself"},
		{"a: &x {b: {<<: *x}}", "contains itself"},
		{"1: a", "f.yaml:1:1: non-string key 1"},
		{"true: a", "non-string key true"},
		{"? [a]\n: b", "non-string key"},
		{"a: \"x\\0y\"", "null character"},
		{"a: \xff", "f.yaml:"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct pool pool __attribute__((cleanup(pool_finish))) = {0};
		struct node *documents;
		struct mvm_error *err = NULL;

		assert_error(read_text(&pool, cases[i].text, &documents, &err), MVM_ERR_INVALID, cases[i].message);
	}
}

/* Nine times nine times... : each level is ten aliases of the one before. */
static void aliases_cannot_blow_up(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	struct node *documents;
	struct mvm_error *err = NULL;

	mvm_buf_addf(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		mvm_buf_addf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 9; j++)
			mvm_buf_addf(&text, "%s*a%d", j ? ", " : "", i - 1);
		mvm_buf_addf(&text, "]\n");
	}
	assert_error(read_text(&pool, text.data, &documents, &err), MVM_ERR_INVALID, "too large");
	assert_true(pool.nodes <= POOL_MAX_NODES);
}

static void depth_is_bounded(void **state)
{
	struct mvm_buf lists MVM_CLEAN_BUF = {0}, chain MVM_CLEAN_BUF = {0};
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	struct node *documents;
	struct mvm_error *err = NULL;

	for (int i = 0; i < 900; i++)
		mvm_buf_addf(&lists, "[");
	assert_error(read_text(&pool, lists.data, &documents, &err), MVM_ERR_INVALID, "nested deeper than");
	mvm_buf_addf(&chain, "a0: &a0 [x]\n");
	for (int i = 1; i < 200; i++)
		mvm_buf_addf(&chain, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_error(read_text(&pool, chain.data, &documents, &err), MVM_ERR_INVALID, "nested deeper than");
}

static void a_file_of_ten_thousand_lines_is_read(void **state)
{
	struct pool pool __attribute__((cleanup(pool_finish))) = {0};
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	const struct node *services;

	mvm_buf_addf(&text, "services:\n");
	for (int i = 0; i < 2500; i++)
		mvm_buf_addf(&text, "  s%d:\n    image: i\n    environment:\n      A: %d\n", i, i);
	services = node_get(first(&pool, text.data), "services");
	assert_int_equal(services->count, 2500);
	assert_int_equal(services->entries[2499].line, 9998);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_where_they_stand),
		cmocka_unit_test(quotes_and_tags_decide_about_kinds),
		cmocka_unit_test(aliases_are_copies),
		cmocka_unit_test(merge_keys_fill_what_is_not_there),
		cmocka_unit_test(compose_has_tags_of_its_own),
		cmocka_unit_test(a_file_may_hold_several_documents),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(aliases_cannot_blow_up),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(a_file_of_ten_thousand_lines_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
