/*
 * The guest agent in one machine: `test_agent INITRAMFS`. The host's side is harness.h's; the image is Debian's
 * static busybox with a few files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

enum { MIB = 1 << 20, DATA_SIZE = 8 * MIB, ROUNDS = 12 };

static struct harness harness;
static char data[DATA_SIZE]; /* also /data in the guest */

static char *const usual_env[] = {(char *)"PATH=/bin:/usr/bin", (char *)"TERM=xterm", NULL};

/* What one process is started with. */
struct start {
	const char *argv[8];
	char *const *env;
	const char *cwd, *user;
	bool tty, init, no_stdin, no_output;
	uint32_t id, join;
	const struct mvm_proto_rlimit *rlimits;
	size_t rlimit_count;
};

static uint32_t port(unsigned stream)
{
	return harness.first_port + stream;
}

static uint32_t send_start(const struct start *start)
{
	const struct mvm_proto_process process = {
		.id = start->id ? start->id : 1,
		.join = start->join,
		.argv = (char **)(uintptr_t)start->argv,
		.env = start->env ? start->env : usual_env,
		.cwd = start->cwd,
		.user = start->user,
		.tty = start->tty,
		.init = start->init,
		.rows = 31,
		.cols = 97,
		.stdin_port = start->no_stdin ? 0 : port(STREAM_IN),
		.stdout_port = start->no_output ? 0 : port(STREAM_OUT),
		.stderr_port = start->no_output || start->tty ? 0 : port(STREAM_ERR),
		.rlimits = start->rlimits,
		.rlimit_count = start->rlimit_count,
	};

	harness.streams[STREAM_OUT].wanted = !start->no_output;
	harness.streams[STREAM_ERR].wanted = !start->no_output && !start->tty;
	return harness_send_process(&harness, &process);
}

static void begin(const struct start *start)
{
	assert_true(harness_wait_reply(&harness, send_start(start)));
	if (harness.reply.type == MVM_PROTO_ERROR)
		print_message("refused: %s\n", harness.message);
	assert_int_equal(harness.reply.type, MVM_PROTO_STARTED);
	assert_true(harness.reply.pid > 1);
}

static void run(const struct start *start)
{
	harness_reset(&harness);
	begin(start);
	assert_true(harness_wait_end(&harness));
}

static const char *text_of(unsigned stream)
{
	const char *text = harness.streams[stream].output.data;

	return text ? text : "";
}

/* A shell line that succeeds and says nothing else. */
static void assert_shell(const char *line, const char *output)
{
	run(&(struct start){.argv = {"sh", "-c", line}});
	assert_string_equal(text_of(STREAM_ERR), "");
	assert_string_equal(text_of(STREAM_OUT), output);
	assert_int_equal(harness.exit.signal, 0);
	assert_int_equal(harness.exit.status, 0);
}

static void assert_shell_as(const char *user, const char *line, const char *output)
{
	run(&(struct start){.argv = {"sh", "-c", line}, .user = user});
	assert_string_equal(text_of(STREAM_ERR), "");
	assert_string_equal(text_of(STREAM_OUT), output);
}

static void assert_refused(const struct start *start, enum mvm_proto_code code, const char *message)
{
	harness_reset(&harness);
	assert_true(harness_wait_reply(&harness, send_start(start)));
	assert_int_equal(harness.reply.type, MVM_PROTO_ERROR);
	assert_string_equal(harness.message, message);
	assert_int_equal(harness.reply.code, code);
	assert_false(harness.exited);
}

/* --- before the machine has its orders --- */

static void test_needs_machine_first(void **state)
{
	assert_refused(&(struct start){.argv = {"true"}}, MVM_PROTO_BAD_STATE, "the machine has no root yet");
}

static void test_unknown_message(void **state)
{
	struct mvm_wire_writer writer;
	uint8_t frame[64];
	size_t length;

	mvm_wire_begin(&writer, frame, sizeof(frame), 999, ++harness.last_request);
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	harness.replied = false;
	harness_send_raw(&harness, frame, length);
	assert_true(harness_wait_reply(&harness, harness.last_request));
	assert_int_equal(harness.reply.type, MVM_PROTO_ERROR);
	assert_int_equal(harness.reply.code, MVM_PROTO_UNSUPPORTED);
}

