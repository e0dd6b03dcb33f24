/*
 * From text to a tree, by recursive descent. Whatever is made is hung into the tree at once, so that a failure leaves
 * nothing behind that mvm_template_destroy() does not find.
 */
#include "internal.h"

#include <string.h>

struct parser {
	struct lexer lexer;
	struct token token;	   /* the one to look at */
	struct mvm_strv variables; /* in scope, "$" first */
	int depth, ranges;
	bool trim; /* the text that comes loses the blanks it starts with */
};

/* What ended a block. */
enum ending { ENDING_TEXT, ENDING_END, ENDING_ELSE, ENDING_ELSE_IF, ENDING_ELSE_WITH };

static int parse_pipeline(struct parser *parser, struct pipeline **out, struct mvm_error **err);
static int parse_block(struct parser *parser, struct block *block, enum ending *ending, struct mvm_error **err);

static int advance(struct parser *parser, struct mvm_error **err)
{
	return lexer_next(&parser->lexer, &parser->token, err);
}

static int skip_space(struct parser *parser, struct mvm_error **err)
{
	while (parser->token.kind == TOKEN_SPACE)
		if (advance(parser, err) < 0)
			return -1;
	return 0;
}

static const char *token_text(const struct parser *parser)
{
	return parser->lexer.text + parser->token.span.at;
}

static int token_length(const struct parser *parser)
{
	return (int)(parser->token.span.end - parser->token.span.at);
}

static bool token_is(const struct parser *parser, const char *word)
{
	return parser->token.kind == TOKEN_WORD && strlen(word) == (size_t)token_length(parser) &&
	       !memcmp(token_text(parser), word, strlen(word));
}

static char *token_copy(const struct parser *parser)
{
	return mvm_strndup(token_text(parser), (size_t)token_length(parser));
}

static int unexpected(const struct parser *parser, const char *where, struct mvm_error **err)
{
	size_t at = parser->token.span.at;

	switch (parser->token.kind) {
	case TOKEN_END:
		return lexer_fail(&parser->lexer, at, err, "unclosed action");
	case TOKEN_CLOSE:
		return lexer_fail(&parser->lexer, at, err, "unexpected \"}}\" in %s", where);
	default:
		return lexer_fail(&parser->lexer, at, err, "unexpected <%.*s> in %s", token_length(parser),
				  token_text(parser), where);
	}
}

static bool is_keyword(const struct parser *parser)
{
	static const char *const words[] = {"if",    "else",	 "end",	   "range",    "with",
					    "break", "continue", "define", "template", "block"};

	for (size_t i = 0; i < MVM_COUNT(words); i++)
		if (token_is(parser, words[i]))
			return true;
	return false;
}

static int check_variable(const struct parser *parser, const char *name, struct mvm_error **err)
{
	for (size_t i = 0; i < parser->variables.count; i++)
		if (!strcmp(parser->variables.items[i], name))
			return 0;
	return lexer_fail(&parser->lexer, parser->token.span.at, err, "undefined variable \"%s\"", name);
}

static int parse_word(struct parser *parser, struct operand *operand, struct mvm_error **err)
{
	operand->name = token_copy(parser);
	if (token_is(parser, "true") || token_is(parser, "false")) {
		operand->kind = OPERAND_LITERAL;
		operand->literal = json_boolean(token_is(parser, "true"));
	} else if (token_is(parser, "nil")) {
		operand->kind = OPERAND_NIL;
	} else if (is_keyword(parser)) {
		return unexpected(parser, "operand", err);
	} else if (function_find(operand->name)) {
		operand->kind = OPERAND_FUNCTION;
	} else {
		return lexer_fail(&parser->lexer, parser->token.span.at, err, "function \"%s\" not defined",
				  operand->name);
	}
	return 0;
}

