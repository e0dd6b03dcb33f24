/*
 * All commands, by the names they answer to, and the help that lists them.
 */
#include "commands.h"

#include <stddef.h>
#include <string.h>

#include "compose.h"
#include "guess.h"

/* In the order of the help: docker's. */
static const struct cli_command *const commands[] = {
	&cli_run,
	&cli_exec,
	&cli_ps,
	&cli_pull,
	&cli_push,
	&cli_images,
	&cli_login,
	&cli_logout,
	&cli_version,
	&cli_info,
	&cli_attach,
	&cli_build,
	&cli_completion,
	&cli_compose_attach,
	&cli_compose_config,
	&cli_compose_cp,
	&cli_compose_events,
	&cli_compose_exec,
	&cli_compose_export,
	&cli_compose_images,
	&cli_compose_logs,
	&cli_compose_ls,
	&cli_compose_port,
	&cli_compose_ps,
	&cli_compose_stats,
	&cli_compose_top,
	&cli_compose_version,
	&cli_compose_volumes,
	&cli_compose_wait,
	&cli_compose_build,
	&cli_compose_create,
	&cli_compose_down,
	&cli_compose_kill,
	&cli_compose_pause,
	&cli_compose_pull,
	&cli_compose_push,
	&cli_compose_restart,
	&cli_compose_rm,
	&cli_compose_run,
	&cli_compose_scale,
	&cli_compose_start,
	&cli_compose_stop,
	&cli_compose_unpause,
	&cli_compose_up,
	&cli_commit,
	&cli_container_inspect,
	&cli_container_prune,
	&cli_cp,
	&cli_create,
	&cli_diff,
	&cli_doctor,
	&cli_events,
	&cli_export,
	&cli_history,
	&cli_image_inspect,
	&cli_image_prune,
	&cli_import,
	&cli_inspect,
	&cli_kernel_build,
	&cli_kernel_ls,
	&cli_kernel_pull,
	&cli_kernel_push,
	&cli_kernel_rm,
	&cli_kernel_use,
	&cli_kill,
	&cli_load,
	&cli_logs,
	&cli_machine_create,
	&cli_machine_default,
	&cli_machine_inspect,
	&cli_machine_ls,
	&cli_machine_rm,
	&cli_machine_set,
	&cli_machine_shell,
	&cli_machine_ssh_config,
	&cli_machine_ssh_proxy,
	&cli_machine_start,
	&cli_machine_stop,
	&cli_network_connect,
	&cli_network_create,
	&cli_network_disconnect,
	&cli_network_inspect,
	&cli_network_ls,
	&cli_network_prune,
	&cli_network_rm,
	&cli_pause,
	&cli_port,
	&cli_rename,
	&cli_restart,
	&cli_rm,
	&cli_rmi,
	&cli_save,
	&cli_start,
	&cli_stats,
	&cli_stop,
	&cli_system_df,
	&cli_system_install_service,
	&cli_system_prune,
	&cli_system_start,
	&cli_system_stop,
	&cli_system_uninstall_service,
	&cli_tag,
	&cli_top,
	&cli_unpause,
	&cli_update,
	&cli_volume_create,
	&cli_volume_inspect,
	&cli_volume_ls,
	&cli_volume_prune,
	&cli_volume_rm,
	&cli_wait,
};

static const struct cli_group groups[] = {
	{"compose", "Define and run multi-container applications", &cli_compose_group, &cli_compose_given},
	{"container", "Manage containers"},
	{"image", "Manage images"},
	{"kernel", "Manage the kernels that machines boot"},
	{"machine", "Manage Linux machines to live in"},
	{"network", "Manage networks"},
	{"system", "Manage what mvm keeps"},
	{"volume", "Manage volumes"},
};

static const struct cli_option global_options[] = {
	{"config", 0, CLI_STRING, offsetof(struct cli_globals, config), "FOLDER",
	 "Where docker's config.json with credentials is (default ~/.docker)", .complete = cli_complete_files},
	{"debug", 'D', CLI_FLAG, offsetof(struct cli_globals, debug), NULL, "Say all that goes on inside"},
	{"log-level", 'l', CLI_STRING, offsetof(struct cli_globals, log_level), "LEVEL",
	 "What to say of it: error (the default), warn, info or debug", CLI_WORDS("debug", "error", "info", "warn")},
	{"version", 'v', CLI_FLAG, offsetof(struct cli_globals, version), NULL, "Print the version and quit"},
	CLI_OPTIONS_END,
};

const struct cli_command cli_root = {
	.name = "",
	.usage = "[OPTIONS] COMMAND",
	.summary = "Containers, each in a small virtual machine of its own",
	.options = global_options,
	.max_args = SIZE_MAX,
	.options_first = true,
	.complete = cli_complete_commands,
	.values_size = sizeof(struct cli_globals),
};

/* "image ls" is the words "image" and "ls". */
static bool is_called(const char *name, const char *first, const char *second)
{
	size_t length = strlen(first);

	if (strncmp(name, first, length) != 0)
		return false;
	if (!second)
		return !name[length] && !strchr(name, ' ');
	return name[length] == ' ' && !strcmp(name + length + 1, second);
}

/* What follows the group in a command's name; NULL where the name is not of the group. */
static const char *within(const char *name, const char *group)
{
	size_t length = strlen(group);

	return !strncmp(name, group, length) && name[length] == ' ' ? name + length + 1 : NULL;
}