static void test_malformed_message(void **state)
{
	struct mvm_wire_writer writer;
	uint8_t frame[64];
	size_t length;

	mvm_wire_begin(&writer, frame, sizeof(frame), MVM_PROTO_PROCESS_START, ++harness.last_request);
	mvm_wire_put_text(&writer, MVM_FIELD_PROCESS, "abc");
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	harness.replied = false;
	harness_send_raw(&harness, frame, length);
	assert_true(harness_wait_reply(&harness, harness.last_request));
	assert_int_equal(harness.reply.code, MVM_PROTO_MALFORMED);
}

static void test_wrong_root_device(void **state)
{
	const struct mvm_proto_machine machine = {.root_device = "/dev/vdz", .root_type = "ext4"};

	assert_true(harness_wait_reply(&harness, harness_send_machine(&harness, &machine)));
	assert_int_equal(harness.reply.type, MVM_PROTO_ERROR);
	assert_int_equal(harness.reply.code, MVM_PROTO_MOUNT);
	assert_string_equal(harness.message, "cannot mount the root disk /dev/vdz as ext4: no such file or directory");
}

static void test_machine(void **state)
{
	static char *const hosts[] = {(char *)"192.168.127.2\tbox", NULL};
	static char *const sysctls[] = {(char *)"net.ipv4.ip_forward=1", (char *)"kernel.shmmax=12345678", NULL};
	struct timespec now;
	struct mvm_proto_machine machine = {
		.hostname = "box",
		.root_device = "/dev/vda",
		.root_type = "ext4",
		.limits.memory_max = 64 * MIB,
		.limits.cpu_quota = 150000,
		.limits.pids_max = 200,
		.hosts = hosts,
		.resolv_conf = "nameserver 192.168.127.1\n",
		.sysctls = sysctls,
	};

	clock_gettime(CLOCK_REALTIME, &now);
	machine.clock = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	assert_true(harness_wait_reply(&harness, harness_send_machine(&harness, &machine)));
	if (harness.reply.type == MVM_PROTO_ERROR)
		print_message("refused: %s\n", harness.message);
	assert_int_equal(harness.reply.type, MVM_PROTO_OK);
	print_message("hello %.1f ms, machine ready %.1f ms after the kernel's start\n",
		      (double)harness.hello.uptime / 1e6, (double)harness.reply.uptime / 1e6);
}

static void test_machine_only_once(void **state)
{
	const struct mvm_proto_machine machine = {.root_device = "/dev/vda", .root_type = "ext4"};

	assert_true(harness_wait_reply(&harness, harness_send_machine(&harness, &machine)));
	assert_int_equal(harness.reply.code, MVM_PROTO_BAD_STATE);
}

/* --- how processes end --- */

static void test_exit_codes(void **state)
{
	run(&(struct start){.argv = {"true"}});
	assert_int_equal(harness.exit.status, 0);
	run(&(struct start){.argv = {"sh", "-c", "exit 42"}});
	assert_int_equal(harness.exit.status, 42);
	assert_int_equal(harness.exit.id, 1);
	assert_false(harness.exit.oom);
}

static void test_signal_ends(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_IN].keep_open = true;
	begin(&(struct start){.argv = {"cat"}});
	assert_true(harness_wait_reply(&harness, harness_send_signal(&harness, 1, SIGKILL)));
	assert_int_equal(harness.reply.type, MVM_PROTO_OK);
	assert_true(harness_wait_end(&harness));
	assert_int_equal(harness.exit.signal, SIGKILL);
	/* Now there is nobody to signal. */
	assert_true(harness_wait_reply(&harness, harness_send_signal(&harness, 1, SIGTERM)));
	assert_int_equal(harness.reply.code, MVM_PROTO_NO_PROCESS);
}

static void test_signal_reaches_handler(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_IN].keep_open = true;
	begin(&(struct start){
		.argv = {"sh", "-c", "trap 'echo caught; exit 3' TERM; echo ready; while :; do :; done"}});
	assert_true(harness_wait_output(&harness, "ready\n"));
	harness_send_signal(&harness, 1, SIGTERM);
	assert_true(harness_wait_end(&harness));
	assert_string_equal(text_of(STREAM_OUT), "ready\ncaught\n");
	assert_int_equal(harness.exit.status, 3);
}

