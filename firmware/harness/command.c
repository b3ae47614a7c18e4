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
        uint32_t digit = (uint32_t)(uint8_t)*text - '0';
        if (digit > 9) {
            digit = ((uint32_t)(uint8_t)*text | 0x20u) - 'a' + 10u;
            if (digit < 10) {
                return false;
            }
        }
        sum = sum * base + digit;
        if (digit >= base || sum > UINT32_MAX) {
            return false;
        }
    }
    *value = (uint32_t)sum;
    return true;
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
    if (nb_crc_of(bytes, (uint32_t)count) != crc) {
        nb_put_error(NB_E_BAD_CRC_TEXT);
    } else if (!nb_input_put(offset, bytes, (uint32_t)count)) {
        nb_put_error(NB_E_OUT_OF_RANGE_TEXT);
    }
    return true;
}

static void seed(uint32_t value)
{
    nb_input_seed(value);
    nb_record_begin("seed");
    nb_record_u32("seed", value);
    nb_record_crc("crc", nb_crc_of(nb_fixture.input, NB_INPUT_BYTES));
    nb_record_end();
}

static void memory(void)
{
    nb_record_begin("mem");
    nb_record_u32("stack_used", nb_stack_used());
    nb_record_u32("stack_size", NB_STACK_BYTES);
    nb_record_u32("arena", NB_ARENA_BYTES);
    nb_record_end();
}

static void send_clock(void)
{
#if NB_COUNTER_NONE
    nb_put_error(NB_E_NO_TIMING_TEXT);
#else
    nb_record_begin("clock");
    nb_record_u64("c", command_clock);
    nb_record_end();
#endif
}

static void ready(void)
{
    nb_put_line("m-ready");
    nb_hal_flush();
}

/* The answer and its m-ready go out at the old speed, so this one ends the command by itself. */
static void change_baud(uint32_t wish)
{
    nb_put_text("m-baud-[");
    nb_put_u64(wish);
    nb_put_line("]");
    ready();
    if (nb_hal_set_baud(wish)) {
        baud_before = baud;
        baud = wish;
    }
    command_clock = nb_clock_now();
}

static void restart(void)
{
    ready();
    nb_hal_reset();
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

static bool put_input(const char *const words[], uint32_t count)
{
    uint32_t bytes;
    if (count == 2 && equal(words[1], "print")) {
        nb_input_db_print();
    } else if (count == 3 && equal(words[1], "load")) {
        if (!number(words[2], 10, &bytes)) {
            return false;
        }
        nb_input_db_load(bytes);
    } else if (count == 2) {
        nb_input_db_hex(words[1]);
    } else {
        return false;
    }
    return true;
}

static void unknown(const char *verb)
{
    nb_put_text("e-[Unknown command: ");
    nb_put_text(verb);
    nb_put_line("]");
}

enum outcome { DONE, BAD_ARGUMENT, UNKNOWN, ANSWERED };

/* The base commands. Words that they do not use are ignored, as MLPerf's firmware does. */
static enum outcome run_base(const char *const words[], uint32_t count)
{
    const char *verb = words[0];
    if (equal(verb, "name")) {
        nb_put_line("m-name-dut-[npubench]");
    } else if (equal(verb, "profile")) {
        nb_mlperf_profile();
    } else if (equal(verb, "timestamp")) {
        nb_mlperf_timestamp();
    } else if (equal(verb, "results")) {
        nb_mlperf_results();
    } else if (equal(verb, "db")) {
        return put_input(words, count) ? DONE : BAD_ARGUMENT;
    } else if (equal(verb, "infer")) {
        uint32_t iterations = 0;
        uint32_t warmups = 10;
        if (count > 2 && !number(words[2], 10, &warmups)) {
            return BAD_ARGUMENT;
        }
        if (count < 2 || !number(words[1], 10, &iterations)) {
            iterations = 0;
        }
        nb_mlperf_infer(iterations, warmups);
    } else if (equal(verb, "help")) {
        nb_put_line("npubench " NB_VERSION ": name profile timestamp db infer results; caps seed dbc "
                    "bench layers kat mem clock mode baud hold idle fault reset");
    } else {
        return UNKNOWN;
    }
    return DONE;
}

/* The extension. Exactly the words that a command takes. */
static enum outcome run_extension(const char *const words[], uint32_t count)
{
    const char *verb = words[0];
    uint32_t first = 0, second = 0;
    const bool one = count == 2 && number(words[1], 10, &first);
    const bool two = count == 3 && number(words[1], 10, &first) && number(words[2], 10, &second);
    bool good = count == 1;

    if (equal(verb, "caps")) {
        nb_record_literal(NB_CAPS_JSON);
    } else if (equal(verb, "mem")) {
        memory();
    } else if (equal(verb, "clock")) {
        send_clock();
    } else if (equal(verb, "fault")) {
        provoke_fault();
    } else if (equal(verb, "reset")) {
        restart();
    } else if (equal(verb, "seed")) {
        if ((good = one)) {
            seed(first);
        }
    } else if (equal(verb, "dbc")) {
        good = count == 4 && put_checked(words);
    } else if (equal(verb, "bench")) {
        if ((good = two && first != 0)) {
            nb_bench(first, second);
        }
    } else if (equal(verb, "layers")) {
        if ((good = one && first != 0)) {
            nb_layers(first);
        }
    } else if (equal(verb, "kat")) {
        if ((good = count == 1 || (count == 2 && equal(words[1], "layers")))) {
            nb_kat(count == 2);
        }
    } else if (equal(verb, "mode")) {
        good = count == 2 && set_mode(words[1]);
    } else if (equal(verb, "idle")) {
        if ((good = one)) {
            nb_idle(first);
        }
#if NB_MARKERS
    } else if (equal(verb, "hold")) {
        if ((good = one)) {
            nb_marker_hold_us = first;
            nb_put_number("m-hold-us-", first);
        }
#endif
    } else if (equal(verb, "baud")) {
        if ((good = one)) {
            change_baud(first);
            return ANSWERED;
        }
    } else {
        return UNKNOWN;
    }
    return good ? DONE : BAD_ARGUMENT;
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
    const char *words[MAX_WORDS] = {""};
    if (nb_command_too_long) {
        nb_put_error(NB_E_TOO_LONG_TEXT);
        ready();
        return;
    }
    const uint32_t count = split(nb_command, words);
    enum outcome outcome = run_base(words, count);
    if (outcome == UNKNOWN) {
        const uint32_t on_trial = baud_before;
        baud_before = 0; /* a command that is known confirms the speed */
        outcome = run_extension(words, count);
        if (outcome == UNKNOWN) {
            baud_before = on_trial;
        }
    } else {
        baud_before = 0;
    }
    if (outcome == UNKNOWN) {
        unknown(words[0]);
    } else if (outcome == BAD_ARGUMENT) {
        nb_put_error(NB_E_BAD_ARGUMENT_TEXT);
    }
    if (outcome != ANSWERED) {
        ready();
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
