/*
 * `mvm kernel build`: runs initfs/build-kernel.sh, here or in a container, and takes in what comes of it.
 *
 * In a container it is `mvm run` of this very program: the scripts are one share, and a folder for the kernel another.
 */
#include "kernel_flags.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/paths.h"
#include "runtime/base/spawn.h"

#define DEFAULT_IMAGE "debian:bookworm"
#define SCRIPT	      "initfs/build-kernel.sh"

/* How often to look whether a signal came just before the wait, in milliseconds. */
enum { LOOK_INTERVAL = 500, PATH_TEXT_MAX = 2 * PATH_MAX };

#ifdef __linux__
#define ONLY_IN_VM false
#else
#define ONLY_IN_VM true
#endif

struct values {
	const char *arch, *image, *initramfs, *source, *tag;
	bool in_vm, quiet;
};

#define AT(member) offsetof(struct values, member)

static const struct cli_option options[] = {
	{"arch", 0, CLI_STRING, AT(arch), "ARCH", "What machines it is for: amd64 or arm64 (default: the host's)",
	 CLI_ARCHITECTURES},
	{"image", 0, CLI_STRING, AT(image), "IMAGE", "With --in-vm: what to build in (default " DEFAULT_IMAGE ")",
	 .complete = cli_complete_images},
	{"in-vm", 0, CLI_FLAG, AT(in_vm), NULL, "Build in a container, as macOS always does"},
	{"initramfs", 0, CLI_STRING, AT(initramfs), "FILE", "The initramfs that goes with it (default: mvm's own)",
	 .complete = cli_complete_files},
	{"quiet", 'q', CLI_FLAG, AT(quiet), NULL, "Print the ID only"},
	{"source", 0, CLI_STRING, AT(source), "FILE",
	 "A tar ball of Linux, 6.1 or newer (default: Debian's linux-source)", .complete = cli_complete_files},
	{"tag", 't', CLI_STRING, AT(tag), "NAME[:TAG]", "The kernel's name", .complete = cli_complete_kernels},
	CLI_OPTIONS_END,
};

struct build {
	struct mvm_engine *engine;
	const struct values *values;
	enum mvm_arch arch;
	char *initramfs, *script, *source;
	char *folder;	 /* shared with the container */
	char *container; /* its name */
	char *kernel;	 /* what came of it */
	const volatile sig_atomic_t *interrupted;
};

static void build_finish(struct build *build)
{
	if (build->folder)
		mvm_remove_tree(build->folder, NULL);
	free(build->initramfs);
	free(build->script);
	free(build->source);
	free(build->folder);
	free(build->container);
	free(build->kernel);
}

/* A script catches the signal and cleans up; of a container it may be nobody's, so that goes as a whole. */
static void stop(const struct build *build, pid_t pid)
{
	if (build->container)
		mvm_engine_remove(build->engine, build->container, true, true, NULL);
	else
		kill(pid, SIGTERM);
}

/* All that it says on stdout, to its end. */
static void read_answer(const struct build *build, pid_t pid, int fd, struct mvm_buf *answer)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	bool stopped = false;
	char data[1024];
	ssize_t n = 1;

	while (n > 0) {
		if (*build->interrupted && !stopped) {
			stop(build, pid);
			stopped = true;
		}
		if (poll(&wait, 1, LOOK_INTERVAL) <= 0)
			continue;
		n = read(fd, data, sizeof(data));
		if (n > 0 && answer->length + (size_t)n < PATH_TEXT_MAX)
			mvm_buf_add(answer, data, (size_t)n);
		if (n < 0 && errno == EINTR)
			n = 1;
	}
}

static int spawn(const struct build *build, const struct mvm_strv *argv, struct mvm_buf *answer, int *status,
		 struct mvm_error **err)
{
	int ends[2];
	pid_t pid;