static void test_init_reaps_and_forwards(void **state)
{
	/* The program is PID 2, its orphan falls to PID 1, and a signal that PID 1 gets goes to the program. */
	harness_reset(&harness);
	harness.streams[STREAM_IN].keep_open = true;
	begin(&(struct start){.argv = {"sh", "-c",
				       "trap 'echo caught; exit 7' USR1; (sh -c 'true' & ); echo $$; cat /proc/1/comm; "
				       "while :; do :; done"},
			      .init = true});
	assert_true(harness_wait_output(&harness, "2\nmvm-init\n"));
	harness_send_signal(&harness, 1, SIGUSR1);
	assert_true(harness_wait_end(&harness));
	assert_string_equal(text_of(STREAM_OUT), "2\nmvm-init\ncaught\n");
	assert_int_equal(harness.exit.status, 7);
	run(&(struct start){.argv = {"sh", "-c", "kill -9 $$"}, .init = true});
	assert_int_equal(harness.exit.status, 137);
	assert_refused(&(struct start){.argv = {"nosuch"}, .init = true}, MVM_PROTO_NO_PROGRAM,
		       "exec: \"nosuch\": executable file not found in $PATH");
}

static void test_background_dies_with_main(void **state)
{
	/* Its stdout would stay open for a thousand seconds. */
	run(&(struct start){.argv = {"sh", "-c", "sleep 1000 & echo started"}});
	assert_string_equal(text_of(STREAM_OUT), "started\n");
}

static void test_oom(void **state)
{
	run(&(struct start){.argv = {"sh", "-c", "exec tail /dev/zero"}});
	assert_int_equal(harness.exit.signal, SIGKILL);
	assert_true(harness.exit.oom);
	run(&(struct start){.argv = {"true"}});
	assert_false(harness.exit.oom);
}

/* --- programs that do not run --- */

static void test_missing_programs(void **state)
{
	assert_refused(&(struct start){.argv = {"nosuch"}}, MVM_PROTO_NO_PROGRAM,
		       "exec: \"nosuch\": executable file not found in $PATH");
	assert_refused(&(struct start){.argv = {"/no/such"}}, MVM_PROTO_NO_PROGRAM,
		       "exec: \"/no/such\": stat /no/such: no such file or directory");
	assert_refused(&(struct start){.argv = {""}}, MVM_PROTO_NO_PROGRAM,
		       "exec: \"\": executable file not found in $PATH");
	assert_refused(&(struct start){.argv = {"/bad/interpreter"}}, MVM_PROTO_NO_PROGRAM,
		       "exec /bad/interpreter: no such file or directory");
}

static void test_unrunnable_programs(void **state)
{
	assert_refused(&(struct start){.argv = {"/etc/passwd"}}, MVM_PROTO_CANNOT_RUN,
		       "exec: \"/etc/passwd\": permission denied");
	assert_refused(&(struct start){.argv = {"/etc"}}, MVM_PROTO_CANNOT_RUN, "exec: \"/etc\": is a directory");
	assert_refused(&(struct start){.argv = {"/bad/format"}}, MVM_PROTO_CANNOT_RUN,
		       "exec /bad/format: exec format error");
	assert_refused(&(struct start){.argv = {"/bad/private"}, .user = "user"}, MVM_PROTO_CANNOT_RUN,
		       "exec: \"/bad/private\": permission denied");
}

static void test_unknown_users(void **state)
{
	assert_refused(&(struct start){.argv = {"true"}, .user = "ghost"}, MVM_PROTO_NO_USER,
		       "unable to find user ghost: no matching entries in passwd file");
	assert_refused(&(struct start){.argv = {"true"}, .user = "user:ghosts"}, MVM_PROTO_NO_GROUP,
		       "unable to find group ghosts: no matching entries in group file");
}

static void test_bad_cwd(void **state)
{
	assert_refused(&(struct start){.argv = {"true"}, .cwd = "/etc/passwd"}, MVM_PROTO_BAD_CWD,
		       "cannot enter the working folder /etc/passwd: not a directory");
	assert_refused(&(struct start){.argv = {"true"}, .cwd = "relative"}, MVM_PROTO_BAD_CWD,
		       "the working folder relative is not an absolute path");
}

static void test_bad_rlimit(void **state)
{
	const struct mvm_proto_rlimit limit = {MVM_RLIMIT_NOFILE, 20, 10};

	assert_refused(&(struct start){.argv = {"true"}, .rlimits = &limit, .rlimit_count = 1}, MVM_PROTO_RESOURCE,
		       "cannot set resource limit 7 to 20:10: invalid argument");
}

/* --- what a process finds --- */

