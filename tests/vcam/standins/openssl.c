/* Stand-in for the vendor's openssl, which the published ROOTFS holds as an empty file: truly
 * verifies an RSA signature, and does nothing else.
 *
 *      openssl rsautl -verify -in SIGNATURE -inkey KEY.pem -pubin -out CONTENT
 *
 * CONTENT is what PKCS#1 v1.5, block type 1, holds. A wrong signature: status 1, no CONTENT.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 512 /* bytes of a key: 4096 bits */
#define WORDS (MOST / 4)

static uint32_t n[WORDS];
static int words;

static void fail(const char *why) {
    fprintf(stderr, "openssl (stand-in): %s\n", why);
    exit(1);
}

static size_t load(const char *path, unsigned char *to, size_t most) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("a file cannot be read");
    size_t got = fread(to, 1, most, file);
    fclose(file);
    return got;
}

/* One DER element: its tag, its length, and `*at` on its first byte. */
static size_t element(const unsigned char *der, size_t size, size_t *at, int tag) {
    if (*at + 2 > size || der[(*at)++] != tag)
        fail("the key is not what was expected");
    size_t length = der[(*at)++];
    if (length & 0x80) {
        int bytes = length & 0x7f;
        for (length = 0; bytes-- > 0 && *at < size;)
            length = length << 8 | der[(*at)++];
    }
    if (*at + length > size)
        fail("the key is cut short");
    return length;
}

static size_t base64(const unsigned char *text, size_t size, unsigned char *to) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t out = 0;
    uint32_t held = 0;
    int bits = 0;
    for (size_t i = 0; i < size && text[i] != '='; i++) {
        const char *letter = text[i] ? strchr(letters, text[i]) : NULL;
        if (letter == NULL)
            continue;
        held = held << 6 | (uint32_t)(letter - letters);
        if ((bits += 6) >= 8)
            to[out++] = held >> (bits -= 8);
    }
    return out;
}

static void number(uint32_t *to, const unsigned char *bytes, size_t size) {
    memset(to, 0, MOST);
    for (size_t i = 0; i < size; i++)
        to[i / 4] |= (uint32_t)bytes[size - 1 - i] << i % 4 * 8;
}

static int less(const uint32_t *a, const uint32_t *b) {
    for (int i = words; i-- > 0;)
        if (a[i] != b[i])
            return a[i] < b[i];
    return 0;
}

/* a = a + b mod n, both below n */
static void add(uint32_t *a, const uint32_t *b) {
    uint64_t carry = 0;
    for (int i = 0; i < words; i++) {
        carry += (uint64_t)a[i] + b[i];
        a[i] = carry;
        carry >>= 32;
    }
    if (!carry && less(a, n))
        return;
    int64_t borrow = 0;
    for (int i = 0; i < words; i++) {
        borrow += (int64_t)a[i] - n[i];
        a[i] = borrow;
        borrow >>= 32;
    }
}

/* a = a * b mod n */
static void multiply(uint32_t *a, const uint32_t *b) {
    uint32_t sum[WORDS] = {0};
    for (int bit = words * 32; bit-- > 0;) {
        add(sum, sum);
        if (a[bit / 32] >> bit % 32 & 1)
            add(sum, b);
    }
    memcpy(a, sum, sizeof sum);
}

int main(int count, char **given) {
    const char *in = NULL, *key = NULL, *out = NULL;
    int verify = 0;
    if (count < 2 || strcmp(given[1], "rsautl") != 0)
        fail("only rsautl -verify -pubin is there");
    for (int i = 2; i < count; i++) {
        if (strcmp(given[i], "-verify") == 0)
            verify = 1;
        else if (i + 1 < count && strcmp(given[i], "-in") == 0)
            in = given[++i];
        else if (i + 1 < count && strcmp(given[i], "-inkey") == 0)
            key = given[++i];
        else if (i + 1 < count && strcmp(given[i], "-out") == 0)
            out = given[++i];
        else if (strcmp(given[i], "-pubin") != 0)
            fail("only rsautl -verify -pubin is there");
    }
    if (!verify || !in || !key || !out)
        fail("only rsautl -verify -in -inkey -pubin -out is there");

    static unsigned char pem[8192], der[8192], signature[MOST + 1], block[MOST];
    size_t size = load(key, pem, sizeof pem - 1);
    char *begin = strstr((char *)pem, "-----BEGIN PUBLIC KEY-----");
    char *end = begin ? strstr(begin, "-----END") : NULL;
    if (end == NULL)
        fail("no public key");
    begin += strlen("-----BEGIN PUBLIC KEY-----");
    size = base64((unsigned char *)begin, end - begin, der);
    size_t at = 0, length;
    element(der, size, &at, 0x30);
    length = element(der, size, &at, 0x30);
    at += length;
    element(der, size, &at, 0x03);
    at++;
    element(der, size, &at, 0x30);
    length = element(der, size, &at, 0x02);
    const unsigned char *modulus = der + at;
    size_t bytes = length;
    at += length;
    while (bytes && *modulus == 0)
        modulus++, bytes--;
    length = element(der, size, &at, 0x02);
    if (bytes < 64 || bytes > MOST || length > 4)
        fail("a key of this length is not for it");
    uint32_t exponent = 0;
    for (size_t i = 0; i < length; i++)
        exponent = exponent << 8 | der[at + i];
    words = (bytes + 3) / 4;
    number(n, modulus, bytes);

    static uint32_t base[WORDS], power[WORDS];
    if (load(in, signature, sizeof signature) != bytes)
        fail("the signature has not the key's length");
    number(base, signature, bytes);
    if (!less(base, n))
        fail("the signature is larger than the key");
    power[0] = 1;
    for (int bit = 32; bit-- > 0;) {
        uint32_t copy[WORDS];
        memcpy(copy, power, sizeof copy);
        multiply(power, copy);
        if (exponent >> bit & 1)
            multiply(power, base);
    }
    for (size_t i = 0; i < bytes; i++)
        block[bytes - 1 - i] = power[i / 4] >> i % 4 * 8;
    size_t start = 2;
    while (start < bytes && block[start] == 0xff)
        start++;
    if (block[0] != 0 || block[1] != 1 || start < 10 || start >= bytes || block[start] != 0)
        fail("wrong signature");
    FILE *file = fopen(out, "wb");
    if (file == NULL || fwrite(block + start + 1, 1, bytes - start - 1, file) != bytes - start - 1 ||
        fclose(file) != 0)
        fail("the result cannot be written");
    return 0;
}
