/* The vendor's framegrabber on the virtual camera: writes an H.264 stream into a FIFO, one picture
 * after the other at 20 in a second, without ever waiting for the reader.
 *
 *      framegrabber -f FIFO -c CHANNEL     the stream is stream-CHANNEL.h264 beside bin/
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned char *data;
static size_t size;

/* Where the next start code begins, or the stream's end. */
static size_t code(size_t at) {
    for (; at + 3 < size; at++)
        if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1)
            return at > 0 && data[at - 1] == 0 ? at - 1 : at;
    return size;
}

/* Where the picture that begins at `at` ends. */
static size_t picture(size_t at) {
    int has_slice = 0;
    while (at < size) {
        size_t header = data[at + 2] == 1 ? at + 3 : at + 4;
        int kind = data[header] & 31, slice = kind == 1 || kind == 5;
        if (has_slice && (!slice || data[header + 1] & 0x80))
            return at;
        has_slice |= slice;
        at = code(header);
    }
    return size;
}

int main(int count, char **words) {
    char path[64];
    if (count != 5)
        return 2;
    snprintf(path, sizeof path, "stream-%s.h264", words[4]);
    int file = open(path, O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0 || (data = malloc(about.st_size)) == NULL)
        return 1;
    for (ssize_t got; (got = read(file, data + size, about.st_size - size)) > 0;)
        size += got;
    int fifo;
    while ((fifo = open(words[2], O_WRONLY | O_NONBLOCK)) < 0)
        usleep(20000);
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    unsigned whole = 0, cut = 0;
    for (size_t at = 0;;) {
        size_t end = picture(at);
        if (write(fifo, data + at, end - at) == (ssize_t)(end - at))
            whole++;
        else
            cut++;
        at = end < size ? end : 0;
        if ((whole + cut) % 200 == 0) {
            printf("%u whole, %u cut\n", whole, cut);
            fflush(stdout);
        }
        due.tv_nsec += 50000000;
        if (due.tv_nsec >= 1000000000) {
            due.tv_nsec -= 1000000000;
            due.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
}