static void test_namespaces(void **state)
{
	assert_shell("echo $$; hostname; ls /proc | grep -c '^[0-9]'", "1\nbox\n3\n");
	assert_shell("cat /proc/self/cgroup; cat /proc/self/oom_score_adj; umask", "0::/\n0\n0022\n");
}

static void test_mounts(void **state)
{
	/* What is read-only or hidden has mounts of its own, in folders that stand here. */
	assert_shell("cut -d' ' -f2-3 /proc/mounts | grep -v '^/proc/.\\|^/sys/firmware' | sort",
		     "/ ext4\n/dev tmpfs\n/dev/mqueue mqueue\n/dev/pts devpts\n/dev/shm tmpfs\n/etc/hostname tmpfs\n"
		     "/etc/hosts tmpfs\n/proc proc\n/run/somewhere/resolv.conf tmpfs\n/sys sysfs\n"
		     "/sys/fs/cgroup cgroup2\n");
	assert_shell("df -m /dev/shm | tail -n1 | awk '{print $2}'", "64\n");
	assert_shell("touch /sys/x 2>&1; touch /sys/fs/cgroup/x 2>&1; true",
		     "touch: /sys/x: Read-only file system\ntouch: /sys/fs/cgroup/x: Read-only file system\n");
}

static void test_devices(void **state)
{
	assert_shell("ls /dev", "core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\n"
				"urandom\nzero\n");
	assert_shell("stat -c '%a %t %T' /dev/null /dev/full; stat -c %a /dev/shm /dev/mqueue",
		     "666 1 3\n666 1 7\n1777\n1777\n");
	assert_shell("head -c 5 /dev/zero | wc -c; echo x >/dev/null; head -c 3 /dev/urandom | wc -c", "5\n3\n");
	/* No descriptor but the three, and the one that lists them. */
	assert_shell("ls /proc/self/fd | wc -l", "4\n");
}

static void test_etc_files(void **state)
{
	assert_shell("cat /etc/hostname /etc/resolv.conf; head -n1 /etc/hosts; tail -n1 /etc/hosts",
		     "box\nnameserver 192.168.127.1\n127.0.0.1\tlocalhost\n192.168.127.2\tbox\n");
	/* The image's link had nowhere to lead. */
	assert_shell("readlink /etc/resolv.conf; ls /run/somewhere", "../run/somewhere/resolv.conf\nresolv.conf\n");
}

static void test_sysctls(void **state)
{
	assert_shell("cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range "
		     "net/ipv4/ip_forward kernel/shmmax",
		     "0\n0\t2147483647\n1\n12345678\n");
	assert_shell("ip addr show lo | grep -c 'inet 127.0.0.1'", "1\n");
}

static void test_limits(void **state)
{
	const struct mvm_proto_rlimit limits[] = {{MVM_RLIMIT_NOFILE, 1048576, 1048576},
						  {MVM_RLIMIT_CORE, 0, UINT64_MAX}};

	assert_shell("cd /sys/fs/cgroup; cat memory.max cpu.max pids.max", "67108864\n150000 100000\n200\n");
	assert_shell("ulimit -u; ulimit -c", "unlimited\nunlimited\n");
	run(&(struct start){.argv = {"sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hc"},
			    .rlimits = limits,
			    .rlimit_count = 2});
	assert_string_equal(text_of(STREAM_OUT), "1048576\n1048576\n0\nunlimited\n");
}

static void test_clock(void **state)
{
	struct timespec now;
	long long guest;

	run(&(struct start){.argv = {"date", "+%s"}});
	clock_gettime(CLOCK_REALTIME, &now);
	guest = atoll(text_of(STREAM_OUT));
	assert_in_range(now.tv_sec - guest + 5, 0, 10);
}

static void test_disk_was_grown(void **state)
{
	/* Made with 96 MiB on a device of 160. */
	assert_shell("[ $(df -m / | tail -n1 | awk '{print $2}') -gt 120 ] && echo grown", "grown\n");
}

/* --- users --- */

static void test_users(void **state)
{
	assert_shell_as("", "id -u; id -g; id -G; echo $HOME", "0\n0\n0\n/root\n");
	assert_shell_as("user", "id -u; id -g; id -G; echo $HOME", "1000\n1000\n1000 4 29\n/home/user\n");
	assert_shell_as("1000", "id -u; id -g; id -G; echo $HOME", "1000\n1000\n1000 4 29\n/home/user\n");
	assert_shell_as("user:staff", "id -g; id -G", "50\n50\n");
	assert_shell_as("4711:4712", "id -u; id -g; id -G; echo $HOME", "4711\n4712\n4712\n/\n");
	assert_shell_as("4711", "id -u; id -g", "4711\n0\n");
}

