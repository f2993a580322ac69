/* A program to run in a container under test; does what its arguments say, in their order.

   print=N        write lines "line 1" to "line N", each with one write
   print_slow=N   the same, a millisecond apart
   long=N         write one line of N letters
   stderr=TEXT    write TEXT and a newline to stderr
   delay=MS       sleep
   bind=PATH      make a unix socket, listening on it only after the next listen
   listen=PATH    make a unix socket and listen on it; the parent folder exists
   relay=PATH     hand every connection to what is listened on on to the unix socket at PATH, for ever
   link=A:B       make a symlink at A that points to B
   mount=PATH     mount a tmpfs at PATH and put a file "inside" there
   open=PATH      open a file for reading; print "opened PATH" or "not opened PATH"
   show=PATH      print what a file holds
   disk=MAJ:MIN   make a node of a block device and open it; print "disk ERRNO", 0 when it is open
   dial=PATH      connect to a unix socket; print "dialed PATH" or "not dialed PATH"
   pid=NUMBER     print "pid NUMBER" and the errno of killing it with signal 0, and of opening its root
   touch=PATH     make a file
   remove=PATH    unlink a file
   eat=MIB        use memory
   child_eats=MIB  have a child use memory, and go on without it
   call=NAME      make a system call: add_key, bpf, clone3, unshare or x32; print "NAME ERRNO"
   fork           leave a child that sleeps for ever
   leave          leave a child that sleeps for ever and has closed its streams
   cat            copy standard input to standard output up to its end
   tty            print whether standard input is a terminal, and its size
   env=NAME       print a variable of the environment
   who            print the user, the group and the working directory
   hup=CODE       on SIGHUP, exit with CODE
   int=CODE       on SIGINT, exit with CODE
   term=CODE      on SIGTERM, exit with CODE (as pid 1 it is ignored otherwise)
   exit=CODE      end
   Without an exit, it sleeps for ever at the end, accepting connections. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The headers of musl have none of Linux' own. */
#define PROCESS_KEYRING (-2)

static int term_code;
static int hup_code;
static int int_code;
static int bound = -1;
static int listening = -1;

static void on_term(int number)
{
    (void)number;
    _exit(term_code);
}

static void on_hup(int number)
{
    (void)number;
    _exit(hup_code);
}

static void on_int(int number)
{
    (void)number;
    _exit(int_code);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(70);
}

static void sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
        ;
}

static void print_lines(int count, int pause_ms)
{
    for (int i = 1; i <= count; i++) {
        printf("line %d\n", i);
        fflush(stdout);
        if (pause_ms)
            sleep_ms(pause_ms);
    }
}

static void print_long(int letters)
{
    for (int i = 0; i < letters; i++)
        putchar('a' + i % 26);
    putchar('\n');
    fflush(stdout);
}

static int bind_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail(path);
    return fd;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail(path);
    return fd;
}

static int pass_on(int from, int to)
{
    char bytes[65536];
    ssize_t got = read(from, bytes, sizeof(bytes));
    for (ssize_t done = 0, put; done < got; done += put)
        if ((put = write(to, bytes + done, got - done)) < 0)
            return 0;
    return got > 0;
}

static void relay(const char *path)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int client = accept(listening, NULL, NULL);
        if (client < 0 || fork()) {
            close(client);
            continue;
        }
        int server = connect_to(path);
        struct pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        for (;;) {
            poll(ends, 2, -1);
            if (ends[0].revents && !pass_on(client, server))
                _exit(0);
            if (ends[1].revents && !pass_on(server, client))
                _exit(0);
        }
    }
}

static void make_link(char *pair)
{
    char *colon = strchr(pair, ':');
    *colon = '\0';
    if (symlink(colon + 1, pair) < 0)
        fail(pair);
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0)
        fail(path);
    close(fd);
}

static void mount_at(const char *path)
{
    char inside[512];
    mkdir(path, 0755);
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k") < 0)
        fail(path);
    snprintf(inside, sizeof(inside), "%s/inside", path);
    make_file(inside);
}

static void eat(int mib)
{
    for (int i = 0; i < mib; i++) {
        char *block = malloc(1 << 20);
        if (!block)
            fail("eat");
        memset(block, 1, 1 << 20);
    }
}

static void call(const char *name)
{
    long done = -1;
    errno = 0;
    if (!strcmp(name, "add_key"))
        done = syscall(SYS_add_key, "user", "test", "x", 1, PROCESS_KEYRING);
    else if (!strcmp(name, "bpf"))
        done = syscall(SYS_bpf, -1, NULL, 0);
    else if (!strcmp(name, "clone3"))
        done = syscall(SYS_clone3, NULL, 0);
    else if (!strcmp(name, "unshare"))
        done = syscall(SYS_unshare, CLONE_NEWUSER);
    else if (!strcmp(name, "x32"))
        done = syscall(0x40000000 | SYS_getpid);
    printf("%s %d\n", name, done < 0 ? errno : 0);
    fflush(stdout);
}

