/* A metrics plugin under test: answers MetricsCollector on its socket, and passes the node's metrics
   on to whoever asks its TCP port of 127.0.0.1, as long as it is started.

   PORT    the TCP port, from the environment

   Each connection is served one after the other, and closed. What it is told, it prints. */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OWN_SOCKET "/run/docker/plugins/metrics.sock"
#define NODE_SOCKET "/run/docker/metrics.sock"

static int is_started;

static void fail(const char *what)
{
    perror(what);
    exit(70);
}

static void on_term(int number)
{
    (void)number;
    _exit(0);
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, path, sizeof address->sun_path - 1);
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address;
    int fd = unix_socket(path, &address);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8))
        fail(path);
    return fd;
}

static int listen_tcp(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8))
        fail("PORT");
    return fd;
}

static void say(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        left -= sent;
    }
}

static void answer(int fd, const char *status, const char *body)
{
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n",
             status, strlen(body));
    say(fd, head);
    say(fd, body);
}

/* Reads the head of a request into line, cut; bodies of these calls are empty. */
static int read_head(int fd, char *line, size_t size)
{
    size_t held = 0;
    while (held < size - 1) {
        ssize_t got = recv(fd, line + held, size - 1 - held, 0);
        if (got <= 0)
            return 0;
        held += got;
        line[held] = 0;
        if (strstr(line, "\r\n\r\n"))
            return 1;
    }
    return 0;
}

static void serve_engine(int fd)
{
    char head[4096];
    if (!read_head(fd, head, sizeof head))
        return;
    if (!strncmp(head, "POST /Plugin.Activate ", 22))
        return answer(fd, "200 OK", "{\"Implements\":[\"MetricsCollector\"]}");
    if (!strncmp(head, "POST /MetricsCollector.StartMetrics ", 36)) {
        is_started = 1;
        puts("started");
        return answer(fd, "200 OK", "{}");
    }
    if (!strncmp(head, "POST /MetricsCollector.StopMetrics ", 35)) {
        is_started = 0;
        puts("stopped");
        return answer(fd, "200 OK", "{}");
    }
    answer(fd, "404 Not Found", "{\"Err\":\"no such method\"}");
}

static void serve_metrics(int fd)
{
    char head[4096], piece[4096];
    struct sockaddr_un address;
    ssize_t got;
    int node;
    if (!read_head(fd, head, sizeof head))
        return;
    if (!is_started)
        return answer(fd, "503 Service Unavailable", "not started");
    node = unix_socket(NODE_SOCKET, &address);
    if (connect(node, (struct sockaddr *)&address, sizeof address)) {
        answer(fd, "502 Bad Gateway", "the node's socket does not answer");
    } else {
        say(node, "GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        while ((got = recv(node, piece, sizeof piece - 1, 0)) > 0) {
            piece[got] = 0;
            say(fd, piece);
        }
    }
    close(node);
}

int main(void)
{
    const char *port = getenv("PORT");
    struct pollfd both[2];
    if (!port)
        fail("PORT is not set");
    signal(SIGTERM, on_term);
    setvbuf(stdout, NULL, _IOLBF, 0);
    both[1].fd = listen_tcp(atoi(port));
    both[0].fd = listen_unix(OWN_SOCKET);
    both[0].events = both[1].events = POLLIN;
    for (;;) {
        if (poll(both, 2, -1) < 0)
            fail("poll");
        for (int i = 0; i < 2; i++) {
            if (!(both[i].revents & POLLIN))
                continue;
            int fd = accept4(both[i].fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            if (i == 0)
                serve_engine(fd);
            else
                serve_metrics(fd);
            close(fd);
        }
    }
}
