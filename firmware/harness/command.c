/* command.c: one command line into words, and the verb to what is done. */
#include "nb_harness.h"

/* One more than any command takes, so that a word too many is seen. */
#define MAX_WORDS 5
#define DBC_BYTES 64
#define BAUD_TRIAL_CLOCK (2ull * NB_HAL_COUNTER_HZ)
/* The energy rules run the console at 9600 bit/s. */
#define ENERGY_BAUD 9600u

static uint64_t command_clock; /* when the last '%' arrived */
static uint32_t baud = NB_CONSOLE_BAUD;
static uint32_t baud_wish;   /* not 0 until the answer is out */
static uint32_t baud_before; /* not 0 while `baud` is on trial */

static bool equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Digits of `base` (10 or 16) alone, without overflow. */
static bool number(const char *text, uint32_t base, uint32_t *value)
{
    uint64_t sum = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        const uint32_t digit = (uint32_t)nb_hex_digit(*text);
        sum = sum * base + digit;
        if (digit >= base || sum > UINT32_MAX) { /* -1, no digit, is larger than any base */
            return false;
        }
    }
    *value = (uint32_t)sum;
    return true;
}

/* As atoi() does it for MLPerf's base commands: a sign, then digits as far as they go; 0 without.
 * What does not fit saturates. */
static int32_t leading_number(const char *text)
{
    const bool negative = *text == '-';
    if (negative || *text == '+') {
        text++;
    }
    int32_t sum = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        sum = sum > INT32_MAX / 10 - 1 ? INT32_MAX : 10 * sum + (*text - '0');
    }
    return negative ? -sum : sum;
}

/* Cut `line` into words, in place; MAX_WORDS at most, the last holds what is left over. */
static uint32_t split(char *line, const char *words[MAX_WORDS])
{
    uint32_t count = 0;
    for (;;) {
        while (*line == ' ') {
            *line++ = '\0';
        }
        if (*line == '\0' || count == MAX_WORDS) {
            return count;
        }
        words[count++] = line;
        while (*line != '\0' && *line != ' ') {
            line++;
        }
    }
}

static bool set_mode(const char *name)
{
    const bool energy = equal(name, "energy");
    if (!energy && !equal(name, "performance")) {
        return false;
    }
    nb_noinit.energy = energy ? 1 : 0;
    nb_noinit_seal();
    nb_put_text("m-mode-[");
    nb_put_text(name);
    nb_put_line("]");
    return true;
}

static bool put_checked(const char *const words[])
{
    uint8_t bytes[DBC_BYTES];
    uint32_t offset, crc;
    if (!number(words[1], 10, &offset) || !number(words[2], 16, &crc)) {
        return false;
    }
    const int32_t count = nb_input_hex(words[3], bytes, sizeof bytes);
    if (count < 0) {
        return true;
    }
    if (count > DBC_BYTES) {
        nb_put_error(NB_E_OUT_OF_RANGE_TEXT);
    } else if (nb_crc_of(bytes, (uint32_t)count) != crc) {
        nb_put_error(NB_E_BAD_CRC_TEXT);
    } else if (!nb_input_put(offset, bytes, (uint32_t)count)) {
        nb_put_error(NB_E_OUT_OF_RANGE_TEXT);
    }
    return true;
}

static void seed(uint32_t value)
{
    nb_input_seed(value);
    nb_record("'t':'seed','seed':%u,'crc':'%x'", value,
              nb_crc_of(nb_fixture.input, NB_INPUT_BYTES));
}

static void memory(void)
{
    nb_record("'t':'mem','stack_used':%u,'stack_size':%u,'arena':%u", nb_stack_used(),
              NB_STACK_BYTES, NB_ARENA_USED);
}

static void send_clock(void)
{
#if NB_COUNTER_NONE
    nb_put_error(NB_E_NO_TIMING_TEXT);
#else
    nb_record("'t':'clock','c':%q", command_clock);
#endif
}

static void ready(void)
{
    nb_put_line("m-ready");
    nb_hal_flush();
}

/* The answer and its m-ready go out at the old speed; the new one follows. */
static bool change_baud(uint32_t wish)
{
    if (wish == 0) {
        return false;
    }
    nb_put_text("m-baud-[");
    nb_put_u64(wish);
    nb_put_line("]");
    baud_wish = wish;
    return true;
}

static void start_baud_trial(void)
{
    if (nb_hal_set_baud(baud_wish)) {
        baud_before = baud;
        baud = baud_wish;
    }
    baud_wish = 0;
    command_clock = nb_clock_now();
}

/* An undefined instruction, where the handler's record can be seen. */
static void provoke_fault(void)
{
    nb_hal_flush();
#if defined(__arm__)
    __asm volatile("udf #0");
#else
    __builtin_trap();
#endif
}

/* A size that is negative is a large one, as with MLPerf's firmware. */
static void put_input(const char *const words[], uint32_t count)
{
    if (count < 2) {
        nb_put_error("Command 'db' requires a subcommand");
    } else if (equal(words[1], "print")) {
        nb_input_db_print();
    } else if (!equal(words[1], "load")) {
        nb_input_db_hex(words[1]);
    } else if (count < 3) {
        nb_put_error("Command 'db load' requires the # of bytes");
    } else {
        nb_input_db_load((uint32_t)leading_number(words[2]));
    }
}

