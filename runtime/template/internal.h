/* What the lexer, the parser and the evaluator of templates share. */
#ifndef MVM_TEMPLATE_INTERNAL_H
#define MVM_TEMPLATE_INTERNAL_H

#include <stddef.h>

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"
#include "template.h"

enum {
	MAX_TEXT = 256 * 1024,
	MAX_DEPTH = 100,	       /* of blocks and parentheses */
	MAX_STEPS = 1000 * 1000,       /* of one run */
	MAX_OUTPUT = 16 * 1024 * 1024, /* of one run, with all that functions make on the way */
	MAX_PARTS = 64 * 1024,	       /* of a split */
};

/* A place in the text. */
struct span {
	size_t at, end;
};

/* lex.c: the text between {{ and }}, token by token. */
enum token_kind {
	TOKEN_END,   /* of the text, within an action */
	TOKEN_CLOSE, /* }} */
	TOKEN_SPACE,
	TOKEN_DOT,
	TOKEN_FIELD,	/* ".Name" */
	TOKEN_VARIABLE, /* "$", "$name" */
	TOKEN_WORD,
	TOKEN_STRING, /* in double or back quotes */
	TOKEN_CHARACTER,
	TOKEN_NUMBER,
	TOKEN_PIPE,
	TOKEN_OPEN_PARENTHESIS,
	TOKEN_CLOSE_PARENTHESIS,
	TOKEN_DECLARE, /* := */
	TOKEN_ASSIGN,  /* = */
	TOKEN_COMMA,
	TOKEN_OTHER, /* any other ASCII character */
};

struct token {
	enum token_kind kind;
	struct span span;
	bool trims; /* TOKEN_CLOSE: "-}}" */
};

struct lexer {
	const char *text;
	size_t length, at;
	int parentheses;
};

int lexer_next(struct lexer *lexer, struct token *token, struct mvm_error **err);
/* A literal's value; `span` is the whole token. */
int lexer_unquote(const struct lexer *lexer, struct span span, json_t **value, struct mvm_error **err);
int lexer_number(const struct lexer *lexer, struct span span, json_t **value, struct mvm_error **err);
/* "template parsing error: template: :LINE: ..." */
int lexer_fail(const struct lexer *lexer, size_t at, struct mvm_error **err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool is_blank(char c);

/* parse.c */
enum operand_kind {
	OPERAND_DOT,
	OPERAND_NIL,
	OPERAND_FIELD,	  /* of dot */
	OPERAND_VARIABLE, /* `name`, with its $ */
	OPERAND_FUNCTION, /* `name` */
	OPERAND_LITERAL,
	OPERAND_PIPELINE, /* in parentheses */
};

struct operand {
	enum operand_kind kind;
	struct span span;
	size_t where; /* what errors say of its place: as Go, of a chain the second link */
	char *name;
	json_t *literal;
	struct pipeline *pipeline;
	struct mvm_strv fields; /* .A.B of any of them */
};

struct command {
	struct span span;
	struct operand *operands;
	size_t count;
};

struct pipeline {
	struct span span;
	char *variables[2]; /* `$x :=`, or of a range two */
	size_t variable_count;
	bool assigns; /* = */
	struct command *commands;
	size_t count;
};

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_BREAK, NODE_CONTINUE };

struct block {
	struct node *nodes;
	size_t count;
};

struct node {
	enum node_kind kind;
	struct span span; /* NODE_TEXT: of the text that is left after trimming */
	struct pipeline *pipeline;
	struct block body, otherwise;
};

struct mvm_template {
	char *text;
	size_t length;
	struct block body;
};

/* function.c */
struct function_call {
	json_t *const *args;
	size_t count;
	bool headings;
};

struct function {
	const char *name;
	size_t min, max; /* arguments; SIZE_MAX: any number */
	/* A new value, or -1 with what comes after "error calling NAME: ". NULL: `and` and `or`, which the evaluator
	 * does itself, since they stop at the first that decides. */
	int (*run)(const struct function_call *call, json_t **result, struct mvm_error **err);
};

const struct function *function_find(const char *name);
bool value_is_true(const json_t *value);

/* print.c: buffers stop growing at MAX_OUTPUT; whoever owns one looks whether it got there. */
void emit(struct mvm_buf *out, const void *data, size_t length);
void emit_text(struct mvm_buf *out, const char *text);
/* As %v does. */
void emit_value(struct mvm_buf *out, const json_t *value);
/* As fmt.Sprintf does, with its remarks about what does not fit: "%!d(string=x)". */
void emit_formatted(struct mvm_buf *out, const char *format, size_t length, json_t *const *args, size_t count);
/* "string", "int", "[]interface {}" */
const char *type_name(const json_t *value);
/* Its keys, sorted; borrowed from the object, the array the caller's. */
const char **sorted_keys(const json_t *object, size_t *count);

#endif
