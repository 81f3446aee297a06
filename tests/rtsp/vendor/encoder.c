/* A stand-in for the picture and sound hardware under the vendor's own fetch_av and libboardav: the
 * encoder plays real streams from files, the microphone a known signal, the speaker writes down what
 * it gets. Loaded before the other stand-ins (LD_PRELOAD), under qemu-arm. What it pretends: MI_VENC,
 * MI_AI and MI_AO as far as libboardav calls them; offsets are those that it reads.
 *
 * /stub/main.pictures and /stub/sub.pictures: for each picture its length, 1 if it is a key frame
 * (both u32), and its bytes. /run/encoder.log: "key CH" for each request of a key frame.
 * With a file /stub/beats the microphone hears what the main stream shows: silence, but a tone for as
 * long as picture 10 of each 20, as high as the picture is far in its file. */
#include <stdint.h>

int open(const char *, int, ...);
long read(int, void *, unsigned);
long write(int, const void *, unsigned);
int close(int);
int usleep(unsigned);
void *malloc(unsigned);
struct ts { long s, ns; };
int clock_gettime(int, struct ts *);
void *memcpy(void *, const void *, unsigned);

enum { PERIOD = 50000, MOST = 1024, GROUP = 20, BEAT = 10 };
static struct { unsigned count, at, wants_key; uint64_t due; unsigned length[MOST], key[MOST]; unsigned char *bytes[MOST]; } streams[3];
static unsigned char jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 'o', 'f', ' ', 't', 'h', 'e', ' ', 'e', 'n', 'c', 'o', 'd', 'e', 'r', 0xff, 0xd9};

static uint64_t now(void)
{
    struct ts t;
    clock_gettime(1, &t);
    return (uint64_t)(uint32_t)t.s * 1000000u + (uint32_t)t.ns / 1000u;
}
static void put32(void *p, unsigned at, uint32_t v) { memcpy((char *)p + at, &v, 4); }
static void put64(void *p, unsigned at, uint64_t v) { memcpy((char *)p + at, &v, 8); }
static uint32_t get32(const void *p, unsigned at) { uint32_t v; memcpy(&v, (const char *)p + at, 4); return v; }

static void whole(int fd, void *to, unsigned length)
{
    for (unsigned at = 0; at < length;) {
        long got = read(fd, (char *)to + at, length - at);
        if (got <= 0) return;
        at += (unsigned)got;
    }
}

static void load(int ch)
{
    int fd = open(ch == 1 ? "/stub/main.pictures" : "/stub/sub.pictures", 0);
    uint32_t head[2];
    while (fd >= 0 && streams[ch].count < MOST && read(fd, head, 8) == 8) {
        unsigned n = streams[ch].count++;
        streams[ch].length[n] = head[0];
        streams[ch].key[n] = head[1];
        streams[ch].bytes[n] = malloc(head[0]);
        whole(fd, streams[ch].bytes[n], head[0]);
    }
    close(fd);
    streams[ch].due = now();
}

/* Where in its file the main stream is at time 0, in microseconds: one word, which the thread of the
 * sound reads. */
static volatile uint32_t turn;
static uint32_t loop;

static void note(char what, int ch)
{
    char line[] = "key 0\n";
    line[4] = (char)('0' + ch);
    line[0] = what;
    int fd = open("/run/encoder.log", 02001 | 0100, 0644);
    write(fd, line, 6);
    close(fd);
}

int MI_VENC_Query(int ch, void *state)
{
    if (ch && !streams[ch].count) load(ch);
    put32(state, 0x10, ch == 0 || now() >= streams[ch].due);
    return 0;
}

int MI_VENC_GetStream(int ch, void *stream, int timeout)
{
    void *pack;
    unsigned char *bytes = jpeg;
    unsigned length = sizeof jpeg, key = 0;
    (void)timeout;
    if (ch) {
        unsigned n = streams[ch].at;
        if (streams[ch].wants_key)
            while (!streams[ch].key[n]) n = (n + 1) % streams[ch].count;
        streams[ch].wants_key = 0;
        streams[ch].at = (n + 1) % streams[ch].count;
        bytes = streams[ch].bytes[n];
        length = streams[ch].length[n];
        key = streams[ch].key[n];
        if (streams[ch].due + 500000 < now()) streams[ch].due = now();
        if (ch == 1) {
            loop = streams[ch].count * PERIOD;
            turn = (n * PERIOD + loop - (uint32_t)(streams[ch].due % loop)) % loop;
        }
        streams[ch].due += PERIOD;
    }
    memcpy(&pack, stream, 4);
    put32(pack, 8, (uint32_t)(uintptr_t)bytes);
    put32(pack, 12, length);
    put64(pack, 16, ch ? streams[ch].due - PERIOD : now());
    put32(pack, 28, key ? 19 : 1);
    put32(pack, 32, 0);
    put32(stream, 0x34, 0);
    return 0;
}
int MI_VENC_ReleaseStream(int ch, void *stream) { (void)ch; (void)stream; return 0; }
int MI_VENC_RequestIdr(int ch, int at_once)
{
    (void)at_once;
    if (ch == 1 || ch == 2) streams[ch].wants_key = 1;
    note('k', ch);
    return 0;
}

static short pcm[640];
static unsigned pieces;
static uint64_t sound_due;

/* Each sample is a function of its number, which wraps at 65536: any 640 of them tell their place. */
static void say_numbers(void)
{
    for (unsigned i = 0; i < 640; i++) pcm[i] = (short)((int)((i * 211 + pieces * 977) % 65000) - 32500);
}

static void say_beats(void)
{
    static uint32_t phase;
    for (unsigned i = 0; i < 640; i++) {
        unsigned index = loop ? (unsigned)((sound_due + i * 125 / 2 + turn) % loop) / PERIOD : 0;
        pcm[i] = 0;
        if (index % GROUP != BEAT) continue;
        phase += (400 + 240 * (index / GROUP)) * (0xffffffffu / 16000);
        pcm[i] = (short)(phase >> 31 ? 12000 : -12000);
    }
}

static int beats(void)
{
    static int known;
    if (!known) {
        int fd = open("/stub/beats", 0);
        known = fd < 0 ? -1 : 1;
        if (fd >= 0) close(fd);
    }
    return known > 0;
}

int MI_AI_GetFrame(int device, int ch, void *frame, void *echo, int timeout)
{
    (void)device; (void)ch; (void)echo; (void)timeout;
    if (!sound_due || sound_due + 500000 < now()) sound_due = now();
    while (now() < sound_due) usleep(2000);
    if (beats()) say_beats();
    else say_numbers();
    put32(frame, 0, 0);
    put32(frame, 4, 0);
    put32(frame, 8, (uint32_t)(uintptr_t)pcm);
    put64(frame, 16, sound_due);
    put32(frame, 28, sizeof pcm);
    sound_due += 40000;
    pieces++;
    return 0;
}
int MI_AI_ReleaseFrame(int a, int b, void *c, void *d) { (void)a; (void)b; (void)c; (void)d; return 0; }
int MI_AO_SendFrame(int device, int ch, void *frame, int timeout)
{
    (void)device; (void)ch; (void)timeout;
    int fd = open("/run/speaker.pcm", 02001 | 0100, 0644);
    write(fd, (void *)(uintptr_t)get32(frame, 8), get32(frame, 28));
    close(fd);
    return 0;
}