static void test_home_from_env_stays(void **state)
{
	static char *const env[] = {(char *)"PATH=/bin", (char *)"HOME=/elsewhere", NULL};

	run(&(struct start){.argv = {"sh", "-c", "echo $HOME; env | wc -l"}, .env = env});
	/* PWD and SHLVL are the shell's. */
	assert_string_equal(text_of(STREAM_OUT), "/elsewhere\n4\n");
}

static void test_user_reopens_streams(void **state)
{
	run(&(struct start){.argv = {"sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr; cat /dev/stdin"},
			    .user = "user"});
	assert_string_equal(text_of(STREAM_OUT), "out\n");
	assert_string_equal(text_of(STREAM_ERR), "err\n");
	assert_int_equal(harness.exit.status, 0);
}

static void test_cwd(void **state)
{
	run(&(struct start){.argv = {"sh", "-c", "pwd; stat -c '%u:%g %a' ."}, .cwd = "/new/work", .user = "user"});
	assert_string_equal(text_of(STREAM_OUT), "/new/work\n0:0 755\n");
	run(&(struct start){.argv = {"pwd"}});
	assert_string_equal(text_of(STREAM_OUT), "/\n");
	/* A program is found from there. */
	run(&(struct start){.argv = {"./sh", "-c", "echo here"}, .cwd = "/bin"});
	assert_string_equal(text_of(STREAM_OUT), "here\n");
}

/* --- entering a running container --- */

static bool second_exited(const struct harness *h)
{
	return h->exited && h->exit.id == 2 && h->streams[STREAM_OUT].ended && h->streams[STREAM_ERR].ended;
}

static void join_many(void)
{
	uint64_t start = mvm_now_ns();

	for (int i = 0; i < 10; i++) {
		harness_reset(&harness);
		begin(&(struct start){.argv = {"true"}, .id = 2, .join = 1});
		assert_true(harness_wait(&harness, second_exited));
		assert_int_equal(harness.exit.status, 0);
	}
	print_message("a process in a running container, with three streams: %.1f ms\n",
		      (double)(mvm_now_ns() - start) / 1e7);
}

static void test_join(void **state)
{
	harness_reset(&harness);
	begin(&(struct start){.argv = {"sh", "-c", "hostname inside; sleep 1000; true"},
			      .id = 1,
			      .no_stdin = true,
			      .no_output = true});
	/* Its own streams take the ports, as the first has none. */
	begin(&(struct start){.argv = {"sh", "-c",
				       "while [ $(hostname) != inside ]; do :; done; echo $$ $PPID; cat "
				       "/proc/1/comm; grep -c ext4 /proc/mounts; cat /proc/self/cgroup"},
			      .id = 2,
			      .join = 1});
	assert_true(harness_wait(&harness, second_exited));
	assert_non_null(strstr(text_of(STREAM_OUT), " 0\nsh\n1\n0::/\n"));
	assert_int_equal(harness.exit.status, 0);
	join_many();
	harness.exited = false;
	harness_send_signal(&harness, 1, SIGKILL);
	assert_true(harness_wait_end(&harness));
	assert_int_equal(harness.exit.id, 1);
	assert_refused(&(struct start){.argv = {"true"}, .id = 2, .join = 1}, MVM_PROTO_NO_PROCESS,
		       "there is no process 1 whose container could be entered");
}

/* --- terminal --- */

static void test_terminal(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_IN].keep_open = true;
	begin(&(struct start){.argv = {"sh", "-c",
				       "tty; stty size; trap 'stty size; resized=1' WINCH; echo $TERM; test -c "
				       "/dev/console && echo console; "
				       "until [ $resized ]; do :; done; read line; echo \"got $line\""},
			      .tty = true});
	assert_true(harness_wait_output(&harness, "/dev/pts/0\r\n31 97\r\nxterm\r\nconsole\r\n"));
	assert_true(harness_wait_reply(&harness, harness_send_resize(&harness, 1, 40, 132)));
	assert_int_equal(harness.reply.type, MVM_PROTO_OK);
	assert_true(harness_wait_output(&harness, "40 132\r\n"));
	harness_type(&harness, "hello\n");
	assert_true(harness_wait_output(&harness, "got hello\r\n"));
	assert_true(harness_wait_end(&harness));
	assert_int_equal(harness.exit.status, 0);
}

