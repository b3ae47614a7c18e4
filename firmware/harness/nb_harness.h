/* nb_harness.h: the inner interfaces of the harness, one block for each of its files. */
#ifndef NB_HARNESS_H
#define NB_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "nb_boot.h"
#include "nb_config.h"
#include "nb_errors.h"
#include "nb_hal.h"
#include "nb_hal_counter.h"
#include "nb_model.h"

/* Stage-code pins of the board, and how long their levels are held at boot. */
#ifndef NB_MARKERS
#define NB_MARKERS 0
#endif
#ifndef NB_MARKER_HOLD_US
#define NB_MARKER_HOLD_US 50
#endif
/* MLPerf asks for 1 us low at least; its runner's own filter wants 50 us between edges. */
#ifndef NB_TIMESTAMP_HOLD_US
#define NB_TIMESTAMP_HOLD_US 60
#endif

#define NB_UPLOAD_INT8 0
#define NB_UPLOAD_U8 1
#define NB_UPLOAD_F32LE 2

/* console.c: text out, commands in. Every byte sent goes through nb_put, which also carries the
 * running CRC of the record being written. */
#define NB_COMMAND_BYTES 192
void nb_put(char c);
void nb_put_text(const char *text);
void nb_put_u64(uint64_t value);
void nb_put_i32(int32_t value);
void nb_put_hex(uint32_t value, uint32_t digits);
/* A value in thousandths as a decimal with three places. */
void nb_put_milli(int32_t milli);
/* End of line. */
void nb_put_end(void);
/* `text`, end of line. */
void nb_put_line(const char *text);
/* `text`, number, end of line. */
void nb_put_number(const char *text, uint32_t value);
/* The line e-[text]. */
void nb_put_error(const char *text);
/* Start a new line if one is open: a fault may come in the middle of one. */
void nb_put_fresh(void);
/* Take one received byte. True when it completes a command, which then stands in nb_command, NUL
 * terminated; nb_command_too_long says that it did not fit. */
bool nb_console_take(uint8_t byte);
void nb_console_forget(void);
extern char nb_command[NB_COMMAND_BYTES];
extern bool nb_command_too_long;

/* crc.c: CRC-32 (IEEE 802.3, as zlib's crc32). nb_crc runs over what the console sends. */
extern uint32_t nb_crc;
uint32_t nb_crc_step(uint32_t state, uint8_t byte);
uint32_t nb_crc_of(const uint8_t *data, uint32_t bytes);

/* record.c */
/* One record. `shape` is its JSON between the braces, with ' for " and these for values:
 *   %u uint32_t   %i int32_t   %q uint64_t   %s const char *   %x uint32_t as eight hex digits
 *   %a const uint32_t *, uint32_t count: an array
 *   %h const uint8_t *, uint32_t bytes: two hex digits each */
void nb_record(const char *shape, ...);
/* A whole record from a JSON literal. */
void nb_record_literal(const char *json);

/* clock.c: the board's 32-bit counter as a 64-bit clock. Somebody must call nb_clock_now at least
 * once per wrap of the counter; the main loop and the loop of `infer` do. */
uint64_t nb_clock_now(void);
/* Microseconds since boot, modulo 2^32. */
uint32_t nb_clock_us(uint64_t clock);
/* Quotient and remainder by shift and subtract: saves the run-time library's 64-bit division. */
uint64_t nb_divide(uint64_t value, uint32_t divisor, uint32_t *remainder);

/* stack.c: bytes of the stack that were ever used. */
uint32_t nb_stack_used(void);

/* input.c: the test's fixture, and the outputs as the CPU sees them. */
typedef struct {
    _Alignas(16) uint8_t input[NB_INPUT_BYTES]; /* raw input of the network */
#if NB_UPLOAD_KIND == NB_UPLOAD_F32LE && !NB_INPUT_F32
    _Alignas(16) uint8_t upload[NB_UPLOAD_BYTES]; /* little-endian floats, as uploaded */
#endif
} nb_fixture_memory;
extern nb_fixture_memory nb_fixture;
extern uint8_t nb_output[NB_OUTPUT_BYTES];
/* True while nb_fixture.upload holds the floats that nb_fixture.input was made from. */
extern bool nb_input_has_floats;
void nb_input_seed(uint32_t seed);
/* The value of a hex digit, or -1. */
int32_t nb_hex_digit(char c);
/* Bytes of hex digits in `hex` to `data`, the first `limit` of them. Number of bytes that `hex` has,
 * or -1 and the error is printed. */