	if (mvm_pipe(ends) < 0)
		return mvm_fail_errno(err, errno, "pipe");
	const struct mvm_spawn_fd fds[] = {{.from = ends[1], .to = STDOUT_FILENO},
					   {.from = STDERR_FILENO, .to = STDERR_FILENO}};
	const struct mvm_spawn how = {.program = argv->items[0],
				      .argv = argv->items,
				      .fds = fds,
				      .fd_count = build->values->quiet ? 1 : MVM_COUNT(fds)};
	int result = mvm_spawn(&how, &pid, err);

	mvm_close(&ends[1]);
	if (result == 0) {
		read_answer(build, pid, ends[0], answer);
		while (waitpid(pid, status, 0) < 0 && errno == EINTR)
			;
	}
	mvm_close(&ends[0]);
	return result;
}

static int run_build(const struct build *build, const struct mvm_strv *argv, struct mvm_buf *answer,
		     struct mvm_error **err)
{
	int status = 0;

	if (spawn(build, argv, answer, &status, err) < 0)
		return -1;
	if (*build->interrupted)
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	if (status == 0)
		return 0;
	if (build->container)
		mvm_engine_remove(build->engine, build->container, true, true, NULL);
	return mvm_fail(err, MVM_ERR_INVALID, "cannot build a kernel for %s: %s", mvm_arch_name(build->arch),
			build->values->quiet ? "without --quiet it says why" : "the reason stands above");
}

/* As Linux calls it. */
static const char *linux_name(enum mvm_arch arch)
{
	return arch == MVM_ARCH_AMD64 ? "x86_64" : "arm64";
}

static int build_here(struct build *build, struct mvm_error **err)
{
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	struct mvm_buf answer MVM_CLEAN_BUF = {0};

	if (build->source)
		setenv("MVM_KERNEL_SOURCE", build->source, 1);
	mvm_strv_add(&argv, "bash");
	mvm_strv_add(&argv, build->script);
	mvm_strv_add(&argv, linux_name(build->arch));
	if (run_build(build, &argv, &answer, err) < 0)
		return -1;
	build->kernel = mvm_strndup(answer.data ? answer.data : "", answer.length);
	build->kernel[strcspn(build->kernel, "\n")] = '\0';
	return 0;
}

static void list_shares(const struct build *build, struct mvm_strv *argv)
{
	char *scripts MVM_CLEAN_FREE =
		mvm_strndup(build->script, (size_t)(strrchr(build->script, '/') - build->script));
	const char *source = build->source ? build->source : getenv("MVM_KERNEL_SOURCE");

	mvm_strv_addf(argv, "--mount=type=bind,source=%s,target=/mvm/initfs,readonly", scripts);
	mvm_strv_addf(argv, "--mount=type=bind,source=%s,target=/mvm/output", build->folder);
	if (source && *source) {
		mvm_strv_addf(argv, "--mount=type=bind,source=%s,target=/mvm/source,readonly", source);
		mvm_strv_add(argv, "--env=MVM_KERNEL_SOURCE=/mvm/source");
	}
}

static int build_in_vm(struct build *build, struct mvm_error **err)
{
	const char *base = getenv("TMPDIR"), *image = build->values->image ? build->values->image : DEFAULT_IMAGE;
	char *program MVM_CLEAN_FREE = NULL;
	struct mvm_strv argv MVM_CLEAN_STRV = {0};
	struct mvm_buf answer MVM_CLEAN_BUF = {0};

	if (mvm_own_file("mvm", &program, err) < 0)
		return -1;
	build->folder = mvm_format("%s/mvm-kernel-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(build->folder)) {
		int errnum = errno;

		free(build->folder);
		build->folder = NULL;
		return mvm_fail_errno(err, errnum, "cannot make a folder in %s", base && *base ? base : "/tmp");
	}
	build->container = mvm_format("mvm-kernel-build-%ld", (long)getpid());
	mvm_strv_add(&argv, program);
	mvm_strv_add(&argv, "run");
	mvm_strv_add(&argv, "--rm");
	mvm_strv_addf(&argv, "--name=%s", build->container);
	mvm_strv_addf(&argv, "--platform=linux/%s", mvm_arch_name(MVM_ARCH_OWN));
	mvm_strv_add(&argv, "--memory=2g");
	mvm_strv_add(&argv, "--user=0");
	mvm_strv_add(&argv, "--workdir=/");
	mvm_strv_add(&argv, "--entrypoint=sh");
	list_shares(build, &argv);
	mvm_strv_add(&argv, image);
	mvm_strv_add(&argv, "/mvm/initfs/build-in-vm.sh");
	mvm_strv_add(&argv, linux_name(build->arch));
	mvm_strv_add(&argv, "/mvm/output/kernel");
	build->kernel = mvm_format("%s/kernel", build->folder);
	return run_build(build, &argv, &answer, err);
}