static void show(const char *path)
{
    char block[4096];
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, block, sizeof(block));
    if (got < 0)
        fail(path);
    printf("%s holds %.*s\n", path, (int)got, block);
    fflush(stdout);
    close(fd);
}

static void open_disk(const char *numbers)
{
    int major = atoi(numbers), minor = atoi(strchr(numbers, ':') + 1);
    const char *path = "/disk-of-the-test";
    int fd = -1;
    if (mknod(path, S_IFBLK | 0600, makedev(major, minor)) == 0)
        fd = open(path, O_RDONLY);
    printf("disk %d\n", fd < 0 ? errno : 0);
    fflush(stdout);
}

static void dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int failed = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0;
    printf("%s %s\n", failed ? "not dialed" : "dialed", path);
    fflush(stdout);
    close(fd);
}

static void reach(int pid)
{
    char path[64];
    int killed = kill(pid, 0) < 0 ? errno : 0;
    snprintf(path, sizeof(path), "/proc/%d/root/etc", pid);
    int fd = open(path, O_RDONLY);
    printf("pid %d: %d %d\n", pid, killed, fd < 0 ? errno : 0);
    fflush(stdout);
}

static void cat(void)
{
    char block[65536];
    ssize_t got;
    while ((got = read(0, block, sizeof(block))) > 0)
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(1, block + done, got - done);
            if (put < 0)
                fail("cat");
            done += put;
        }
}

static void tell_tty(void)
{
    struct winsize size = {0};
    if (ioctl(0, TIOCGWINSZ, &size) < 0)
        printf("no terminal\n");
    else
        printf("terminal %d %d\n", size.ws_row, size.ws_col);
    fflush(stdout);
}

static void tell_who(void)
{
    char folder[4096];
    printf("%d %d %s\n", getuid(), getgid(), getcwd(folder, sizeof(folder)));
    fflush(stdout);
}

static void do_one(const char *verb, char *value)
{
    if (!strcmp(verb, "print"))
        print_lines(atoi(value), 0);
    else if (!strcmp(verb, "print_slow"))
        print_lines(atoi(value), 1);
    else if (!strcmp(verb, "long"))
        print_long(atoi(value));
    else if (!strcmp(verb, "stderr"))
        fprintf(stderr, "%s\n", value);
    else if (!strcmp(verb, "delay"))
        sleep_ms(atol(value));
    else if (!strcmp(verb, "bind"))
        bound = bind_at(value);
    else if (!strcmp(verb, "listen")) {
        listening = bound >= 0 ? bound : bind_at(value);
        if (listen(listening, 16) < 0)
            fail(value);
    } else if (!strcmp(verb, "relay"))
        relay(value);
    else if (!strcmp(verb, "link"))
        make_link(value);
    else if (!strcmp(verb, "mount"))
        mount_at(value);
    else if (!strcmp(verb, "open")) {
        int fd = open(value, O_RDONLY);
        printf("%s %s\n", fd < 0 ? "not opened" : "opened", value);
        fflush(stdout);
    } else if (!strcmp(verb, "show"))
        show(value);
    else if (!strcmp(verb, "disk"))
        open_disk(value);
    else if (!strcmp(verb, "dial"))
        dial(value);
    else if (!strcmp(verb, "pid"))
        reach(atoi(value));
    else if (!strcmp(verb, "touch"))
        make_file(value);
    else if (!strcmp(verb, "remove"))
        unlink(value);
    else if (!strcmp(verb, "call"))
        call(value);
    else if (!strcmp(verb, "eat"))
        eat(atoi(value));
    else if (!strcmp(verb, "child_eats")) {
        if (fork() == 0) {
            eat(atoi(value));
            exit(0);
        }
    }
    else if (!strcmp(verb, "fork")) {
        if (fork() == 0)
            for (;;)
                sleep_ms(1000);
    }
    else if (!strcmp(verb, "leave")) {
        if (fork() == 0) {
            for (int fd = 0; fd < 3; fd++)
                close(fd);
            for (;;)
                sleep_ms(1000);
        }
    } else if (!strcmp(verb, "cat"))
        cat();
    else if (!strcmp(verb, "tty"))
        tell_tty();
    else if (!strcmp(verb, "env")) {
        printf("%s\n", getenv(value) ? getenv(value) : "");
        fflush(stdout);
    } else if (!strcmp(verb, "who"))
        tell_who();
    else if (!strcmp(verb, "hup")) {
        hup_code = atoi(value);
        signal(SIGHUP, on_hup);
    } else if (!strcmp(verb, "int")) {
        int_code = atoi(value);
        signal(SIGINT, on_int);
    } else if (!strcmp(verb, "term")) {
        term_code = atoi(value);
        signal(SIGTERM, on_term);
    } else if (!strcmp(verb, "exit"))
        exit(atoi(value));
    else {
        fprintf(stderr, "unknown: %s\n", verb);
        exit(64);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        do_one(argv[i], value ? value : "");
    }
    for (;;) {
        int fd = listening >= 0 ? accept(listening, NULL, NULL) : -1;
        if (fd >= 0)
            close(fd);
        else
            sleep_ms(1000);
    }
}
