/* The only program in the test containers. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_term(int signal) { _exit(42); }

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "wait";

	if (!strcmp(verb, "exit"))
		return atoi(argv[2]);
	if (!strcmp(verb, "die"))
		raise(atoi(argv[2]));
	if (!strcmp(verb, "env"))
		return puts(getenv(argv[2])) < 0;
	if (!strcmp(verb, "cat")) { /* descriptor n to stdout */
		char buffer[4096];
		ssize_t n;
		while ((n = read(atoi(argv[2]), buffer, sizeof buffer)) > 0)
			write(1, buffer, n);
		return 0;
	}
	if (!strcmp(verb, "eat")) /* memory, until somebody minds */
		for (;;)
			memset(malloc(1 << 20), 1, 1 << 20);
	if (!strcmp(verb, "tty"))
		return puts(isatty(1) ? "terminal" : "no terminal") < 0;

	signal(SIGTERM, on_term);
	puts("waiting");
	fflush(stdout);
	for (;;)
		pause();
}
