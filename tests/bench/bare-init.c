/* The whole userspace of the bare machine that the start bench compares with: power off at once. */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
