/*
 * What a shell may offer where the cursor is. The shells' scripts (completion/) ask `mvm __complete WORD...`, the last
 * word being the one that is typed. The answer is a line a candidate, "word\tdescription", and at last ":N", cobra's
 * sum of what the shell is to do: 2, no blank after the word; 4, no names of files.
 *
 * Commands and options say in their tables what may stand there: words, or one of the functions below. These only
 * look: nothing is pulled, started, made or said, and what cannot be read is not offered.
 */
#ifndef MVM_CLI_COMPLETE_H
#define MVM_CLI_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli_completion;

/* A list for an option's `words`. Of "key=value" the key is offered first. */
#define CLI_WORDS(...)                                                                                                 \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__, NULL                                                                                      \
	}

#define CLI_PLATFORMS                                                                                                  \
	CLI_WORDS("linux/386", "linux/amd64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64",           \
		  "linux/ppc64le", "linux/riscv64", "linux/s390x")
#define CLI_PRUNE_FILTERS CLI_WORDS("label=", "label!=", "until=")

/* Answers for the words after "mvm"; there is at least one, and NULL behind the last. */
void cli_complete(char *const *words, FILE *out);

/* For the functions below: how many arguments stand before, and what is typed of this one or of the value. */
size_t cli_completed_args(const struct cli_completion *completion);
const char *cli_typed(const struct cli_completion *completion);
/* Offers the word where it begins with what is typed; "key=" and "container:" want more, and no blank. Arguments that
 * stand there already are not offered again. The description may be NULL. */
void cli_offer(struct cli_completion *completion, const char *word, const char *description);
/* The same in any case: what is typed may be in lower case. */
void cli_offer_capitals(struct cli_completion *completion, const char *word);
void cli_offer_words(struct cli_completion *completion, const char *const *words);

/* Containers by name; the first argument only, or all. */
void cli_complete_containers(struct cli_completion *completion);
void cli_complete_container(struct cli_completion *completion);
void cli_complete_running(struct cli_completion *completion);	   /* paused ones, too */
void cli_complete_unpaused(struct cli_completion *completion);	   /* running and not paused */
void cli_complete_unpaused_one(struct cli_completion *completion); /* the first argument only */
void cli_complete_paused(struct cli_completion *completion);
void cli_complete_stopped(struct cli_completion *completion); /* never started, or exited */
/* Machines by name: all, or the first argument only. */
void cli_complete_machines(struct cli_completion *completion);
void cli_complete_machine(struct cli_completion *completion);
/* CONTAINER:PATH or a local path. */
void cli_complete_copy(struct cli_completion *completion);

/* Images by name; the first argument only, or all. */
void cli_complete_images(struct cli_completion *completion);
void cli_complete_image(struct cli_completion *completion);
/* Containers and images. */
void cli_complete_objects(struct cli_completion *completion);

/* Kernels by name; also as what `--kernel` takes. */
void cli_complete_kernels(struct cli_completion *completion);
void cli_complete_kernel(struct cli_completion *completion); /* as the first argument only */
void cli_complete_kernel_option(struct cli_completion *completion);

/* Networks by name; the first argument only, or all. */
void cli_complete_networks(struct cli_completion *completion);
void cli_complete_network(struct cli_completion *completion);
void cli_complete_network_and_container(struct cli_completion *completion); /* in this order */

/* Volumes by name; and as what `-v` takes, where it is no path. */
void cli_complete_volumes(struct cli_completion *completion);
void cli_complete_mount(struct cli_completion *completion);

void cli_complete_files(struct cli_completion *completion);
void cli_complete_file(struct cli_completion *completion); /* as the first argument only */
void cli_complete_env(struct cli_completion *completion);  /* names of our variables */
void cli_complete_translators(struct cli_completion *completion);
void cli_complete_signals(struct cli_completion *completion);
void cli_complete_capabilities(struct cli_completion *completion);
void cli_complete_commands(struct cli_completion *completion); /* those of mvm */

#endif
