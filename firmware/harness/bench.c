/* bench.c: the stages of the contract, each in its window; per-operator windows.
 *
 * Counts are kept during a repetition and sent after it. */
#include "nb_harness.h"

#ifndef NB_NPU
#define NB_NPU 0
#endif
#if NB_NPU
#include "nb_npu.h"
#endif

#if NB_COUNTER_NONE

void nb_bench(uint32_t repetitions, uint32_t warmups)
{
    (void)repetitions;
    (void)warmups;
    nb_put_error(NB_E_NO_TIMING_TEXT);
}

void nb_layers(uint32_t repetitions)
{
    (void)repetitions;
    nb_put_error(NB_E_NO_TIMING_TEXT);
}

#else

#define WINDOW_SAMPLES 8
#define LAYER_BATCH 32
#define SELFTEST_SHORT 1000u
#define SELFTEST_LONG 101000u

/* `iterations` times two instructions (a subtraction and a taken branch), and a constant rest:
 * constant only as one function, since a number is loaded in as many instructions as it needs. */
__attribute__((noinline)) static uint32_t selftest_count(uint32_t iterations)
{
    uint32_t count;
#if defined(__arm__)
    NB_WINDOW(count,
              __asm volatile(".balign 8\n1: subs %0, %0, #1\n bne 1b" : "+l"(iterations) : : "cc"));
#elif defined(__riscv)
    NB_WINDOW(count,
              __asm volatile(".balign 8\n1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(iterations)));
#elif defined(__x86_64__)
    NB_WINDOW(count,
              __asm volatile(".balign 8\n1: subl $1, %0\n jnz 1b" : "+r"(iterations) : : "cc"));
#elif defined(__aarch64__)
    NB_WINDOW(count, __asm volatile(
                         ".balign 8\n1: subs %w0, %w0, #1\n b.ne 1b" : "+r"(iterations) : : "cc"));
#else
#error "no loop of known length for this architecture"
#endif
    return count;
}

static void selftest(void)
{
    static const uint32_t iterations[2] = {SELFTEST_SHORT, SELFTEST_LONG};
    const uint32_t counts[2] = {selftest_count(SELFTEST_SHORT), selftest_count(SELFTEST_LONG)};
    nb_record("'t':'selftest','n':%a,'c':%a", iterations, 2, counts, 2);
}

static void empty_windows(void)
{
    uint32_t counts[WINDOW_SAMPLES];
    for (uint32_t i = 0; i < WINDOW_SAMPLES; i++) {
        NB_WINDOW(counts[i], (void)0);
    }
    nb_record("'t':'window','c':%a", counts, WINDOW_SAMPLES);
}

/* The counts of a repetition, in the order they are sent. `gap`: spent on markers within outer. */
enum { INIT, LOAD, INFER, UNLOAD, POST, OUTER, GAP, COUNTS };
#if NB_MARKERS
#define GAP_SHAPE ",'gap':%u"
#else
#define GAP_SHAPE ""
#endif

/* What an NPU's driver counted during `infer`: the set of events, then cycles and the events. */
#if NB_NPU
#define NPU_SHAPE ",'npu':%a"
#define NPU_VALUES(r) , (r)->npu, NPU_NUMBERS
#define NPU_OP_SHAPE ",'npu':%u"
#define NPU_OP_VALUE(value) , value
#define NPU_NUMBERS (1u + NB_NPU_COUNTERS)

static void npu_read(uint32_t *numbers, uint32_t set)
{
    uint64_t values[NB_NPU_COUNTERS] = {0};
    (void)nb_npu_counters(values, NB_NPU_COUNTERS);
    numbers[0] = set;
    for (uint32_t i = 0; i < NB_NPU_COUNTERS; i++) {
        numbers[1 + i] = values[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)values[i];
    }
}
#else
#define NPU_SHAPE ""
#define NPU_VALUES(r)
#define NPU_OP_SHAPE ""
#define NPU_OP_VALUE(value)
#endif

typedef struct {
    uint32_t counts[COUNTS];
    int32_t status; /* of the first call that failed, or 0 */
    nb_answer answer;
#if NB_NPU
    uint32_t npu[NPU_NUMBERS];
#endif
} repetition;

static void repeat(repetition *r, uint32_t index)
{
    uint32_t *c = r->counts;
    int32_t init, load, infer, unload;
    NB_STAGE_WINDOW(NB_STAGE_INIT, c[INIT], init = nb_model_init());
    NB_BARRIER();
#if NB_NPU
    nb_npu_begin(index % NB_NPU_SETS);
#else
    (void)index;
#endif
    const uint32_t gap = nb_marker_count;
    const uint32_t begin = nb_hal_counter();
    NB_STAGE_WINDOW(NB_STAGE_LOAD, c[LOAD], load = nb_model_load(nb_fixture.input));
    NB_STAGE_WINDOW(NB_STAGE_INFER, c[INFER], infer = nb_model_infer());
    NB_STAGE_WINDOW(NB_STAGE_UNLOAD, c[UNLOAD], unload = nb_model_unload(nb_output));
    NB_STAGE_WINDOW(NB_STAGE_POST, c[POST], r->answer = nb_post(nb_output));
    c[OUTER] = nb_hal_counter() - begin;
    c[GAP] = nb_marker_count - gap;
#if NB_NPU
    npu_read(r->npu, index % NB_NPU_SETS);
#endif
    r->status = init != 0 ? init : load != 0 ? load : infer != 0 ? infer : unload;
}

static void send_repetition(uint32_t index, const repetition *r)
{
    const uint32_t *c = r->counts;
    nb_record("'t':'rep','i':%u,'init':%u,'load':%u,'infer':%u,'unload':%u,'post':%u,"
              "'outer':%u" NPU_SHAPE GAP_SHAPE,
              index, c[INIT], c[LOAD], c[INFER], c[UNLOAD], c[POST], c[OUTER] NPU_VALUES(r),
              c[GAP]);
}

void nb_bench(uint32_t repetitions, uint32_t warmups)
{
    repetition r;
    r.status = 0;
    r.answer = (nb_answer){-1, 0};
    if (!nb_engine_ready()) {
        return;
    }
    selftest();
    empty_windows();
    nb_record("'t':'init','cold':%u", nb_engine_cold_count);
    for (uint32_t i = 0; i < warmups && r.status == 0; i++) {
        r.status = nb_engine_once();
        (void)nb_clock_now();
    }
    for (uint32_t i = 0; i < repetitions && r.status == 0; i++) {
        nb_hal_flush();
        repeat(&r, i);
        (void)nb_clock_now();
        if (r.status == 0) {
            send_repetition(i, &r);
        }
    }
    if (r.status != 0) {
        nb_engine_error(r.status);
        return;
    }
    nb_record("'t':'answer','index':%i,'milli':%i", r.answer.index, r.answer.milli);
}

/* Operators run in batches whose counts fit the stack; the arena keeps its content while a batch is
 * sent. */
void nb_layers(uint32_t repetitions)
{
    uint32_t counts[LAYER_BATCH];
#if NB_NPU
    uint32_t npu[LAYER_BATCH][NPU_NUMBERS];
#endif
    int32_t status = 0;
    if (!nb_engine_ready()) {
        return;
    }
    for (uint32_t r = 0; r < repetitions && status == 0; r++) {
        status = nb_model_load(nb_fixture.input);
        for (uint32_t first = 0; first < NB_OP_COUNT && status == 0; first += LAYER_BATCH) {
            uint32_t done = 0;
            nb_hal_flush();
            while (done < LAYER_BATCH && first + done < NB_OP_COUNT && status == 0) {
#if NB_NPU
                nb_npu_begin(0);
#endif
                NB_STAGE_WINDOW(NB_STAGE_LAYER, counts[done], status = nb_model_op(first + done));
#if NB_NPU
                npu_read(npu[done], 0);
#endif
                (void)nb_clock_now();
                done++;
            }
            for (uint32_t i = 0; i < done && status == 0; i++) {
                nb_record("'t':'op','r':%u,'i':%u,'c':%u" NPU_OP_SHAPE, r, first + i,
                          counts[i] NPU_OP_VALUE(npu[i][1]));
            }
        }
    }
    if (status != 0) {
        nb_engine_error(status);
    }
}

#endif
