/* Runs the real mortoxd, and stands in front of its socket: passes all on unchanged, and judges what
 * mi360d asks (asked.h). Everybody's connection goes through it, as they cannot tell it from mortoxd. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../asked.h"

#define REAL "/mnt/data/bin/mortoxd"
#define FRONT "/tmp/mortox.socket"
#define BEHIND "/tmp/mortox.real"
enum { PAIRS = 64, ROOM = 4096 };

/* 2n is a client's end, 2n + 1 the connection to mortoxd for it. */
static struct pollfd fds[2 * PAIRS + 1];
static struct { int ours, length; unsigned char bytes[ROOM]; } asks[PAIRS];

static int is_ours(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    char link[32], path[256] = "";
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) return 0;
    snprintf(link, sizeof link, "/proc/%d/exe", (int)peer.pid);
    if (readlink(link, path, sizeof path - 1) < 0) return 0;
    return strstr(path, "mi360d") != 0;
}

static int opened(const char *path, int listens) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bad = listens ? bind(fd, (void *)&at, sizeof at) || chmod(path, 0666) || listen(fd, 16)
                      : connect(fd, (void *)&at, sizeof at);
    if (!bad) return fd;
    close(fd);
    return -1;
}

static void end(int pair) {
    for (int i = 2 * pair; i < 2 * pair + 2; i++) {
        if (fds[i].fd >= 0) close(fds[i].fd);
        fds[i] = (struct pollfd){-1, POLLIN, 0};
    }
}

static void welcome(int listener) {
    int client = accept(listener, 0, 0), pair = 0;
    if (client < 0) return;
    while (pair < PAIRS && fds[2 * pair].fd >= 0) pair++;
    int real = pair < PAIRS ? opened(BEHIND, 0) : -1;
    if (real < 0) {
        close(client);
        return;
    }
    struct timeval most = {2, 0};
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    setsockopt(real, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    fds[2 * pair].fd = client;
    fds[2 * pair + 1].fd = real;
    asks[pair].ours = is_ours(client);
    asks[pair].length = 0;
}

static void pass(int from) {
    unsigned char bytes[ROOM];
    int pair = from / 2, room = ROOM;
    if (from % 2 == 0 && asks[pair].ours) room -= asks[pair].length;
    ssize_t length = read(fds[from].fd, bytes, room);
    if (length <= 0 || send(fds[from ^ 1].fd, bytes, length, MSG_NOSIGNAL) != length) {
        end(pair);
        return;
    }
    if (from % 2 || !asks[pair].ours) return;
    memcpy(asks[pair].bytes + asks[pair].length, bytes, length);
    asks[pair].length += length;
    int used = judge_all(asks[pair].bytes, asks[pair].length);
    asks[pair].length -= used;
    memmove(asks[pair].bytes, asks[pair].bytes + used, asks[pair].length);
    if (asks[pair].length == ROOM) note("/tmp/mortox.wrong", 0, "a request without an end");
}

int main(int count, char **words) {
    (void)count;
    char seen[4096];
    unlink(FRONT);
    unlink(BEHIND);
    int watch = inotify_init1(IN_CLOEXEC);
    inotify_add_watch(watch, "/tmp", IN_CREATE | IN_MOVED_TO);
    pid_t real = fork();
    if (!real) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execv(REAL, words);
        _exit(127);
    }
    /* Taken away before it listens, so that nobody gets past. */
    while (rename(FRONT, BEHIND)) {
        if (errno != ENOENT || read(watch, seen, sizeof seen) < 0) return 1;
    }
    close(watch);
    for (int i = 0; i <= 2 * PAIRS; i++) fds[i] = (struct pollfd){-1, POLLIN, 0};
    fds[2 * PAIRS].fd = opened(FRONT, 1);
    for (;;) {
        int status;
        poll(fds, 2 * PAIRS + 1, 200);
        if (waitpid(real, &status, WNOHANG) == real) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        for (int i = 0; i < 2 * PAIRS; i++)
            if (fds[i].fd >= 0 && fds[i].revents) pass(i);
        if (fds[2 * PAIRS].revents & POLLIN) welcome(fds[2 * PAIRS].fd);
    }
}