static void test_terminal_interrupts(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_IN].keep_open = true;
	begin(&(struct start){
		.argv = {"sh", "-c", "trap 'echo interrupted; exit 5' INT; echo ready; while :; do :; done"},
		.tty = true,
		.user = "user"});
	assert_true(harness_wait_output(&harness, "ready\r\n"));
	harness_type(&harness, "\003");
	assert_true(harness_wait_end(&harness));
	assert_non_null(strstr(text_of(STREAM_OUT), "interrupted\r\n"));
	assert_int_equal(harness.exit.status, 5);
}

static void test_terminal_drains(void **state)
{
	harness_reset(&harness);
	run(&(struct start){.argv = {"sh", "-c", "seq 20000"}, .tty = true, .no_stdin = true});
	assert_non_null(strstr(text_of(STREAM_OUT), "\r\n19999\r\n20000\r\n"));
	/* Every line's length, each with CR and LF. */
	assert_int_equal(harness.streams[STREAM_OUT].output.length, 9 * 3 + 90 * 4 + 900 * 5 + 9000 * 6 + 10001 * 7);
}

/* --- floods --- */

static double seconds(void)
{
	return (double)mvm_now_ns() / 1e9;
}

static void test_both_outputs_at_once(void **state)
{
	static const char line[] = "(i=0; while [ $i -lt 12 ]; do cat /data; i=$((i+1)); done) & "
				   "i=0; while [ $i -lt 12 ]; do cat /data >&2; i=$((i+1)); done; wait";
	double start;

	harness_reset(&harness);
	for (unsigned i = STREAM_OUT; i <= STREAM_ERR; i++) {
		harness.streams[i].expected = data;
		harness.streams[i].expected_length = sizeof(data);
	}
	start = seconds();
	begin(&(struct start){.argv = {"sh", "-c", line}});
	assert_true(harness_wait_end(&harness));
	for (unsigned i = STREAM_OUT; i <= STREAM_ERR; i++) {
		assert_false(harness.streams[i].differs);
		assert_int_equal(harness.streams[i].received, (uint64_t)ROUNDS * sizeof(data));
	}
	print_message("two outputs at once: %.0f MB/s\n", 2 * ROUNDS * sizeof(data) / (seconds() - start) / 1e6);
}

static void through_cat(bool close)
{
	harness_reset(&harness);
	harness.streams[STREAM_IN].input = data;
	harness.streams[STREAM_IN].input_length = sizeof(data);
	harness.streams[STREAM_IN].close = close;
	harness.streams[STREAM_OUT].expected = data;
	harness.streams[STREAM_OUT].expected_length = sizeof(data);
	begin(&(struct start){.argv = {"cat"}});
	assert_true(harness_wait_end(&harness));
	assert_false(harness.streams[STREAM_OUT].differs);
	assert_int_equal(harness.streams[STREAM_OUT].received, sizeof(data));
	assert_int_equal(harness.exit.status, 0);
}

static void test_input_through_cat(void **state)
{
	double start = seconds();

	through_cat(false);
	print_message("input through cat: %.0f MB/s\n", sizeof(data) / (seconds() - start) / 1e6);
}

/* What was sent before the host closed its end still arrives. */
static void test_closed_input_through_cat(void **state)
{
	for (int i = 0; i < 5; i++)
		through_cat(true);
}

static bool input_ended(const struct harness *h)
{
	return h->streams[STREAM_IN].ended;
}

static void test_closed_stdin_breaks_the_input(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_IN].input = data;
	harness.streams[STREAM_IN].input_length = sizeof(data);
	begin(&(struct start){.argv = {"sh", "-c", "exec <&-; exec sleep 1000"}});
	/* Most of it is never taken, and we are told so while the process lives on. */
	assert_true(harness_wait(&harness, input_ended));
	assert_true(harness.streams[STREAM_IN].input_sent < sizeof(data));
	assert_false(harness.exited);
	harness_send_signal(&harness, 1, SIGKILL);
	assert_true(harness_wait_end(&harness));
}

static bool output_connected(const struct harness *h)
{
	return h->streams[STREAM_OUT].fd >= 0;
}

