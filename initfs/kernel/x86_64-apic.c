
/*
 * Appended to arch/x86/kernel/apic/apic.c by mvm's build: lapic_timer_khz=N names the rate of the local APIC's timer.
 * Finding it out takes 100 ms, and under emulation it is a constant of QEMU's.
 */
static int __init apic_set_timer_khz(char *arg)
{
	unsigned int khz;

	if (!arg || kstrtouint(arg, 0, &khz) || khz < HZ)
		return -EINVAL;
	lapic_timer_period = mul_u64_u32_div(khz, 1000, HZ);
	return 0;
}
early_param("lapic_timer_khz", apic_set_timer_khz);