/* The verbs, each ended by a space, in the order of enum verb. `help` prints them as they stand. */
static const char verbs[] =
    "name profile timestamp db infer results help "
    "caps mem clock fault reset seed dbc bench layers kat mode hold burst baud ";
enum verb {
    NAME,
    PROFILE,
    TIMESTAMP,
    DB,
    INFER,
    RESULTS,
    HELP,
    CAPS,
    MEM,
    CLOCK,
    FAULT,
    RESET,
    SEED,
    DBC,
    BENCH,
    LAYERS,
    KAT,
    MODE,
    HOLD,
    BURST,
    BAUD,
    UNKNOWN,
};

static enum verb find_verb(const char *word)
{
    const char *at = verbs;
    for (uint32_t verb = NAME; verb != UNKNOWN; verb++) {
        const char *w = word;
        bool same = true;
        for (; *at != ' '; at++) {
            same = same && *w == *at;
            w += same ? 1 : 0;
        }
        at++;
        if (same && *w == '\0') {
            return (enum verb)verb;
        }
    }
    return UNKNOWN;
}

/* Words that MLPerf's base commands do not use are ignored, as MLPerf's firmware does. */
static void infer(const char *const words[], uint32_t count)
{
    const int32_t iterations = count < 2 ? 1 : leading_number(words[1]);
    const int32_t warmups = count < 3 ? 10 : leading_number(words[2]);
    if (iterations <= 0) {
        nb_put_error("Inference iterations must be >0");
    } else if (warmups < 0) {
        nb_put_error("Inference warmup must be >=0");
    } else {
        nb_mlperf_infer((uint32_t)iterations, (uint32_t)warmups);
    }
}

/* Run a known command. False: its arguments are wrong, nothing was done. */
static bool run(enum verb verb, const char *const words[], uint32_t count)
{
    uint32_t value[3] = {0, 0, 0};
    uint32_t numbers = 0;
    while (numbers < 3 && numbers + 1 < count && number(words[numbers + 1], 10, &value[numbers])) {
        numbers++;
    }
    const bool one = count == 2 && numbers == 1;
    bool good = one;

    switch (verb) {
    case NAME:
        nb_put_line("m-name-dut-[npubench]");
        return true;
    case PROFILE:
        nb_mlperf_profile();
        return true;
    case TIMESTAMP:
        nb_mlperf_timestamp();
        return true;
    case DB:
        put_input(words, count);
        return true;
    case INFER:
        infer(words, count);
        return true;
    case RESULTS:
        nb_mlperf_results();
        return true;
    case HELP:
        nb_put_line(verbs);
        return true;
    case CAPS:
        nb_record_literal(NB_CAPS_JSON);
        return true;
    case MEM:
        memory();
        return true;
    case CLOCK:
        send_clock();
        return true;
    case FAULT:
        provoke_fault();
        return true;
    case SEED:
        if (one) {
            seed(value[0]);
        }
        break;
    case DBC:
        good = count == 4 && put_checked(words);
        break;
    case BENCH:
        good = count == 3 && numbers == 2 && value[0] != 0;
        if (good) {
            nb_bench(value[0], value[1]);
        }
        break;
    case LAYERS:
        good = one && value[0] != 0;
        if (good) {
            nb_layers(value[0]);
        }
        break;
    case KAT:
        good = count == 1 || (count == 2 && equal(words[1], "layers"));
        if (good) {
            nb_kat(count == 2);
        }
        break;
    case MODE:
        good = count == 2 && set_mode(words[1]);
        break;
    case HOLD:
#if NB_MARKERS
        if (one) {
            nb_marker_hold_us = value[0];
            nb_put_number("m-hold-us-", value[0]);
        }
#else
        nb_put_error(NB_E_NOT_SUPPORTED_TEXT);
        good = true;
#endif
        break;
    case BURST:
        good = count == 4 && numbers == 3 && value[0] - 1u < NB_STAGE_LAYER;
        if (good) {
            nb_burst(value[0], value[1], value[2]);
        }
        break;
    case BAUD:
        good = one && change_baud(value[0]);
        break;
    default:
        return false;
    }
    return good;
}

void nb_command_boot(void)
{
    if (nb_noinit.energy != 0 && nb_hal_set_baud(ENERGY_BAUD)) {
        baud = ENERGY_BAUD;
    }
    nb_mlperf_boot();
    ready();
}

void nb_command_run(void)
{
    command_clock = nb_clock_now();
    const char *words[MAX_WORDS];
    words[0] = "";
    if (nb_command_too_long) {
        nb_put_error(NB_E_TOO_LONG_TEXT);
        ready();
        return;
    }
    const uint32_t count = split(nb_command, words);
    const enum verb verb = find_verb(words[0]);
    if (verb == UNKNOWN) {
        nb_put_text("e-[Unknown command: ");
        nb_put_text(words[0]);
        nb_put_line("]");
    } else if (verb == RESET) {
        nb_hal_reset(); /* the banner is the answer */
    } else {
        baud_before = 0; /* a command that is known confirms the speed */
        if (!run(verb, words, count)) {
            nb_put_error(NB_E_BAD_ARGUMENT_TEXT);
        }
    }
    ready();
    if (baud_wish != 0) {
        start_baud_trial();
    }
}

void nb_command_idle(void)
{
    const uint64_t now = nb_clock_now();
    if (baud_before != 0 && now - command_clock > BAUD_TRIAL_CLOCK) {
        nb_hal_set_baud(baud_before);
        baud = baud_before;
        baud_before = 0;
        nb_console_forget();
    }
}
