/* Runs a tree over a value. Every value on the way is a reference of its own. */
#include "internal.h"

#include <stdarg.h>
#include <string.h>

struct variable {
	const char *name; /* the tree's */
	json_t *value;
};

struct run {
	const struct mvm_template *template;
	const struct mvm_template_data *data;
	struct mvm_buf out;
	struct variable *variables; /* the innermost last */
	size_t variable_count;
	size_t steps, made; /* bytes that functions made */
	struct mvm_error **err;
};

enum flow { FLOW_FAILED = -1, FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

static int eval_pipeline(struct run *run, json_t *dot, const struct pipeline *pipeline, json_t **out);
static int eval_operand(struct run *run, json_t *dot, const struct operand *operand, json_t **out);
static enum flow run_block(struct run *run, json_t *dot, const struct block *block);

/* `where` as Go counts: lines from 1, columns from 0. */
static char *describe_place(const struct run *run, size_t where, struct span span)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i < where; i++) {
		if (run->template->text[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	return mvm_format("template parsing error: template: :%zu:%zu: executing \"\" at <%.*s>", line, where - start,
			  (int)(span.end - span.at), run->template->text + span.at);
}

static int fail_at(struct run *run, size_t where, struct span span, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int fail_at(struct run *run, size_t where, struct span span, const char *format, ...)
{
	char *place MVM_CLEAN_FREE = describe_place(run, where, span), *message MVM_CLEAN_FREE = NULL;
	va_list args;

	va_start(args, format);
	message = mvm_vformat(format, args);
	va_end(args);
	return mvm_fail(run->err, MVM_ERR_INVALID, "%s: %s", place, message);
}

static int count_step(struct run *run, size_t where, struct span span)
{
	if (++run->steps > MAX_STEPS)
		return fail_at(run, where, span, "more than %d steps", MAX_STEPS);
	if (run->made + run->out.length >= MAX_OUTPUT)
		return fail_at(run, where, span, "more than %d bytes of output", MAX_OUTPUT);
	return 0;
}

static struct variable *find_variable(struct run *run, const char *name)
{
	for (size_t i = run->variable_count; i > 0; i--)
		if (!strcmp(run->variables[i - 1].name, name))
			return &run->variables[i - 1];
	return NULL;
}

static void push_variable(struct run *run, const char *name, json_t *value)
{
	run->variables = mvm_realloc(run->variables, run->variable_count + 1, sizeof(*run->variables));
	run->variables[run->variable_count++] = (struct variable){name, json_incref(value)};
}

static void pop_variables(struct run *run, size_t count)
{
	while (run->variable_count > count)
		json_decref(run->variables[--run->variable_count].value);
}

static int set_variable(struct run *run, const struct pipeline *pipeline, size_t index, json_t *value)
{
	const char *name = pipeline->variables[index];
	struct variable *variable;

	if (!pipeline->assigns) {
		push_variable(run, name, value);
		return 0;
	}
	variable = find_variable(run, name);
	if (!variable)
		return fail_at(run, pipeline->span.at, pipeline->span, "undefined variable: %s", name);
	json_decref(variable->value);
	variable->value = json_incref(value);
	return 0;
}

static bool holds_strings(const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_string(value))
			return false;
	}
	return true;
}

static bool is_method(const struct run *run, const json_t *receiver, const char *name)
{
	return receiver == run->data->value && run->data->method && !strcmp(name, run->data->method);
}

/* Takes `receiver`'s place in *out. */
static int eval_field(struct run *run, const struct operand *operand, json_t *receiver, const char *name, json_t **out)
{
	bool fixed = receiver == run->data->value && run->data->type;
	json_t *found = json_object_get(receiver, name);

	if (is_method(run, receiver, name))
		return fail_at(run, operand->where, operand->span, "wrong number of args for %s: want 1 got 0", name);
	if (json_is_null(receiver))
		return fail_at(run, operand->where, operand->span, "nil data; no entry for key \"%s\"", name);
	if (!json_is_object(receiver) || (!found && fixed))
		return fail_at(run, operand->where, operand->span, "can't evaluate field %s in type %s", name,
			       fixed ? run->data->type : type_name(receiver));
	if (!found && !holds_strings(receiver))
		return fail_at(run, operand->where, operand->span, "map has no entry for key \"%s\"", name);
	*out = found ? json_incref(found) : json_null();
	return 0;
}

/* The first `count` links of the chain; takes `value`. */
static int follow_fields(struct run *run, const struct operand *operand, json_t *value, size_t count, json_t **out)
{
	for (size_t i = 0; i < count; i++) {
		json_t *next;
		int result = eval_field(run, operand, value, operand->fields.items[i], &next);

		json_decref(value);
		if (result < 0)
			return -1;
		value = next;
	}
	*out = value;
	return 0;
}

/* What the chain starts with. */
static int eval_start(struct run *run, json_t *dot, const struct operand *operand, json_t **out);

static void add_result(struct run *run, const json_t *result)
{
	run->made += json_is_string(result) ? json_string_length(result) : 0;
}

/* The values of operands from the second on, and `final`, what the pipeline has made so far. */
struct arguments {
	json_t **values;
	size_t count;
};

static void arguments_finish(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		json_decref(arguments->values[i]);
	free(arguments->values);
}

static int eval_arguments(struct run *run, json_t *dot, const struct operand *operands, size_t count, json_t *final,
			  struct arguments *arguments)
{
	arguments->values = mvm_alloc((count + 1) * sizeof(*arguments->values));
	for (size_t i = 0; i < count; i++) {
		if (eval_operand(run, dot, &operands[i], &arguments->values[i]) < 0)
			return -1;
		arguments->count++;
	}
	if (final)
		arguments->values[arguments->count++] = json_incref(final);
	return 0;
}

/* `and`: the first that is empty, `or`: the first that is not; else the last. Those after it are not looked at. */
static int eval_logic(struct run *run, json_t *dot, bool is_or, const struct operand *operands, size_t count,
		      json_t *final, json_t **out)
{
	for (size_t i = 0; i < count; i++) {
		json_t *value;

		if (eval_operand(run, dot, &operands[i], &value) < 0)
			return -1;
		if (value_is_true(value) == is_or || (i + 1 == count && !final)) {
			*out = value;
			return 0;
		}
		json_decref(value);
	}
	*out = json_incref(final);
	return 0;
}

static void use_other_json(const struct run *run, const struct function *function, struct arguments *arguments)
{
	if (!run->data->json || strcmp(function->name, "json") != 0 || arguments->values[0] != run->data->value)
		return;
	json_decref(arguments->values[0]);
	arguments->values[0] = json_incref(run->data->json);
}

/* `operands` are the arguments. */
static int eval_function(struct run *run, json_t *dot, const struct operand *name, struct span span,
			 const struct operand *operands, size_t count, json_t *final, json_t **out)
{
	const struct function *function = function_find(name->name);
	size_t given = count + (final ? 1 : 0);
	struct arguments arguments __attribute__((cleanup(arguments_finish))) = {0};
	struct function_call call;

	if (given < function->min || given > function->max)
		return fail_at(run, name->where, name->span, "wrong number of args for %s: want %s%zu got %zu",
			       function->name, function->max == function->min ? "" : "at least ", function->min, given);
	if (!function->run)
		return eval_logic(run, dot, !strcmp(function->name, "or"), operands, count, final, out);
	if (eval_arguments(run, dot, operands, count, final, &arguments) < 0)
		return -1;
	use_other_json(run, function, &arguments);
	call = (struct function_call){arguments.values, arguments.count, run->data->headings};
	if (function->run(&call, out, run->err) < 0) {
		char *place MVM_CLEAN_FREE = describe_place(run, span.at, span);

		return mvm_error_wrap(run->err, "%s: error calling %s", place, function->name);
	}
	add_result(run, *out);
	return 0;
}

/* {{.Label "key"}}: a chain whose last link is the method of what stands before it. */
static int eval_method(struct run *run, json_t *dot, const struct command *command, json_t *final, json_t **out)
{
	const struct operand *operand = &command->operands[0];
	const char *name = operand->fields.count ? operand->fields.items[operand->fields.count - 1] : NULL;
	struct arguments arguments __attribute__((cleanup(arguments_finish))) = {0};
	json_t *receiver MVM_CLEAN_JSON = NULL, *start;

	if (!name)
		return fail_at(run, operand->where, operand->span, "can't give argument to non-function %.*s",
			       (int)(operand->span.end - operand->span.at), run->template->text + operand->span.at);
	if (eval_start(run, dot, operand, &start) < 0 ||
	    follow_fields(run, operand, start, operand->fields.count - 1, &receiver) < 0)
		return -1;
	if (!is_method(run, receiver, name))
		return fail_at(run, operand->where, operand->span, "%s has arguments but cannot be invoked as function",
			       name);
	if (eval_arguments(run, dot, command->operands + 1, command->count - 1, final, &arguments) < 0)
		return -1;
	if (arguments.count != 1)
		return fail_at(run, operand->where, operand->span, "wrong number of args for %s: want 1 got %zu", name,
			       arguments.count);
	if (!json_is_string(arguments.values[0]))
		return fail_at(run, operand->where, operand->span, "wrong type for value; expected string; got %s",
			       type_name(arguments.values[0]));
	*out = run->data->call(run->data->arg, json_string_value(arguments.values[0]));
	add_result(run, *out);
	return 0;
}

static int eval_start(struct run *run, json_t *dot, const struct operand *operand, json_t **out)
{
	const struct variable *variable;

	switch (operand->kind) {
	case OPERAND_DOT:
	case OPERAND_FIELD:
		*out = json_incref(dot);
		return 0;
	case OPERAND_NIL:
		*out = json_null();
		return 0;
	case OPERAND_LITERAL:
		*out = json_incref(operand->literal);
		return 0;
	case OPERAND_FUNCTION:
		return eval_function(run, dot, operand, operand->span, NULL, 0, NULL, out);
	case OPERAND_PIPELINE:
		return eval_pipeline(run, dot, operand->pipeline, out);
	case OPERAND_VARIABLE:
		break;
	}
	variable = find_variable(run, operand->name);
	if (!variable)
		return fail_at(run, operand->where, operand->span, "undefined variable: %s", operand->name);
	*out = json_incref(variable->value);
	return 0;
}

static int eval_operand(struct run *run, json_t *dot, const struct operand *operand, json_t **out)
{
	json_t *start;

	if (count_step(run, operand->where, operand->span) < 0 || eval_start(run, dot, operand, &start) < 0)
		return -1;
	return follow_fields(run, operand, start, operand->fields.count, out);
}

static int eval_command(struct run *run, json_t *dot, const struct command *command, json_t *final, json_t **out)
{
	const struct operand *first = &command->operands[0];

	if (count_step(run, first->where, first->span) < 0)
		return -1;
	if (first->kind == OPERAND_FUNCTION && !first->fields.count)
		return eval_function(run, dot, first, command->span, command->operands + 1, command->count - 1, final,
				     out);
	if (command->count > 1 || final)
		return eval_method(run, dot, command, final, out);
	if (first->kind == OPERAND_NIL)
		return fail_at(run, first->where, first->span, "nil is not a command");
	return eval_operand(run, dot, first, out);
}

/* The value alone; what is declared is left to the caller. */
static int eval_pipeline(struct run *run, json_t *dot, const struct pipeline *pipeline, json_t **out)
{
	json_t *value = NULL;

	for (size_t i = 0; i < pipeline->count; i++) {
		json_t *next;
		int result = eval_command(run, dot, &pipeline->commands[i], value, &next);

		json_decref(value);
		if (result < 0)
			return -1;
		value = next;
	}
	*out = value;
	return 0;
}

static enum flow run_action(struct run *run, json_t *dot, const struct node *node)
{
	json_t *value MVM_CLEAN_JSON = NULL;

	if (eval_pipeline(run, dot, node->pipeline, &value) < 0)
		return FLOW_FAILED;
	if (node->pipeline->variable_count)
		return set_variable(run, node->pipeline, 0, value) < 0 ? FLOW_FAILED : FLOW_ON;
	if (json_is_null(value))
		emit_text(&run->out, "<no value>");
	else
		emit_value(&run->out, value);
	return FLOW_ON;
}

static enum flow run_if_or_with(struct run *run, json_t *dot, const struct node *node)
{
	json_t *value MVM_CLEAN_JSON = NULL;
	size_t variables = run->variable_count;
	enum flow flow;

	if (eval_pipeline(run, dot, node->pipeline, &value) < 0)
		return FLOW_FAILED;
	if (node->pipeline->variable_count && set_variable(run, node->pipeline, 0, value) < 0)
		return FLOW_FAILED;
	if (value_is_true(value))
		flow = run_block(run, node->kind == NODE_WITH ? value : dot, &node->body);
	else
		flow = run_block(run, dot, &node->otherwise);
	pop_variables(run, variables);
	return flow;
}

/* With one variable it is the element, with two the first is its key. */
static enum flow run_element(struct run *run, const struct node *node, json_t *key, json_t *element)
{
	const struct pipeline *pipeline = node->pipeline;
	size_t variables = run->variable_count;
	enum flow flow;

	if (count_step(run, pipeline->span.at, pipeline->span) < 0 ||
	    (pipeline->variable_count == 2 && set_variable(run, pipeline, 0, key) < 0) ||
	    (pipeline->variable_count && set_variable(run, pipeline, pipeline->variable_count - 1, element) < 0))
		return FLOW_FAILED;
	flow = run_block(run, element, &node->body);
	pop_variables(run, variables);
	return flow;
}

static enum flow range_list(struct run *run, const struct node *node, json_t *list)
{
	enum flow flow = FLOW_ON;

	for (size_t i = 0; i < json_array_size(list) && (flow == FLOW_ON || flow == FLOW_CONTINUE); i++) {
		json_t *index MVM_CLEAN_JSON = json_integer((json_int_t)i);

		flow = run_element(run, node, index, json_array_get(list, i));
	}
	return flow;
}

static enum flow range_object(struct run *run, const struct node *node, json_t *object)
{
	enum flow flow = FLOW_ON;
	size_t count;
	const char **keys MVM_CLEAN_FREE = sorted_keys(object, &count);

	for (size_t i = 0; i < count && (flow == FLOW_ON || flow == FLOW_CONTINUE); i++) {
		json_t *key MVM_CLEAN_JSON = json_string(keys[i]);

		flow = run_element(run, node, key, json_object_get(object, keys[i]));
	}
	return flow;
}

static enum flow run_range(struct run *run, json_t *dot, const struct node *node)
{
	json_t *value MVM_CLEAN_JSON = NULL;
	enum flow flow;

	if (eval_pipeline(run, dot, node->pipeline, &value) < 0)
		return FLOW_FAILED;
	if (!json_is_object(value) && !json_is_array(value) && !json_is_null(value)) {
		struct mvm_buf text MVM_CLEAN_BUF = {0};

		emit_value(&text, value);
		fail_at(run, node->pipeline->span.at, node->pipeline->span, "range can't iterate over %s",
			text.data ? text.data : "");
		return FLOW_FAILED;
	}
	if (!value_is_true(value))
		return run_block(run, dot, &node->otherwise);
	flow = json_is_array(value) ? range_list(run, node, value) : range_object(run, node, value);
	return flow == FLOW_FAILED ? FLOW_FAILED : FLOW_ON;
}

static enum flow run_node(struct run *run, json_t *dot, const struct node *node)
{
	if (count_step(run, node->span.at, node->span) < 0)
		return FLOW_FAILED;
	switch (node->kind) {
	case NODE_TEXT:
		emit(&run->out, run->template->text + node->span.at, node->span.end - node->span.at);
		return FLOW_ON;
	case NODE_ACTION:
		return run_action(run, dot, node);
	case NODE_IF:
	case NODE_WITH:
		return run_if_or_with(run, dot, node);
	case NODE_RANGE:
		return run_range(run, dot, node);
	case NODE_BREAK:
		return FLOW_BREAK;
	case NODE_CONTINUE:
		break;
	}
	return FLOW_CONTINUE;
}

static enum flow run_block(struct run *run, json_t *dot, const struct block *block)
{
	enum flow flow = FLOW_ON;

	for (size_t i = 0; i < block->count && flow == FLOW_ON; i++)
		flow = run_node(run, dot, &block->nodes[i]);
	return flow;
}

int mvm_template_run(const struct mvm_template *template, const struct mvm_template_data *data, struct mvm_buf *out,
		     struct mvm_error **err)
{
	struct mvm_error *failure = NULL;
	struct run run = {.template = template, .data = data, .err = &failure};
	json_t *dot = (json_t *)data->value;
	enum flow flow;

	push_variable(&run, "$", dot);
	flow = run_block(&run, dot, &template->body);
	pop_variables(&run, 0);
	free(run.variables);
	if (flow == FLOW_ON)
		mvm_buf_add(out, run.out.data ? run.out.data : "", run.out.length);
	mvm_buf_finish(&run.out);
	return flow == FLOW_ON ? 0 : mvm_error_move(err, &failure);
}
