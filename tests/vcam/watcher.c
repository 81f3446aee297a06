/* Watches a small camera's memory at little cost, and says on the console what has changed: @@LEAST,
 * the lowest MemAvailable in KiB; @@HWM, the highest VmHWM of any mi360d; @@OOM, how many processes
 * the kernel has ended.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[32768];

static const char *whole(const char *path) {
    int file = open(path, O_RDONLY);
    ssize_t size = 0, got = 0;
    if (file >= 0) {
        while (size < (ssize_t)sizeof text - 1 && (got = read(file, text + size, sizeof text - 1 - size)) > 0)
            size += got;
        close(file);
    }
    text[size] = 0;
    return text;
}

/* The number behind a word in a file, or -1. */
static long number(const char *path, const char *word) {
    const char *found = strstr(whole(path), word);
    return found ? atol(found + strlen(word)) : -1;
}

int main(void) {
    long least = 1L << 30, most = 0, ended = 0;
    FILE *console = fopen("/dev/ttyS4", "w"), *score = fopen("/proc/self/oom_score_adj", "w");
    if (console == NULL || score == NULL)
        return 1;
    fputs("-1000", score);
    fclose(score);
    for (;; usleep(500000)) {
        long now = number("/proc/meminfo", "MemAvailable:");
        if (now >= 0 && now < least)
            fprintf(console, "@@LEAST %ld\n", least = now);
        now = number("/proc/vmstat", "\noom_kill ");
        if (now > ended)
            fprintf(console, "@@OOM %ld\n", ended = now);
        DIR *all = opendir("/proc");
        for (struct dirent *one; all && (one = readdir(all));) {
            char path[300];
            if (!isdigit(one->d_name[0]))
                continue;
            snprintf(path, sizeof path, "/proc/%s/comm", one->d_name);
            if (strcmp(whole(path), "mi360d\n") != 0)
                continue;
            snprintf(path, sizeof path, "/proc/%s/status", one->d_name);
            now = number(path, "VmHWM:");
            if (now > most)
                fprintf(console, "@@HWM %ld\n", most = now);
        }
        if (all)
            closedir(all);
        fflush(console);
    }
}
