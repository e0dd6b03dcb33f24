/*
 * A Mac that nobody touches falls asleep, and its machines stand still with it. While somebody is attached to a
 * container it does not by itself; lid, menu and an empty battery have their way all the same. Only macOS needs it: on
 * Linux it is the desktop's business, as with docker.
 */
#ifndef MVM_CLI_AWAKE_H
#define MVM_CLI_AWAKE_H

#ifdef __APPLE__
void cli_stay_awake(void);
/* At the latest the end of this process does that. */
void cli_may_sleep(void);
#else
static inline void cli_stay_awake(void)
{
}
static inline void cli_may_sleep(void)
{
}
#endif

#endif
