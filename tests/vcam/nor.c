/* Small things done to a NOR partition, apart from the program under test.
 *
 * use: nor loop IMAGE DEVICE          what writing costs at least: for each erase block erase,
 *                                     write, read back, compare; prints the seconds it took
 *      nor locked DEVICE              prints 1 or 0 for each erase block, as MEMISLOCKED says
 *      nor lock DEVICE START LENGTH   MEMLOCK; prints the error's name where it fails
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <mtd/mtd-user.h>

static struct mtd_info_user info;

static void fail(const char *what) {
    fprintf(stderr, "nor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int device(const char *path) {
    int fd = open(path, O_RDWR);
    if (fd < 0 || ioctl(fd, MEMGETINFO, &info) != 0)
        fail(path);
    return fd;
}

static void loop(const char *image, int fd) {
    int in = open(image, O_RDONLY);
    /* All of it in memory before the time begins. */
    unsigned char *all = malloc(info.size), *back = malloc(info.erasesize);
    if (in < 0 || !all || !back)
        fail(image);
    memset(all, 0xFF, info.size);
    memset(back, 0, info.erasesize);
    for (ssize_t at = 0, got; (got = read(in, all + at, info.size - at)) != 0; at += got)
        if (got < 0)
            fail(image);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (unsigned int at = 0; at < info.size; at += info.erasesize) {
        struct erase_info_user block = {at, info.erasesize};
        ssize_t size = info.erasesize;
        if (ioctl(fd, MEMERASE, &block) != 0)
            fail("erase");
        if (pwrite(fd, all + at, size, at) != size)
            fail("write");
        if (pread(fd, back, size, at) != size)
            fail("read");
        if (memcmp(all + at, back, size) != 0)
            fail("compare");
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.3f\n", (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9);
}

static void locked(int fd) {
    for (unsigned int at = 0; at < info.size; at += info.erasesize) {
        struct erase_info_user block = {at, info.erasesize};
        int answer = ioctl(fd, MEMISLOCKED, &block);
        if (answer < 0)
            fail("MEMISLOCKED");
        putchar(answer ? '1' : '0');
    }
    putchar('\n');
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "loop") == 0) {
        loop(argv[2], device(argv[3]));
    } else if (argc == 3 && strcmp(argv[1], "locked") == 0) {
        locked(device(argv[2]));
    } else if (argc == 5 && strcmp(argv[1], "lock") == 0) {
        int fd = device(argv[2]);
        struct erase_info_user range = {strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0)};
        /* After a write QEMU's chip leaves a bit set that Linux does not expect there: the first
         * answer is then EIO, although it was done. */
        if (ioctl(fd, MEMLOCK, &range) != 0 && ioctl(fd, MEMLOCK, &range) != 0)
            fail("MEMLOCK");
    } else {
        fprintf(stderr, "use: nor loop IMAGE DEVICE | locked DEVICE | lock DEVICE START LENGTH\n");
        return 2;
    }
    return 0;
}