static int parse_parentheses(struct parser *parser, struct operand *operand, struct mvm_error **err)
{
	operand->kind = OPERAND_PIPELINE;
	if (++parser->depth > MAX_DEPTH)
		return lexer_fail(&parser->lexer, parser->token.span.at, err, "nested deeper than %d levels",
				  MAX_DEPTH);
	if (advance(parser, err) < 0 || parse_pipeline(parser, &operand->pipeline, err) < 0)
		return -1;
	parser->depth--;
	if (operand->pipeline->variable_count)
		return lexer_fail(&parser->lexer, operand->pipeline->span.at, err,
				  "unexpected declaration in parentheses");
	return parser->token.kind == TOKEN_CLOSE_PARENTHESIS ? 0 : unexpected(parser, "parenthesized pipeline", err);
}

/* One token, or a pipeline in parentheses, whose last token is left to look at. */
static int parse_term(struct parser *parser, struct operand *operand, struct mvm_error **err)
{
	switch (parser->token.kind) {
	case TOKEN_DOT:
		operand->kind = OPERAND_DOT;
		return 0;
	case TOKEN_FIELD:
		operand->kind = OPERAND_FIELD;
		mvm_strv_take(&operand->fields, mvm_strndup(token_text(parser) + 1, (size_t)token_length(parser) - 1));
		return 0;
	case TOKEN_VARIABLE:
		operand->kind = OPERAND_VARIABLE;
		operand->name = token_copy(parser);
		return check_variable(parser, operand->name, err);
	case TOKEN_STRING:
		operand->kind = OPERAND_LITERAL;
		return lexer_unquote(&parser->lexer, parser->token.span, &operand->literal, err);
	case TOKEN_NUMBER:
	case TOKEN_CHARACTER:
		operand->kind = OPERAND_LITERAL;
		return lexer_number(&parser->lexer, parser->token.span, &operand->literal, err);
	case TOKEN_WORD:
		return parse_word(parser, operand, err);
	case TOKEN_OPEN_PARENTHESIS:
		return parse_parentheses(parser, operand, err);
	default:
		return unexpected(parser, "operand", err);
	}
}

static int parse_operand(struct parser *parser, struct operand *operand, struct mvm_error **err)
{
	bool first = true;

	operand->span.at = operand->where = parser->token.span.at;
	do {
		if (!first && (operand->kind == OPERAND_LITERAL || operand->kind == OPERAND_NIL))
			return lexer_fail(
				&parser->lexer, parser->token.span.at, err, "unexpected . after term \"%.*s\"",
				(int)(operand->span.end - operand->span.at), parser->lexer.text + operand->span.at);
		if (!first && operand->where == operand->span.at)
			operand->where = parser->token.span.at;
		if (first ? parse_term(parser, operand, err) < 0 : false)
			return -1;
		if (!first)
			mvm_strv_take(&operand->fields,
				      mvm_strndup(token_text(parser) + 1, (size_t)token_length(parser) - 1));
		operand->span.end = parser->token.span.end;
		first = false;
		if (advance(parser, err) < 0)
			return -1;
	} while (parser->token.kind == TOKEN_FIELD);
	return 0;
}

static bool ends_command(const struct parser *parser)
{
	enum token_kind kind = parser->token.kind;

	return kind == TOKEN_CLOSE || kind == TOKEN_CLOSE_PARENTHESIS || kind == TOKEN_PIPE;
}

/* Operands with blanks between them, up to what ends it. */
static int parse_command(struct parser *parser, struct command *command, struct mvm_error **err)
{
	command->span.at = parser->token.span.at;
	while (!ends_command(parser)) {
		struct operand *operand;

		command->operands = mvm_realloc(command->operands, command->count + 1, sizeof(*operand));
		operand = &command->operands[command->count++];
		*operand = (struct operand){0};
		if (parse_operand(parser, operand, err) < 0)
			return -1;
		command->span.end = operand->span.end;
		if (parser->token.kind != TOKEN_SPACE && !ends_command(parser))
			return unexpected(parser, "operand", err);
		if (skip_space(parser, err) < 0)
			return -1;
	}
	if (!command->count)
		return lexer_fail(&parser->lexer, parser->token.span.at, err, "missing value for command");
	return 0;
}

