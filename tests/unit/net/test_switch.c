/* The switch: real socket pairs and a real loop; the test is the guests' machines and the uplink. */
#include "net/switch.h"
#include "frames.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "runtime/base/loop.h"

static const struct mvm_gateway gateway = {.mac = {0x52, 0x55, 192, 168, 127, 1}, .mac6 = {0x52, 0x56, 0, 0, 0, 1}};

struct world {
	struct mvm_loop *loop;
	struct mvm_switch *sw;
	struct mvm_port *ports[2];
	int machines[2];
	struct frame up; /* the last that went to the uplink */
	int up_count;
	bool drop_sender;
};

static void uplink(void *arg, struct mvm_port *from, uint8_t *frame, size_t length)
{
	struct world *world = arg;

	world->up_count++;
	world->up.length = length;
	memcpy(world->up.data, frame, length < sizeof(world->up.data) ? length : sizeof(world->up.data));
	if (world->drop_sender)
		mvm_port_remove(from);
}

static void stop(void *arg)
{
	mvm_loop_stop(arg);
}

/* Until all that is on its way has arrived. */
static void turn(struct world *world)
{
	struct mvm_timer *timer = mvm_loop_timer(world->loop, stop, world->loop);
	struct mvm_error *err = NULL;

	mvm_timer_start(timer, 1);
	assert_ok(mvm_loop_run(world->loop, &err));
	mvm_timer_remove(timer);
}

static void begin(struct world *world)
{
	const uint8_t *macs[] = {own_mac, other_mac};

	*world = (struct world){.loop = mvm_loop_create()};
	world->sw = mvm_switch_create(world->loop, &gateway, uplink, world);
	for (int i = 0; i < 2; i++) {
		struct mvm_identity identity = {.ip = OWN_IP + (unsigned)i};
		int ends[2];

		memcpy(identity.mac, macs[i], 6);
		assert_int_equal(mvm_socketpair(SOCK_DGRAM, ends), 0);
		world->machines[i] = ends[0];
		world->ports[i] = mvm_switch_add(world->sw, &identity, ends[1], NULL);
	}
}

static void end(struct world *world)
{
	mvm_switch_destroy(world->sw);
	mvm_loop_destroy(world->loop);
	close(world->machines[0]);
	close(world->machines[1]);
}

static void send_from(struct world *world, int machine, const uint8_t to[6], const uint8_t from[6], uint32_t ip)
{
	struct frame frame;

	frame_begin(&frame, to, from, TYPE_IPV4);
	frame_ipv4(&frame, ip, 0x08080808, PROTOCOL_UDP, 100);
	assert_int_equal(send(world->machines[machine], frame.data, frame.length, 0), frame.length);
}

static ssize_t arrived(struct world *world, int machine)
{
	uint8_t data[4096];

	return recv(world->machines[machine], data, sizeof(data), MSG_DONTWAIT);
}

static void frames_go_where_they_are_for(void **state)
{
	struct world world;

	begin(&world);
	send_from(&world, 0, other_mac, own_mac, OWN_IP);
	turn(&world);
	assert_int_equal(arrived(&world, 1), MVM_FRAME_HEADER + IPV4_HEADER + 100);
	assert_int_equal(world.up_count, 0);
	send_from(&world, 0, gateway.mac, own_mac, OWN_IP);
	send_from(&world, 0, gateway.mac6, own_mac, OWN_IP);
	turn(&world);
	assert_int_equal(world.up_count, 2);
	assert_int_equal(arrived(&world, 1), -1);
	send_from(&world, 0, everybody, own_mac, OWN_IP);
	turn(&world);
	assert_int_equal(world.up_count, 3);
	assert_int_equal(arrived(&world, 1), MVM_FRAME_HEADER + IPV4_HEADER + 100);
	assert_int_equal(arrived(&world, 0), -1);
	/* Nobody has that address. */
	send_from(&world, 0, (const uint8_t[6]){2, 0, 0, 0, 0, 1}, own_mac, OWN_IP);
	turn(&world);
	assert_int_equal(world.up_count, 3);
	end(&world);
}