int32_t nb_input_hex(const char *hex, uint8_t *data, uint32_t limit);
/* `dbc`: put bytes at an offset of the raw input. False when they do not fit. */
bool nb_input_put(uint32_t offset, const uint8_t *data, uint32_t bytes);
void nb_input_db_load(uint32_t bytes);
void nb_input_db_hex(const char *hex);
void nb_input_db_print(void);
/* Says so where the input is an upload that is not whole. */
void nb_input_tell_short(void);

/* post.c: from raw outputs to the answer. */
typedef struct {
    int32_t index; /* best class, or -1 */
    int32_t milli; /* its score, or the mean squared error, in thousandths */
} nb_answer;
nb_answer nb_post(const uint8_t *output);
/* The dequantized output element `i`, in thousandths, rounded to nearest. */
int32_t nb_post_milli(const uint8_t *output, uint32_t i);

/* marker.c: the only place where pins move. */
enum nb_stage {
    NB_STAGE_NONE = 0,
    NB_STAGE_INIT = 1,
    NB_STAGE_LOAD = 2,
    NB_STAGE_INFER = 3,
    NB_STAGE_UNLOAD = 4,
    NB_STAGE_POST = 5,
    NB_STAGE_IDLE = 6,
    NB_STAGE_LAYER = 7,
};
#if NB_MARKERS
extern uint32_t nb_marker_hold_us;
extern uint32_t nb_marker_count; /* counts spent in nb_marker, so far */
void nb_marker(uint32_t code);
#else
#define nb_marker_count 0u
static inline void nb_marker(uint32_t code)
{
    (void)code;
}
#endif
/* The MLPerf timestamp: one low pulse; its falling edge is the mark. */
void nb_timestamp_pulse(void);

/* engine.c: the model with its state: whether it came up, and what its first init cost. */
void nb_engine_boot(void);
/* False, with the error printed, when the engine is not usable. */
bool nb_engine_ready(void);
extern uint32_t nb_engine_cold_count;
/* load and infer; 0 or the driver's error. */
int32_t nb_engine_once(void);
void nb_engine_error(int32_t status);

/* bench.c, kat.c, mlperf.c: what commands do. Arguments are checked by command.c. */
void nb_bench(uint32_t repetitions, uint32_t warmups);
void nb_layers(uint32_t repetitions);
/* burst.c: `count` times the work of stage `code` (1..7) under one marker level. */
void nb_burst(uint32_t code, uint32_t count, uint32_t hold_us);
void nb_kat(bool layers);
void nb_mlperf_boot(void);
void nb_mlperf_profile(void);
void nb_mlperf_timestamp(void);
void nb_mlperf_infer(uint32_t iterations, uint32_t warmups);
void nb_mlperf_results(void);

/* command.c */
/* Speed of the mode, banner, m-ready. */
void nb_command_boot(void);
void nb_command_run(void);
/* Called all the time while no command runs. */
void nb_command_idle(void);

/* noinit.c: nb_noinit holds over a reset. Open it at boot, seal it after each change. */
void nb_noinit_open(void);
void nb_noinit_seal(void);

/* Nothing may be moved across. */
#define NB_BARRIER() __asm volatile("" ::: "memory")

/* One timed window, the same for every stage and for the empty window: two reads of the counter
 * with `...` between them; the difference is stored in `count`, raw. */
#define NB_WINDOW(count, ...)                                                                      \
    do {                                                                                           \
        NB_BARRIER();                                                                              \
        const uint32_t nb_begin_ = nb_hal_counter();                                               \
        NB_BARRIER();                                                                              \
        __VA_ARGS__;                                                                               \
        NB_BARRIER();                                                                              \
        (count) = nb_hal_counter() - nb_begin_;                                                    \
        NB_BARRIER();                                                                              \
    } while (0)

/* A window with its marker levels around it, outside the count. */
#define NB_STAGE_WINDOW(code, count, ...)                                                          \
    do {                                                                                           \
        nb_marker(code);                                                                           \
        NB_WINDOW(count, __VA_ARGS__);                                                             \
        nb_marker(NB_STAGE_NONE);                                                                  \
    } while (0)

#endif