static void test_closed_output_breaks_the_pipe(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_OUT].stalled = true;
	begin(&(struct start){.argv = {"sh", "-c", "yes; echo ended >&2"}});
	assert_true(harness_wait(&harness, output_connected));
	mvm_watch_remove(harness.streams[STREAM_OUT].watch);
	harness.streams[STREAM_OUT].watch = NULL;
	mvm_close(&harness.streams[STREAM_OUT].fd);
	assert_true(harness_wait_end(&harness));
	assert_string_equal(text_of(STREAM_ERR), "ended\n");
}

static void test_stalled_stream_stalls_nothing_else(void **state)
{
	harness_reset(&harness);
	harness.streams[STREAM_OUT].stalled = true;
	harness.streams[STREAM_IN].keep_open = true;
	begin(&(struct start){
		.argv = {"sh", "-c", "head -c 65536 /data; tail -c +65537 /data & read x; echo $x >&2; kill -9 $!"}});
	harness_type(&harness, "still here\n");
	assert_true(harness_wait_end(&harness));
	assert_string_equal(text_of(STREAM_ERR), "still here\n");
	assert_int_equal(harness.exit.status, 0);
	/* What was written before the end is still delivered, and a pipe takes 64 KiB though nobody reads. */
	harness.streams[STREAM_OUT].stalled = false;
	harness.streams[STREAM_OUT].expected = data;
	harness.streams[STREAM_OUT].expected_length = sizeof(data);
	mvm_watch_set(harness.streams[STREAM_OUT].watch, POLLIN);
	assert_true(harness_wait_end(&harness));
	assert_false(harness.streams[STREAM_OUT].differs);
	assert_true(harness.streams[STREAM_OUT].received >= 64 * 1024);
}

static void test_many_in_a_row(void **state)
{
	double start = seconds();

	for (int i = 0; i < 20; i++) {
		char number[16], expected[24];

		snprintf(number, sizeof(number), "%d", i);
		snprintf(expected, sizeof(expected), "%d\n", i);
		run(&(struct start){.argv = {"echo", number}});
		assert_string_equal(text_of(STREAM_OUT), expected);
	}
	print_message("a container, its process and three streams: %.1f ms each\n", (seconds() - start) * 1000 / 20);
}

/* --- the end --- */

static void test_shutdown_leaves_clean_disk(void **state)
{
	char *command MVM_CLEAN_FREE = mvm_format("PATH=$PATH:/sbin:/usr/sbin e2fsck -fn '%s' >&2", harness.disk);
	double start;

	/* Something is still running, with a file that is open and deleted. */
	harness_reset(&harness);
	begin(&(struct start){
		.argv = {"sh", "-c",
			 "exec 3>/gone; rm /gone; echo x >&3; echo kept >/kept; echo ready; exec sleep 1000"}});
	assert_true(harness_wait_output(&harness, "ready\n"));
	start = seconds();
	assert_true(harness_wait_reply(&harness, harness_send_shutdown(&harness)));
	print_message("shutdown: %.1f ms\n", (seconds() - start) * 1000);
	if (harness.reply.type == MVM_PROTO_ERROR)
		print_message("refused: %s\n", harness.message);
	assert_int_equal(harness.reply.type, MVM_PROTO_OK);
	assert_true(harness.exited);
	harness_unplug(&harness);
	assert_int_equal(system(command), 0);
}

/* --- a second machine: read-only, and the host goes away --- */

static char *initramfs;
static char *root;

static void test_read_only_root(void **state)
{
	const struct mvm_proto_machine machine = {
		.hostname = "ro", .root_device = "/dev/vda", .root_type = "ext4", .read_only = true, .shm_size = MIB};

	harness_finish(&harness);
	assert_int_equal(harness_start(&harness, initramfs, root), 0);
	harness_send_machine(&harness, &machine);
	/* Without waiting for the reply. */
	run(&(struct start){.argv = {"sh", "-c", "touch /x /etc/hosts /dev/shm/y; cat /etc/hostname; pwd"},
			    .cwd = "/made"});
	assert_string_equal(text_of(STREAM_OUT), "ro\n/made\n");
	assert_string_equal(text_of(STREAM_ERR),
			    "touch: /x: Read-only file system\ntouch: /etc/hosts: Read-only file system\n");
	assert_shell("df -k /dev/shm | tail -n1 | awk '{print $2}'", "1024\n");
}

static bool machine_off(const struct harness *h)
{
	return h->off;
}