static void what_is_not_its_own_is_counted_and_dropped(void **state)
{
	struct world world;
	const struct mvm_port_counters *counters;

	begin(&world);
	counters = mvm_port_counters(world.ports[0]);
	send_from(&world, 0, gateway.mac, other_mac, OWN_IP);
	send_from(&world, 0, gateway.mac, own_mac, OTHER_IP);
	assert_int_equal(send(world.machines[0], "x", 1, 0), 1);
	turn(&world);
	assert_int_equal(world.up_count, 0);
	assert_int_equal(counters->frames_in, 0);
	assert_int_equal(counters->refused[MVM_FRAME_FOREIGN_MAC], 1);
	assert_int_equal(counters->refused[MVM_FRAME_FOREIGN_ADDRESS], 1);
	assert_int_equal(counters->refused[MVM_FRAME_MALFORMED], 1);
	end(&world);
}

static void the_uplink_reaches_guests_by_address(void **state)
{
	struct world world;
	struct frame frame;

	begin(&world);
	frame_begin(&frame, other_mac, gateway.mac, TYPE_IPV4);
	frame_ipv4(&frame, 0x08080808, OTHER_IP, PROTOCOL_UDP, 10);
	mvm_switch_deliver(world.sw, frame.data, frame.length);
	assert_int_equal(arrived(&world, 0), -1);
	assert_int_equal(arrived(&world, 1), frame.length);
	memcpy(frame.data, everybody, 6);
	mvm_switch_deliver(world.sw, frame.data, frame.length);
	assert_int_equal(arrived(&world, 0), frame.length);
	assert_int_equal(arrived(&world, 1), frame.length);
	assert_int_equal(world.up_count, 0);
	end(&world);
}

/* Who does not take frames gets late what waits, and loses the rest; others are not held up. */
static void a_guest_that_sleeps_has_a_queue(void **state)
{
	struct world world;
	static uint8_t large[MVM_FRAME_HEADER + 60000];
	const struct mvm_port_counters *counters;
	uint64_t taken = 0;

	begin(&world);
	counters = mvm_port_counters(world.ports[1]);
	memcpy(large, other_mac, 6);
	for (int i = 0; i < 200; i++)
		mvm_switch_deliver(world.sw, large, sizeof(large));
	assert_true(counters->lost > 0);
	assert_true(mvm_switch_congested_until(world.sw, mvm_now_ns()));
	send_from(&world, 1, gateway.mac, other_mac, OTHER_IP);
	memcpy(large, own_mac, 6);
	mvm_switch_deliver(world.sw, large, sizeof(large));
	assert_int_equal(recv(world.machines[0], large, sizeof(large), MSG_DONTWAIT), sizeof(large));
	while (taken + counters->lost < 200) {
		if (recv(world.machines[1], large, sizeof(large), MSG_DONTWAIT) > 0)
			taken++;
		else
			turn(&world);
	}
	assert_false(mvm_switch_congested_until(world.sw, mvm_now_ns()));
	assert_int_equal(counters->frames_out, taken);
	end(&world);
}

/* Or one paused machine would hold up all others' ways out. */
static void nobody_waits_for_who_takes_nothing(void **state)
{
	struct world world;
	static uint8_t large[MVM_FRAME_HEADER + 60000];
	uint64_t until, later;

	begin(&world);
	memcpy(large, other_mac, 6);
	for (int i = 0; i < 200; i++)
		mvm_switch_deliver(world.sw, large, sizeof(large));
	until = mvm_switch_congested_until(world.sw, mvm_now_ns());
	assert_int_not_equal(until, 0);
	mvm_switch_deliver(world.sw, large, sizeof(large));
	assert_int_equal(mvm_switch_congested_until(world.sw, until - 1), until);
	assert_int_equal(mvm_switch_congested_until(world.sw, until), 0);
	/* When it goes on it is waited for again. */
	while (recv(world.machines[1], large, sizeof(large), MSG_DONTWAIT) > 0)
		;
	turn(&world);
	later = mvm_switch_congested_until(world.sw, until - 1);
	assert_true(later > until);
	end(&world);
}

static void a_port_may_go_while_its_frame_is_handled(void **state)
{
	struct world world;

	begin(&world);
	world.drop_sender = true;
	send_from(&world, 0, gateway.mac, own_mac, OWN_IP);
	send_from(&world, 0, gateway.mac, own_mac, OWN_IP);
	turn(&world);
	assert_int_equal(world.up_count, 1);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_where_they_are_for),
		cmocka_unit_test(what_is_not_its_own_is_counted_and_dropped),
		cmocka_unit_test(the_uplink_reaches_guests_by_address),
		cmocka_unit_test(a_guest_that_sleeps_has_a_queue),
		cmocka_unit_test(nobody_waits_for_who_takes_nothing),
		cmocka_unit_test(a_port_may_go_while_its_frame_is_handled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
