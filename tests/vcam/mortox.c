/* Stands in for mortoxd where only one key matters: sdcard_status of the layer mem. Its value is
 * the text in /tmp/sdcard_status; a change is pushed to everybody who watches. It answers get (4)
 * and register (6) as mortoxd does, and ends a connection that speaks something else. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "asked.h"

enum { CLIENTS = 8 };
static struct pollfd fds[CLIENTS + 1];
static int watches[CLIENTS + 1];
static char value[16] = "0";

static char *word(char *at, unsigned number, int bytes) {
    for (int i = bytes - 1; i >= 0; i--) *at++ = number >> (8 * i);
    return at;
}

static char *text(char *at, const char *words) {
    unsigned length = strlen(words) + 1;
    at = word(word(at, 1, 2), length, 2);
    memcpy(at, words, length);
    return at + length;
}

static void say(int fd, unsigned id, unsigned command, int with_status) {
    char packet[256], *at = packet + HEAD + BODY;
    unsigned count = with_status ? 2 : 4;
    if (with_status)
        at = word(word(word(at, 2, 2), 4, 2), 0, 4);
    else
        at = text(text(text(at, "mem"), "default"), "sdcard_status");
    at = text(at, value);
    unsigned length = at - packet - HEAD;
    char *head = packet;
    memcpy(head, "MORTOX", 6);
    head = word(word(word(word(head + 6, id, 4), 1, 4), 1, 4), length, 4);
    head = word(word(word(word(head, 0x0672, 2), command, 2), length, 4), count, 4);
    if (write(fd, packet, at - packet) < 0) perror("write");
}

static void look(void) {
    char now[16] = "";
    FILE *file = fopen("/tmp/sdcard_status", "r");
    if (!file) return;
    if (fscanf(file, "%15s", now) == 1 && strcmp(now, value)) {
        strcpy(value, now);
        for (int i = 1; i <= CLIENTS; i++)
            if (fds[i].fd >= 0 && watches[i]) say(fds[i].fd, 1, 11, 0);
    }
    fclose(file);
}

static void hear(int i) {
    unsigned char packet[1024];
    ssize_t length = read(fds[i].fd, packet, sizeof packet);
    if (length < HEAD + BODY || memcmp(packet, "MORTOX", 6)) {
        close(fds[i].fd);
        fds[i].fd = -1;
        watches[i] = 0;
        return;
    }
    unsigned id = packet[6] << 24 | packet[7] << 16 | packet[8] << 8 | packet[9];
    unsigned command = packet[24] << 8 | packet[25];
    judge_all(packet, length);
    if (command == 6) watches[i] = 1;
    if (command == 6 || command == 4) say(fds[i].fd, id, 10, command == 4);
}

int main(void) {
    struct sockaddr_un at = {AF_UNIX, "/tmp/mortox.socket"};
    unlink(at.sun_path);
    for (int i = 0; i <= CLIENTS; i++) fds[i] = (struct pollfd){-1, POLLIN, 0};
    fds[0].fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fds[0].fd, (void *)&at, sizeof at) || listen(fds[0].fd, 8)) return 1;
    for (;;) {
        poll(fds, CLIENTS + 1, 50);
        look();
        for (int i = 1; i <= CLIENTS; i++)
            if (fds[i].fd >= 0 && fds[i].revents) hear(i);
        if (!(fds[0].revents & POLLIN)) continue;
        int new = accept(fds[0].fd, 0, 0);
        for (int i = 1; i <= CLIENTS && new >= 0; i++)
            if (fds[i].fd < 0) {
                fds[i].fd = new;
                new = -1;
            }
        if (new >= 0) close(new);
    }
}
