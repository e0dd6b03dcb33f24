/* Compiled and run by a translator: threads that share a number, and signals of each kind that a program gets. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;
static volatile sig_atomic_t got;

static void count_signal(int number)
{
	got++;
}

static void *add(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	struct sigaction action;
	struct utsname name;
	pthread_t threads[THREADS];

	memset(&action, 0, sizeof(action));
	action.sa_handler = count_signal;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, add, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	raise(SIGUSR1);
	pthread_kill(pthread_self(), SIGUSR1);
	alarm(1);
	while (got < 3)
		pause();
	uname(&name);
	printf("%s %ld %d\n", name.machine, total, (int)got);
	return 0;
}
