/*
 * Templates for output: the part of Go's text/template that docker's `--format` is used for, over JSON values.
 *
 *   {{.A.B}} {{$x}} {{json .X}} {{.X | upper}} {{(index .X 0).Name}} "text" `raw` 1 1.5 'c' true nil
 *   {{if}} {{else if}} {{else}} {{range $k, $v := .X}} {{break}} {{continue}} {{with}} {{end}} {{- trimmed -}}
 *   and or not eq ne lt le gt ge index slice len print printf println
 *   json join split lower upper title pad truncate
 *
 * Texts of errors, printed forms of values (lists `[a b]`, objects `map[a:1 b:2]`) and the order of ranges over objects
 * (by key) are Go's. `define`, `template`, `block` and `call` are left out: a format is one text. Letters outside ASCII
 * have no upper and lower case here.
 *
 * Pure computation, in whatever process prints. The text is the user's own; the values are untrusted and never more
 * than data: what they hold is not read as a template. Nesting, steps taken and bytes produced are bounded, and
 * past a bound it is an error.
 */
#ifndef MVM_TEMPLATE_TEMPLATE_H
#define MVM_TEMPLATE_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>

struct mvm_buf;
struct mvm_error;
struct mvm_template;

/* INVALID, "template parsing error: template: :1: ...", where it is malformed. `text` may go afterwards. */
int mvm_template_parse(const char *text, struct mvm_template **out, struct mvm_error **err);
void mvm_template_destroy(struct mvm_template *template);

/* What "." is; all borrowed. */
struct mvm_template_data {
	const json_t *value;
	/* What errors call its type where its fields are fixed ("can't evaluate field X in type ..."). NULL: an object
	 * as any other. Objects that hold nothing but strings are docker's maps of strings, where a missing key is
	 * nothing; in all others it is an error ("map has no entry for key"). */
	const char *type;
	/* The one method of the value, {{.Label "key"}}: a new string. NULL: none. */
	const char *method;
	json_t *(*call)(const void *arg, const char *parameter);
	const void *arg;
	/* What `json` makes of the value itself, where its fields have other names there. NULL: the value. */
	json_t *json;
	/* The value is the headings of a table's columns: json, lower, upper, title and truncate leave them alone. */
	bool headings;
};

/* Appends to `out`, nothing on failure. INVALID, "template parsing error: template: :1:2: executing ...". */
int mvm_template_run(const struct mvm_template *template, const struct mvm_template_data *data, struct mvm_buf *out,
		     struct mvm_error **err);

static inline void mvm_template_cleanup(struct mvm_template **template)
{
	mvm_template_destroy(*template);
}
#define MVM_CLEAN_TEMPLATE __attribute__((cleanup(mvm_template_cleanup)))

#endif
