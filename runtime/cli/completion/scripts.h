/*
 * The shells' scripts that lie beside this, which the build makes C strings of.
 */
#ifndef MVM_CLI_COMPLETION_SCRIPTS_H
#define MVM_CLI_COMPLETION_SCRIPTS_H

extern const char completion_bash[], completion_fish[], completion_zsh[];

#endif
