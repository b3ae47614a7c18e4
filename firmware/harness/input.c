/* input.c: where test inputs come from: a seed, our checked upload (dbc), MLPerf's upload (db). */
#include <string.h>

#include "nb_harness.h"

__attribute__((section(".nb_fixture"))) nb_fixture_memory nb_fixture;
bool nb_input_has_floats;

/* The input is what `db` uploads, or nothing since boot: MLPerf's firmware then tells its size. */
static bool uploads = true;
static uint32_t upload_expected;
static uint32_t upload_used;

#if NB_UPLOAD_KIND == NB_UPLOAD_F32LE && !NB_INPUT_F32
#define UPLOAD nb_fixture.upload
_Static_assert(NB_UPLOAD_BYTES == 4 * NB_INPUT_BYTES, "one float for each int8 input");
#else
#define UPLOAD nb_fixture.input
_Static_assert(NB_UPLOAD_BYTES == NB_INPUT_BYTES, "uploads are the raw input");
#endif

/* What the generated input holds: runs of bytes of one kind, in the order of the inputs. */
enum { RAW, FLOATS, BOOLS };
static const struct {
    uint32_t bytes;
    uint32_t kind;
} runs[] = {NB_INPUT_RUNS};

/* docs/wire-protocol.md: one stream (xorshift32, seed 0 counts as 1) over all inputs. */
void nb_input_seed(uint32_t seed)
{
    uint32_t x = 0x9E3779B9u * (seed == 0 ? 1u : seed);
    uint8_t *input = nb_fixture.input;
    for (uint32_t run = 0; run < sizeof runs / sizeof runs[0]; run++) {
        const uint32_t kind = runs[run].kind;
        const uint32_t step = kind == FLOATS ? 4 : 1;
        for (uint32_t i = 0; i + step <= runs[run].bytes; i += step) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            if (kind == FLOATS) {
                const float value = (float)(int8_t)(x >> 24) / 128.0f;
                memcpy(&input[i], &value, sizeof value);
            } else {
                input[i] = (uint8_t)(kind == BOOLS ? x >> 31 : x >> 24);
            }
        }
        input += runs[run].bytes;
    }
    nb_input_has_floats = false;
    uploads = false;
}

int32_t nb_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int32_t nb_input_hex(const char *hex, uint8_t *data, uint32_t limit)
{
    uint32_t digits = 0; /* the C library's strlen would cost 220 bytes */
    while (hex[digits] != '\0') {
        digits++;
    }
    if (digits % 2 != 0) {
        nb_put_error("Insufficent number of hex digits");
        return -1;
    }
    const uint32_t count = digits / 2 < limit ? digits / 2 : limit;
    for (uint32_t i = 0; i < count; i++, hex += 2) {
        const int32_t high = nb_hex_digit(hex[0]);
        const int32_t low = nb_hex_digit(hex[1]);
        if (high < 0 || low < 0) {
            nb_put_text("e-[Invalid hex digit '");
            nb_put(hex[0]);
            nb_put(hex[1]);
            nb_put_line("']");
            return -1;
        }
        data[i] = (uint8_t)(16 * high + low);
    }
    return (int32_t)(digits / 2);
}

bool nb_input_put(uint32_t offset, const uint8_t *data, uint32_t bytes)
{
    if (offset > NB_INPUT_BYTES || bytes > NB_INPUT_BYTES - offset) {
        return false;
    }
    memcpy(&nb_fixture.input[offset], data, bytes);
    nb_input_has_floats = false;
    uploads = false;
    return true;
}

/* What MLPerf calls loading the tensor: from the data set's form to the network's. */
static void convert_upload(void)
{
#if NB_UPLOAD_KIND == NB_UPLOAD_F32LE && !NB_INPUT_F32
    for (uint32_t i = 0; i < NB_INPUT_BYTES; i++) {
        float value;
        memcpy(&value, &nb_fixture.upload[4 * i], sizeof value);
        value = value / NB_IN_SCALE_F;
        /* to nearest, half away from zero, as TFLite's QUANTIZE; NaN becomes the zero point */
        int32_t q = 0;
        if (value >= 256.0f || value <= -256.0f) {
            q = value > 0.0f ? 256 : -256;
        } else if (value == value) {
            q = (int32_t)(value < 0.0f ? value - 0.5f : value + 0.5f);
        }
        q += NB_IN_ZERO;
        q = q < -128 ? -128 : q > 127 ? 127 : q;
        nb_fixture.input[i] = (uint8_t)q;
    }
    nb_input_has_floats = true;
#endif
}

/* The first upload after a seed begins with the old content; what is not uploaded stays. */
void nb_input_db_load(uint32_t bytes)
{
    if (bytes == 0) {
        nb_put_error("Command 'db load' must be >0 bytes");
        return;
    }
    if (bytes > NB_UPLOAD_BYTES) { /* no error to MLPerf's firmware: a line of text */
        nb_put_text("Supplied buffer size ");
        nb_put_i32((int32_t)bytes);
        nb_put_number(" exceeds maximum of ", NB_UPLOAD_BYTES);
        return;
    }
    upload_expected = bytes;
    upload_used = 0;
    uploads = true;
    nb_put_text("m-[Expecting ");
    nb_put_u64(bytes);
    nb_put_line(" bytes]");
}

/* All or nothing: a command with a wrong digit changes nothing. Digits after the last byte are not
 * looked at; none belong to a load that is done. */
void nb_input_db_hex(const char *hex)
{
    uint8_t bytes[NB_COMMAND_BYTES / 2];
    const uint32_t left = upload_expected - upload_used;
    const uint32_t limit = left < sizeof bytes ? left : sizeof bytes;
    int32_t got = nb_input_hex(hex, bytes, limit);
    if (got <= 0) {
        return;
    }
    if (limit == 0) {
        nb_put_error(NB_E_OUT_OF_RANGE_TEXT);
        return;
    }
    got = got < (int32_t)limit ? got : (int32_t)limit;
    for (int32_t i = 0; i < got; i++) {
        UPLOAD[upload_used++] = NB_UPLOAD_KIND == NB_UPLOAD_U8 ? bytes[i] ^ 0x80u : bytes[i];
    }
    if (upload_used == upload_expected) {
        convert_upload();
        nb_put_line("m-load-done");
    }
}

/* In MLPerf's own words, and its own spelling. */
void nb_input_tell_short(void)
{
    const uint32_t unit = NB_UPLOAD_KIND == NB_UPLOAD_F32LE ? 4 : 1;
    if (uploads && upload_used != NB_UPLOAD_BYTES) {
        nb_put_text("Input db has ");
        nb_put_u64(upload_used / unit);
        nb_put_number(" elemented, expected ", NB_UPLOAD_BYTES / unit);
    }
}

void nb_input_db_print(void)
{
    for (uint32_t i = 0; i < upload_expected; i++) {
        if (i % 8 == 0) {
            nb_put_text("m-buffer");
        }
        nb_put('-');
        nb_put_hex(NB_UPLOAD_KIND == NB_UPLOAD_U8 ? UPLOAD[i] ^ 0x80u : UPLOAD[i], 2);
        if (i % 8 == 7 || i + 1 == upload_expected) {
            nb_put_end();
        }
    }
    if (upload_expected % 8 != 0) { /* MLPerf's firmware ends a short line twice */
        nb_put_end();
    }
}