/* `$x :=`, `$x =` and `$i, $x :=`; where none of them follows, nothing has happened. */
static int parse_declaration(struct parser *parser, struct pipeline *pipeline, struct mvm_error **err)
{
	struct lexer lexer = parser->lexer;
	struct token token = parser->token;

	while (parser->token.kind == TOKEN_VARIABLE && pipeline->variable_count < 2) {
		pipeline->variables[pipeline->variable_count++] = token_copy(parser);
		if (advance(parser, err) < 0 || skip_space(parser, err) < 0)
			return -1;
		if (parser->token.kind != TOKEN_COMMA)
			break;
		if (advance(parser, err) < 0 || skip_space(parser, err) < 0)
			return -1;
	}
	pipeline->assigns = parser->token.kind == TOKEN_ASSIGN;
	if (pipeline->variable_count && (pipeline->assigns || parser->token.kind == TOKEN_DECLARE)) {
		if (advance(parser, err) < 0)
			return -1;
		return skip_space(parser, err);
	}
	while (pipeline->variable_count)
		free(pipeline->variables[--pipeline->variable_count]);
	pipeline->assigns = false;
	parser->lexer = lexer;
	parser->token = token;
	return 0;
}

static int declare(struct parser *parser, const struct pipeline *pipeline, struct mvm_error **err)
{
	for (size_t i = 0; i < pipeline->variable_count; i++) {
		if (!pipeline->assigns)
			mvm_strv_add(&parser->variables, pipeline->variables[i]);
		else if (check_variable(parser, pipeline->variables[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Each further command is given what the one before it made. */
static int check_stage(struct parser *parser, const struct pipeline *pipeline, struct mvm_error **err)
{
	const struct command *last = &pipeline->commands[pipeline->count - 1];
	enum operand_kind kind = last->operands[0].kind;

	if (pipeline->count > 1 && (kind == OPERAND_LITERAL || kind == OPERAND_NIL || kind == OPERAND_DOT))
		return lexer_fail(&parser->lexer, last->span.at, err, "non executable command in pipeline stage %zu",
				  pipeline->count);
	return 0;
}

/* Up to the token that ends it, which is left to look at. */
static int parse_pipeline(struct parser *parser, struct pipeline **out, struct mvm_error **err)
{
	struct pipeline *pipeline = *out = mvm_alloc(sizeof(*pipeline));

	if (skip_space(parser, err) < 0)
		return -1;
	pipeline->span.at = parser->token.span.at;
	if (parse_declaration(parser, pipeline, err) < 0)
		return -1;
	do {
		if (pipeline->count && (advance(parser, err) < 0 || skip_space(parser, err) < 0))
			return -1;
		pipeline->commands = mvm_realloc(pipeline->commands, pipeline->count + 1, sizeof(*pipeline->commands));
		pipeline->commands[pipeline->count++] = (struct command){0};
		if (parse_command(parser, &pipeline->commands[pipeline->count - 1], err) < 0 ||
		    check_stage(parser, pipeline, err) < 0)
			return -1;
	} while (parser->token.kind == TOKEN_PIPE);
	pipeline->span.end = pipeline->commands[pipeline->count - 1].span.end;
	return declare(parser, pipeline, err);
}

/* The }} at the end of an action. */
static int parse_close(struct parser *parser, const char *where, struct mvm_error **err)
{
	if (parser->token.kind != TOKEN_CLOSE)
		return unexpected(parser, where, err);
	parser->trim = parser->token.trims;
	return 0;
}

static struct node *add_node(struct block *block, enum node_kind kind, struct span span)
{
	block->nodes = mvm_realloc(block->nodes, block->count + 1, sizeof(*block->nodes));
	block->nodes[block->count] = (struct node){.kind = kind, .span = span};
	return &block->nodes[block->count++];
}

static void forget_variables(struct parser *parser, size_t count)
{
	while (parser->variables.count > count) {
		free(parser->variables.items[--parser->variables.count]);
		parser->variables.items[parser->variables.count] = NULL;
	}
}

/* `if`, `range` and `with`, after the word. What follows `else` in `else if` is a block of its own in `otherwise`. */
static int parse_control(struct parser *parser, struct node *node, const char *word, struct mvm_error **err)
{
	size_t variables = parser->variables.count;
	enum ending ending;

	if (++parser->depth > MAX_DEPTH)
		return lexer_fail(&parser->lexer, node->span.at, err, "nested deeper than %d levels", MAX_DEPTH);
	if (skip_space(parser, err) < 0)
		return -1;
	if (parser->token.kind == TOKEN_CLOSE)
		return lexer_fail(&parser->lexer, node->span.at, err, "missing value for %s", word);
	if (parse_pipeline(parser, &node->pipeline, err) < 0 || parse_close(parser, word, err) < 0)
		return -1;
	if (node->pipeline->variable_count == 2 && node->kind != NODE_RANGE)
		return lexer_fail(&parser->lexer, node->span.at, err, "too many declarations in %s", word);
	parser->ranges += node->kind == NODE_RANGE;
	if (parse_block(parser, &node->body, &ending, err) < 0)
		return -1;
	parser->ranges -= node->kind == NODE_RANGE;
	if (ending == ENDING_ELSE_IF || ending == ENDING_ELSE_WITH) {
		bool with = ending == ENDING_ELSE_WITH;
		struct node *next = add_node(&node->otherwise, with ? NODE_WITH : NODE_IF, parser->token.span);

		if (parse_control(parser, next, with ? "with" : "if", err) < 0)
			return -1;
	} else if (ending == ENDING_ELSE) {
		if (parse_block(parser, &node->otherwise, &ending, err) < 0)
			return -1;
		if (ending != ENDING_END)
			return lexer_fail(&parser->lexer, parser->token.span.at, err, "expected end; found {{else}}");
	}
	forget_variables(parser, variables);
	parser->depth--;
	return 0;
}

/* After `else`. */
static int parse_else(struct parser *parser, enum ending *ending, struct mvm_error **err)
{
	if (advance(parser, err) < 0 || skip_space(parser, err) < 0)
		return -1;
	*ending = token_is(parser, "if") ? ENDING_ELSE_IF : token_is(parser, "with") ? ENDING_ELSE_WITH : ENDING_ELSE;
	return *ending == ENDING_ELSE ? parse_close(parser, "else", err) : advance(parser, err);
}

static int parse_end(struct parser *parser, const char *where, struct mvm_error **err)
{
	if (advance(parser, err) < 0 || skip_space(parser, err) < 0)
		return -1;
	return parse_close(parser, where, err);
}

static int parse_jump(struct parser *parser, struct block *block, bool breaks, struct mvm_error **err)
{
	const char *word = breaks ? "break" : "continue";

	if (!parser->ranges)
		return lexer_fail(&parser->lexer, parser->token.span.at, err, "{{%s}} outside {{range}}", word);
	add_node(block, breaks ? NODE_BREAK : NODE_CONTINUE, parser->token.span);
	return parse_end(parser, word, err);
}

/* What stands between {{ and }}; *ending is set where it ends the block. */
static int parse_action(struct parser *parser, struct block *block, enum ending *ending, struct mvm_error **err)
{
	static const struct {
		const char *word;
		enum node_kind kind;
	} controls[] = {{"if", NODE_IF}, {"range", NODE_RANGE}, {"with", NODE_WITH}};
	struct node *node;

	if (advance(parser, err) < 0 || skip_space(parser, err) < 0)
		return -1;
	for (size_t i = 0; i < MVM_COUNT(controls); i++) {
		if (!token_is(parser, controls[i].word))
			continue;
		node = add_node(block, controls[i].kind, parser->token.span);
		return advance(parser, err) < 0 ? -1 : parse_control(parser, node, controls[i].word, err);
	}
	if (token_is(parser, "end")) {
		*ending = ENDING_END;
		return parse_end(parser, "end", err);
	}
	if (token_is(parser, "else"))
		return parse_else(parser, ending, err);
	if (token_is(parser, "break") || token_is(parser, "continue"))
		return parse_jump(parser, block, token_is(parser, "break"), err);
	if (is_keyword(parser))
		return lexer_fail(&parser->lexer, parser->token.span.at, err,
				  "{{%.*s}} is not supported; write the format as one text", token_length(parser),
				  token_text(parser));
	node = add_node(block, NODE_ACTION, parser->token.span);
	if (parse_pipeline(parser, &node->pipeline, err) < 0)
		return -1;
	if (node->pipeline->variable_count == 2)
		return lexer_fail(&parser->lexer, node->span.at, err, "too many declarations in command");
	return parse_close(parser, "command", err);
}

/* Text up to the next {{, without the blanks that the marks on either side take away. False where none follows. */
static bool parse_text(struct parser *parser, struct block *block)
{
	struct lexer *lexer = &parser->lexer;
	const char *open = strstr(lexer->text + lexer->at, "{{");
	struct span span = {lexer->at, open ? (size_t)(open - lexer->text) : lexer->length};

	lexer->at = span.end;
	while (parser->trim && span.at < span.end && is_blank(lexer->text[span.at]))
		span.at++;
	parser->trim = false;
	if (open && open[2] == '-' && is_blank(open[3])) {
		while (span.end > span.at && is_blank(lexer->text[span.end - 1]))
			span.end--;
		lexer->at += 2;
	}
	lexer->at += open ? 2 : 0;
	if (span.at < span.end)
		add_node(block, NODE_TEXT, span);
	return open;
}

/* A comment in the place of an action; 1 where there was one. */
static int skip_comment(struct parser *parser, struct mvm_error **err)
{
	struct lexer *lexer = &parser->lexer;
	const char *at = lexer->text + lexer->at, *end;

	/* After the mark that trims, one blank. */
	at += is_blank(*at) && lexer->at >= 1 && at[-1] == '-';
	if (strncmp(at, "/*", 2) != 0)
		return 0;
	end = strstr(at + 2, "*/");
	if (!end)
		return lexer_fail(lexer, lexer->at, err, "unclosed comment");
	end += 2;
	parser->trim = is_blank(*end) && !strncmp(end + 1, "-}}", 3);
	if (!parser->trim && strncmp(end, "}}", 2) != 0)
		return lexer_fail(lexer, lexer->at, err, "comment ends before closing delimiter");
	lexer->at = (size_t)(end - lexer->text) + (parser->trim ? 4 : 2);
	return 1;
}

static int parse_block(struct parser *parser, struct block *block, enum ending *ending, struct mvm_error **err)
{
	struct lexer *lexer = &parser->lexer;

	*ending = ENDING_TEXT;
	while (*ending == ENDING_TEXT) {
		int comment;

		if (!parse_text(parser, block))
			break;
		comment = skip_comment(parser, err);
		if (comment < 0 || (!comment && parse_action(parser, block, ending, err) < 0))
			return -1;
	}
	if (*ending == ENDING_TEXT && parser->depth)
		return lexer_fail(lexer, lexer->at, err, "unexpected EOF");
	return 0;
}

static int parse(struct parser *parser, struct block *block, struct mvm_error **err)
{
	enum ending ending;

	if (parser->lexer.length > MAX_TEXT)
		return mvm_fail(err, MVM_ERR_INVALID, "template parsing error: longer than %d bytes", MAX_TEXT);
	mvm_strv_add(&parser->variables, "$");
	if (parse_block(parser, block, &ending, err) < 0)
		return -1;
	if (ending == ENDING_TEXT)
		return 0;
	return lexer_fail(&parser->lexer, parser->token.span.at, err, "unexpected {{%s}}",
			  ending == ENDING_END ? "end" : "else");
}

int mvm_template_parse(const char *text, struct mvm_template **out, struct mvm_error **err)
{
	struct mvm_template *template MVM_CLEAN_TEMPLATE = mvm_alloc(sizeof(*template));
	struct parser parser = {0};
	int result;

	template->text = mvm_strdup(text);
	template->length = strlen(text);
	parser.lexer = (struct lexer){.text = template->text, .length = template->length};
	result = parse(&parser, &template->body, err);
	mvm_strv_finish(&parser.variables);
	if (result < 0)
		return -1;
	*out = template;
	template = NULL;
	return 0;
}
