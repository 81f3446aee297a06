/* What dropbear asks of a libc about users, answered for the camera: one user,
 * root, whose line of passwd(5) is in the file that MI360D_ACCOUNT names. The
 * stock /etc/passwd is read-only and not the owner's, and Debian's musl has no
 * crypt(). Linked in front of libc; dropbear itself is Debian's, unchanged.
 *
 * crypt() knows SHA-512 ("$6$", Ulrich Drepper's specification, in the public
 * domain) and nothing else: all others fail. The hash is libtomcrypt's, which
 * dropbear brings. */

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tomcrypt.h"

#define DIGEST 64
#define SALT_MAX 16
#define KEY_MAX 256

static struct passwd *account(void)
{
    static struct passwd entry;
    static char line[512];
    char *field[7], *rest = line;
    const char *path = getenv("MI360D_ACCOUNT");
    FILE *file = path ? fopen(path, "re") : NULL;
    int i;

    if (!file)
        return NULL;
    line[0] = 0;
    if (!fgets(line, sizeof line, file))
        line[0] = 0;
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    for (i = 0; i < 7; i++) {
        field[i] = strsep(&rest, ":");
        if (!field[i])
            return NULL;
    }
    entry.pw_name = field[0];
    entry.pw_passwd = field[1];
    entry.pw_uid = (uid_t)strtoul(field[2], NULL, 10);
    entry.pw_gid = (gid_t)strtoul(field[3], NULL, 10);
    entry.pw_gecos = field[4];
    entry.pw_dir = field[5];
    entry.pw_shell = field[6];
    return &entry;
}

struct passwd *getpwnam(const char *name)
{
    struct passwd *entry = account();
    return entry && strcmp(entry->pw_name, name) == 0 ? entry : NULL;
}

struct passwd *getpwuid(uid_t uid)
{
    struct passwd *entry = account();
    return entry && entry->pw_uid == uid ? entry : NULL;
}

static int shells_told;

void setusershell(void)
{
    shells_told = 0;
}

void endusershell(void)
{
    shells_told = 0;
}

char *getusershell(void)
{
    struct passwd *entry = shells_told++ ? NULL : account();
    return entry ? entry->pw_shell : NULL;
}

static void add(hash_state *state, const void *bytes, size_t length)
{
    sha512_process(state, bytes, length);
}

/* Adds `length` bytes made of a digest, repeated. */
static void add_repeated(hash_state *state, const unsigned char *digest, size_t length)
{
    for (; length > DIGEST; length -= DIGEST)
        add(state, digest, DIGEST);
    add(state, digest, length);
}

static char *encode(char *to, unsigned a, unsigned b, unsigned c, int letters)
{
    static const char alphabet[] =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned bits = a << 16 | b << 8 | c;

    for (; letters > 0; letters--, bits >>= 6)
        *to++ = alphabet[bits & 63];
    return to;
}

char *crypt(const char *key, const char *setting)
{
    static char answer[160];
    unsigned char digest[DIGEST], key_digest[DIGEST], salt_digest[DIGEST];
    unsigned long rounds = 5000, i;
    size_t key_length = strlen(key), salt_length;
    const char *salt = setting + 3;
    int rounds_given = 0, a, b, c;
    hash_state state;
    char *end;

    if (strncmp(setting, "$6$", 3) != 0 || key_length > KEY_MAX)
        return NULL;
    if (strncmp(salt, "rounds=", 7) == 0) {
        rounds = strtoul(salt + 7, &end, 10);
        if (*end != '$' || rounds < 1000 || rounds > 1000000)
            return NULL;
        salt = end + 1;
        rounds_given = 1;
    }
    salt_length = strcspn(salt, "$");
    if (salt_length > SALT_MAX)
        salt_length = SALT_MAX;

    sha512_init(&state);
    add(&state, key, key_length);
    add(&state, salt, salt_length);
    add(&state, key, key_length);
    sha512_done(&state, digest);

    sha512_init(&state);
    add(&state, key, key_length);
    add(&state, salt, salt_length);
    add_repeated(&state, digest, key_length);
    for (i = key_length; i > 0; i >>= 1) {
        if (i & 1)
            add(&state, digest, DIGEST);
        else
            add(&state, key, key_length);
    }
    sha512_done(&state, digest);

    sha512_init(&state);
    for (i = 0; i < key_length; i++)
        add(&state, key, key_length);
    sha512_done(&state, key_digest);

    sha512_init(&state);
    for (i = 0; i < 16UL + digest[0]; i++)
        add(&state, salt, salt_length);
    sha512_done(&state, salt_digest);

    for (i = 0; i < rounds; i++) {
        sha512_init(&state);
        if (i & 1)
            add_repeated(&state, key_digest, key_length);
        else
            add(&state, digest, DIGEST);
        if (i % 3)
            add(&state, salt_digest, salt_length);
        if (i % 7)
            add_repeated(&state, key_digest, key_length);
        if (i & 1)
            add(&state, digest, DIGEST);
        else
            add_repeated(&state, key_digest, key_length);
        sha512_done(&state, digest);
    }

    end = answer + (rounds_given ? sprintf(answer, "$6$rounds=%lu$", rounds)
                                 : sprintf(answer, "$6$"));
    memcpy(end, salt, salt_length);
    end += salt_length;
    *end++ = '$';
    for (i = 0, a = 0, b = 21, c = 42; i < 21; i++) {
        int next = b;

        end = encode(end, digest[a], digest[b], digest[c], 4);
        b = c + 1;
        c = a + 1;
        a = next + 1;
    }
    end = encode(end, 0, 0, digest[63], 2);
    *end = 0;
    memset(key_digest, 0, sizeof key_digest);
    return answer;
}
