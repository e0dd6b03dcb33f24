#include "thread.h"

#include <signal.h>
#include <time.h>

#include "error.h"

int mvm_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg, struct mvm_error **err)
{
	sigset_t all, old;
	int errnum;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errnum = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errnum)
		return mvm_fail_errno(err, errnum, "cannot start a thread (%s)", name);
#ifdef __linux__
	pthread_setname_np(*thread, name);
#endif
	return 0;
}

uint64_t mvm_thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}
