/* What mi360d may ask of mortoxd: its own keys, and nothing else. Each request that is none is a line
 * of /tmp/mortox.wrong; /tmp/mortox.asked has a line for each that was looked at. */
#include <stdio.h>
#include <string.h>

enum { HEAD = 22, BODY = 12, SET = 3, REGISTER = 6, SYNC = 12, LONGEST = 120 };

static const char *const keys[] = {
    "nvram power", "nvram night_mode", "nvram full_color", "nvram wdr", "nvram flip", "nvram watermark",
    "nvram light", "nvram motion_region", "nvram motion_record", "nvram motor", "mem motor_cmd",
    "mem motor_position", "mem track", "mem led_cmd", "mem sound_play", "mem time_night",
    "mem dev_status", "mem sdcard_status"};

static void note(const char *path, unsigned command, const char *name) {
    FILE *file = fopen(path, "a");
    if (!file) return;
    fprintf(file, "%u %s\n", command, name);
    fclose(file);
}

/* Layer, group and key of a request, and the value of a set: texts behind its body's head. */
static void judge(unsigned command, const char *at, const char *end) {
    const char *texts[4] = {"", "", "", ""};
    char name[256];
    for (int i = 0; i < 4 && end - at > 4; i++) {
        int length = (unsigned char)at[2] << 8 | (unsigned char)at[3];
        if (length < 1 || length > end - at - 4 || at[4 + length - 1]) break;
        texts[i] = at + 4;
        at += 4 + length;
    }
    snprintf(name, sizeof name, "%s %s", texts[0], texts[2]);
    note("/tmp/mortox.asked", command, name);
    if (command == SYNC) return;
    int own = command >= SET && command <= REGISTER && !strcmp(texts[1], "default") && strlen(texts[3]) < LONGEST;
    for (unsigned i = 0; own && i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(name, keys[i])) return;
    note("/tmp/mortox.wrong", command, name);
}

/* Judges the whole requests at the start of some bytes; returns their length. */
static int judge_all(const unsigned char *bytes, int length) {
    int at = 0;
    while (length - at >= HEAD + BODY) {
        const unsigned char *packet = bytes + at, *size = packet + 18;
        int whole = HEAD + (size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3]);
        if (whole < HEAD + BODY || whole > length - at) break;
        judge(packet[24] << 8 | packet[25], (const char *)packet + HEAD + BODY, (const char *)packet + whole);
        at += whole;
    }
    return at;
}