static int absolute(const char *given, char **path, struct mvm_error **err)
{
	if (!given)
		return 0;
	*path = realpath(given, NULL);
	return *path ? 0 : mvm_fail_errno(err, errno, "cannot read %s", given);
}

/* What would be missing in the end is missed before the minutes that a build takes. */
static int prepare(struct build *build, struct mvm_error **err)
{
	const struct values *values = build->values;
	const char *home = mvm_state_home(mvm_engine_state(build->engine));
	char *script MVM_CLEAN_FREE = NULL;

	if (absolute(values->source, &build->source, err) < 0 || mvm_own_file(SCRIPT, &script, err) < 0 ||
	    absolute(script, &build->script, err) < 0)
		return -1;
	if (values->initramfs)
		return absolute(values->initramfs, &build->initramfs, err);
	return mvm_engine_boot_file(home, build->arch, MVM_BOOT_INITRAMFS, &build->initramfs, err);
}

static void report(const struct mvm_kernel *kernel, const struct mvm_reference *name, bool quiet)
{
	char *familiar MVM_CLEAN_FREE = name ? mvm_reference_familiar(name) : NULL;

	if (quiet) {
		puts(kernel->manifest.digest.text);
		return;
	}
	printf("Successfully built %.12s\n", mvm_digest_hex(&kernel->manifest.digest));
	if (familiar)
		printf("Successfully tagged %s\n", familiar);
	fflush(stdout);
}

static int build_and_take(struct build *build, const struct mvm_reference *name, struct mvm_error **err)
{
	struct mvm_kernel *kernel MVM_CLEAN_KERNEL = NULL;
	struct mvm_kernel_source source;
	bool in_vm = build->values->in_vm || ONLY_IN_VM;

	if (prepare(build, err) < 0 || (in_vm ? build_in_vm : build_here)(build, err) < 0)
		return -1;
	source = (struct mvm_kernel_source){.kernel = build->kernel, .initramfs = build->initramfs};
	if (mvm_engine_add_kernel(build->engine, &source, name, &kernel, err) < 0)
		return -1;
	report(kernel, name, build->values->quiet);
	return cli_adopt_kernel(build->engine, kernel, build->values->quiet, err);
}

static int run(const void *given, char **args, struct mvm_error **err)
{
	struct build build __attribute__((cleanup(build_finish))) = {.values = given, .arch = MVM_ARCH_OWN};
	const struct values *values = given;
	struct mvm_reference name MVM_CLEAN_REFERENCE = {0};
	struct cli_interrupt before;
	int result;

	if (values->image && !values->in_vm && !ONLY_IN_VM)
		return mvm_fail(err, MVM_ERR_USAGE, "--image needs --in-vm: the build runs on the host");
	if ((values->arch && cli_parse_arch("--arch", values->arch, &build.arch, err) < 0) ||
	    (values->tag && mvm_reference_parse(values->tag, &name, err) < 0))
		return -1;
	if (values->tag && !name.tag)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for --tag: a digest is no tag",
				values->tag);
	if (mvm_engine_open(&build.engine, err) < 0)
		return -1;
	build.interrupted = cli_interrupt_begin(&before);
	result = build_and_take(&build, values->tag ? &name : NULL, err);
	cli_interrupt_end(&before);
	mvm_engine_close(build.engine);
	return result;
}

const struct cli_command cli_kernel_build = {
	.name = "kernel build",
	.usage = "[OPTIONS]",
	.summary = "Build a kernel",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
