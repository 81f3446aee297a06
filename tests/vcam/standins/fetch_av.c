/* Stand-in for the load of the vendor's fetch_av, on a small camera: memory that it keeps in use, and
 * a quarter of the processor. Its supervisor's script makes it the last that the kernel would end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MEMORY = 10 << 20, BUSY = 10000000, PAUSE = 30000000 };

int main(void) {
    volatile unsigned char *held = malloc(MEMORY);
    if (held == NULL)
        return 1;
    memset((void *)held, 0xA5, MEMORY);
    for (size_t at = 0;;) {
        struct timespec began, now, pause = {0, PAUSE};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
        do {
            for (int i = 0; i < 4096; i++, at = (at + 4096) % MEMORY)
                held[at]++;
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        } while ((now.tv_sec - began.tv_sec) * 1000000000LL + now.tv_nsec - began.tv_nsec < BUSY);
        nanosleep(&pause, NULL);
    }
}
