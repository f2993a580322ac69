/* The server: connections of one unix socket, served in turn by one thread. */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"
#include "http.h"

enum { CONNECTIONS_MAX = 256, LISTENER = CONNECTIONS_MAX, SIGNALS, POLLED };

struct connection {
	int fd; /* -1 when the place is free */
	uint64_t last_used;
	struct http_parser parser;
	char in[HTTP_HEAD_MAX];
	size_t in_len;
	struct buf out;
	bool closing; /* once out is sent */
};

struct server {
	const struct volumes *all;
	int listener;
	int signals;
	uint64_t clock; /* counts uses, to find the connection unused for longest */
	struct connection *connections;
};

static void close_connection(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	http_reset(&connection->parser);
	buf_free(&connection->out);
}

/* A free place, or that of the connection unused for longest: idle ones cannot lock us out. */
static struct connection *find_place(struct server *server)
{
	struct connection *oldest = server->connections;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		if (connection->fd < 0)
			return connection;
		if (connection->last_used < oldest->last_used)
			oldest = connection;
	}
	close_connection(oldest);
	return oldest;
}

static void accept_one(struct server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *connection;

	if (fd < 0)
		return; /* the caller went away again */
	connection = find_place(server);
	*connection = (struct connection){.fd = fd, .last_used = ++server->clock};
}

static void refuse(struct connection *connection, int status)
{
	struct buf body = {0};

	api_error(&body, "this is not a request the plugin can serve");
	http_respond(&connection->out, status, &body, false);
	buf_free(&body);
	connection->closing = true;
}

static void answer(const struct server *server, struct connection *connection)
{
	const struct http_request *request = &connection->parser.request;
	struct buf body = {0};
	int status = api_answer(server->all, request, &body);

	http_respond(&connection->out, status, &body, request->keep_alive);
	buf_free(&body);
	connection->closing = !request->keep_alive;
	http_reset(&connection->parser);
}

/* Feed the parser what is at hand, up to the end of one request, and answer that. */
static void process(const struct server *server, struct connection *connection)
{
	int refusal;
	size_t used =
		http_feed(&connection->parser, connection->in, connection->in_len, &refusal);

	connection->in_len -= used;
	memmove(connection->in, connection->in + used, connection->in_len);
	if (refusal)
		refuse(connection, refusal);
	else if (connection->parser.state == HTTP_DONE)
		answer(server, connection);
}

static bool again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* False when the connection is over. */
static bool receive(struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->in + connection->in_len,
			   sizeof connection->in - connection->in_len, 0);

	if (got > 0)
		connection->in_len += (size_t)got;
	return got > 0 || (got < 0 && again());
}

/* False when the connection is over. */
static bool transmit(struct connection *connection)
{
	ssize_t put;

	if (connection->out.len) {
		put = send(connection->fd, connection->out.data, connection->out.len, MSG_NOSIGNAL);
		if (put < 0)
			return again();
		buf_drop_front(&connection->out, (size_t)put);
	}
	return connection->out.len || !connection->closing;
}

/*
 * Send and process in turn until one of them has to wait; false when the connection is over.
 * The next request is not looked at before an answer is sent: who does not read gets no more.
 */
static bool advance(const struct server *server, struct connection *connection)
{
	size_t before;

	for (;;) {
		if (!transmit(connection))
			return false;
		if (connection->out.len || !connection->in_len)
			return true;
		before = connection->in_len;
		process(server, connection);
		if (!connection->out.len && connection->in_len == before)
			return true;
	}
}

static void serve(struct server *server, struct connection *connection, short events)
{
	connection->last_used = ++server->clock;
	if ((!(events & POLLOUT) && !receive(connection)) || !advance(server, connection))
		close_connection(connection);
}

static short wanted_events(const struct connection *connection)
{
	return connection->out.len ? POLLOUT : POLLIN;
}

static void fill(const struct server *server, struct pollfd *polled)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *connection = &server->connections[i];

		polled[i].fd = connection->fd;
		polled[i].events = wanted_events(connection);
	}
	polled[LISTENER] = (struct pollfd){.fd = server->listener, .events = POLLIN};
	polled[SIGNALS] = (struct pollfd){.fd = server->signals, .events = POLLIN};
}

/* As process 1 we are the parent of every orphan of the container. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* True when the signal asks to end. */
static bool take_signal(const struct server *server)
{
	struct signalfd_siginfo signal;

	if (read(server->signals, &signal, sizeof signal) != sizeof signal)
		return false;
	if (signal.ssi_signo != SIGCHLD)
		return true;
	reap();
	return false;
}

static void serve_ready(struct server *server, const struct pollfd *polled)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (polled[i].fd >= 0 && polled[i].revents)
			serve(server, &server->connections[i], polled[i].revents);
	if (polled[LISTENER].revents)
		accept_one(server);
}

static void start(struct server *server)
{
	server->connections = must_alloc(NULL, CONNECTIONS_MAX * sizeof *server->connections);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		server->connections[i].fd = -1;
}

static void stop(struct server *server)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (server->connections[i].fd >= 0)
			close_connection(&server->connections[i]);
	free(server->connections);
}

void server_run(const struct volumes *all, int listener, int signals)
{
	struct server server = {.all = all, .listener = listener, .signals = signals};
	struct pollfd polled[POLLED];

	start(&server);
	for (;;) {
		fill(&server, polled);
		if (poll(polled, POLLED, -1) < 0)
			continue; /* interrupted: SIGSTOP and SIGCONT can do that */
		if (polled[SIGNALS].revents && take_signal(&server))
			break;
		serve_ready(&server, polled);
	}
	stop(&server);
}