/* The n-th name of a command; NULL after the last. One that has a single name need not say it twice. */
static const char *name_of(const struct cli_command *command, size_t n)
{
	if (!command->names[0])
		return n ? NULL : command->name;
	return n < CLI_NAMES ? command->names[n] : NULL;
}

static const struct cli_command *find_command(const char *first, const char *second, const char **name)
{
	for (size_t i = 0; i < MVM_COUNT(commands); i++)
		for (size_t n = 0; name_of(commands[i], n); n++) {
			if (!is_called(name_of(commands[i], n), first, second))
				continue;
			*name = name_of(commands[i], n);
			return commands[i];
		}
	return NULL;
}

const struct cli_group *cli_find_group(const char *name)
{
	for (size_t i = 0; i < MVM_COUNT(groups); i++)
		if (!strcmp(groups[i].name, name))
			return &groups[i];
	return NULL;
}

const struct cli_command *cli_command_at(size_t index)
{
	return index < MVM_COUNT(commands) ? commands[index] : NULL;
}

static bool is_flag(const char *word)
{
	return word[0] == '-';
}

int cli_find(char *const *words, struct cli_found *found)
{
	*found = (struct cli_found){.group = cli_find_group(words[0]), .words = 1};
	if (!found->group) {
		found->command = find_command(words[0], NULL, &found->name);
		return found->command ? 0 : -1;
	}
	if (!words[1] || is_flag(words[1]))
		return 0;
	found->words = 2;
	found->command = find_command(words[0], words[1], &found->name);
	return found->command ? 0 : -1;
}

const char *cli_nearest(const char *group, const char *typed)
{
	struct cli_guess guess = {.typed = typed};

	for (size_t i = 0; i < MVM_COUNT(commands); i++)
		for (size_t n = 0; name_of(commands[i], n); n++) {
			const char *name = name_of(commands[i], n);

			if (group)
				name = within(name, group);
			else if (strchr(name, ' '))
				name = NULL;
			if (name)
				cli_consider(&guess, name);
		}
	for (size_t i = 0; !group && i < MVM_COUNT(groups); i++)
		cli_consider(&guess, groups[i].name);
	return guess.nearest;
}

/* The first of a command's names that is of the group. */
static const char *name_within(const struct cli_command *command, const char *group)
{
	for (size_t n = 0; name_of(command, n); n++)
		if (within(name_of(command, n), group))
			return within(name_of(command, n), group);
	return NULL;
}

void cli_offer_commands(struct cli_completion *completion, const char *group)
{
	for (size_t i = 0; i < MVM_COUNT(commands); i++) {
		const char *name = group			    ? name_within(commands[i], group)
				   : strchr(commands[i]->name, ' ') ? NULL
								    : commands[i]->name;

		if (name)
			cli_offer(completion, name, commands[i]->summary);
	}
	for (size_t i = 0; !group && i < MVM_COUNT(groups); i++)
		cli_offer(completion, groups[i].name, groups[i].summary);
	if (!group)
		cli_offer(completion, "help", "Show what there is, or how a command is used");
}

/* Docker's column of names, or as wide as the longest one. */
static int name_width(const char *group)
{
	int width = 11;

	for (size_t i = 0; i < MVM_COUNT(commands); i++) {
		const char *name = group ? name_within(commands[i], group) : commands[i]->name;

		if (name && (group || !strchr(name, ' ')) && (int)strlen(name) > width)
			width = (int)strlen(name);
	}
	return width;
}

static void print_section(FILE *out, const char *title, bool common)
{
	fprintf(out, "\n%s:\n", title);
	for (size_t i = 0; i < MVM_COUNT(commands); i++)
		if (commands[i]->common == common && !strchr(commands[i]->name, ' '))
			fprintf(out, "  %-*s %s\n", name_width(NULL), commands[i]->name, commands[i]->summary);
}

void cli_print_overview(FILE *out)
{
	fprintf(out, "Usage:  mvm %s\n\n%s\n", cli_root.usage, cli_root.summary);
	print_section(out, "Common Commands", true);
	fputs("\nManagement Commands:\n", out);
	for (size_t i = 0; i < MVM_COUNT(groups); i++)
		fprintf(out, "  %-*s %s\n", name_width(NULL), groups[i].name, groups[i].summary);
	print_section(out, "Commands", false);
	fputs("\nGlobal Options:\n", out);
	cli_print_options(&cli_root, out);
	fputs("\nRun 'mvm COMMAND --help' for more information on a command.\n", out);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void cli_print_group(const struct cli_group *group, FILE *out)
{
	struct mvm_strv lines MVM_CLEAN_STRV = {0};
	int width = name_width(group->name);

	for (size_t i = 0; i < MVM_COUNT(commands); i++) {
		const char *name = name_within(commands[i], group->name);

		if (name)
			mvm_strv_addf(&lines, "  %-*s %s", width, name, commands[i]->summary);
	}
	if (lines.count)
		qsort(lines.items, lines.count, sizeof(*lines.items), by_text);
	fprintf(out, "Usage:  mvm %s %s\n\n%s\n", group->name, group->options ? group->options->usage : "COMMAND",
		group->summary);
	if (group->options) {
		fputs("\nOptions:\n", out);
		cli_print_options(group->options, out);
	}
	fputs("\nCommands:\n", out);
	for (size_t i = 0; i < lines.count; i++)
		fprintf(out, "%s\n", lines.items[i]);
	fprintf(out, "\nRun 'mvm %s COMMAND --help' for more information on a command.\n", group->name);
}
