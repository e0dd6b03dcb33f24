#include "service_file.h"

#include <string.h>

#include "runtime/base/error.h"

/* Neither file has a way to say these that all readers take. */
static int check_text(const char *text, struct mvm_error **err)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return mvm_fail(err, MVM_ERR_INVALID,
					"a path or a variable holds a control character, which a service cannot be "
					"given");
	return 0;
}

static int check(const struct service_file *file, struct mvm_error **err)
{
	if (check_text(file->program, err) < 0)
		return -1;
	for (size_t i = 0; i < file->environment->count; i++)
		if (check_text(file->environment->items[i], err) < 0)
			return -1;
	return 0;
}

/* In double quotes; a % would begin a specifier, and in a command a $ a variable. */
static void add_quoted(struct mvm_buf *buf, const char *text, bool command)
{
	mvm_buf_add(buf, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			mvm_buf_add(buf, "\\", 1);
		else if (*text == '%' || (*text == '$' && command))
			mvm_buf_add(buf, text, 1);
		mvm_buf_add(buf, text, 1);
	}
	mvm_buf_add(buf, "\"", 1);
}

static void add_command(struct mvm_buf *buf, const char *key, const char *program, const char *command)
{
	mvm_buf_addf(buf, "%s=", key);
	add_quoted(buf, program, true);
	mvm_buf_addf(buf, " %s\n", command);
}

/* The containers' processes are the unit's, though mvm itself has ended: stopping the unit stops them in order, and
 * what is left after that goes with it. */
int service_unit(const struct service_file *file, char **text, struct mvm_error **err)
{
	struct mvm_buf buf = {0};

	if (check(file, err) < 0)
		return -1;
	mvm_buf_addf(&buf, "# Written by 'mvm system install-service'.\n"
			   "[Unit]\n"
			   "Description=Containers of mvm that are to run after a boot\n"
			   "\n"
			   "[Service]\n"
			   "Type=oneshot\n"
			   "RemainAfterExit=yes\n"
			   "KillMode=mixed\n");
	for (size_t i = 0; i < file->environment->count; i++) {
		mvm_buf_addf(&buf, "Environment=");
		add_quoted(&buf, file->environment->items[i], false);
		mvm_buf_addf(&buf, "\n");
	}
	add_command(&buf, "ExecStart", file->program, "system start");
	add_command(&buf, "ExecStop", file->program, "system stop");
	mvm_buf_addf(&buf, "\n[Install]\nWantedBy=default.target\n");
	*text = mvm_buf_steal(&buf);
	return 0;
}

static void add_escaped(struct mvm_buf *buf, const char *text, size_t length)
{
	for (; length--; text++) {
		if (*text == '&')
			mvm_buf_addf(buf, "&amp;");
		else if (*text == '<')
			mvm_buf_addf(buf, "&lt;");
		else if (*text == '>')
			mvm_buf_addf(buf, "&gt;");
		else
			mvm_buf_add(buf, text, 1);
	}
}

static void add_element(struct mvm_buf *buf, const char *indent, const char *name, const char *text, size_t length)
{
	mvm_buf_addf(buf, "%s<%s>", indent, name);
	add_escaped(buf, text, length);
	mvm_buf_addf(buf, "</%s>\n", name);
}

static void add_environment(struct mvm_buf *buf, const struct mvm_strv *environment)
{
	mvm_buf_addf(buf, "\t<key>EnvironmentVariables</key>\n\t<dict>\n");
	for (size_t i = 0; i < environment->count; i++) {
		const char *variable = environment->items[i];
		size_t name = strcspn(variable, "=");

		add_element(buf, "\t\t", "key", variable, name);
		add_element(buf, "\t\t", "string", variable + name + 1, strlen(variable + name + 1));
	}
	mvm_buf_addf(buf, "\t</dict>\n");
}

int service_plist(const struct service_file *file, char **text, struct mvm_error **err)
{
	static const char *const words[] = {"system", "start"};
	struct mvm_buf buf = {0};

	if (check(file, err) < 0)
		return -1;
	mvm_buf_addf(&buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			   "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
			   "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
			   "<!-- Written by 'mvm system install-service'. -->\n"
			   "<plist version=\"1.0\">\n<dict>\n"
			   "\t<key>Label</key>\n");
	add_element(&buf, "\t", "string", file->name, strlen(file->name));
	mvm_buf_addf(&buf, "\t<key>ProgramArguments</key>\n\t<array>\n");
	add_element(&buf, "\t\t", "string", file->program, strlen(file->program));
	for (size_t i = 0; i < MVM_COUNT(words); i++)
		add_element(&buf, "\t\t", "string", words[i], strlen(words[i]));
	mvm_buf_addf(&buf, "\t</array>\n");
	if (file->environment->count)
		add_environment(&buf, file->environment);
	/* The supervisors are to outlive the command that has started them. */
	mvm_buf_addf(&buf, "\t<key>RunAtLoad</key>\n\t<true/>\n"
			   "\t<key>AbandonProcessGroup</key>\n\t<true/>\n"
			   "</dict>\n</plist>\n");
	*text = mvm_buf_steal(&buf);
	return 0;
}