static void test_lost_host_powers_off(void **state)
{
	char *command MVM_CLEAN_FREE = mvm_format("PATH=$PATH:/sbin:/usr/sbin e2fsck -fn '%s' >&2", harness.disk);

	harness_reset(&harness);
	begin(&(struct start){.argv = {"sleep", "1000"}, .no_output = true, .no_stdin = true});
	mvm_watch_remove(harness.control_watch);
	harness.control_watch = NULL;
	mvm_close(&harness.control);
	assert_true(harness_wait(&harness, machine_off));
	assert_int_equal(system(command), 0);
}

/* --- the image --- */

static int make_data(const char *folder)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/data", folder);
	uint64_t number = 88172645463325252u;

	for (size_t i = 0; i < sizeof(data); i += sizeof(number)) {
		number ^= number << 13;
		number ^= number >> 7;
		number ^= number << 17;
		memcpy(data + i, &number, sizeof(number));
	}
	return mvm_replace_file(path, data, sizeof(data), 0644, NULL);
}

static int make_root(const char *folder)
{
	char *command MVM_CLEAN_FREE = mvm_format(
		"set -e; cd '%s'; mkdir -p bin etc home/user bad root tmp; chmod 755 .; cp /bin/busybox bin/\n"
		"for a in $(bin/busybox --list); do [ $a = busybox ] || ln -sf busybox bin/$a; done\n"
		"echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd\n"
		"echo 'user:x:1000:1000:A user:/home/user:/bin/sh' >>etc/passwd\n"
		"printf 'root:x:0:\\nadm:x:4:user\\naudio:x:29:other,user\\nstaff:x:50:\\nuser:x:1000:\\n' >etc/group\n"
		"ln -s ../run/somewhere/resolv.conf etc/resolv.conf\n"
		"printf '#!/no/interpreter\\n' >bad/interpreter; printf 'ABCD' >bad/format; cp bad/interpreter "
		"bad/private\n"
		"chmod 755 bad/interpreter bad/format; chmod 700 bad/private; chmod 644 etc/passwd etc/group\n",
		folder);

	return system(command) || make_data(folder);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs_machine_first),
		cmocka_unit_test(test_unknown_message),
		cmocka_unit_test(test_malformed_message),
		cmocka_unit_test(test_wrong_root_device),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_machine_only_once),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_signal_ends),
		cmocka_unit_test(test_signal_reaches_handler),
		cmocka_unit_test(test_init_reaps_and_forwards),
		cmocka_unit_test(test_background_dies_with_main),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_missing_programs),
		cmocka_unit_test(test_unrunnable_programs),
		cmocka_unit_test(test_unknown_users),
		cmocka_unit_test(test_bad_cwd),
		cmocka_unit_test(test_bad_rlimit),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_etc_files),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_disk_was_grown),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_home_from_env_stays),
		cmocka_unit_test(test_user_reopens_streams),
		cmocka_unit_test(test_cwd),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_terminal_interrupts),
		cmocka_unit_test(test_terminal_drains),
		cmocka_unit_test(test_both_outputs_at_once),
		cmocka_unit_test(test_input_through_cat),
		cmocka_unit_test(test_closed_input_through_cat),
		cmocka_unit_test(test_closed_stdin_breaks_the_input),
		cmocka_unit_test(test_closed_output_breaks_the_pipe),
		cmocka_unit_test(test_stalled_stream_stalls_nothing_else),
		cmocka_unit_test(test_many_in_a_row),
		cmocka_unit_test(test_shutdown_leaves_clean_disk),
		cmocka_unit_test(test_read_only_root),
		cmocka_unit_test(test_lost_host_powers_off),
	};
	char template[] = "/tmp/mvm-agent-root.XXXXXX";
	int rc;

	if (argc != 2 || !mkdtemp(template)) {
		fprintf(stderr, "usage: test_agent INITRAMFS\n");
		return 2;
	}
	initramfs = argv[1];
	root = template;
	if (access("/bin/busybox", X_OK) || make_root(root)) {
		fprintf(stderr, "skipped: no busybox to make an image of\n");
		mvm_remove_tree(root, NULL);
		return 77;
	}
	rc = harness_start(&harness, initramfs, root);
	if (rc == 0)
		rc = cmocka_run_group_tests(tests, NULL, NULL);
	if (rc == 1 || getenv("AGENT_TEST_LOG"))
		harness_print_log(&harness, stderr);
	harness_finish(&harness);
	mvm_remove_tree(root, NULL);
	return rc;
}
