/* quota-volume: a Docker volume plugin whose volumes are tmpfs mounts with a size quota. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "record.h"
#include "server.h"
#include "size.h"
#include "volume.h"

static const char usage[] =
	"usage: quota-volume [--root DIR] [--socket PATH]\n"
	"  --root DIR      where volumes are mounted (/var/lib/quota-volume)\n"
	"  --socket PATH   where the engine is answered (/run/docker/plugins/quota.sock)\n"
	"environment:\n"
	"  DEFAULT_SIZE    size of a volume that asks for none (64m)\n"
	"  MAX_SIZE        largest size a volume may ask for (1g)\n";

struct arguments {
	const char *root;
	const char *socket;
};

static _Noreturn void die(const char *what, const char *about, const char *why)
{
	fprintf(stderr, "%s %s: %s\n", what, about, why);
	exit(1);
}

static struct arguments read_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct arguments arguments = {"/var/lib/quota-volume", "/run/docker/plugins/quota.sock"};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			arguments.root = optarg;
		else if (option == 's')
			arguments.socket = optarg;
		else {
			fputs(usage, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	return arguments;
}

static uint64_t size_from_environment(const char *variable, const char *fallback)
{
	const char *text = getenv(variable);
	uint64_t size;

	if (!text || !*text)
		text = fallback;
	if (!size_parse(text, &size) || !size)
		die(variable, text, "not a size; set bytes, or a number with k, m, g or t");
	return size;
}

static void open_volumes(struct volumes *all, const char *root)
{
	struct buf why = {0};

	all->default_size = size_from_environment("DEFAULT_SIZE", "64m");
	all->max_size = size_from_environment("MAX_SIZE", "1g");
	if (all->default_size > all->max_size)
		die("DEFAULT_SIZE", "is above MAX_SIZE", "set a smaller default or a larger limit");
	if (strlen(root) >= sizeof all->root)
		die("cannot use root", root, "the path is too long");
	strcpy(all->root, root);
	all->records = record_open_dir(root);
	if (all->records < 0)
		die("cannot open the records below", root, strerror(errno));
	record_lock(all->records);
	if (!volume_adopt(all, &why))
		die("cannot take up the volumes below", root, buf_text(&why));
	record_unlock(all->records);
}

/*
 * Blocked and read from a descriptor: nothing interrupts a change half-way, and process 1 of a
 * container ignores a signal that it has neither a handler for nor blocked.
 */
static int open_signals(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN); /* a log that nobody reads is no reason to end */
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("cannot", "watch signals", strerror(errno));
	return fd;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof address.sun_path)
		die("cannot listen at", path, "the path is too long for a socket");
	strcpy(address.sun_path, path);
	unlink(path); /* left by a process that was killed */
	umask(0177);  /* the engine is root, and nobody else has business here */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, SOMAXCONN))
		die("cannot listen at", path, strerror(errno));
	umask(0022);
	return fd;
}

int main(int argc, char **argv)
{
	struct arguments arguments = read_arguments(argc, argv);
	int signals = open_signals();
	struct volumes all;
	int listener;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a line must not wait for the buffer to fill */
	open_volumes(&all, arguments.root);
	listener = listen_at(arguments.socket);
	printf("listening at %s, volumes below %s\n", arguments.socket, arguments.root);
	server_run(&all, listener, signals);
	unlink(arguments.socket);
	puts("ended by a signal");
	return 0;
}
