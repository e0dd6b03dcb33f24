
/*
 * Appended to arch/x86/kernel/apic/apic.c by mvm's build: two rates that the kernel is told instead of measuring them,
 * for which it waits on an emulated timer. lapic_timer_khz=N is the local APIC timer's (100 ms), cpu_khz=N the
 * processor's (20 ms); the time stamp counter's has an option of its own, tsc_early_khz.
 */
#include <asm/x86_init.h>

static unsigned int told_cpu_khz __ro_after_init;

static unsigned long tell_cpu_khz(void)
{
	return told_cpu_khz;
}

static int __init apic_set_timer_khz(char *arg)
{
	unsigned int khz;

	if (!arg || kstrtouint(arg, 0, &khz) || khz < HZ)
		return -EINVAL;
	lapic_timer_period = mul_u64_u32_div(khz, 1000, HZ);
	return 0;
}
early_param("lapic_timer_khz", apic_set_timer_khz);

static int __init apic_set_cpu_khz(char *arg)
{
	if (!arg || kstrtouint(arg, 0, &told_cpu_khz) || !told_cpu_khz)
		return -EINVAL;
	x86_platform.calibrate_cpu = tell_cpu_khz;
	return 0;
}
early_param("cpu_khz", apic_set_cpu_khz);
